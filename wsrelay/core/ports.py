"""What the hall asks of the rooms around it.

Each port is the narrowest set of verbs that its users need. Rooms implement them, ``tap``
introduces them to each other, and the hall never learns who stands behind one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Protocol

from .apps import App
from .cache import Cached
from .errors import Code
from .frame import Frame
from .notices import Notice
from .publication import Publication, Whisper
from .remarks import Remark
from .roster import Arrival, Departure, Member

if TYPE_CHECKING:
    from .channel import Channel


#: Channel, event and sender: of frames with one slot only the newest matters.
Slot = tuple[str, str, str]


class Subscriber(Protocol):
    """Somebody who can be sent a frame. ``send`` never blocks, raises or re-enters the hall."""

    @property
    def socket_id(self) -> str: ...

    def send(self, frame: Frame) -> None: ...

    def send_newest(self, frame: Frame, slot: Slot) -> None:
        """The same, but while he does not keep up only the slot's last frame waits for him."""


class Door(Subscriber, Protocol):
    """One client's connection, as its session sees it."""

    def close(self, code: Code, reason: str) -> None:
        """Send what waits, then a close frame. Nothing is received after this."""

    def pause_reading(self) -> None:
        """Take no more bytes from this client until ``resume_reading``."""

    def resume_reading(self) -> None: ...


class Bus(Protocol):
    """Carries publications to the other nodes that have subscribers of their channel."""

    def carry(self, publication: Publication) -> bool:
        """Carry it if that is possible now; nobody waits for the outcome.

        All nodes hear what is carried in one order, this one too: true for a client event under
        rules that has its place in that order to come. ``Rules.judge`` is called there.
        """

    async def carry_surely(self, publications: Sequence[Publication], cache_seconds: float) -> None:
        """Return once all of them are on their way, and cache channels remember theirs.

        Raises ``PublishRefused`` (503) if that can't be, and then none of them went.
        """

    async def attend(self, app_id: str, channel: str) -> None:
        """This node wants the channel from now on."""

    def forget(self, app_id: str, channel: str) -> None:
        """Nobody on this node is subscribed to the channel any more."""

    async def terminate(self, app_id: str, user_id: str) -> None:
        """Have the other nodes end a user's connections; raise ``PublishRefused`` (503)."""


class Census(Protocol):
    """How many are subscribed to which channel, over all nodes; sees to the notices of it."""

    def changed(self, app_id: str, channel: str) -> None:
        """Somebody came to the channel on this node, or left it."""

    async def subscription_count(self, app_id: str, channel: str) -> int: ...

    async def occupied_channels(self, app_id: str, prefix: str) -> list[str]:
        """Listed channels whose name starts with ``prefix`` and that have a subscriber."""


class Presence(Protocol):
    """Who is in which presence channel, over all nodes; sees to the notices of it."""

    async def join(
        self, app_id: str, channel: str, socket_id: str, member: Member, most: int
    ) -> Arrival:
        """Add one connection of a member; raise ``RosterFull`` past ``most`` distinct users."""

    async def leave(self, app_id: str, channel: str, socket_id: str) -> Departure:
        """Take one connection of a member away."""

    async def members(self, app_id: str, channel: str) -> Sequence[Member]: ...

    async def user_count(self, app_id: str, channel: str) -> int: ...


class Users(Protocol):
    """Who is signed in, over all nodes. See ``core.users`` for what the edges mean."""

    async def sign_in(self, app_id: str, user_id: str, socket_id: str) -> bool: ...

    async def sign_out(self, app_id: str, user_id: str, socket_id: str) -> None: ...

    async def online(self, app_id: str, user_ids: Iterable[str]) -> set[str]: ...


class Cache(Protocol):
    """What cache channels remember, over all nodes. The bus fills it: see ``carry_surely``."""

    async def get(self, app_id: str, channel: str) -> Cached | None: ...


class Speaker(Protocol):
    """Whoever said a client event, as far as rules are concerned."""

    @property
    def socket_id(self) -> str: ...

    def pay(self) -> None:
        """Count one client event; raise ``EventRejected`` (4301) where the rate is used up."""

    def can_spare(self) -> bool:
        """Count one if the rate leaves as many for what can't wait; return whether it does."""

    def pass_on(self, channel: str, data: bytes, whisper: Whisper) -> None:
        """Publish what he said. ``data`` is JSON text as it came."""


class Rules(Protocol):
    """What one channel does beyond Pusher (``wsrelay.rules``)."""

    def say(self, event: str, data: bytes, user_id: str | None, speaker: Speaker) -> None:
        """Pass a client event on, now or later; raise ``EventRejected`` where that can't be."""

    @property
    def colleagues(self) -> Colleagues | None:
        """The part of them that speaks with other nodes; ``None`` where they need not."""

    def deliver(self, publication: Publication, *, is_early: bool = False) -> int:
        """Send it to those of this node who are to have it; how many.

        ``is_early``: before its place among what all nodes hear, see ``Bus.carry``.
        """

    def judge(self, publication: Publication) -> None:
        """Of one that was delivered early: its place has come."""

    def joined(self, subscriber: Subscriber, user_id: str | None) -> None:
        """Somebody is subscribed and has been told so."""

    def left(self, socket_id: str) -> None:
        """He is about to go; he and all others are still subscribed."""


class Colleagues(Protocol):
    """The rules of one channel, as those of other nodes meet them.

    An *origin* is a process, for as long as it runs; a *node* is one life of it, in which it is
    connected to others without a gap.
    """

    def ask(self, others: dict[str, set[str]]) -> None:
        """These nodes, by their origins, attend too and may know more: ask them."""

    def asked(self, number: int) -> None:
        """The question of that number has its place among what all nodes hear."""

    def hear(self, origin: str, node: str, remark: Remark) -> None: ...

    def died(self, origin: str, node: str) -> None:
        """A node is no more, and what it had is nowhere."""

    def parted(self) -> None:
        """Nobody can be heard until ``ask`` is called."""

    def forget_silent(self) -> None:
        """Who has not been heard of since ``parted`` is gone."""


class Nodes(Protocol):
    """The other nodes, as rules speak to them."""

    @property
    def origin(self) -> str:
        """This process."""

    def ask(self, app_id: str, channel: str) -> bool:
        """Find out which nodes attend to the channel, and call ``Colleagues.ask`` with them.

        False: none do, that is known. While it can't be found out, it is asked on return.
        """

    def tell(self, app_id: str, channel: str, remark: Remark) -> None:
        """Tell all who attend, if that is possible now."""

    def unanswered(self) -> None:
        """Some have not answered a question in time."""

    def has_member(self, app_id: str, channel: str, user_id: str) -> bool:
        """Whether a user is in a presence channel, on whichever node."""


class RulesOf(Protocol):
    """Finds the rules of a channel that has just come to be."""

    def __call__(self, app_id: str, channel: Channel, /) -> Rules | None: ...


class Wording(Protocol):
    """How the relay's own announcements are put into words (the interpreter's task)."""

    def event(self, name: str, channel: str, data: str, /) -> Frame: ...

    def member_added(self, channel: str, member: Member) -> Frame: ...

    def member_removed(self, channel: str, user_id: str) -> Frame: ...

    def watchlist_events(self, online: Iterable[str], offline: Iterable[str]) -> Frame: ...


class Timer(Protocol):
    """Something that will happen, and can be called off until it does."""

    def cancel(self) -> None: ...


class CallLater(Protocol):
    """Call ``what`` in ``seconds``."""

    def __call__(self, seconds: float, what: Callable[[], None], /) -> Timer: ...


class Conversation(Protocol):
    """A client's session, as far as others may change or end it."""

    app: App

    @property
    def address(self) -> str: ...

    def follow(self, app: App) -> None:
        """Go by the app's new settings from the next message on."""

    def close(self, code: Code, message: str) -> None: ...


class Observer(Protocol):
    """Is told once of whatever happened, by whoever did it; never answers."""

    def __call__(self, notice: Notice) -> None: ...
