"""Web applications made with the official backend libraries: they publish and authorise clients.

Their auth end points, ``/pusher/auth`` and ``/broadcasting/auth``, are told in the query who asks
(``user``, ``name``), and deny every channel with "forbidden" in its name.
"""

from __future__ import annotations

import itertools
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, Protocol
from urllib.parse import parse_qsl, urlencode, urlsplit

import pusher  # type: ignore[import-untyped]

from tests.clients.program import Program
from tests.clients.relay import Relay


class Backend(Protocol):
    """What the tests ask of a backend, whichever library it is made with."""

    def trigger(
        self, channels: str | list[str], event: str, data: object, *, but: str | None = None
    ) -> Any:
        """Publishes to all but the connection whose socket_id is ``but``; returns the answer."""

    def auth_endpoint(self, user: str, *, name: str = "", path: str = "/pusher/auth") -> str:
        """The URL that authorises as this user, whose ``user_info`` is ``{"name": name}``."""


class NpmPusher:
    """npm's `pusher`, in ``js/backend.mjs``. Its failures are CommandFailed, with the status."""

    _numbers = itertools.count(1)

    def __init__(self, program: Program, relay: Relay) -> None:
        self._program = program
        self._relay = relay
        self._signer = f"signer {next(self._numbers)}"
        self.origin = f"http://127.0.0.1:{program.ask('port')}"
        options = {
            "host": relay.host,
            "port": relay.port,
            "useTLS": False,
            "appId": relay.app.id,
            "key": relay.app.key,
            "secret": relay.app.secret,
        }
        self._ask("sign_as", options=options)

    def against(self, relay: Relay) -> NpmPusher:
        """The same web application with another relay or other credentials."""
        return NpmPusher(self._program, relay)

    def trigger(
        self,
        channels: str | list[str],
        event: str,
        data: object,
        *,
        but: str | None = None,
        info: str | None = None,
    ) -> Any:
        params = {"socket_id": but, "info": info}
        return self._ask(
            "trigger",
            channels=channels,
            event=event,
            data=data,
            params={name: value for name, value in params.items() if value is not None},
        )

    def post(self, path: str, body: object) -> Any:
        """Posts what the library's own methods would refuse to send; ``path`` follows the app's."""
        return self._ask("post", path=path, body=body)

    def signed_url(self, path: str, body: str) -> str:
        """Where anyone may post ``body`` for a while."""
        path = f"/apps/{self._relay.app.id}{path}"
        query = self._ask("signed_query", path=path, body=body)
        return f"http://{self._relay.host}:{self._relay.port}{path}?{query}"

    def auth_endpoint(self, user: str, *, name: str = "", path: str = "/pusher/auth") -> str:
        query = urlencode({"as": self._signer, "user": user, "name": name})
        return f"{self.origin}{path}?{query}"

    def _ask(self, do: str, **arguments: object) -> Any:
        return self._program.ask(do, **{"as": self._signer, **arguments})


class PyPiPusher:
    """PyPI's `pusher`, with an auth end point on a free port of loopback."""

    def __init__(self, relay: Relay) -> None:
        self.library = pusher.Pusher(
            app_id=relay.app.id,
            key=relay.app.key,
            secret=relay.app.secret,
            ssl=False,
            host=relay.host,
            port=relay.port,
        )
        self._site = _AuthSite(self.library)
        self._serving = Thread(target=self._site.serve_forever, daemon=True)
        self._serving.start()

    def trigger(
        self, channels: str | list[str], event: str, data: object, *, but: str | None = None
    ) -> Any:
        return self.library.trigger(channels, event, data, but)

    def auth_endpoint(self, user: str, *, name: str = "", path: str = "/pusher/auth") -> str:
        query = urlencode({"user": user, "name": name})
        return f"http://127.0.0.1:{self._site.server_port}{path}?{query}"

    def close(self) -> None:
        self._site.shutdown()
        self._serving.join()
        self._site.server_close()
        self.library._pusher_client.http.session.close()


class _AuthSite(ThreadingHTTPServer):
    def __init__(self, library: pusher.Pusher) -> None:
        super().__init__(("127.0.0.1", 0), _AuthPage)
        self.library = library


class _AuthPage(BaseHTTPRequestHandler):
    server: _AuthSite

    def do_POST(self) -> None:
        form = dict(parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode()))
        if "forbidden" in form["channel_name"]:
            self._answer(403, {"message": "Forbidden"})
            return
        asking = dict(parse_qsl(urlsplit(self.path).query))
        person = {"user_id": asking["user"], "user_info": {"name": asking.get("name", "")}}
        is_presence = form["channel_name"].startswith("presence-")
        signed = self.server.library.authenticate(
            form["channel_name"], form["socket_id"], person if is_presence else None
        )
        self._answer(200, signed)

    def do_OPTIONS(self) -> None:
        self._answer(200, {})

    def _answer(self, status: int, body: object) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Access-Control-Allow-Origin", "*")
        self.send_header("Access-Control-Allow-Headers", "Content-Type, X-Requested-With")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing: a test that is refused shows what it was refused."""
