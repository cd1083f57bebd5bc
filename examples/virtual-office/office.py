"""The backend of the office: its page, who may enter, and what the switches say.

    office.py rooms    print the relay's configuration: a room for each position of the switches
    office.py          serve http://127.0.0.1:8000 (OFFICE_PORT), with the relay at WSRELAY_PORT

What a Laravel application does with `PUSHER_*` in its `.env` and `routes/channels.php` is done
here with nothing but Python's standard library.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
import sys
import time
import tomllib
from contextlib import suppress
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import combinations
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import parse_qsl, urlencode, urlsplit
from urllib.request import Request, urlopen

HERE = Path(__file__).resolve().parent
CONFIG = tomllib.loads(Path(os.environ.get("OFFICE_CONFIG", HERE / "wsrelay.toml")).read_text())
APP = CONFIG["apps"][0]
RULE = APP["rules"][0]
SWITCHES = [part for part in ("newest", "directed", "snapshot", "proximity") if part in RULE]
RELAY_PORT = int(os.environ.get("WSRELAY_PORT") or CONFIG["port"])
MOST_BYTES = 4096

switched_on = SWITCHES


def room(on: list[str]) -> str:
    """The presence channel, without its prefix, whose rule has these parts."""
    return "office." + ("-".join(part for part in SWITCHES if part in on) or "plain")


# -- the relay's configuration ---------------------------------------------------------


def rooms() -> list[dict]:
    """The rule with each choice of its parts."""
    always = {part: RULE[part] for part in RULE if part not in (*SWITCHES, "channels")}
    found = []
    for count in range(len(SWITCHES) + 1):
        for on in map(list, combinations(SWITCHES, count)):
            has_no_event = "newest" not in on and "proximity" not in on
            parts = {part: RULE[part] for part in on if part != "snapshot" or not has_no_event}
            found.append({"channels": "presence-" + room(on), **parts, **always})
    return found


def toml(value: object) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{name} = {toml(it)}" for name, it in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return json.dumps(value)


# -- signatures ------------------------------------------------------------------------


def sign(text: str) -> str:
    return hmac.digest(APP["secret"].encode(), text.encode(), "sha256").hex()


def may_be_signed(socket_id: str, channel: str) -> bool:
    """Any other text might be a request to the HTTP API, which is signed with the same secret."""
    is_room = channel in {rule["channels"] for rule in rooms()}
    return is_room and re.fullmatch(r"\d+\.\d+", socket_id, re.ASCII) is not None


def admission(socket_id: str, channel: str, member: dict) -> dict:
    """What a presence channel wants to see of who joins. Here everybody is who he says he is."""
    told = json.dumps(member)
    return {"auth": f"{APP['key']}:{sign(f'{socket_id}:{channel}:{told}')}", "channel_data": told}


def ask_relay(method: str, path: str, body: bytes = b"", **query: str) -> bytes:
    """A signed request to the HTTP API; raises HTTPError."""
    path = f"/apps/{APP['id']}{path}"
    query |= {"auth_key": APP["key"], "auth_timestamp": str(int(time.time()))}
    query |= {"auth_version": "1.0"}
    if body:
        query["body_md5"] = hashlib.md5(body).hexdigest()
    signed = "&".join(f"{name}={query[name]}" for name in sorted(query))
    query["auth_signature"] = sign(f"{method}\n{path}\n{signed}")
    url = f"http://127.0.0.1:{RELAY_PORT}{path}?{urlencode(query)}"
    with urlopen(Request(url, body or None, method=method), timeout=5) as answer:
        return answer.read()


# -- the site --------------------------------------------------------------------------


class Server(ThreadingHTTPServer):
    request_queue_size = 128  # a room that changes its rules asks for everybody at once
    daemon_threads = True


class Site(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    extensions_map = {**SimpleHTTPRequestHandler.extensions_map, ".woff2": "font/woff2"}

    def translate_path(self, path: str) -> str:
        """The page's files are in public/, what npm has installed is below /npm/."""
        found = Path(super().translate_path(path))
        below = found.relative_to(self.directory)
        if below.parts[:1] == ("npm",):
            return str(HERE.joinpath("node_modules", *below.parts[1:]))
        return str(found)

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        if url.path == "/office.json":
            proximity = RULE.get("proximity", {})
            self.answer(
                {
                    "key": APP["key"],
                    "port": RELAY_PORT,
                    "switches": SWITCHES,
                    "on": switched_on,
                    "radius": proximity.get("radius", 260),
                    "hysteresis": proximity.get("hysteresis", 30),
                }
            )
        elif url.path == "/ice":
            asked = dict(parse_qsl(url.query))
            self.answer(ice_servers(asked.get("user_id", "")))
        else:
            super().do_GET()

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        if length > MOST_BYTES:
            self.send_error(413)
            return
        body = self.rfile.read(length).decode()
        if self.path == "/broadcasting/auth":
            asked = dict(parse_qsl(body))
            if not may_be_signed(asked["socket_id"], asked["channel_name"]):
                self.send_error(403)
                return
            info = {"id": asked["user_id"], "name": asked["name"], "hue": int(asked["hue"])}
            info["is_robot"] = asked.get("robot") == "yes"
            member = {"user_id": asked["user_id"], "user_info": info}
            self.answer(admission(asked["socket_id"], asked["channel_name"], member))
        elif self.path == "/switches":
            self.answer(switch(json.loads(body)))
        else:
            self.send_error(404)

    def answer(self, value: object) -> None:
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def end_headers(self) -> None:
        self.send_header("Cache-Control", "no-cache")
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


def switch(asked: dict) -> dict:
    """Turn rules on and off: everybody is told, and moves to the room that has them."""
    global switched_on
    on = [part for part in SWITCHES if part in asked["on"]]
    told = {"on": on, "by": str(asked.get("by", ""))[:80]}
    event = {"name": "switched", "channel": "office", "data": json.dumps(told)}
    ask_relay("POST", "/events", json.dumps(event).encode())
    switched_on = on
    return told


def ice_servers(user_id: str) -> dict:
    """Short-lived credentials of the TURN server, if the rule names one."""
    if not user_id:
        return {"iceServers": []}
    try:
        channel = "presence-" + room(switched_on)
        return json.loads(ask_relay("GET", f"/channels/{channel}/turn", user_id=user_id))
    except HTTPError as error:
        if error.code != 404:
            raise
        return {"iceServers": []}


def main() -> None:
    if sys.argv[1:] == ["rooms"]:
        rules = {**APP, "rules": rooms()}
        top = {name: value for name, value in CONFIG.items() if name != "apps"}
        for name, value in {**top, "apps": [rules]}.items():
            print(f"{name} = {toml(value)}")
        return
    address = ("127.0.0.1", int(os.environ.get("OFFICE_PORT") or 8000))
    site = Server(address, lambda *given: Site(*given, directory=HERE / "public"))
    print(f"The office is open: http://localhost:{site.server_port}", flush=True)
    with suppress(KeyboardInterrupt):
        site.serve_forever()


if __name__ == "__main__":
    main()
