"""wsrelay.cluster.redis.bus: what is carried, in which envelopes, and what is missing."""

from __future__ import annotations

import json

from tests.cluster.redis.nodes import NodesTestCase
from tests.signing import APP
from wsrelay.core.frame import Frame
from wsrelay.core.publication import Publication


class BusTest(NodesTestCase):
    async def test_what_is_too_much_for_an_envelope_leaves_in_several(self) -> None:
        other = await self.node()
        ada, bob = await self.visitor_of(self.relay), await self.visitor_of(other)
        for visitor in (ada, bob):
            await visitor.joined("private-room")
        for number in range(60):
            frame = Frame(json.dumps({"event": "e", "data": f"{number}" + "x" * 10_000}).encode())
            self.relay.relay.publish(Publication(APP.id, "private-room", frame))
        heard = [await bob.next() for _ in range(60)]
        assert [each["data"].rstrip("x") for each in heard] == [str(n) for n in range(60)]
        assert 2 <= self.relay.room.tally.envelopes_out <= 5

    async def test_an_envelope_that_is_missing_is_noticed_counted_and_logged(self) -> None:
        other = await self.node()
        ada, bob = await self.visitor_of(self.relay), await self.visitor_of(other)
        for visitor in (ada, bob):
            await visitor.joined("private-room")
        ada.whisper("private-room", 1)
        await bob.expect("client-told")
        publish, self.relay.room.link.publish = self.relay.room.link.publish, lambda *_: False
        ada.whisper("private-room", 2)
        await self.until(lambda: self.relay.room.tally.not_carried == 1)
        self.relay.room.link.publish = publish
        ada.whisper("private-room", 3)
        assert (await bob.expect("client-told"))["data"] == "3"
        ada.whisper("private-room", 4)
        assert (await bob.expect("client-told"))["data"] == "4"
        assert other.room.tally.envelopes_missed == 1
        assert "are missing between its numbers" in self.log_text
