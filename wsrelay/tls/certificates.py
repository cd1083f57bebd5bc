"""The certificates of all TLS listeners: read at the start, renewed, never expiring unsaid.

Renewal needs no restart, and a faulty file nobody's attention at night: each certificate stays in
use until its files hold another that can be used.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from types import MappingProxyType
from typing import Any, TypeVar

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from OpenSSL import SSL
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from ..config.settings import Certificate, TlsListener
from ..listening import CannotStart
from .door import TlsDoor
from .files import with_whole_paths
from .pair import ContentOf, Pair, Unusable, content_of, read_certificates, read_pair
from .profile import new_context
from .watched import Watched

_log = Logger(namespace="wsrelay")

NOTHING: Mapping[str, bytes] = MappingProxyType({})

DAY = 24 * 60 * 60
#: Seconds between two looks at the files.
LOOK_EVERY = 5
#: Seconds before its end from which on each day has a warning. By then Let's Encrypt's clients
#: have tried to renew it for two weeks.
WARN_BEFORE = 14 * DAY


_Content = TypeVar("_Content")
#: Listeners with whole paths, and what stands in their files.
_Read = tuple[
    Sequence[TlsListener],
    dict[Certificate, Watched[Pair]],
    dict[str, Watched[list[x509.Certificate]]],
]


class Certificates:
    """Reads the files, gives the doors what they show, and sees to it that this stays good."""

    def __init__(
        self,
        listeners: Sequence[TlsListener],
        clock: IReactorTime,
        now: Callable[[], float],
        known: Mapping[str, bytes] = NOTHING,
    ) -> None:
        """Read everything; ``now`` is the time of day. Raises ``CannotStart``.

        What is ``known``, by its whole path, was read by a process that may read more than this
        one: it counts at the start for files that can't be used.
        """
        self._now = now
        self._known = known
        self._directory = os.getcwd()
        self._pairs: dict[Certificate, Watched[Pair]] = {}
        self._authorities: dict[str, Watched[list[x509.Certificate]]] = {}
        self.doors = [TlsDoor(listener) for listener in listeners]
        self._change_over(*self._read_for(listeners))
        self._known = NOTHING
        self._looking = LoopingCall(self._look)
        self._days = LoopingCall(self._pass_a_day)
        self._looking.clock = self._days.clock = clock

    def prepare(self, listeners: Sequence[TlsListener]) -> Callable[[], None]:
        """Read what is new in other settings of the same listeners; change nothing yet.

        What is returned changes over, and reads everything again. Raises ``CannotStart`` for a
        file that was not in use before and can't be used.
        """
        read = self._read_for(listeners)

        def change_over() -> None:
            self._change_over(*read)
            self.reload()

        return change_over

    def _read_for(self, listeners: Sequence[TlsListener]) -> _Read:
        """What is known already is kept, all else read. Raises ``CannotStart``."""
        settings = [with_whole_paths(listener, self._directory) for listener in listeners]
        pairs: dict[Certificate, Watched[Pair]] = {}
        authorities: dict[str, Watched[list[x509.Certificate]]] = {}
        try:
            for listener in settings:
                for files in listener.certificates:
                    if files not in pairs:
                        pairs[files] = self._pairs.get(files) or self._watched(files)
                path = listener.client_ca
                if path and path not in authorities:
                    authorities[path] = self._authorities.get(path) or Watched(
                        [path], self._reading(partial(read_certificates, path))
                    )
        except Unusable as fault:
            raise CannotStart(f"tls: {fault}") from fault
        return settings, pairs, authorities

    def _watched(self, files: Certificate) -> Watched[Pair]:
        paths = [path for path in (files.cert, files.key, files.chain) if path]
        return Watched(paths, self._reading(partial(_usable, files)))

    def _reading(self, read: Callable[[ContentOf], _Content]) -> Callable[[], _Content]:
        """Reads the files; at the start, what is known instead if they can't be used."""

        def known(path: str) -> bytes:
            if path not in self._known:
                raise Unusable(f"{path}: not known")
            return self._known[path]

        def reading() -> _Content:
            try:
                return read(content_of)
            except Unusable:
                if self._known:
                    with suppress(Unusable):
                        return read(known)
                raise

        return reading

    def _change_over(
        self,
        settings: Sequence[TlsListener],
        pairs: dict[Certificate, Watched[Pair]],
        authorities: dict[str, Watched[list[x509.Certificate]]],
    ) -> None:
        for door, listener in zip(self.doors, settings, strict=True):
            door.settings = listener
        self._pairs, self._authorities = pairs, authorities
        self._show()

    def _show(self) -> None:
        for door in self.doors:
            path = door.settings.client_ca
            door.show(
                [self._pairs[files].content for files in door.settings.certificates],
                self._authorities[path].content if path else (),
            )

    # -- while it runs -----------------------------------------------------------------------

    def start(self) -> None:
        """Say what is in use, and look after it from now on.

        Reading once more shows whether renewals can be read: privileges may have been dropped.
        """
        if self.doors:
            self.reload()
            self._looking.start(LOOK_EVERY, now=False)
            self._days.start(DAY, now=False)

    def stop(self) -> None:
        for call in (self._looking, self._days):
            if call.running:
                call.stop()

    def reload(self) -> None:
        """Read every file again, changed or not. What can't be used is said and left alone."""
        self._renew(self._everything())

    def in_use(self) -> dict[str, Pair]:
        """Each certificate that is shown to clients, by the path of its file."""
        return {files.cert: watched.content for files, watched in self._pairs.items()}

    def _everything(self) -> list[Watched[Any]]:
        return [*self._pairs.values(), *self._authorities.values()]

    def _look(self) -> None:
        with _log.failureHandler("the certificates could not be looked at"):
            if changed := [watched for watched in self._everything() if watched.has_changed()]:
                self._renew(changed)

    def _pass_a_day(self) -> None:
        with _log.failureHandler("the certificates could not be looked after"):
            # New contexts have new keys for session tickets: whoever gets hold of one learns
            # nothing about the days before (TLS 1.2; RFC 5077, 5.5).
            self._show()
            for files, watched in self._pairs.items():
                self._warn(files, watched.content)

    def _renew(self, changed: Sequence[Watched[Any]]) -> None:
        renewed = []
        for watched in changed:
            try:
                watched.read_again()
            except Unusable as fault:
                _log.error("TLS: {fault}; what was read before stays in use", fault=fault)
            else:
                renewed.append(watched)
        self._show()
        self._say_what_is_used([files for files in self._pairs if self._pairs[files] in renewed])

    # -- what is said ------------------------------------------------------------------------

    def _say_what_is_used(self, which: Iterable[Certificate]) -> None:
        for files in which:
            pair = self._pairs[files].content
            if pair.is_key_open_to_all:
                _log.warn("TLS: any user of this machine can read {path}", path=files.key)
            if not self._warn(files, pair):
                _log.info("TLS: {what} is good until {date}", **_described(files, pair))

    def _warn(self, files: Certificate, pair: Pair) -> bool:
        """Whether there was something to warn of."""
        now = self._now()
        if now < pair.valid_from:
            _log.error(
                "TLS: {what} is not valid before {date}: is the clock right?",
                **_described(files, pair, pair.valid_from),
            )
        elif now >= pair.expires_at:
            _log.error(
                "TLS: {what} expired on {date} and clients refuse it", **_described(files, pair)
            )
        elif now >= pair.expires_at - WARN_BEFORE:
            _log.warn("TLS: {what} expires on {date}: renew it", **_described(files, pair))
        else:
            return False
        return True


def _described(files: Certificate, pair: Pair, moment: float | None = None) -> dict[str, str]:
    names = ", ".join(pair.names[:5]) + (", ..." if len(pair.names) > 5 else "")
    date = datetime.fromtimestamp(pair.expires_at if moment is None else moment, UTC)
    return {
        "what": f"the certificate in {files.cert} for {names or 'no name'}",
        "date": f"{date:%Y-%m-%d %H:%M} UTC",
    }


def _usable(files: Certificate, content_of: ContentOf) -> Pair:
    """The pair, tried out with OpenSSL. Raises ``Unusable``."""
    try:
        pair = read_pair(files, content_of)
        new_context(pair, "1.2")
    except SSL.Error as error:
        reasons = " and ".join(entry[-1] for entry in error.args[0])
        raise Unusable(f"{files.cert} with {files.key}: refused by OpenSSL: {reasons}") from error
    except (TypeError, ValueError, UnsupportedAlgorithm) as error:
        raise Unusable(f"{files.cert} with {files.key}: can't be used: {error}") from error
    return pair
