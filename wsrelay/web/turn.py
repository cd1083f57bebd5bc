"""``GET /apps/{id}/channels/{channel}/turn``: credentials of the channel's TURN server."""

from __future__ import annotations

from ..core.apps import App
from ..core.errors import PublishRefused
from ..rules.rulebook import rule_for
from ..rules.turn import ice_servers
from .channels import refuse_bad_name
from .desk import Desk
from .exchange import Answer, Request, answer


async def issue(desk: Desk, app: App, request: Request, channel: str) -> Answer:
    """Credentials for the user in ``user_id``: the same as he is told when he joins."""
    refuse_bad_name(app, channel)
    user_id = dict(request.query).get("user_id", "")
    if not user_id:
        raise PublishRefused(400, "user_id: missing; whom are the credentials for?")
    if len(user_id) > app.max_user_id_length:
        raise PublishRefused(
            400,
            f"user_id has {len(user_id)} characters, the limit is {app.max_user_id_length} "
            "(max_user_id_length)",
        )
    rule = rule_for(app, channel)
    if rule is None or rule.turn is None:
        raise PublishRefused(404, f"no rule gives {channel[:200]!r} a TURN server (apps.rules)")
    return answer(ice_servers(rule.turn, user_id, desk.now()))
