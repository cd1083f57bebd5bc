"""benchmarks.servers"""

from __future__ import annotations

from benchmarks.servers import clean


def test_settings_of_the_servers_do_not_leak_in_from_outside() -> None:
    assert clean(
        {
            "PATH": "/bin",
            "WSRELAY_PORT": "1",
            "PUSHER_APP_ID": "1",
            "REVERB_HOST": "a",
            "WEBSOCKET_PORT": "1",
            "SOKETI_DEBUG": "1",
            "UWS_USE_FALLBACK": "1",
            "NODE_OPTIONS": "--inspect",
        }
    ) == {"PATH": "/bin"}
