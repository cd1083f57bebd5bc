"""HAProxy of Debian in front of the relay, with the sample of ``etc/``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.edge.behind import (
    NAME,
    ROOT,
    Street,
    command,
    prove,
    relay_for,
    sample,
    wait_until,
    with_changes,
)
from tests.ports import free_port
from tests.stories.processes import Process, running
from wsrelay.core.apps import App, Secret

TEXT = sample("haproxy.cfg")


@contextmanager
def haproxy(text: str, relay: Process, directory: Path) -> Iterator[tuple[Street, Street, Process]]:
    """The ways through HAProxy with this sample: that of HTTP, and that of TCP."""
    pair = ROOT.issue(NAME).store(directory, "proxy")
    pem = directory / "haproxy.pem"
    pem.write_bytes(Path(pair.cert).read_bytes() + Path(pair.key).read_bytes())
    tls = relay.wait_for(r"Listening on .*:(\d+) \(PROXY\) \(TLS\)")[1]
    http_port, tcp_port = free_port(), free_port()
    changes = {
        "bind :443": f"bind 127.0.0.1:{http_port}",
        "bind :8443": f"bind 127.0.0.1:{tcp_port}",
        "wsrelay1 127.0.0.1:6001": f"wsrelay1 127.0.0.1:{relay.port}",
        "wsrelay1 127.0.0.1:6443": f"wsrelay1 127.0.0.1:{tls}",
        "/etc/haproxy/wsrelay.pem": str(pem),
    }
    file = directory / "haproxy.cfg"
    file.write_text(with_changes(text, **changes))
    with (
        running(command("haproxy"), "-db", "-f", str(file), cwd=directory) as proxy,
        Street(http_port) as http,
        Street(tcp_port) as tcp,
    ):
        yield http, tcp, proxy


def test_the_sample_s_way_of_http_is_enough(tmp_path: Path) -> None:
    with relay_for(TEXT, tmp_path) as relay, haproxy(TEXT, relay, tmp_path) as (http, _, proxy):
        wait_until(http.is_open, proxy)
        prove(http, relay)


def test_the_sample_s_way_of_tcp_is_enough_and_speaks_version_2_before_tls(tmp_path: Path) -> None:
    with relay_for(TEXT, tmp_path) as relay, haproxy(TEXT, relay, tmp_path) as (_, tcp, proxy):
        wait_until(tcp.is_open, proxy)
        prove(tcp, relay)
        assert "closed, connections here come from proxies" not in relay.text  # nor its checks


def test_what_a_client_writes_into_the_header_of_proxies_is_not_believed(tmp_path: Path) -> None:
    with relay_for(TEXT, tmp_path) as relay, haproxy(TEXT, relay, tmp_path) as (http, tcp, proxy):
        for way in (http, tcp):
            wait_until(way.is_open, proxy)
            visitor = way.visitor("127.0.0.9", b"X-Forwarded-For: 192.0.2.66\r\n")
            assert visitor.socket_id
        assert len(re.findall(r"app 1001: 127\.0\.0\.9(?::\d+)? opened", relay.text)) <= 2
        relay.wait_for(r"127\.0\.0\.9 opened")  # of HTTP
        relay.wait_for(r"127\.0\.0\.9:\d+ opened")  # of TCP
        assert "192.0.2.66" not in relay.text


def test_no_timeout_is_shorter_than_the_silence_of_a_quiet_client() -> None:
    default = App(id="1", key="k", secret=Secret("s")).activity_timeout
    [tunnel] = re.findall(r"timeout tunnel (\d+)s", TEXT)
    of_tcp = TEXT.partition("backend wsrelay_tcp")[2]
    [server] = re.findall(r"timeout server (\d+)s", of_tcp)
    assert min(int(tunnel), int(server)) > 2 * default
