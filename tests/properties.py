"""What properties are tried with: strategies that several tests share, and how many examples.

``WSRELAY_TEST_EXAMPLES=5000 pytest tests/pusher`` looks further. By default the examples are the
same on every run, so that a failure is there for whoever looks next.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

_examples = os.environ.get("WSRELAY_TEST_EXAMPLES")

settings.register_profile(
    "wsrelay",
    max_examples=int(_examples or 60),
    derandomize=_examples is None,
    deadline=None,
    database=None,
)
settings.load_profile("wsrelay")

#: For properties that hold two implementations together.
thorough = settings(max_examples=5 * settings().max_examples)

#: Any text that UTF-8 can say: no lone surrogates.
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)

json_values: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda values: st.lists(values, max_size=4) | st.dictionaries(texts, values, max_size=4),
    max_leaves=12,
)


@st.composite
def json_texts(draw: st.DrawFn, values: st.SearchStrategy[Any] = json_values) -> str:
    """JSON as people write it: escaped or not, with or without white space."""
    return json.dumps(
        draw(values),
        ensure_ascii=draw(st.booleans()),
        indent=draw(st.sampled_from([None, 1, "\t"])),
        separators=draw(st.sampled_from([None, (",", ":"), (" , ", " : ")])),
    )


def depths_around_the_deepest(accepts: Callable[[str], object]) -> list[int]:
    """Depths of nesting on both sides of the one at which ``accepts`` begins to raise.

    Where that is depends on Python's version and on the stack at hand.
    """
    shallow, deep = 1, 200_000
    while deep - shallow > 1:
        depth = (shallow + deep) // 2
        try:
            accepts("[" * depth + "]" * depth)
        except Exception:
            deep = depth
        else:
            shallow = depth
    return [*range(max(1, deep - 12), deep + 12), 200_000]


channel_names = st.from_regex(
    r"(private-|presence-|cache-|private-encrypted-|#server-to-user-)?[A-Za-z0-9_\-=@,.;]{1,12}",
    fullmatch=True,
)
socket_ids = st.from_regex(r"[0-9]{1,10}\.[0-9]{1,10}", fullmatch=True)
