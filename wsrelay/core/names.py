"""What a channel's name means, and which names are allowed.

The only place that looks at a prefix. Prefixes count only at the start of a name and with
their dash: ``my-cache-x`` and ``cacheable`` are public channels.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

USER_CHANNEL_PREFIX = "#server-to-user-"
#: The channel on which those who watch a user hear of him. No client can name it.
WATCHLIST_PREFIX = "#watchlist-"


@dataclass(frozen=True, slots=True)
class Kind:
    """What the prefix of a channel's name promises."""

    prefix: str
    needs_auth: bool = False
    has_presence: bool = False
    is_cached: bool = False
    is_encrypted: bool = False
    #: ``#server-to-user-{id}``: admitted by sign-in and not by a signature.
    is_for_one_user: bool = False
    #: Whether backends hear of the channel: in lists, counts and webhooks.
    is_listed: bool = True


PUBLIC = Kind("")

#: Longest prefix first: the first match is the right one.
KINDS = (
    Kind("private-encrypted-cache-", needs_auth=True, is_encrypted=True, is_cached=True),
    Kind("private-encrypted-", needs_auth=True, is_encrypted=True),
    Kind("presence-cache-", needs_auth=True, has_presence=True, is_cached=True),
    Kind("private-cache-", needs_auth=True, is_cached=True),
    Kind(WATCHLIST_PREFIX, is_listed=False),
    Kind(USER_CHANNEL_PREFIX, is_for_one_user=True, is_listed=False),
    Kind("presence-", needs_auth=True, has_presence=True),
    Kind("private-", needs_auth=True),
    Kind("cache-", is_cached=True),
)

_ALLOWED = re.compile(r"[A-Za-z0-9_\-=@,.;]+\Z").match


def kind_of(name: str) -> Kind:
    """The kind of a channel, by the longest prefix that fits."""
    for kind in KINDS:
        if name.startswith(kind.prefix):
            return kind
    return PUBLIC


def fault_in_channel_name(name: str, longest: int) -> str | None:
    """What is wrong with a channel's name, in words; ``None`` when it may be used.

    ``longest`` is counted in characters.
    """
    if not name:
        return "a channel's name must not be empty"
    if len(name) > longest:
        return (
            f"the channel's name has {len(name)} characters, "
            f"the limit is {longest} (max_channel_name_length)"
        )
    plain = name.removeprefix(USER_CHANNEL_PREFIX)
    if not _ALLOWED(plain):
        return "a channel's name may hold letters, digits and _ - = @ , . ; only"
    return None


def fault_in_event_name(name: str, longest: int) -> str | None:
    """What is wrong with the name of an event that a backend publishes; ``None`` if nothing.

    Any text may name an event (Laravel sends ``App\\Events\\OrderShipped``), except what the
    protocol keeps for itself.
    """
    if not name:
        return "an event's name must not be empty"
    if len(name) > longest:
        return (
            f"the event's name has {len(name)} characters, "
            f"the limit is {longest} (max_event_name_length)"
        )
    if name.startswith(("pusher:", "pusher_internal:")):
        return "names that start with pusher: or pusher_internal: are the protocol's own"
    return None
