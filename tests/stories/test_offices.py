"""An office's rules, the same whoever stands behind the doors: one process, or several as one."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterable
from itertools import count
from typing import Any

from tests.rules.page import Page
from tests.signing import APP, SECRET
from tests.stories.deployments import DeployedTestCase, Deployment, OnCluster, OnRedis, OnSentinels
from tests.visitor import Visitor

CONFIGURATION = f"""\
[[apps]]
id = "{APP.id}"
key = "{APP.key}"
secret = "{SECRET}"
client_event_rate = 0

[[apps.rules]]
channels = "*-office-*"
directed = {{ field = "to", events = ["client-signal"] }}
newest = {{ events = ["client-move"], rate = 50 }}
snapshot = true
proximity = {{ event = "client-move", radius = 100, hysteresis = 20 }}
"""

numbers = count(1)


class Person(Page):
    """Somebody in an office; who came before, by the nodes in turn, is on another node."""

    def __init__(self, visitor: Visitor, name: str, office: str) -> None:
        super().__init__(visitor, name)
        self.office = office

    def move(self, x: int) -> None:
        self.visitor.whisper(self.office, {"x": x, "y": 0}, "client-move")

    def signal(self, to: str) -> None:
        self.visitor.whisper(self.office, {"to": to}, "client-signal")


class Stories:
    """Mixed into a test case for each deployment."""

    configuration = CONFIGURATION

    async def person(self: Any, office: str, name: str) -> Person:
        visitor = await self.guest()
        has_users = office.startswith("presence-")
        await visitor.joined(office, json.dumps({"user_id": name}) if has_users else None)
        return Person(visitor, name if has_users else visitor.socket_id, office)

    async def people(self: Any, *names: str, kind: str = "presence") -> list[Person]:
        """In an office of their own, and known to one another."""
        office = f"{kind}-office-{next(numbers)}"
        people = [await self.person(office, name) for name in names]
        for person in people:
            person.visitor.whisper(office, {"name": person.name}, "client-hello")
        for person in people:
            greeted: set[str] = set()
            while greeted != {other.name for other in people if other is not person}:
                message = await person.visitor.next()
                if message["event"] == "client-hello":
                    greeted.add(json.loads(message["data"])["name"])
        return people

    async def so(self: Any, people: Iterable[Person], is_so: Callable[[], bool]) -> None:
        """Listen until it is so."""
        while True:
            for person in people:
                person.listen()
            if is_so():
                return
            await self.a_turn()

    async def test_both_sides_hear_who_comes_near_and_who_calls(self: Any) -> None:
        ada, bob, cyd = everybody = await self.people("ada", "bob", "cyd")
        ada.move(0)
        bob.move(1000)
        cyd.move(50)
        await self.so(everybody, lambda: ada.near == {"cyd": "ada"} and cyd.near == {"ada": "ada"})
        bob.move(90)
        caller = {"ada": "ada", "cyd": "bob"}
        await self.so(everybody, lambda: bob.near == caller and len(ada.near) == len(cyd.near) == 2)
        ada.move(-100)
        await self.so(everybody, lambda: not ada.near)
        await self.so(everybody, lambda: bob.near == {"cyd": "bob"} and cyd.near == {"bob": "bob"})
        cyd.visitor.leave(cyd.office)
        await self.so([ada, bob], lambda: not bob.near)

    async def test_who_moves_at_the_same_time_is_judged_by_one_order(self: Any) -> None:
        everybody = await self.people("ada", "bob", "cyd", "dan")
        for number in range(60):
            for index, person in enumerate(everybody):
                person.move((number * (37 + 11 * index)) % 150)
            await self.a_turn()
        for person, x in zip(everybody, (0, 110, 500, 505), strict=True):
            person.move(x)

        def are_agreed() -> bool:
            ada, bob, cyd, dan = everybody
            return (
                ("bob" in ada.near) == ("ada" in bob.near)
                and cyd.near == {"dan": "cyd"}
                and dan.near == {"cyd": "cyd"}
            )

        await self.so(everybody, are_agreed)
        everybody[0].visitor.whisper(everybody[0].office, 1, "client-talk")
        await self.so(everybody, lambda: everybody[1].talk == everybody[3].talk == [1])
        assert are_agreed()

    async def test_a_newcomer_is_told_where_everybody_is(self: Any) -> None:
        people = await self.people("ada", "bob", "cyd")
        for index, person in enumerate(people):
            person.move(index * 1000)
        places = {person.name: (index * 1000, 0) for index, person in enumerate(people)}
        for number in range(2):  # on either node
            dan = await self.person(people[0].office, f"dan{number}")
            await self.so([dan], lambda dan=dan: dan.seen == places)
        people[0].visitor.leave(people[0].office)
        del places["ada"]
        await self.so([people[1]], lambda: "ada" not in people[1].seen)
        for number in range(2, 4):
            dan = await self.person(people[0].office, f"dan{number}")
            await self.so([dan], lambda dan=dan: dan.seen == places)

    async def test_a_directed_whisper_finds_its_member_or_the_sender_is_told(self: Any) -> None:
        ada, bob, _cyd = people = await self.people("ada", "bob", "cyd")
        for person in people:
            person.visitor.take()
        ada.signal("bob")
        ada.signal(bob.visitor.socket_id)
        for to in ("bob", bob.visitor.socket_id):
            assert json.loads((await bob.visitor.expect("client-signal"))["data"]) == {"to": to}
        await self.knows_all(ada)
        for to in ("nobody", "9.9", "ada", ada.visitor.socket_id):
            ada.signal(to)
            told = (await ada.visitor.expect("pusher:error"))["data"]
            assert (told["code"], told["to"]) == (4303, to)
        bob.visitor.leave(bob.office)
        await ada.visitor.expect("pusher_internal:member_removed")
        for to in ("bob", bob.visitor.socket_id):
            ada.signal(to)
            told = (await ada.visitor.expect("pusher:error"))["data"]
            assert (told["code"], told["to"]) == (4303, to)

    async def test_a_channel_without_users_has_all_of_it_by_socket_ids(self: Any) -> None:
        ada, bob = people = await self.people("ada", "bob", kind="private")
        for person in people:
            person.visitor.take()
        ada.signal(bob.name)
        await bob.visitor.expect("client-signal")
        await self.knows_all(ada)
        ada.signal("9.9")
        assert (await ada.visitor.expect("pusher:error"))["data"]["code"] == 4303
        ada.move(0)
        bob.move(1)
        caller = min(ada.name, bob.name)
        await self.near_by_socket_id(ada, bob, caller)
        await self.near_by_socket_id(bob, ada, caller)
        bob.visitor.leave(bob.office)
        while (message := await ada.visitor.next())["event"] != "client-away":
            pass
        assert json.loads(message["data"]) == {"user_id": bob.name}

    async def knows_all(self: Any, person: Person) -> None:
        """His node has heard of all others: until then it tells nobody that somebody is nowhere."""
        said = told = 0
        while not told:
            said += 1
            person.signal(f"nobody {said}")
            await self.a_turn()
            for message in person.visitor.take():
                assert message["event"] == "pusher:error"
                told = int(message["data"]["to"].split()[1])
        while told < said:
            message = await person.visitor.expect("pusher:error")
            told = int(message["data"]["to"].split()[1])

    async def near_by_socket_id(self: Any, one: Person, other: Person, caller: str) -> None:
        while (message := await one.visitor.next())["event"] != "client-nearby":
            pass
        told = json.loads(message["data"])
        assert (told["user_id"], told["caller"]) == (other.name, caller)

    async def moved(self: Any, person: Person, x: int, everybody: list[Person]) -> None:
        """Go there until all others see it: what another tab said may still wait for its tick."""
        others = [other for other in everybody if other.name != person.name]
        while any(other.seen.get(person.name) != (x, 0) for other in others):
            person.move(x)
            await self.a_turn()
            for other in everybody:
                other.listen()

    async def test_a_user_with_tabs_is_one(self: Any) -> None:
        ada, tab, bob = everybody = await self.people("ada", "ada", "bob")
        bob.move(0)
        for number in range(20):
            ada.move(number)
            tab.move(500 + number)
            await self.a_turn()
        await self.moved(ada, 10, everybody)
        await self.so(everybody, lambda: bob.near == {"ada": "ada"})
        await self.so(everybody, lambda: ada.near == tab.near == {"bob": "ada"})
        ada.visitor.leave(ada.office)
        await self.moved(tab, 11, [tab, bob])
        assert bob.near == {"ada": "ada"}
        tab.visitor.leave(ada.office)
        await self.so([bob], lambda: not bob.near and "ada" not in bob.seen)


class StoriesOfTwoNodes(Stories):
    async def test_zzz_who_was_on_a_node_that_is_killed_is_away(self: Any) -> None:
        """Last of all: one node is left."""
        with_users = await self.people("ada", "bob", "cyd", "dan")
        without = await self.people("ada", "bob", kind="private")
        for person in (*with_users, *without):
            person.move(0)
        await self.so(with_users, lambda: all(len(person.near) == 3 for person in with_users))
        for one, other in (without, without[::-1]):
            await self.near_by_socket_id(one, other, min(one.name, other.name))
        dead = next(self._ports)  # the next in turn, as of the first of both
        self.deployment.processes[self.deployment.ports.index(dead)].end(signal.SIGKILL)
        next(self._ports)
        _, bob, _, dan = with_users
        await self.so([bob, dan], lambda: bob.near == {"dan": "bob"} and dan.near == {"bob": "bob"})
        await self.so([bob], lambda: bob.seen.keys() == {"dan"})
        left = await without[1].visitor.expect("client-away")
        assert json.loads(left["data"]) == {"user_id": without[0].name}
        eve = await self.person_of_the_other(bob.office, dead)
        await self.so([eve], lambda: eve.seen.keys() == {"bob", "dan"})
        await self.is_nobody(eve, "ada", with_users[0].visitor.socket_id)
        eve = await self.person_of_the_other(without[1].office, dead)
        await self.is_nobody(eve, without[0].name)

    async def is_nobody(self: Any, person: Person, *names: str) -> None:
        for to in names:
            person.signal(to)
            while (message := await person.visitor.next())["event"] != "pusher:error":
                pass
            assert (message["data"]["code"], message["data"]["to"]) == (4303, to)

    async def person_of_the_other(self: Any, office: str, dead: int) -> Person:
        while next(self._ports) != dead:
            pass
        return await self.person(office, "eve")


class AloneTest(Stories, DeployedTestCase):
    deployed = Deployment


class OnRedisTest(StoriesOfTwoNodes, DeployedTestCase):
    deployed = OnRedis
    deployment: OnRedis

    async def test_zz_after_an_absence_of_redis_all_agree_again(self) -> None:
        ada, bob, cyd = everybody = await self.people("ada", "bob", "cyd")
        for person, x in zip(everybody, (0, 110, 1000), strict=True):
            person.move(x)
        places = {"ada": (0, 0), "bob": (110, 0), "cyd": (1000, 0)}
        dan = await self.person(ada.office, "dan")
        await self.so([dan], lambda: dan.seen == places)
        self.deployment.redis.kill()
        try:
            for process in self.deployment.processes:
                process.wait_for("is away")
            ada.move(20)  # now near bob, who is on the other node
            cyd.move(40)  # on ada's
            await self.so([ada, cyd], lambda: ada.near == {"bob": "ada", "cyd": "ada"})
        finally:
            self.deployment.redis.start()
        all_near = {"ada": 2, "bob": 2, "cyd": 2}
        await self.so(
            everybody,
            lambda: {person.name: len(person.near) for person in everybody} == all_near,
        )
        assert bob.near == {"ada": "ada", "cyd": "bob"}
        places |= {"ada": (20, 0), "cyd": (40, 0)}
        await self.so([bob, dan], lambda: dan.seen == places)
        for person in everybody:
            person.visitor.take()
        ada.signal(bob.visitor.socket_id)
        await bob.visitor.expect("client-signal")


class OnSentinelsTest(StoriesOfTwoNodes, DeployedTestCase):
    deployed = OnSentinels


class OnClusterTest(StoriesOfTwoNodes, DeployedTestCase):
    deployed = OnCluster
