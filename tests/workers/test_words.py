"""wsrelay.workers.words"""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import DecodeError

from wsrelay.metrics.summed import Family
from wsrelay.workers.words import (
    Beat,
    Failed,
    FindPlaces,
    Hurry,
    Introduce,
    Judged,
    Places,
    Prepare,
    Ready,
    Said,
    Socket,
    Start,
    Stop,
    TakeUp,
    framed,
    reader_of_parent,
    reader_of_worker,
)

FROM_PARENT: list[Any] = [
    Start(2, b"{}", [[Socket(5, 2, True, False)], []], {"/key.pem": b"\0\xff"}),
    Introduce(),
    Prepare(b"{}"),
    TakeUp(),
    FindPlaces(),
    Stop("PRESENT", [True, False]),
    Hurry(),
]
FROM_WORKER: list[Any] = [
    Ready(),
    Failed("redis: why"),
    Said(1.5, "info", "wsrelay", "text", {"many": 3, "name": "x"}),
    Judged(""),
    Places([0, None]),
    Beat(
        {"ready": True, "apps": []}, [Family("a", "b", "counter", [("a_total", {"c": "d"}, 1.0)])]
    ),
]


@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_words_arrive_as_they_were_sent_in_whatever_pieces(size: int) -> None:
    for reader, words in ((reader_of_parent, FROM_PARENT), (reader_of_worker, FROM_WORKER)):
        heard: list[Any] = []
        said = b"".join(map(framed, words))
        reading = reader(heard.append)
        for start in range(0, len(said), size):
            reading.dataReceived(said[start : start + size])
        assert heard == words


def test_what_is_no_word_of_the_other_end_raises() -> None:
    with pytest.raises(DecodeError):
        reader_of_parent(print).dataReceived(framed(Ready()))
