"""``POST /apps/{id}/users/{user_id}/terminate_connections``."""

from __future__ import annotations

from ..core.apps import App
from .desk import Desk
from .exchange import EMPTY, Answer, Request


async def terminate(desk: Desk, app: App, request: Request, user_id: str) -> Answer:
    """Close every connection that signed in as the user; there may be none.

    Raises ``PublishRefused`` (503) when other nodes can't be told.
    """
    await desk.signins.terminate(app.id, user_id)
    return EMPTY
