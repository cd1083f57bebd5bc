"""The official client and a backend's library, over TLS."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
from pusher import Pusher

from tests.clients.packages import HERE, install, tool
from tests.clients.program import Program
from tests.clients.sdks import PusherJs
from tests.stories.processes import running
from tests.tls.authority import Authority

APP = ("1001", "a-key", "a-secret")


def test_pusher_js_hears_over_wss_what_is_published_over_https(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = tool("node")
    install()
    root = Authority()
    trusted = tmp_path / "root.pem"
    trusted.write_bytes(root.pem)
    monkeypatch.setenv("NODE_EXTRA_CA_CERTS", str(trusted))
    files = root.issue("localhost").store(tmp_path)
    options = ("--port", "0", "--tls-port", "0", "--tls-cert", files.cert, "--tls-key", files.key)
    command = ("twistd", "-n", "--pidfile=", "wsrelay", "--app", ":".join(APP), *options)
    with running(*command, cwd=tmp_path) as relay:
        port = int(relay.wait_for(r"Listening on .*?:(\d+) \(TLS\)")[1])
        with closing(Program([node, "js/node.mjs"], cwd=HERE)) as program:
            ada = PusherJs(program, "ada")
            address = {"cluster": "mt1", "wsHost": "localhost", "wssPort": port}
            ada.connect(
                "pusher-js",
                APP[1],
                {**address, "forceTLS": True, "enabledTransports": ["ws", "wss"]},
            )
            ada.subscribe("news", "told")
            backend = Pusher(*APP, host="localhost", port=port, ssl=True)
            # Instead of the list of authorities that the library (3.3.4) brings along.
            backend._pusher_client.http.options["verify"] = str(trusted)
            backend.trigger("news", "told", {"n": 1})
            assert ada.hear("told", "news").data == {"n": 1}
            ada.disconnect()
            ada.expect("disconnected", source="state")
            relay.wait_for(r"closed \d+\.\d+ \(1000")
        relay.end()
        assert "Traceback" not in relay.text
