"""Which request is answered by whom, and what every answer has in common."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from urllib.parse import unquote

from twisted.logger import Logger

from ..core.apps import App
from ..core.distribution import Distribution
from ..core.errors import PublishRefused
from ..core.notices import Tally
from ..pusher.signatures import SignatureMismatch
from ..sparingly import OFTEN, Sparingly
from . import channels, events, health, turn, users
from .date import Date
from .desk import Desk, EndPoint
from .exchange import Answer, Request, refusal
from .signed import check_request

_log = Logger()

#: The signed end points below ``/apps/{app_id}/``: method, path, who answers.
SIGNED: tuple[tuple[str, str, EndPoint], ...] = (
    ("POST", "events", events.publish),
    ("POST", "batch_events", events.publish_batch),
    ("GET", "channels", channels.list_channels),
    ("GET", "channels/{channel_name}", channels.one_channel),
    ("GET", "channels/{channel_name}/users", channels.list_users),
    ("GET", "channels/{channel_name}/turn", turn.issue),
    ("GET", "connections", channels.count_connections),
    ("POST", "users/{user_id}/terminate_connections", users.terminate),
)
#: What anybody may GET.
OPEN: dict[str, Callable[[Desk], Answer]] = {
    "": health.root,
    "/": health.root,
    "/up": health.up,
    "/ready": health.ready,
}

_app_in = re.compile(r"/apps/([^/]+)/(.+)\Z", re.DOTALL).match
#: pusher-http-python (3.3) leaves ``/apps/{id}`` out here, and signs it so.
_appless = re.compile(r"/(users/[^/]+/terminate_connections)\Z").match


def _matcher(path: str) -> Callable[[str], re.Match[str] | None]:
    """Finds the path; its group is the name in it, or empty."""
    named = re.sub(r"\{\w+\}", "([^/]+)", path)
    return re.compile((named if named != path else path + "()") + r"\Z").match


_SIGNED = tuple(
    (method, f"/apps/{{app_id}}/{path}", _matcher(path), end_point)
    for method, path, end_point in SIGNED
)
#: Requests to addresses that are none, and those that ask about none (OPTIONS).
ELSEWHERE = "elsewhere"
#: Bounds of the durations that are counted. Seconds.
DURATIONS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)

PREFLIGHT = Answer(204, b"")
UPGRADE = refusal(
    426,
    "this is a WebSocket address: connect with ws:// or wss://",
    (("Upgrade", "websocket"), ("Connection", "Upgrade")),
)

#: With 503. Seconds.
RETRY_SOON = (("Retry-After", "1"),)

#: An end point as it was found: the route, under which it is counted, and its answer.
Found = tuple[str, Answer | Awaitable[Answer]]


class Api:
    """The HTTP API: a request in, an answer out, and a count of both.

    ``clock`` is Unix time, ``timer`` is monotonic; both in seconds.
    """

    def __init__(
        self,
        desk: Desk,
        tally: Tally,
        clock: Callable[[], float],
        timer: Callable[[], float],
        path_prefix: str = "",
    ) -> None:
        self._desk = desk
        self._tally = tally
        self._clock = clock
        #: For the head of every answer.
        self.date = Date(clock)
        self._timer = timer
        self._prefix = path_prefix
        self._refusals = Sparingly(timer, OFTEN)

    async def respond(self, request: Request) -> Answer:
        """Answer one request; a fault of ours is logged and answered 500 without details."""
        began = self._timer()
        route = ELSEWHERE
        try:
            route, found = self._route(request)
            answer = found if isinstance(found, Answer) else await found
        except PublishRefused as refused:
            headers = RETRY_SOON if refused.status == 503 else ()
            answer = refusal(refused.status, refused.message, headers)
        except Exception:
            _log.failure("{method} {path} failed", method=request.method, path=request.path)
            answer = refusal(500, "internal error; the server's log says more")
        self.count(route, answer.status, self._timer() - began)
        return answer

    def count(self, route: str, status: int, seconds: float) -> None:
        """Note that a request was answered."""
        requests, durations = self._tally.requests, self._tally.request_durations
        requests[route, status] = requests.get((route, status), 0) + 1
        if route not in durations:
            durations[route] = Distribution(DURATIONS)
        durations[route].add(seconds)

    def _route(self, request: Request) -> Found:
        if request.method == "OPTIONS":
            return ELSEWHERE, PREFLIGHT
        path = request.path
        if not path.startswith(self._prefix):
            return ELSEWHERE, refusal(404, f"everything here is below {self._prefix}")
        path = path[len(self._prefix) :]
        signed = _app_in(path)
        if signed is not None:
            app = self._desk.apps.with_id(unquote(signed[1]))
            if app is None:
                return ELSEWHERE, refusal(404, f"no app has the id {signed[1][:64]!r}")
            return self._signed(app, signed[2], request)
        if (appless := _appless(path)) is not None:
            return self._of_key(appless[1], request)
        is_read = request.method in ("GET", "HEAD")
        if path.startswith("/app/"):
            return "/app/{app_key}", UPGRADE if is_read else _wrong_method("GET, HEAD")
        end_point = OPEN.get(path)
        if end_point is None:
            return ELSEWHERE, refusal(
                404, "no such address: the API is at /apps/{id}/, sockets are at /app/{key}"
            )
        return path or "/", end_point(self._desk) if is_read else _wrong_method("GET, HEAD")

    def _of_key(self, rest: str, request: Request) -> Found:
        if request.method != "POST":
            return ELSEWHERE, _wrong_method("POST")
        app = self._desk.apps.with_key(dict(request.query).get("auth_key", ""))
        if app is None:
            return ELSEWHERE, refusal(401, "auth_key: missing, or no app has this key")
        return self._signed(app, rest, request)

    def _signed(self, app: App, rest: str, request: Request) -> Found:
        allowed = []
        for method, route, names, end_point in _SIGNED:
            named = names(rest)
            if named is not None:
                if method == request.method:
                    return route, self._proven(app, request, end_point, unquote(named[1]))
                allowed.append(method)
        if allowed:
            return ELSEWHERE, _wrong_method(", ".join(allowed))
        return ELSEWHERE, refusal(404, "no such address below /apps/{id}/")

    async def _proven(self, app: App, request: Request, end_point: EndPoint, name: str) -> Answer:
        try:
            check_request(app, request, self._clock(), self._prefix)
        except SignatureMismatch as mismatch:
            self._refusals.warn(
                "app {app}: {method} {path} of {asker} refused (401): {reason}" + _advice(mismatch),
                app=app.id,
                method=request.method,
                path=request.path,
                asker=request.asker(),
                reason=mismatch.message,
                expected=mismatch.expected,
            )
            return refusal(401, mismatch.message)
        if not app.enabled:
            return refusal(403, "this app is disabled (enabled = false)")
        if request.method == "GET":
            excess = self._desk.quotas.excess(app, "read_rate", app.read_rate, 1)
            if excess is not None:
                return excess
        return await end_point(self._desk, app, request, name)


def _advice(mismatch: SignatureMismatch) -> str:
    return "; expected a signature of {expected!r}" if mismatch.expected else ""


def _wrong_method(allowed: str) -> Answer:
    return refusal(405, f"expected {allowed}", (("Allow", allowed),))
