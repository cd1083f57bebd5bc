"""docs/quickstart.md: its commands are run as they stand there, from the first to the last."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.clients.packages import HERE as CLIENTS
from tests.clients.packages import install, tool
from tests.stories.processes import BIN, DEADLINE, Process, environment, running

DOCS = Path(__file__).parents[2] / "docs"
TEXT = (DOCS / "quickstart.md").read_text()
#: All that is to be typed into a shell, line by line.
LINES = [
    line for block in re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL) for line in block.splitlines()
]


def lines(start: str) -> list[list[str]]:
    """The words of each line that begins so."""
    found = [shlex.split(line, comments=True) for line in LINES if line.startswith(start)]
    assert found, start
    return found


def block(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)
    assert found is not None
    return found[1]


def run(words: list[str], cwd: Path, port: int) -> subprocess.CompletedProcess[str]:
    """A command of the page; the port is another than 6001, which others may have."""
    return subprocess.run(
        [BIN / words[0], *words[1:]],
        cwd=cwd,
        env=environment(WSRELAY_PORT=str(port)),
        capture_output=True,
        text=True,
        timeout=DEADLINE,
    )


def test_a_relay_and_events_that_arrive(tmp_path: Path) -> None:
    started = lines("twistd")[0]
    command = [started[0], "--pidfile=", *started[1:], "--port", "0"]
    with running(*command, cwd=tmp_path) as relay:
        port = relay.port
        [status] = lines("wsrelay status")
        assert run(status, tmp_path, port).stdout.startswith("up and ready\n")
        [listen] = lines("wsrelay listen")
        listener = Process(
            (*listen, "--count", "2"),
            tmp_path,
            {"WSRELAY_PORT": str(port), "PYTHONUNBUFFERED": "1"},
        )
        listener.wait_for("# subscribed to private-orders.7")
        for trigger in lines("wsrelay trigger"):
            assert run(trigger, tmp_path, port).returncode == 0
        listener.wait_for(r'[\d.:]+ orders OrderShipped {"id": 7}$')
        listener.wait_for(r'private-orders\.7 OrderShipped {"id": 7}$')
        listener.end()


def test_the_page_hears_what_laravel_would_publish(tmp_path: Path) -> None:
    """Laravel names an event by its class; the page's code is run as it stands there."""
    install()
    page = block("js").replace("window.location.hostname", "'127.0.0.1'")
    with running("twistd", "--nodaemon", "--pidfile=", "wsrelay", "--port", "0", cwd=tmp_path) as r:
        port = r.port
        script = tmp_path / "page.mjs"
        (tmp_path / "node_modules").symlink_to(CLIENTS / "node_modules")
        imports, _, rest = page.partition("\n\n")
        script.write_text(
            f"{imports}\nglobalThis.window = globalThis\n{rest.replace('6001', str(port))}\n"
            "window.Echo.connector.pusher.channel('orders')"
            ".bind('pusher:subscription_succeeded', () => console.log('subscribed'))\n"
        )
        node = subprocess.Popen(
            [tool("node"), str(script)], stdout=subprocess.PIPE, text=True, env=dict(os.environ)
        )
        try:
            assert node.stdout is not None
            assert node.stdout.readline() == "subscribed\n"
            words = ["wsrelay", "trigger", "orders", r"App\Events\OrderShipped", '{"id": 7}']
            assert run(words, tmp_path, port).returncode == 0
            assert node.stdout.readline() == "{ id: 7 }\n"
        finally:
            node.kill()
            node.communicate()


def test_an_app_of_ones_own(tmp_path: Path) -> None:
    file = tmp_path / "wsrelay.toml"
    file.write_text(block("toml"))
    file.chmod(0o600)
    [check] = lines("wsrelay config check")
    assert run(check, tmp_path, 6001).stdout == "wsrelay.toml: good; apps: 1001\n"
    started = next(words for words in lines("twistd") if "--config" in words)
    command = [started[0], "--pidfile=", *started[1:], "--port", "0"]
    with running(*command, cwd=tmp_path) as relay:
        [doctor] = lines("wsrelay doctor")
        ended = run([*doctor, "--json"], tmp_path, relay.port)
        assert ended.returncode == 0, ended.stdout
        assert "an event of app 1001 came back" in json.dumps(json.loads(ended.stdout))


def test_its_lines_for_laravel_are_what_the_relay_reads(tmp_path: Path) -> None:
    found = re.search(r"```sh\n(BROADCAST_CONNECTION.*?)```", TEXT, re.DOTALL)
    assert found is not None
    (tmp_path / ".env").write_text(found[1].replace("6001", "0"))
    command = ("twistd", "--nodaemon", "--pidfile=", "wsrelay", "--laravel-env", ".env")
    with running(*command, cwd=tmp_path) as relay:
        relay.wait_for("for app local-app-id$")


@pytest.mark.parametrize("page", sorted(DOCS.glob("*.md")), ids=lambda page: str(page.name))
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text()):
        assert (page.parent / target).exists(), target
