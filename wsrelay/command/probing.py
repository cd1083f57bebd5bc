"""What can be found by asking the relay that runs."""

from __future__ import annotations

import resource
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path

from .chosen import Chosen
from .client import Client, Refused, client
from .findings import Finding, fault, good, skipped, warning
from .place import TIMEOUT, Place, Unreachable
from .status import full_status, metrics_place
from .trigger import publish

#: Descriptors below which a relay is short of them: every connection is one.
FEW_DESCRIPTORS = 10_000
#: Seconds of skew that backends notice: requests are refused from 600 on.
SKEW, MOST_SKEW = 30.0, 600.0


@dataclass
class Probed:
    """The doors at which a wsrelay has answered."""

    places: list[Place]


def at_doors(chosen: Chosen, probed: Probed) -> Iterator[Finding]:
    """Who answers at each of the relay's ports."""
    places = chosen.places
    if not places:
        yield skipped(
            "ports",
            "the settings name no port that can be reached without a proxy; say where the relay is "
            "with --url",
        )
    for place in places:
        try:
            place.connect().close()
        except Unreachable as error:
            yield fault(
                "ports",
                f"nothing answers: {error}",
                "start the relay (twistd -n wsrelay, with the same configuration), or say where "
                "it is with --url",
            )
            continue
        try:
            answer = place.ask("GET", f"{place.prefix}/up")
        except Unreachable as error:
            yield fault("ports", str(error), _who_listens(place))
            continue
        if answer.status == 200 and isinstance(answer.json, dict) and "health" in answer.json:
            probed.places.append(place)
            yield good("ports", f"a relay answers at {place}")
        else:
            yield fault(
                "ports",
                f"{place} answers {answer.status} at /up, which a wsrelay does not",
                _who_listens(place),
            )


def _who_listens(place: Place) -> str:
    return (
        f"see which program it is: ss -ltnp sport = :{place.port}; behind a proxy, whether it "
        "passes /up and /app/ on"
    )


def at_descriptors(chosen: Chosen, probed: Probed) -> Iterator[Finding]:
    """How many descriptors the relay may have; one is needed for each connection."""
    if chosen.url is not None:
        return
    told = full_status(metrics_place(chosen))
    most = None if told is None else _limit_of(int(told["pid"]))
    whose = "the relay" if most is not None else "a process started here"
    if most is None:
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if most < FEW_DESCRIPTORS:
        yield warning(
            "descriptors",
            f"{whose} may have {most} open files, so fewer than {most} connections",
            "LimitNOFILE=65536 in the systemd unit, minfds in Supervisor, or ulimit -n 65536 "
            "before the start",
        )
    else:
        yield good("descriptors", f"{whose} may have {most} open files")


def _limit_of(pid: int) -> int | None:
    try:
        for line in Path(f"/proc/{pid}/limits").read_text().splitlines():
            if line.startswith("Max open files"):
                soft = line.split()[3]
                return 2**31 if soft == "unlimited" else int(soft)
    except (OSError, ValueError):
        return None
    return None


def at_clock(chosen: Chosen, probed: Probed) -> Iterator[Finding]:
    """Whether this machine's clock and the relay's agree; backends sign with the time."""
    place = probed.places[0]
    before = time.time()
    try:
        date = place.ask("GET", f"{place.prefix}/up").headers.get("date")
    except Unreachable as error:
        yield fault("clock", str(error), "look into the relay's log")
        return
    now = (before + time.time()) / 2
    try:
        # HTTP's dates have whole seconds: half of one is added.
        skew = parsedate_to_datetime(date or "").timestamp() + 0.5 - now
    except ValueError:
        yield skipped("clock", "the answer has no date")
        return
    said = f"the relay's clock is {abs(skew):.0f} s {'ahead' if skew > 0 else 'behind'}"
    advice = "set both clocks by NTP: timedatectl set-ntp true"
    if abs(skew) >= MOST_SKEW:
        yield fault("clock", f"{said}: requests that are signed here are refused", advice)
    elif abs(skew) >= SKEW:
        yield warning("clock", f"{said}; from {MOST_SKEW:.0f} s on requests are refused", advice)
    else:
        yield good("clock", f"the relay's and this machine's agree to {max(1, abs(skew)):.0f} s")


def at_loop_back(chosen: Chosen, probed: Probed) -> Iterator[Finding]:
    """Whether an event that is published comes to a client, at each door."""
    app = chosen.one_app
    for place in probed.places:
        channel = f"private-wsrelay-doctor-{secrets.token_hex(8)}"
        try:
            with client(place, app) as there:
                there.subscribe(channel)
                _await(there, "pusher_internal:subscription_succeeded")
                published = time.monotonic()
                answer = publish(place, app, channel, "doctor", "{}")
                if answer.status != 200:
                    yield fault(
                        "loop-back",
                        f"{place}: the publish was refused ({answer.reason})",
                        "the relay that runs has another configuration than this one: compare id, "
                        "key and secret, and reload or restart it",
                    )
                    continue
                _await(there, "doctor")
                took = 1000 * (time.monotonic() - published)
        except (Refused, Unreachable) as error:
            yield fault("loop-back", f"{place}: {error}", _advice(error))
        except TimeoutError:
            yield fault(
                "loop-back",
                f"{place}: nothing came within {TIMEOUT:.0f} s",
                "look into the relay's log, and at what is between here and there",
            )
        else:
            yield good(
                "loop-back", f"{place}: an event of app {app.id} came back after {took:.1f} ms"
            )


def _await(there: Client, event: str) -> None:
    while True:
        message = there.hear(TIMEOUT)
        if message["event"] == event:
            return
        if message["event"] == "pusher:subscription_error":
            raise Refused(f"subscription refused: {message.get('data')}")


def _advice(error: Exception) -> str:
    if isinstance(error, Refused) and (error.code is None or error.code == 4001):
        return (
            "the relay that runs has another app than this configuration: compare id, key and "
            "secret, and reload or restart it"
        )
    if isinstance(error, Refused):
        return "the reason is the relay's; docs/configuration.md says what the setting does"
    return "if a proxy stands before it: does it pass Upgrade and Connection on?"
