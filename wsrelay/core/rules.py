"""Rules: what some channels of an app do for stock clients beyond Pusher, each off by default.

Like an app's other settings these definitions are the only ones. What the rules do is
``wsrelay.rules``' to say.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from .secret import Secret

EventPattern = Annotated[str, Meta(pattern=r"^client-\S+\Z", max_length=200)]
EventPatterns = Annotated[
    tuple[EventPattern, ...],
    Meta(
        min_length=1,
        max_length=100,
        description="Names of client events; `client-position*` is a pattern.",
    ),
]
FieldName = Annotated[str, Meta(min_length=1, max_length=100)]


class Newest(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """``newest``: of these events only the newest leaves."""

    events: EventPatterns
    rate: Annotated[
        float,
        Meta(gt=0, le=1000, description="How often a second one sender's event leaves, at most."),
    ] = 20


class Directed(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """``directed``: these events reach the one member whom they name."""

    events: EventPatterns
    field: Annotated[
        FieldName,
        Meta(description="Field of `data` that holds a user id or a socket id of the channel."),
    ] = "to"


class Proximity(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """``proximity``: positions reach those who are near."""

    event: Annotated[EventPattern, Meta(description="The client event that says a position.")]
    x: Annotated[FieldName, Meta(description="Field of `data`: a number.")] = "x"
    y: Annotated[FieldName, Meta(description="Field of `data`: a number.")] = "y"
    radius: Annotated[
        float, Meta(ge=1e-6, le=1e9, description="Distance up to which two members come near.")
    ]
    hysteresis: Annotated[
        float, Meta(ge=0, le=1e9, description="How much farther away they may go and stay near.")
    ] = 0
    beyond_rate: Annotated[
        float,
        Meta(
            ge=0,
            le=1000,
            description="Positions a second of one sender for those who are not near. 0: none.",
        ),
    ] = 0

    def __post_init__(self) -> None:
        if self.x == self.y:
            raise ValueError("x and y must be two fields")


class Turn(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """``turn``: members are given credentials of a TURN server."""

    urls: Annotated[
        tuple[
            Annotated[str, Meta(pattern=r"^(turns?|stuns?):\S+\Z", max_length=500)],
            ...,
        ],
        Meta(min_length=1, max_length=20, description="Addresses, `turn:turn.example.org:3478`."),
    ]
    secret: Annotated[Secret, Meta(description="coturn's `static-auth-secret`.")]
    ttl: Annotated[
        int, Meta(ge=60, le=604_800, description="Seconds that credentials are good for.")
    ] = 3600


class Rule(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What the channels of one pattern do: what ``[[apps.rules]]`` may hold."""

    channels: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=1000,
            description="Pattern of channels' names: `*` is any text. The first rule whose "
            "pattern fits a channel is its only one.",
        ),
    ]
    newest: Annotated[Newest | None, Meta(description="Of some events only the newest leaves.")] = (
        None
    )
    directed: Annotated[
        Directed | None, Meta(description="Some events reach the one member whom they name.")
    ] = None
    snapshot: Annotated[
        bool,
        Meta(
            description="Who joins is told the newest of `newest`'s and `proximity`'s events of "
            "every member."
        ),
    ] = False
    proximity: Annotated[
        Proximity | None, Meta(description="Positions reach those who are near.")
    ] = None
    turn: Annotated[
        Turn | None, Meta(description="Who joins is given credentials of a TURN server.")
    ] = None

    def __post_init__(self) -> None:
        if self.snapshot and self.newest is None and self.proximity is None:
            raise ValueError("snapshot needs newest or proximity, which name the events")
