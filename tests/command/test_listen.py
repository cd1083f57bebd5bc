"""wsrelay.command.listen and client, against servers that end, stay silent or talk nonsense.

How a real relay is listened to is in ``test_trigger``.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from websockets.sync.server import ServerConnection, serve

from tests.command.conftest import Relay, Run
from tests.command.test_status import answering
from wsrelay.command import listen as module
from wsrelay.command.chosen import Chosen
from wsrelay.command.trigger import publish

Scene = Callable[[ServerConnection], None]


def tell(connection: ServerConnection, event: str, data: object, **more: str) -> None:
    connection.send(json.dumps({"event": event, "data": data, **more}))


def welcome(connection: ServerConnection, activity_timeout: float = 120) -> None:
    told = {"socket_id": "1.2", "activity_timeout": activity_timeout}
    tell(connection, "pusher:connection_established", json.dumps(told))
    asked = json.loads(connection.recv())
    assert asked == {"event": "pusher:subscribe", "data": {"channel": "news"}}


def end(connection: ServerConnection) -> None:
    tell(connection, "told", "{}", channel="news")
    connection.recv()  # the client leaves


@contextmanager
def playing(*scenes: Scene) -> Iterator[str]:
    """A server that does one of these with each client who comes."""
    waiting = iter(scenes)
    faults: list[BaseException] = []

    def play(connection: ServerConnection) -> None:
        from websockets.exceptions import ConnectionClosed

        try:
            next(waiting)(connection)
        except ConnectionClosed:
            pass
        except BaseException as fault:
            faults.append(fault)
            raise

    with serve(play, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.socket.getsockname()[1]}"
        server.shutdown()
        thread.join()
    assert next(waiting, None) is None, "not everything was played"
    assert faults == []


def listening(run: Run, url: str, *more: str) -> tuple[int, str, str]:
    return run("listen", "news", "--url", url, "--count", "1", *more)


def test_in_a_presence_channel_one_is_seen_and_the_protocols_own_events_do_not_count(
    relay: Relay, run: Run
) -> None:
    chosen = Chosen(config=str(relay.file))
    [place, *_], [app, *_] = chosen.places, chosen.settings.apps
    is_over = threading.Event()

    def talk() -> None:
        while not is_over.wait(0.05):
            publish(place, app, "presence-a", "told", "1")

    talker = threading.Thread(target=talk)
    talker.start()
    try:
        ended = run(
            *("listen", "--config", str(relay.file), "presence-a", "--user-id", "ada"),
            *("--user-info", '{"n": 1}', "--count", "2", "--json"),
        )
    finally:
        is_over.set()
        talker.join()
    assert ended.code == 0
    assert [json.loads(line)["event"] for line in ended.out.splitlines()] == ["told"] * 2


def test_told_to_come_back_at_once_it_does(run: Run) -> None:
    def go_away(connection: ServerConnection) -> None:
        welcome(connection)
        tell(connection, "pusher:error", {"code": 4200, "message": "moved"})
        connection.close(4200, "moved")

    def welcome_and_end(connection: ServerConnection) -> None:
        welcome(connection)
        tell(connection, "pusher_internal:subscription_succeeded", "{}", channel="news")
        tell(connection, "pusher_internal:member_added", "{}", channel="news")
        end(connection)

    with playing(go_away, welcome_and_end) as url:
        began = time.monotonic()
        code, out, err = listening(run, url)
    assert code == 0
    assert time.monotonic() - began < module.FIRST_PAUSE + 5
    assert '# error: {"code": 4200, "message": "moved"}' in err
    assert "# closed: 4200 moved; coming back" in err
    assert [line.split()[2] for line in out.splitlines()] == [
        "pusher_internal:member_added",
        "told",
    ]


def test_a_connection_that_breaks_off_is_made_anew(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FIRST_PAUSE", 0.01)

    def break_off(connection: ServerConnection) -> None:
        welcome(connection)
        connection.socket.close()

    def not_json(connection: ServerConnection) -> None:
        welcome(connection)
        connection.send("hello")

    def no_event(connection: ServerConnection) -> None:
        welcome(connection)
        connection.send("[]")

    def welcome_and_end(connection: ServerConnection) -> None:
        welcome(connection)
        end(connection)

    with playing(break_off, not_json, no_event, welcome_and_end) as url:
        code, _, err = listening(run, url)
    assert code == 0
    for told in ("the connection broke off", "was not JSON", "was no event"):
        assert f"{told}; trying again in 0.01" in err


def test_pings_are_answered_and_silence_is_asked_about_before_it_is_given_up(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(module, "PATIENCE", 0.1)

    def silent(connection: ServerConnection) -> None:
        welcome(connection, activity_timeout=0.1)
        assert json.loads(connection.recv())["event"] == "pusher:ping"
        connection.recv()  # and no pong

    def asks(connection: ServerConnection) -> None:
        welcome(connection, activity_timeout=30)
        tell(connection, "pusher:ping", {})
        assert json.loads(connection.recv())["event"] == "pusher:pong"
        end(connection)

    with playing(silent, asks) as url:
        code, _, err = listening(run, url)
    assert code == 0
    assert "not even a ping was answered" in err


def test_what_is_no_relay_is_told(run: Run) -> None:
    with answering({}) as url:
        code, _, err = listening(run, url)
    assert code == 2
    assert "answered 404 instead of a WebSocket" in err
    with playing(lambda connection: tell(connection, "hello", {})) as url:
        code, _, err = listening(run, url)
    assert code == 1
    assert "expected pusher:connection_established, got hello" in err


def test_time_may_run_out_while_it_waits_to_come_back(run: Run) -> None:
    def go_away(connection: ServerConnection) -> None:
        welcome(connection)
        connection.close(4100, "full")

    with playing(go_away) as url:
        ended = run("listen", "news", "--url", url, "--seconds", "0.5")
    assert ended.code == 0
    assert "# closed: 4100 full; coming back" in ended.err


def test_ctrl_c_ends_it_with_0(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(module._Listening, "run", interrupted)
    assert run("listen", "news") == (0, "", "\n"), "behind the ^C that the terminal shows"
