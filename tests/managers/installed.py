"""The files of ``etc/`` as an operator installs them, but for the places that are a test's."""

from __future__ import annotations

import os
import pwd
import time
import urllib.error
import urllib.request
from pathlib import Path

from tests.signing import APP, SECRET
from tests.stories.processes import BIN, DEADLINE

ETC = Path(__file__).parents[2] / "etc"


def configuration(folder: Path, port: int) -> Path:
    """A file with an app, for a relay on loopback."""
    file = folder / "wsrelay.toml"
    file.write_text(
        f'port = {port}\nhost = "127.0.0.1"\ndrain = 0.5\n'
        f'[[apps]]\nid = "{APP.id}"\nkey = "{APP.key}"\nsecret = "{SECRET}"\n'
    )
    return file


def installed(name: str, folder: Path, port: int, **places: str) -> Path:
    """A copy of a file, with wsrelay of this checkout; ``places`` are further texts to replace."""
    text = (ETC / name).read_text()
    text = text.replace("/opt/wsrelay/bin", str(BIN))
    text = text.replace("/etc/wsrelay/wsrelay.toml", str(configuration(folder, port)))
    for place, own in places.items():
        assert place in text, f"{name} has no {place}"
        text = text.replace(place, own)
    copy = folder / name
    copy.write_text(text)
    return copy


def me() -> str:
    return pwd.getpwuid(os.getuid()).pw_name


def until_up(port: int) -> float:
    """Seconds until it serves."""
    began = time.monotonic()
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/up", timeout=1) as answer:
                assert answer.status == 200
                return time.monotonic() - began
        except (urllib.error.URLError, OSError):
            assert time.monotonic() < began + DEADLINE, "it does not serve"
            time.sleep(0.01)


def until_gone(process: int) -> None:
    """Until there is no such process."""
    ends = time.monotonic() + DEADLINE
    while Path(f"/proc/{process}/status").exists():
        if "State:\tZ" in Path(f"/proc/{process}/status").read_text():
            return
        assert time.monotonic() < ends, "it does not end"
        time.sleep(0.01)
