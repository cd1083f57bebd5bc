"""wsrelay.log"""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import LogEvent, LogLevel, formatEvent, globalLogPublisher

from wsrelay.core.errors import Code
from wsrelay.core.notices import (
    ChannelOccupied,
    ChannelVacated,
    ConnectionClosed,
    ConnectionDenied,
    ConnectionOpened,
    MemberAdded,
    Notice,
    SubscriptionDenied,
)
from wsrelay.log import Refusals, log_connection, observers, spawn
from wsrelay.sparingly import OFTEN


@pytest.fixture
def log() -> Iterator[list[LogEvent]]:
    events: list[LogEvent] = []
    globalLogPublisher.addObserver(events.append)
    yield events
    globalLogPublisher.removeObserver(events.append)


PEER = "192.0.2.7:50412"


def log_notice(notice: Notice) -> None:
    observers(log_connection, Refusals(Clock().seconds))(notice)


@pytest.mark.parametrize(
    ("notice", "level", "line"),
    [
        (
            ConnectionOpened("1001", "1.2", PEER, "js 8.6.0"),
            LogLevel.info,
            f"app 1001: {PEER} opened 1.2 (js 8.6.0)",
        ),
        (
            ConnectionClosed("1001", "1.2", PEER, 1001, "going away"),
            LogLevel.info,
            f"app 1001: {PEER} closed 1.2 (1001 going away)",
        ),
        (
            ConnectionDenied(PEER, Code.APP_NOT_FOUND, "no app has the key 'x'"),
            LogLevel.warn,
            f"{PEER} refused (4001 no app has the key 'x')",
        ),
        (
            SubscriptionDenied("1001", "1.2", "private-a", 401, "wrong", "1.2:private-a"),
            LogLevel.warn,
            "app 1001: 1.2 may not subscribe to private-a (401 wrong); "
            "expected a signature of '1.2:private-a'",
        ),
    ],
)
def test_what_an_operator_wants_to_know_is_one_line(
    log: list[LogEvent], notice: Notice, level: object, line: str
) -> None:
    log_notice(notice)
    [event] = log
    assert formatEvent(event) == line
    assert event["log_level"] is level
    assert event["log_namespace"] == "wsrelay"


def test_whoever_knocks_all_the_time_does_not_fill_the_log(log: list[LogEvent]) -> None:
    clock = Clock()
    refusals = Refusals(clock.seconds)
    for _ in range(1000):
        refusals(ConnectionDenied(PEER, Code.APP_NOT_FOUND, "no app has the key 'x'"))
    assert len(log) == OFTEN
    clock.advance(1)
    refusals(SubscriptionDenied("1001", "1.2", "private-a", 401, "wrong", "1.2:private-a"))
    assert formatEvent(log[-1]).endswith("'1.2:private-a' (and 990 more such before)")


def test_what_happens_in_channels_is_not_written_down(log: list[LogEvent]) -> None:
    for notice in (
        ChannelOccupied("1001", "room"),
        ChannelVacated("1001", "room"),
        MemberAdded("1001", "presence-room", "ada"),
    ):
        log_notice(notice)
    assert log == []


def test_what_a_client_writes_forges_no_line_and_reaches_no_terminal(log: list[LogEvent]) -> None:
    evil = "x\nforged\r\x1b[2J\x85\u2028é世"
    for notice in (
        ConnectionOpened("1001", "1.2", PEER, evil),
        ConnectionClosed("1001", "1.2", PEER, 1000, evil),
        ConnectionDenied(PEER, Code.UNAUTHORIZED, evil),
        SubscriptionDenied("1001", "1.2", "private-a", 401, "wrong", evil),
    ):
        log_notice(notice)
    for event in log:
        text = formatEvent(event)
        assert text.isprintable()
        assert "x\\nforged\\r\\x1b[2J\\x85\\u2028é世" in text


def test_braces_in_what_a_client_writes_are_just_braces(log: list[LogEvent]) -> None:
    log_notice(ConnectionOpened("1001", "1.2", PEER, "{app.__class__} {0}"))
    assert formatEvent(log[0]).endswith("({app.__class__} {0})")


def test_a_conversation_runs_at_once_to_its_first_wait(log: list[LogEvent]) -> None:
    steps = []

    async def converse() -> None:
        steps.append("begun")

    spawn(converse())
    assert steps == ["begun"]
    assert log == []


def test_a_conversation_that_goes_wrong_ends_in_the_log(log: list[LogEvent]) -> None:
    async def converse() -> None:
        raise RuntimeError("a fault of ours")

    spawn(converse())
    [event] = log
    assert formatEvent(event) == "a conversation went wrong"
    assert str(event["log_failure"].value) == "a fault of ours"


def test_a_conversation_that_waits_goes_on_with_what_it_waited_for(log: list[LogEvent]) -> None:
    first, second = Deferred[str](), Deferred[str]()
    heard = []

    async def converse() -> None:
        heard.append(await first)
        heard.append(await second)

    spawn(converse())
    first.callback("one")
    assert heard == ["one"]
    second.callback("two")
    assert heard == ["one", "two"]
    assert log == []


def test_a_conversation_may_get_over_a_failure_that_it_waited_for(log: list[LogEvent]) -> None:
    first, second = Deferred[str](), Deferred[str]()
    heard = []

    async def converse() -> None:
        try:
            await first
        except OSError as error:
            heard.append(str(error))
        heard.append(await second)

    spawn(converse())
    first.errback(OSError("gone"))
    second.callback("back")
    assert heard == ["gone", "back"]
    assert log == []


def test_a_failure_after_a_wait_ends_in_the_log(log: list[LogEvent]) -> None:
    waited: Deferred[str] = Deferred()

    async def converse() -> None:
        await waited

    spawn(converse())
    waited.errback(OSError("gone"))
    [event] = log
    assert formatEvent(event) == "a conversation went wrong"
    assert str(event["log_failure"].value) == "gone"


def test_a_conversation_that_nobody_will_answer_is_closed(log: list[LogEvent]) -> None:
    steps = []

    async def converse() -> None:
        try:
            await Deferred[None]()
        finally:
            steps.append("closed")

    spawn(converse())
    gc.collect()
    assert steps == ["closed"]
    assert log == []
