"""nginx of Debian in front of the relay, with the samples of ``etc/``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

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

MAIN = """\
{top}
daemon off;
pid {directory}/nginx.pid;
error_log stderr notice;
worker_processes 1;
worker_rlimit_nofile 4096;
events {{ worker_connections 2000; }}
"""
#: What Debian's nginx.conf has around the files in conf.d and sites-enabled.
HTTP = """\
http {{
    access_log off;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    include {directory}/sample.conf;
}}
"""
STREAM_MODULE = Path("/usr/lib/nginx/modules/ngx_stream_module.so")


@contextmanager
def nginx(
    text: str, frame: str, relay: Process, directory: Path, path_prefix: str = ""
) -> Iterator[Street]:
    """The way through nginx with this sample, when it is open."""
    pair = ROOT.issue(NAME).store(directory, "proxy")
    port = free_port()
    changes = {
        "listen 443 ssl": f"listen {port} ssl",
        "listen [::]:443 ssl": f"listen [::]:{port} ssl",
        "127.0.0.1:6001": f"127.0.0.1:{relay.port}",
        f"/etc/letsencrypt/live/{NAME}/fullchain.pem": pair.cert,
        f"/etc/letsencrypt/live/{NAME}/privkey.pem": pair.key,
    }
    (directory / "sample.conf").write_text(with_changes(text, **changes))
    module = f"load_module {STREAM_MODULE};" if "stream {" in text else ""
    whole = (MAIN + frame).format(directory=directory, top=f"user root;\n{module}")
    (directory / "nginx.conf").write_text(whole)
    with running(command("nginx"), "-c", str(directory / "nginx.conf"), cwd=directory) as proxy:
        try:
            with Street(port, path_prefix) as street:
                wait_until(street.is_open, proxy)
                yield street
        finally:
            proxy.end()  # its worker goes with it, which a SIGKILL would leave behind


def test_the_sample_is_enough(tmp_path: Path) -> None:
    text = sample("nginx.conf")
    with (
        relay_for(text, tmp_path) as relay,
        nginx(text, HTTP, relay, tmp_path) as street,
    ):
        prove(street, relay)


def test_the_relay_may_live_below_a_path_beside_others(tmp_path: Path) -> None:
    text = sample("nginx.conf").replace("location / {", "location /realtime/ {")
    with (
        relay_for(text, tmp_path, path_prefix="/realtime") as relay,
        nginx(text, HTTP, relay, tmp_path, "/realtime") as street,
    ):
        visitor = street.visitor()
        visitor.join("private-room")
        relay.wait_for(r"127\.0\.0\.2 opened")
        assert b"404" in Street(street.port).ask("GET", "/apps/1001/channels")  # nginx's own pages


def test_the_sample_for_streams_is_enough_and_speaks_version_1(tmp_path: Path) -> None:
    text = sample("nginx-stream.conf")
    with (
        relay_for(text, tmp_path) as relay,
        nginx(text, "include {directory}/sample.conf;", relay, tmp_path) as street,
    ):
        assert "(PROXY)" in relay.wait_for("Listening on").string
        prove(street, relay)


@pytest.mark.parametrize("name", ["nginx.conf", "nginx-stream.conf"])
def test_no_timeout_is_shorter_than_the_silence_of_a_quiet_client(name: str) -> None:
    default = App(id="1", key="k", secret=Secret("s")).activity_timeout
    timeouts = re.findall(r"proxy_(?:read_|send_)?timeout (\d+)s;", sample(name))
    assert timeouts
    assert all(int(each) > 2 * default for each in timeouts)
