"""Asking: ``GET /apps/{id}/channels``, one channel, its users, and the connections."""

from __future__ import annotations

import re
from typing import Any

from msgspec import Raw, Struct, json

from ..core.apps import App
from ..core.cache import Cached
from ..core.errors import PublishRefused
from ..core.names import fault_in_channel_name, kind_of
from ..pusher.publishing import ATTRIBUTES
from .desk import Desk
from .events import counts
from .exchange import Answer, Request, answer

_is_info = re.compile(r"info(\[\d*\])?\Z").match


async def list_channels(desk: Desk, app: App, request: Request, _: str) -> Answer:
    """The occupied channels, each with the counts asked for."""
    prefix = dict(request.query).get("filter_by_prefix", "")
    asked = _info(request, ATTRIBUTES)
    if "user_count" in asked and not prefix.startswith("presence-"):
        raise PublishRefused(
            400, "info: user_count needs a filter_by_prefix that starts with presence-"
        )
    names = await desk.relay.occupied_channels(app.id, prefix)
    return answer({"channels": {name: await counts(desk, app, name, asked) for name in names}})


async def one_channel(desk: Desk, app: App, request: Request, name: str) -> Answer:
    """Whether a channel is occupied, and what else is asked of it."""
    refuse_bad_name(app, name)
    kind = kind_of(name)
    asked = _info(request, (*ATTRIBUTES, "cache"))
    if "user_count" in asked and not kind.has_presence:
        raise PublishRefused(400, "info: only presence channels have a user_count")
    if "cache" in asked and not kind.is_cached:
        raise PublishRefused(400, "info: only cache channels have a cache")
    if app.always_report_subscription_count:
        asked.append("subscription_count")
    subscribers = await desk.relay.subscription_count(app.id, name)
    told: dict[str, Any] = {"occupied": subscribers > 0}
    told |= await counts(desk, app, name, asked)
    if "cache" in asked:
        told["cache"] = _remembered(await desk.relay.cache.get(app.id, name))
    return answer(told)


class _Event(Struct):
    data: str


_decode_event = json.Decoder(_Event).decode


def _remembered(cached: Cached | None) -> dict[str, Any] | None:
    if cached is None:
        return None
    return {"data": _decode_event(cached.payload).data, "ttl": int(cached.seconds_left)}


async def list_users(desk: Desk, app: App, request: Request, name: str) -> Answer:
    """The distinct users of a presence channel; ``with_user_info=1`` as Soketi has it."""
    refuse_bad_name(app, name)
    if not kind_of(name).has_presence:
        raise PublishRefused(400, "only presence channels have users")
    members = await desk.relay.presence.members(app.id, name)
    if dict(request.query).get("with_user_info") == "1":
        return answer(
            {"users": [{"id": m.user_id, "user_info": Raw(m.user_info)} for m in members]}
        )
    return answer({"users": [{"id": member.user_id} for member in members]})


async def count_connections(desk: Desk, app: App, request: Request, _: str) -> Answer:
    """How many connections the app has."""
    return answer({"connections": desk.connections.count_everywhere(app.id)})


def refuse_bad_name(app: App, name: str) -> None:
    fault = fault_in_channel_name(name, app.max_channel_name_length)
    if fault is not None:
        raise PublishRefused(400, fault)


def _info(request: Request, known: tuple[str, ...]) -> list[str]:
    """The attributes asked for, however the library spells a list."""
    asked = [
        name for key, value in request.query if _is_info(key) for name in value.split(",") if name
    ]
    for name in asked:
        if name not in known:
            raise PublishRefused(
                400, f"info: {name[:64]!r} is not known here, expected {', '.join(known)}"
            )
    return asked
