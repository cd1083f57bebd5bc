"""wsrelay.cluster.redis.tally"""

from __future__ import annotations

import re
from pathlib import Path

from wsrelay.cluster.redis.tally import ClusterTally

DOCUMENT = Path(__file__).parents[3] / "docs" / "clustering.md"


def test_the_table_in_the_docs_is_what_is_counted() -> None:
    expected = [
        f"| `wsrelay_cluster_{name}_total` | {meaning} |"
        for name, meaning, _ in ClusterTally().told()
    ]
    assert re.findall(r"^\| `wsrelay_cluster_.*$", DOCUMENT.read_text(), re.MULTILINE) == expected
