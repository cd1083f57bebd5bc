"""Web applications made with the official backend libraries: they publish, ask, and sign.

Their end points are ``/pusher/auth`` and ``/pusher/user-auth``, and the same below
``/broadcasting``, as Laravel has them. They are told in the query who asks (``user``, ``name``,
``watching``), and deny every channel with "forbidden" in its name. Without a user they sign a
presence channel without a member, as is done for who has signed in.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, Protocol
from urllib.parse import parse_qsl, urlencode, urlsplit

import pusher  # type: ignore[import-untyped]
from pusher import errors

from tests.clients.program import CommandFailed, Program
from tests.clients.relay import Relay

# Of both libraries, so that either may read what the other has written.
MASTER_KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

Event = Mapping[str, object]  # of a batch: channel, name, data, and perhaps socket_id and info


class Backend(Protocol):
    """What the tests ask of a backend, whichever library it is made with.

    What publishes or asks returns the relay's answer.
    """

    def against(self, relay: Relay) -> Backend:
        """The same web application with another relay or other credentials."""

    def trigger(
        self, channels: str | list[str], event: str, data: object, *, but: str | None = None
    ) -> Any:
        """Publishes to all but the connection whose socket_id is ``but``."""

    def batch(self, events: Sequence[Event]) -> Any: ...
    def send_to_user(self, user: str, event: str, data: object) -> Any: ...
    def terminate(self, user: str) -> Any: ...
    def channels(self, prefix: str, *info: str) -> Any: ...
    def channel(self, name: str, *info: str) -> Any: ...
    def users(self, channel: str) -> Any: ...

    def endpoint(
        self, path: str, user: str, *, name: str = "", watching: Sequence[str] = ()
    ) -> str:
        """The URL that answers for this user, whose ``user_info`` is ``{"name": name}``."""


def refused_with(ask: Callable[[], object]) -> int | None:
    """The status with which the relay refuses what a backend asks; None if it does not."""
    try:
        ask()
    except CommandFailed as failed:
        return failed.status
    except errors.PusherBadRequest:
        return 400
    except errors.PusherBadAuth:
        return 401
    except errors.PusherForbidden:
        return 403
    except errors.PusherBadStatus as failed:
        return int(str(failed).partition(":")[0])
    return None


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
            "encryptionMasterKeyBase64": MASTER_KEY,
        }
        self._ask("sign_as", options=options)

    def against(self, relay: Relay) -> NpmPusher:
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

    def batch(self, events: Sequence[Event]) -> Any:
        return self._ask("trigger_batch", batch=events)

    def send_to_user(self, user: str, event: str, data: object) -> Any:
        return self._ask("send_to_user", user=user, event=event, data=data)

    def terminate(self, user: str) -> Any:
        return self._ask("terminate", user=user)

    def channels(self, prefix: str, *info: str) -> Any:
        return self.get("/channels", filter_by_prefix=prefix, **_asking(info))

    def channel(self, name: str, *info: str) -> Any:
        return self.get(f"/channels/{name}", **_asking(info))

    def users(self, channel: str) -> Any:
        return self.get(f"/channels/{channel}/users")

    def get(self, path: str, **params: str) -> Any:
        """Asks for what the library has no method for; ``path`` follows the app's."""
        return self._ask("get", path=path, params=params)

    def post(self, path: str, body: object) -> Any:
        """Posts what the library's own methods would refuse to send; ``path`` follows the app's."""
        return self._ask("post", path=path, body=body)

    def signed_url(self, method: str, path: str, body: str = "") -> str:
        """Where anyone may send ``body`` for a while."""
        path = f"/apps/{self._relay.app.id}{path}"
        query = self._ask("signed_query", method=method, path=path, body=body)
        return f"http://{self._relay.host}:{self._relay.port}{path}?{query}"

    def endpoint(
        self, path: str, user: str, *, name: str = "", watching: Sequence[str] = ()
    ) -> str:
        return f"{self.origin}{path}?as={self._signer}&{_asker(user, name, watching)}"

    def _ask(self, do: str, **arguments: object) -> Any:
        return self._program.ask(do, **{"as": self._signer, **arguments})


class PyPiPusher:
    """PyPI's `pusher`. Its end points are on a free port of loopback, once one is asked for."""

    def __init__(self, relay: Relay) -> None:
        self.library = pusher.Pusher(
            app_id=relay.app.id,
            key=relay.app.key,
            secret=relay.app.secret,
            ssl=False,
            host=relay.host,
            port=relay.port,
            encryption_master_key_base64=MASTER_KEY,
        )
        self._closing = ExitStack()
        self._closing.callback(self.library._pusher_client.http.session.close)

    def against(self, relay: Relay) -> PyPiPusher:
        return self._closing.enter_context(closing(PyPiPusher(relay)))

    def trigger(
        self, channels: str | list[str], event: str, data: object, *, but: str | None = None
    ) -> Any:
        return self.library.trigger(channels, event, data, but)

    def batch(self, events: Sequence[Event]) -> Any:
        return self.library.trigger_batch([dict(event) for event in events])

    def send_to_user(self, user: str, event: str, data: object) -> Any:
        return self.library.send_to_user(user, event, data)

    def terminate(self, user: str) -> Any:
        return self.library.terminate_user_connections(user)

    def channels(self, prefix: str, *info: str) -> Any:
        return self.library.channels_info(prefix, info)

    def channel(self, name: str, *info: str) -> Any:
        return self.library.channel_info(name, info)

    def users(self, channel: str) -> Any:
        return self.library.users_info(channel)

    def endpoint(
        self, path: str, user: str, *, name: str = "", watching: Sequence[str] = ()
    ) -> str:
        port = self._site.server_port
        return f"http://127.0.0.1:{port}{path}?{_asker(user, name, watching)}"

    def close(self) -> None:
        self._closing.close()

    @cached_property
    def _site(self) -> _Site:
        return self._closing.enter_context(closing(_Site(self.library)))


def _asking(info: Sequence[str]) -> dict[str, str]:
    return {"info": ",".join(info)} if info else {}


def _asker(user: str, name: str, watching: Sequence[str]) -> str:
    return urlencode({"user": user, "name": name, "watching": ",".join(watching)})


class _Site(ThreadingHTTPServer):
    def __init__(self, library: pusher.Pusher) -> None:
        super().__init__(("127.0.0.1", 0), _Page)
        self.library = library
        self._serving = Thread(target=self.serve_forever, args=[0.02], daemon=True)
        self._serving.start()

    def close(self) -> None:
        self.shutdown()
        self._serving.join()
        self.server_close()


class _Page(BaseHTTPRequestHandler):
    server: _Site

    def do_POST(self) -> None:
        form = dict(parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode()))
        asking = dict(parse_qsl(urlsplit(self.path).query))
        info = {"name": asking.get("name", "")}
        if urlsplit(self.path).path.endswith("/user-auth"):
            watching = asking.get("watching", "").split(",")
            person = {
                "id": asking["user"],
                "user_info": info,
                "watchlist": list(filter(None, watching)),
            }
            self._answer(200, self.server.library.authenticate_user(form["socket_id"], person))
        elif "forbidden" in form["channel_name"]:
            self._answer(403, {"message": "Forbidden"})
        else:
            channel, user = form["channel_name"], asking.get("user")
            is_member = channel.startswith("presence-") and user
            member = {"user_id": user, "user_info": info} if is_member else None
            self._answer(200, self.server.library.authenticate(channel, form["socket_id"], member))

    def do_OPTIONS(self) -> None:
        self._answer(200, {})

    def _answer(self, status: int, body: object) -> None:
        # The shared secret of an encrypted channel comes as bytes (pusher 3.3.4).
        content = json.dumps(body, default=bytes.decode).encode()
        self.send_response(status)
        self.send_header("Access-Control-Allow-Origin", "*")
        self.send_header("Access-Control-Allow-Headers", "Content-Type, X-Requested-With")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing: a test that is refused shows what it was refused."""
