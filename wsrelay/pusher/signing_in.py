"""May this connection sign in, and as whom? And doing so."""

from __future__ import annotations

import re

from msgspec import DecodeError, Raw, Struct, ValidationError, json

from ..core.apps import App
from ..core.errors import Code, ConnectionRefused
from ..core.frame import Frame
from ..core.ports import Door
from .codec import compact, watchlist_events
from .messages import SignIn, User
from .signatures import SignatureMismatch, check_sign_in
from .surroundings import Surroundings

_is_user_id = re.compile(r"[A-Za-z0-9_\-=@,.;]+\Z").match


class _UserData(Struct):
    id: str | int
    user_info: Raw = Raw(b"null")
    watchlist: list[str | int] = []


_decode_user_data = json.Decoder(_UserData).decode


def proven_user(app: App, socket_id: str, asked: SignIn) -> User:
    """The user that a sign-in proves; raise ``ConnectionRefused`` (4009) if it does not.

    ``watchlist`` is whole; how much of it counts is the app's limit.
    """
    try:
        check_sign_in(app, socket_id, asked.auth, asked.user_data)
    except SignatureMismatch as mismatch:
        raise ConnectionRefused(Code.UNAUTHORIZED, mismatch.message) from mismatch
    try:
        data = _decode_user_data(asked.user_data or "")
        info = compact(data.user_info)
    except (ValidationError, DecodeError, RecursionError) as error:
        raise _bad(f"not as expected: {error}") from error
    user_id = str(data.id)
    if len(user_id) > app.max_user_id_length:
        raise _bad(
            f"id has {len(user_id)} characters, the limit is {app.max_user_id_length} "
            "(max_user_id_length)"
        )
    if not _is_user_id(user_id):
        raise _bad("id may hold letters, digits and _ - = @ , . ; only, and must not be empty")
    if len(info) > app.max_user_info_bytes and info != b"null":
        raise _bad(
            f"user_info has {len(info)} bytes, the limit is {app.max_user_info_bytes} "
            "(max_user_info_bytes)"
        )
    watched = [name for entry in data.watchlist if _is_user_id(name := str(entry))]
    return User(user_id, info, tuple(dict.fromkeys(watched)))


def watching(app: App, user: User) -> User:
    """The user with as much of the watchlist as the app allows."""
    watchlist = user.watchlist[: app.max_watchlist] if app.watchlist else ()
    return User(user.user_id, user.user_info, watchlist)


async def sign_in(around: Surroundings, app: App, door: Door, user: User, success: Frame) -> None:
    """Sign a connection in, and tell it which of the users it watches are online."""
    watched = user.watchlist
    online = await around.signins.sign_in(app.id, user.user_id, watched, door, success)
    if watched:
        door.send(
            watchlist_events(
                [name for name in watched if name in online],
                [name for name in watched if name not in online],
            )
        )


def _bad(message: str) -> ConnectionRefused:
    return ConnectionRefused(Code.UNAUTHORIZED, f"user_data: {message}")
