"""wsrelay as another version of it would be: a copy whose envelopes and script differ.

``NEXT`` has a new field at the end of every letter and event, writes numbers that no version before
would, and a kind of letter that this one does not know. ``BEFORE`` writes and reads events without
what came last, and letters without any field that may be left out.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.stories.deployments import relay_command
from tests.stories.processes import Process

ROOT = Path(__file__).parents[3]

NEXT = """

_encode_now, _decode_now = encode, decode


def encode(letter):
    kind, *fields = msgspec.msgpack.decode(_encode_now(letter))
    if kind == "p":
        fields[1] += 2**40
        fields[2] += 2**40 if fields[2] else 0
        fields[3] = [[*post, "new", {"and": ["more"]}] for post in fields[3]]
    return msgspec.msgpack.encode([kind, *fields, "new", {"and": ["more"]}])
"""

NEXT_SAY = """
local function say(...)
    redis.call(publish, base, cmsgpack.pack({'?', 'of another kind'}))
    local letter = {...}
    letter[#letter + 1] = 'new'
    letter[#letter + 1] = {'more'}
    redis.call(publish, base, cmsgpack.pack(letter))
end
"""

BEFORE = """

_encode_now, _decode_now = encode, decode


def _as_before(data):
    fields = msgspec.msgpack.decode(data)
    if fields[0] == "p":
        fields[4] = [post[:2] for post in fields[4]]
    return msgspec.msgpack.encode(fields)


def encode(letter):
    return _as_before(_encode_now(letter))


def decode(data):
    return _decode_now(_as_before(data)) if _decode_now(data) else None
"""


class OtherVersion(Process):
    """A process of it, in ``directory``; ``envelope`` is added to the module of that name."""

    def __init__(self, directory: Path, redis: str, envelope: str, say: str = "") -> None:
        package = directory / "wsrelay"
        shutil.copytree(ROOT / "wsrelay", package, ignore=shutil.ignore_patterns("__pycache__"))
        room = package / "cluster" / "redis"
        with (room / "envelope.py").open("a") as file:
            file.write(envelope)
        if say:
            script = (room / "channel.lua").read_text()
            before, known, after = script.partition("local function say(...)")
            assert known
            rest = after.partition("\n")[2]
            (room / "channel.lua").write_text(before + say + rest)
        super().__init__(
            relay_command("other", "--redis", redis),
            directory,
            {"PYTHONPATH": str(directory)},
        )
