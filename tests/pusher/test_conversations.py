"""Hall and sessions together, against dictionaries that say who must hear what."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

import tests.properties  # noqa: F401  (how many examples)
from tests.doubles import Heard, an_app
from tests.pusher.relayed import (
    Client,
    Relayed,
    error,
    member_added,
    member_removed,
    said,
    snapshot,
    subscription_error,
    succeeded,
    told,
)

MOST_MEMBERS = 2
FULL = f"the channel has {MOST_MEMBERS} members, its limit (max_presence_members)"

plain = st.sampled_from(["room", "private-a", "private-b", "private-encrypted-a"])
presence = st.sampled_from(["presence-a", "presence-b"])
channels = plain | presence
users = st.sampled_from(["ada", "bob", "cyd"])
infos = st.sampled_from([None, 1, {"name": "Zoë"}])
words = st.text(st.characters(codec="utf-8"), max_size=5)


class ConversationsAgainstDictionaries(RuleBasedStateMachine):
    """Whatever clients and backends do, in any order: each client hears what it has to."""

    clients = Bundle("clients")

    def __init__(self) -> None:
        super().__init__()
        app = an_app(client_event_rate=0, max_presence_members=MOST_MEMBERS)
        self.relayed = Relayed(app)
        #: channel -> client -> None, or the user he is there.
        self.subscribed: dict[str, dict[Client, str | None]] = defaultdict(dict)
        #: channel -> user -> client -> the info it brought, in order of arrival.
        self.present: dict[str, dict[str, dict[Client, Any]]] = defaultdict(dict)
        self.expected: dict[Client, list[Heard]] = {}

    # -- what must be heard ----------------------------------------------------------------

    def expect(self, client: Client, message: Heard) -> None:
        self.expected[client].append(message)

    def expect_others(self, channel: str, sender: Client | None, message: Heard) -> None:
        for client in self.subscribed[channel]:
            if client is not sender:
                self.expect(client, message)

    def snapshot(self, channel: str) -> Heard:
        members = self.present[channel].items()
        return snapshot(channel, **{user: next(iter(tabs.values())) for user, tabs in members})

    # -- what happens ------------------------------------------------------------------------

    @rule(target=clients)
    def connect(self) -> Client:
        client = self.relayed.connect()
        self.expected[client] = []
        return client

    @rule(client=clients, channel=plain)
    def subscribe(self, client: Client, channel: str) -> None:
        client.subscribe(channel)
        self.subscribed[channel][client] = None
        self.expect(client, succeeded(channel))

    @rule(client=clients, channel=presence, user=users, info=infos)
    def join(self, client: Client, channel: str, user: str, info: Any) -> None:
        client.join(channel, user, info)
        present = self.present[channel]
        if client in self.subscribed[channel]:
            self.expect(client, self.snapshot(channel))
        elif user not in present and len(present) == MOST_MEMBERS:
            self.expect(client, subscription_error(channel, 403, "LimitReached", FULL))
        else:
            if user not in present:
                self.expect_others(channel, client, member_added(channel, user, info))
            present.setdefault(user, {})[client] = info
            self.subscribed[channel][client] = user
            self.expect(client, self.snapshot(channel))

    @rule(client=clients, channel=channels)
    def unsubscribe(self, client: Client, channel: str) -> None:
        client.unsubscribe(channel)
        self.leave(client, channel)

    def leave(self, client: Client, channel: str) -> None:
        user = self.subscribed[channel].pop(client, None)
        if user is not None:
            del self.present[channel][user][client]
            if not self.present[channel][user]:
                del self.present[channel][user]
                self.expect_others(channel, None, member_removed(channel, user))

    @rule(client=clients, channel=channels, word=words)
    def whisper(self, client: Client, channel: str, word: str) -> None:
        client.whisper(channel, word)
        if client not in self.subscribed[channel]:
            fault = f"not subscribed to {channel}: subscribe before sending client events"
        elif "encrypted" in channel:
            fault = "encrypted channels and a user's own channel carry no client events"
        elif channel == "room":
            fault = (
                "client events need a private or presence channel "
                "(client_events = 'all' admits public ones)"
            )
        else:
            user = self.subscribed[channel][client]
            self.expect_others(channel, client, said(channel, word, user))
            return
        self.expect(client, error(4301, fault))

    @rule(names=st.lists(channels, min_size=1, max_size=3, unique=True), word=words)
    def publish(self, names: list[str], word: str) -> None:
        self.relayed.publish(names, word)
        for name in names:
            self.expect_others(name, None, told(name, word))

    @rule(client=clients, channel=channels, word=words)
    def publish_to_others(self, client: Client, channel: str, word: str) -> None:
        self.relayed.publish(channel, word, socket_id=client.socket_id)
        self.expect_others(channel, client, told(channel, word))

    @rule(client=clients)
    def speak_nonsense(self, client: Client) -> None:
        client.says('{"event":"pusher:nonsense"}')

    @rule(client=consumes(clients))
    def disconnect(self, client: Client) -> None:
        client.vanish()
        for channel in list(self.subscribed):
            self.leave(client, channel)
        assert self.expected.pop(client) == client.heard()

    # -- what must be true -------------------------------------------------------------------

    @invariant()
    def everybody_has_heard_what_he_had_to(self) -> None:
        for client, expected in self.expected.items():
            # Whose channels are left first when he vanishes is nobody's business.
            assert sorted(client.heard(), key=channel_of) == sorted(expected, key=channel_of)
            expected.clear()

    @invariant()
    def the_hall_holds_whom_it_has_to(self) -> None:
        relayed = self.relayed
        assert relayed.connections.count(relayed.app.id) == len(self.expected)
        occupied = {name: len(clients) for name, clients in self.subscribed.items() if clients}
        assert {
            channel.name: len(channel.subscribers)
            for channel in relayed.hub.channels(relayed.app.id)
        } == occupied
        assert relayed.bus.wanted == {(relayed.app.id, name) for name in occupied}
        for name, present in self.present.items():
            assert relayed.members(name) == list(present)

    def teardown(self) -> None:
        for client in self.expected:
            client.vanish()
        self.relayed.assert_empty()


def channel_of(message: Heard) -> str:
    channel: str = message.get("channel", "")
    return channel


TestConversationsAgainstDictionaries = ConversationsAgainstDictionaries.TestCase
TestConversationsAgainstDictionaries.settings = settings(stateful_step_count=40)
