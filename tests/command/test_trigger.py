"""wsrelay.command.trigger and listen, with a real relay between them."""

from __future__ import annotations

import io
import json
import signal
import subprocess
import threading
from pathlib import Path

import pytest

from tests.command.conftest import SECRET, Ended, Relay, Run
from tests.stories.processes import BIN, DEADLINE, Process, environment, running

TWIST = ("twist", "--log-format", "text")


def listening(relay: Relay, *arguments: str) -> Process:
    """``wsrelay listen`` in a process of its own, with what it says on both its outputs."""
    command = ("wsrelay", "listen", "--config", str(relay.file), *arguments)
    return Process(command, relay.file.parent, {"PYTHONUNBUFFERED": "1"})


def trigger(run: Run, relay: Relay, *arguments: str) -> Ended:
    return run("trigger", "--config", str(relay.file), *arguments)


def test_what_is_triggered_is_heard_in_private_and_presence_channels(
    relay: Relay, run: Run
) -> None:
    listener = listening(
        relay, "news", "private-a", "presence-b", "--user-id", "ada", "--count", "3"
    )
    try:
        for channel in ("news", "private-a", "presence-b"):
            listener.wait_for(f"# subscribed to {channel}")
        assert trigger(run, relay, "news", "opened").code == 0
        ended = trigger(run, relay, "private-a", "told", '{"x": "\u2603"}')
        assert ended == (0, "", f"published told to private-a of app 1001 at {relay.url}\n")
        assert trigger(run, relay, "presence-b", "escape", "a\x1b[2Jb").code == 0
        assert listener.end(signal.SIGCONT) == 0, "after three events it ends by itself"
        said = [line.partition(" ") for line in listener.lines if not line.startswith("#")]
        assert [rest for _, _, rest in said] == [
            "news opened {}",
            'private-a told {"x": "\u2603"}',
            "presence-b escape a\\x1b[2Jb",
        ]
        assert all(len(time) == len("12:34:56.789") for time, _, _ in said)
        assert SECRET not in listener.text
    finally:
        listener.end(signal.SIGKILL)


def test_lines_may_be_json_and_another_app_may_be_meant(relay: Relay, run: Run) -> None:
    listener = listening(relay, "private-a", "--app", "b-key", "--json", "--count", "1")
    try:
        listener.wait_for("# subscribed to private-a")
        assert trigger(run, relay, "private-a", "elsewhere").code == 0
        assert trigger(run, relay, "--app", "2002", "private-a", "here", "1").code == 0
        told = json.loads(listener.wait_for("^{").string)
        assert {**told, "time": ""} == {
            "time": "",
            "channel": "private-a",
            "event": "here",
            "data": "1",
        }
    finally:
        listener.end(signal.SIGKILL)


def test_data_may_come_from_the_standard_input(
    relay: Relay, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    listener = listening(relay, "news", "--count", "1")
    try:
        listener.wait_for("# subscribed to news")
        monkeypatch.setattr("sys.stdin", io.StringIO('{"long": true}'))
        assert trigger(run, relay, "news", "piped", "-").code == 0
        listener.wait_for('news piped {"long": true}')
    finally:
        listener.end(signal.SIGKILL)


def test_over_tls_the_certificate_has_to_be_trusted_and_for_the_name(
    relay: Relay, run: Run
) -> None:
    url, ca = f"https://127.0.0.1:{relay.tls_port}", ("--ca", str(relay.authority))
    listener = listening(relay, "news", "--count", "1", "--url", url, *ca)
    try:
        listener.wait_for("# subscribed to news")
        assert trigger(run, relay, "--url", url, *ca, "news", "secured").code == 0
        listener.wait_for("news secured")
    finally:
        listener.end(signal.SIGKILL)
    for untrusted in (
        ("--url", url),
        ("--url", f"https://localhost:{relay.tls_port}", *ca),
    ):
        for command in (("trigger", "news", "x"), ("listen", "news")):
            ended = run(command[0], "--config", str(relay.file), *untrusted, *command[1:])
            assert ended.code == 2
            assert "certificate verify failed" in ended.err


def test_a_refusal_ends_with_1_and_the_relays_reason(
    relay: Relay, run: Run, tmp_path: Path
) -> None:
    ended = trigger(run, relay, "no such channel", "x")
    assert ended.code == 1
    assert ended.err.startswith(f"wsrelay: {relay.url} refused (400: ")
    wrong = tmp_path / "wrong.toml"
    wrong.write_text(relay.file.read_text().replace(SECRET, "another"))
    ended = run("trigger", "--config", str(wrong), "news", "x")
    assert ended.code == 1
    assert "401: auth_signature: wrong" in ended.err


def test_where_nothing_answers_it_ends_with_2(run: Run) -> None:
    for command in (("trigger", "a", "b"), ("listen", "a"), ("status",)):
        ended = run(*command, WSRELAY_PORT="1", WSRELAY_METRICS_PORT="1")
        assert ended.code == 2
        assert "127.0.0.1:1: Connection refused" in ended.err


def test_ctrl_c_ends_it_in_order(relay: Relay) -> None:
    listener = listening(relay, "news")
    try:
        listener.wait_for("# subscribed to news")
        assert listener.end(signal.SIGINT) == 0
        assert "Traceback" not in listener.text
    finally:
        listener.end(signal.SIGKILL)


def test_a_subscription_that_is_refused_ends_with_1(relay: Relay, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.toml"
    wrong.write_text(relay.file.read_text().replace(SECRET, "another"))
    ended = subprocess.run(
        [BIN / "wsrelay", "listen", "--config", wrong, "private-a"],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=DEADLINE,
    )
    assert ended.returncode == 1
    assert "wsrelay: private-a: the signature is wrong" in ended.stderr


def test_time_that_runs_out_is_an_end_or_a_failure(relay: Relay, run: Run) -> None:
    listen = ("listen", "--config", str(relay.file), "quiet", "--seconds", "0.1")
    assert run(*listen).code == 0
    ended = run(*listen, "--count", "1")
    assert ended.code == 1
    assert "1 events did not come in the time that was given" in ended.err


def test_it_comes_back_when_the_relay_does(tmp_path: Path) -> None:
    with running(*TWIST, "wsrelay", "--port", "0", cwd=tmp_path) as first:
        port = str(first.port)
        command = ("wsrelay", "listen", "news", "--count", "1")
        listener = Process(command, tmp_path, {"WSRELAY_PORT": port, "PYTHONUNBUFFERED": "1"})
        try:
            listener.wait_for("# subscribed to news")
            before = len(listener.lines)
            first.end()
            listener.wait_for("# closed: 4100 .*; coming back", after=before)
            with running(*TWIST, "wsrelay", "--port", port, cwd=tmp_path) as second:
                assert second.port == int(port)
                listener.wait_for("# subscribed to news", after=before)
                ender = threading.Thread(
                    target=subprocess.run,
                    args=([BIN / "wsrelay", "trigger", "news", "again"],),
                    kwargs={"env": environment(WSRELAY_PORT=port), "capture_output": True},
                )
                ender.start()
                listener.wait_for("news again")
                ender.join(DEADLINE)
        finally:
            listener.end(signal.SIGKILL)
