"""wsrelay.core.frame"""

from __future__ import annotations

from wsrelay.core.frame import Frame


def test_a_new_frame_has_no_wire_bytes_yet() -> None:
    frame = Frame(b"{}")
    assert frame.payload == b"{}"
    assert frame.wire is None


def test_a_frame_shows_its_size_and_not_what_it_says() -> None:
    assert repr(Frame(b'{"event":"private talk"}')) == "<Frame of 24 bytes>"
