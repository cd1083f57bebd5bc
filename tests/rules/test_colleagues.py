"""wsrelay.rules.colleagues: several nodes judge alike, whatever comes late or not at all."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from msgspec.structs import replace

from tests.rules.nodes import Nodes, nodes
from tests.signing import APP
from tests.visitor import Visitor
from wsrelay.cluster.redis.remarks import MISSED_PAUSE
from wsrelay.cluster.redis.wire import Unreachable
from wsrelay.config.settings import Settings
from wsrelay.core.rules import Directed, Proximity, Rule
from wsrelay.rules import colleagues

RULE = Rule(
    channels="*",
    directed=Directed(events=("client-signal",)),
    snapshot=True,
    proximity=Proximity(event="client-move", radius=100, hysteresis=20),
)


@pytest.fixture
def office() -> Iterator[Nodes]:
    app = replace(APP, rules=(RULE,), client_event_rate=0)
    with nodes(Settings(apps=(app,))) as found:
        yield found


def join(office: Nodes, node: int, name: str, channel: str = "presence-office") -> Visitor:
    office.at = node
    visitor = office.guest()
    has_users = channel.startswith("presence-")
    visitor.subscribe(channel, json.dumps({"user_id": name}) if has_users else None)
    office.turn()
    return visitor


def people(office: Nodes, channel: str = "presence-office") -> tuple[Visitor, Visitor]:
    """Ada on one node and bob on the other, who know each other."""
    both = join(office, 0, "ada", channel), join(office, 1, "bob", channel)
    office.settle()
    for each in both:
        each.take()
    return both


def move(visitor: Visitor, x: int, channel: str = "presence-office") -> None:
    visitor.whisper(channel, {"x": x, "y": 0}, "client-move")


def heard(visitor: Visitor, event: str = "") -> list[Any]:
    """Event and data of what was heard; with an event, the data of that alone."""
    found = [(told["event"], json.loads(told["data"])) for told in visitor.take()]
    return [data for each, data in found if each == event] if event else found


def xs(visitor: Visitor) -> list[int]:
    return [data["x"] for data in heard(visitor, "client-move")]


def rules_of(office: Nodes, node: int, channel: str = "presence-office") -> Any:
    found = office.servers[node].service.relay.hub.channel(APP.id, channel)
    assert found is not None
    return found.rules


def test_moves_that_cross_are_judged_alike_by_both_nodes(office: Nodes) -> None:
    """Each by its own, ada would find bob too far away, and bob would find her near."""
    ada, bob = people(office)
    move(ada, 0)
    move(bob, 200)
    office.settle()
    for each in (ada, bob):
        each.take()
    move(ada, -20)
    move(bob, 95)
    office.settle()
    assert len(heard(ada, "client-nearby")) == len(heard(bob, "client-nearby"))
    near = [len(rules_of(office, node)._proximity._places["ada"].near) for node in (0, 1)]
    assert near[0] == near[1]


def test_who_is_near_is_told_once_the_move_has_come_back_and_the_move_before(
    office: Nodes,
) -> None:
    ada, _ = people(office)
    eve = join(office, 0, "eve")
    office.settle()
    move(eve, 0)
    office.settle()
    for each in (ada, eve):
        each.take()
    move(ada, 10)
    office.turn()
    assert heard(eve) == []  # not near yet, and there is no rate beyond
    office.settle()
    nearby = {"user_id": "ada", "distance": 10, "caller": "ada"}
    assert heard(eve) == [("client-move", {"x": 10, "y": 0}), ("client-nearby", nearby)]
    move(ada, 11)
    office.turn()
    assert xs(eve) == [11]


def test_of_tabs_that_move_at_once_all_see_the_same_one_in_the_end(office: Nodes) -> None:
    ada, bob = people(office)
    tab = join(office, 1, "ada")
    eve = join(office, 0, "eve")
    office.settle()
    for each in (ada, bob, tab, eve):
        each.take()
    move(ada, 1)
    move(tab, 2)
    office.settle()
    last = {xs(each)[-1] for each in (bob, eve)}
    assert len(last) == 1
    late = [join(office, node, f"late{node}") for node in (0, 1)]
    office.settle()
    assert {xs(each)[-1] for each in late} == last
    superseded = [each.service.tally.client_events_superseded for each in office.servers]
    assert sum(superseded) == 1


def test_a_newcomer_on_another_node_is_told_where_everybody_is(office: Nodes) -> None:
    ada = join(office, 0, "ada")
    office.settle()
    move(ada, 7)
    office.settle()
    bob = join(office, 1, "bob")
    office.settle()
    assert [event for event, _ in heard(bob)] == [
        "pusher_internal:subscription_succeeded",
        "client-move",
    ]


def test_what_comes_behind_the_question_waits_for_the_answers_but_is_delivered(
    office: Nodes,
) -> None:
    ada = join(office, 0, "ada")
    office.settle()
    move(ada, 7)
    office.settle()
    bob = join(office, 1, "bob")
    office.servers[0].service.room.link.publish = lambda *_: False  # ada's node does not answer
    office.settle()
    eve = join(office, 1, "eve")
    office.settle()
    for each in (bob, eve):
        each.take()
    move(bob, 0)
    office.settle()
    assert xs(eve) == [0]
    move(eve, 1)
    office.settle()
    assert heard(bob, "client-nearby") == heard(eve, "client-nearby") == []
    office.advance(colleagues.MOST_SECONDS)
    assert len(heard(bob, "client-nearby")) == len(heard(eve, "client-nearby")) == 1
    assert office.servers[1].service.room.tally.unanswered == 1
    assert "client-move" not in [event for event, _ in heard(bob)]


def test_so_much_waits_and_no_more(office: Nodes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(colleagues, "MOST_WAITING", 3)
    ada, bob = people(office)
    colleague = rules_of(office, 1).colleagues
    colleague.ask({"nobody": {"nobody.1"}})
    office.settle()
    for x in range(4):
        move(bob, x)
        office.settle()
    assert rules_of(office, 1)._proximity._places["bob"].x == 3
    assert xs(ada) == [0, 1, 2, 3]


def test_nobody_is_told_4303_while_not_all_have_answered(office: Nodes) -> None:
    ada, bob = people(office)
    rules_of(office, 0).colleagues.ask({"nobody": {"nobody.1"}})
    ada.whisper("presence-office", {"to": "9.9"}, "client-signal")
    office.settle()
    assert heard(ada) == []
    rules_of(office, 0).colleagues.died("nobody", "nobody.1")
    ada.whisper("presence-office", {"to": "9.9"}, "client-signal")
    office.settle()
    [told] = ada.take()
    assert told["data"]["code"] == 4303
    assert heard(bob) == []


@pytest.mark.parametrize("channel", ["presence-office", "private-office"])
def test_who_is_heard_from_another_node_can_be_answered_at_once(
    office: Nodes, channel: str
) -> None:
    ada, bob = join(office, 0, "ada", channel), join(office, 1, "bob", channel)
    is_in = False
    while not is_in:
        office.exchange.step(0)
        office.turn()
        is_in = "pusher_internal:subscription_succeeded" in {told["event"] for told in bob.take()}
    bob.whisper(channel, 1, "client-hello")
    office.turn()
    adas, bobs = office.exchange.links
    while bobs.out:  # Redis hears him, and whom his node has to ask it does not know yet
        bobs.out.popleft()()
    while adas.heard:
        adas.heard.popleft()()
    office.turn()
    assert heard(ada, "client-hello") == [1]
    ada.whisper(channel, {"to": bob.socket_id}, "client-signal")
    office.settle()
    assert heard(bob, "client-signal") == [{"to": bob.socket_id}]


@pytest.mark.parametrize("channel", ["presence-office", "private-office"])
def test_who_is_on_a_node_that_dies_is_away_and_forgotten(office: Nodes, channel: str) -> None:
    ada, bob = people(office, channel)
    move(ada, 0, channel)
    move(bob, 1, channel)
    office.settle()
    ada.take()
    name = "bob" if channel.startswith("presence-") else bob.socket_id
    room = office.servers[1].service.room
    node = room._steps.node
    room._leases.end()
    room.link.lose()
    office.servers[0].service.room._spawn(office.servers[0].service.room._leases._sweep(node))
    office.settle()
    assert heard(ada, "client-away") == [{"user_id": name}]
    late = join(office, 0, "late", channel)
    office.settle()
    assert [told["event"] for told in late.take()].count("client-move") == 1
    late.whisper(channel, {"to": name}, "client-signal")
    office.turn()
    assert late.take()[-1]["data"]["code"] == 4303


def test_the_end_of_a_nodes_former_name_is_no_end(office: Nodes) -> None:
    ada, bob = people(office, "private-office")
    move(ada, 0, "private-office")
    move(bob, 1, "private-office")
    office.settle()
    ada.take()
    bob.take()
    office.servers[1].service.room._up()  # as after it was taken for dead
    office.settle()
    office.advance(10)
    office.settle()
    assert heard(ada) == heard(bob) == []
    assert office.servers[1].service.room._steps.node.endswith(".2")


def test_while_redis_is_away_each_node_judges_and_on_return_all_agree(office: Nodes) -> None:
    ada, bob = people(office)
    eve = join(office, 0, "eve")
    for visitor, x in ((ada, 0), (bob, 110), (eve, 1000)):
        move(visitor, x)
    office.settle()
    links = [server.service.room.link for server in office.servers]
    move(ada, 5)  # on its way, and lost
    office.turn()
    for link in links:
        link.lose()
    for each in (ada, bob, eve):
        each.take()
    move(eve, 50)
    office.turn()
    assert [told["user_id"] for told in heard(ada, "client-nearby")] == ["eve"]
    ada.whisper("presence-office", {"to": "bob"}, "client-signal")  # there, as far as is known
    ada.whisper("presence-office", {"to": "nobody"}, "client-signal")
    office.turn()
    [told] = ada.take()
    assert told["data"]["to"] == "nobody"
    for link in links:
        link.start()
    office.settle()
    office.advance(10)
    office.settle()
    assert [told["user_id"] for told in heard(bob, "client-nearby")] == ["eve"]
    assert [told["user_id"] for told in heard(eve, "client-nearby")] == ["ada", "bob"]
    dan = join(office, 1, "dan")
    office.settle()
    assert sorted(xs(dan)) == [5, 50, 110]


def test_who_does_not_come_back_with_redis_is_gone_in_the_end(office: Nodes) -> None:
    ada, bob = people(office, "private-office")
    move(ada, 0, "private-office")
    move(bob, 1, "private-office")
    office.settle()
    ada.take()
    for server in office.servers:
        server.service.room.link.lose()
    office.exchange.channels.clear()
    office.servers[0].service.room.link.start()
    office.settle()
    office.advance(1)
    assert heard(ada) == []
    for _ in range(10):
        office.advance(0.5)
        office.settle()
    assert heard(ada, "client-away") == [{"user_id": bob.socket_id}]


def test_what_was_missed_is_asked_for(office: Nodes) -> None:
    ada, bob = people(office)
    move(ada, 0)
    office.settle()
    link = office.servers[0].service.room.link
    publish, link.publish = link.publish, lambda *_: False
    move(ada, 500)
    office.settle()
    link.publish = publish
    ada.whisper("presence-office", {"hello": 1}, "client-chat")
    office.settle()
    assert xs(bob) == [0]
    office.advance(1)
    office.settle()
    assert xs(bob) == [500]


def test_the_last_words_of_who_leaves_come_before_he_is_gone(office: Nodes) -> None:
    ada, bob = people(office)
    move(ada, 0)
    ada.leave("presence-office")
    office.settle()
    assert [event for event, _ in heard(bob)] == ["client-move", "pusher_internal:member_removed"]
    late = join(office, 1, "late")
    office.settle()
    assert xs(late) == []


def test_a_node_that_is_alone_tells_nobody_anything(office: Nodes) -> None:
    ada = join(office, 0, "ada")
    tab = join(office, 0, "ada")
    office.settle()
    move(ada, 0)
    tab.leave("presence-office")
    office.settle()
    tally = office.servers[0].service.room.tally
    assert (tally.remarks_out, tally.carried) == (0, 0)
    bob = join(office, 1, "bob")
    office.settle()
    bob.leave("presence-office")
    office.settle()
    before = tally.remarks_out
    tab = join(office, 0, "ada")
    office.settle()
    assert tally.remarks_out == before


def test_nodes_that_ask_each_other_while_moves_are_on_their_way_agree(office: Nodes) -> None:
    ada, bob = people(office)
    move(ada, 0)
    move(bob, 200)
    office.settle()
    rooms = [server.service.room for server in office.servers]

    def ask(node: int) -> None:
        other = rooms[1 - node]
        others = {other.origin: {other._steps.node}}
        rules_of(office, node).colleagues.ask(others)

    for each in (ada, bob):
        each.take()
    move(bob, 95)
    office.turn()
    out = rooms[1].link.out  # it has its place before the questions, and is not heard of yet
    while out:
        out.popleft()()
    ask(0)
    move(ada, -20)
    office.turn()
    ask(1)
    move(bob, 94)
    office.settle()
    places = [
        {
            name: (place.x, [other.name for other in place.near])
            for name, place in rules_of(office, node)._proximity._places.items()
        }
        for node in (0, 1)
    ]
    assert places[0] == places[1] == {"ada": (-20, ["bob"]), "bob": (94, ["ada"])}
    assert len(heard(ada, "client-nearby")) == len(heard(bob, "client-nearby")) == 1
    assert [rules_of(office, node).colleagues._question for node in (0, 1)] == [None, None]


def test_a_node_that_asks_while_moves_are_on_their_way_judges_those_of_its_own(
    office: Nodes,
) -> None:
    """No other node answers for them."""
    ada, _ = people(office)
    cyd = join(office, 0, "cyd")
    office.settle()
    for each in (ada, cyd):
        each.take()
    moved_while_asking(office, (ada, 0), (cyd, 0))
    assert heard(ada, "client-nearby") == [{"user_id": "cyd", "distance": 0, "caller": "ada"}]
    assert heard(cyd, "client-nearby") == [{"user_id": "ada", "distance": 0, "caller": "ada"}]
    moved_while_asking(office, (ada, 200))
    assert heard(ada, "client-away") == [{"user_id": "cyd"}]
    assert heard(cyd, "client-away") == [{"user_id": "ada"}]


def moved_while_asking(office: Nodes, *moves: tuple[Visitor, int]) -> None:
    """They move behind what tells whom to ask, and before the question."""
    office.servers[0].service.room.remarks.ask(APP.id, "presence-office")
    for visitor, x in moves:
        move(visitor, x)
    office.turn()
    link = office.exchange.links[0]
    link.out.popleft()()
    link.replies.popleft()()
    office.settle()


def test_a_question_does_not_undo_what_a_users_other_tab_says_meanwhile(office: Nodes) -> None:
    ada, bob = people(office)
    tab = join(office, 0, "bob")
    office.settle()
    move(tab, 0)
    office.settle()
    move(bob, 200)
    office.turn()
    asking, other = office.exchange.links
    other.out.popleft()()  # he has said it before the question, and the node that asks
    office.servers[0].service.room.remarks.ask(APP.id, "presence-office")
    for queue in (asking.out, asking.replies, asking.out):  # has not heard it yet
        queue.popleft()()
    office.settle()
    move(ada, 0)
    office.settle()
    assert [rules_of(office, node)._proximity._places["bob"].x for node in (0, 1)] == [200, 200]
    assert heard(ada, "client-nearby") == []


def test_a_node_whose_first_member_is_not_in_yet_has_nothing_to_tell(office: Nodes) -> None:
    people(office)
    other = office.servers[0].service.room
    hub = office.servers[0].service.relay.hub
    channels = hub._apps.pop(APP.id)
    rules_of(office, 1).colleagues.ask({other.origin: {other._steps.node}})
    office.settle()
    assert rules_of(office, 1).colleagues._question is None
    hub._apps[APP.id] = channels


def test_a_node_that_left_before_it_heard_the_question_withholds_4303_for_a_second(
    office: Nodes,
) -> None:
    ada, bob = people(office, "private-office")
    bob.leave("private-office")  # Redis still has his node among those who attend
    office.turn()
    ada.leave("private-office")
    ada.subscribe("private-office")
    office.settle()
    ada.take()
    ada.whisper("private-office", {"to": "9.9"}, "client-signal")
    office.settle()
    assert ada.take() == []
    office.advance(colleagues.MOST_SECONDS)
    ada.whisper("private-office", {"to": "9.9"}, "client-signal")
    office.settle()
    assert [told["data"]["code"] for told in ada.take()] == [4303]


def test_who_came_while_redis_was_away_and_is_alone_on_return_is_told_4303(office: Nodes) -> None:
    link = office.exchange.links[0]
    link.lose()
    ada = join(office, 0, "ada", "private-office")
    link.start()
    office.settle()
    ada.take()
    ada.whisper("private-office", {"to": "9.9"}, "client-signal")
    office.turn()
    assert [told["data"]["code"] for told in ada.take()] == [4303]


def test_a_question_that_fails_while_redis_is_there_is_asked_again(
    office: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As while a slot of a cluster moves."""

    def refuse(key: bytes) -> None:
        raise Unreachable("a slot of the cluster does not come to rest")

    with monkeypatch.context() as failing:
        failing.setattr(office.exchange, "do_hkeys", refuse)
        ada, _ = people(office, "private-office")
        bob = join(office, 1, "bob", "private-office")
        office.settle()
    ada.whisper("private-office", 1, "client-talk")
    office.settle()
    bob.take()
    bob.whisper("private-office", {"to": "9.9"}, "client-signal")
    office.settle()
    assert bob.take() == []
    office.advance(MISSED_PAUSE)
    office.settle()
    bob.whisper("private-office", {"to": "9.9"}, "client-signal")
    office.settle()
    assert [told["data"]["code"] for told in bob.take()] == [4303]
