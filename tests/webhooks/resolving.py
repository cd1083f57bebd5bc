"""Names that lead where a test wants, in place of DNS."""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IHostnameResolver, IHostResolution, IResolutionReceiver
from zope.interface import implementer


@implementer(IHostResolution)
class Resolution:
    def __init__(self, name: str) -> None:
        self.name = name

    def cancel(self) -> None:
        """Nothing is left to be cancelled: the answer was there at once."""


@implementer(IHostnameResolver)
class Names:
    """A resolver; each answer is given once, the last one for ever."""

    def __init__(self, **names: list[str] | list[list[str]]) -> None:
        """``inside=["10.0.0.1"]`` or, for changing answers, ``flips=[["1.1.1.1"], ["10.0.0.1"]]``.

        Underscores stand for dots.
        """
        self._answers: dict[str, list[Any]] = {
            name.replace("_", "."): list(answers) if isinstance(answers[0], list) else [answers]
            for name, answers in names.items()
        }
        self.asked: list[str] = []

    def resolveHostName(
        self,
        resolutionReceiver: IResolutionReceiver,
        hostName: str,
        portNumber: int = 0,
        addressTypes: Any = None,
        transportSemantics: str = "TCP",
    ) -> IHostResolution:
        self.asked.append(hostName)
        resolution = Resolution(hostName)
        resolutionReceiver.resolutionBegan(resolution)
        answers = self._answers.get(hostName, [[]])
        for address in answers.pop(0) if len(answers) > 1 else answers[0]:
            kind = IPv6Address if ":" in address else IPv4Address
            resolutionReceiver.addressResolved(kind("TCP", address, portNumber))
        resolutionReceiver.resolutionComplete()
        return resolution
