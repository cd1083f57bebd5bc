"""wsrelay.pusher.messages"""

from __future__ import annotations

from wsrelay.pusher.messages import ClientEvent, Ignored, Ping, Subscribe, Unsubscribe


def test_what_clients_say_is_compared_by_what_it_says() -> None:
    assert Subscribe("room") == Subscribe("room", None, None)
    assert Ping() == Ping()
    assert ClientEvent("client-e", "private-room", b"1") != ClientEvent(
        "client-e", "private-room", b"2"
    )
    assert Unsubscribe("room") != Subscribe("room")
    assert Ignored("pusher:pong").event == "pusher:pong"
