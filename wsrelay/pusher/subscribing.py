"""May this connection subscribe to this channel, and as whom?"""

from __future__ import annotations

from ..core.apps import App
from ..core.errors import SubscriptionRefused
from ..core.names import USER_CHANNEL_PREFIX, fault_in_channel_name, kind_of
from ..core.notices import SubscriptionDenied
from ..core.ports import Observer
from ..core.roster import Member
from . import codec
from .messages import Subscribe, User
from .signatures import SignatureMismatch, check_subscription


def refuse_bad_name(app: App, name: str) -> None:
    fault = fault_in_channel_name(name, app.max_channel_name_length)
    if fault is not None:
        raise SubscriptionRefused(name, 400, "InvalidName", fault)


def proven_member(
    app: App, socket_id: str, asked: Subscribe, user: User | None, observer: Observer
) -> Member | None:
    """The member a presence subscription brings; ``None`` on every other kind of channel.

    Who has signed in needs no ``channel_data`` and is the member himself; where there are both,
    ``channel_data`` counts.

    Raises ``SubscriptionRefused`` (400, 401 or 413). The text that had to be signed goes to
    the observer, never to the client.
    """
    name = asked.channel
    kind = kind_of(name)
    if kind.is_for_one_user:
        if user is not None and name == USER_CHANNEL_PREFIX + user.user_id:
            return None
        raise SubscriptionRefused(name, 401, "AuthError", f"{name} needs a sign-in as that user")
    if not kind.needs_auth:
        return None
    try:
        check_subscription(app, socket_id, name, asked.auth, asked.channel_data, kind.has_presence)
    except SignatureMismatch as mismatch:
        observer(
            SubscriptionDenied(app.id, socket_id, name, 401, mismatch.message, mismatch.expected)
        )
        raise SubscriptionRefused(name, 401, "AuthError", mismatch.message) from mismatch
    if not kind.has_presence:
        return None
    if asked.channel_data is None and user is not None:
        return Member(user.user_id, user.user_info)
    return _member(app, asked)


def _member(app: App, asked: Subscribe) -> Member:
    name = asked.channel
    if asked.channel_data is None:
        raise SubscriptionRefused(
            name,
            400,
            "AuthError",
            "a presence channel needs channel_data with a user_id, or a sign-in before",
        )
    try:
        member = codec.decode_member(asked.channel_data)
    except ValueError as error:
        raise SubscriptionRefused(name, 400, "AuthError", str(error)) from error
    if len(member.user_id) > app.max_user_id_length:
        raise SubscriptionRefused(
            name,
            413,
            "LimitReached",
            f"user_id has {len(member.user_id)} characters, the limit is "
            f"{app.max_user_id_length} (max_user_id_length)",
        )
    if len(member.user_info) > app.max_user_info_bytes and member.user_info != b"null":
        raise SubscriptionRefused(
            name,
            413,
            "LimitReached",
            f"user_info has {len(member.user_info)} bytes, the limit is "
            f"{app.max_user_info_bytes} (max_user_info_bytes)",
        )
    return member
