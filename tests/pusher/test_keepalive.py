"""wsrelay.pusher.keepalive"""

from __future__ import annotations

from wsrelay.pusher.keepalive import GIVE_UP_AFTER, PING_AFTER, TICK, Pulse, Verdict


def verdicts(pulse: Pulse, ticks: int) -> dict[float, Verdict]:
    """What was not WAIT, by the seconds that had passed."""
    told = {number * TICK: pulse.tick() for number in range(1, ticks + 1)}
    return {seconds: verdict for seconds, verdict in told.items() if verdict is not Verdict.WAIT}


def silent_pulse() -> Pulse:
    """A pulse whose silence begins now."""
    pulse = Pulse()
    pulse.tick()
    return pulse


def test_a_silent_client_is_pinged_once_and_then_given_up() -> None:
    assert verdicts(silent_pulse(), 18) == {
        PING_AFTER: Verdict.PING,
        GIVE_UP_AFTER: Verdict.GIVE_UP,
    }


def test_a_new_connection_counts_as_heard() -> None:
    assert verdicts(Pulse(), 12) == {}


def test_whatever_arrives_starts_the_count_again() -> None:
    pulse = silent_pulse()
    assert verdicts(pulse, 11) == {}
    pulse.heard = True
    assert verdicts(pulse, 12) == {}
    assert pulse.tick() is Verdict.PING


def test_an_answer_to_the_ping_saves_the_connection() -> None:
    pulse = silent_pulse()
    verdicts(pulse, 17)
    pulse.heard = True
    assert verdicts(pulse, 12) == {}


def test_a_client_that_talks_is_left_alone() -> None:
    pulse = Pulse()
    for _ in range(100):
        pulse.heard = True
        assert pulse.tick() is Verdict.WAIT


def test_a_dead_client_is_gone_within_a_tick_of_the_promised_time() -> None:
    assert (PING_AFTER, GIVE_UP_AFTER) == (60, 90)
    assert TICK <= 5
