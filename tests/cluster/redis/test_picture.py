"""wsrelay.cluster.redis.picture: how far a picture has come, and who waits for that."""

from __future__ import annotations

from twisted.internet.defer import Deferred

from wsrelay.cluster.redis.picture import Picture, read
from wsrelay.core.roster import Member


def test_who_waits_goes_on_when_the_picture_has_come_so_far() -> None:
    picture = Picture()
    places = [Deferred.fromCoroutine(picture.reached(version)) for version in (3, 5)]
    picture.version = 4
    picture.wake()
    assert [place.called for place in places] == [True, False]
    picture.wake(is_all=True)
    assert places[1].called
    assert Deferred.fromCoroutine(picture.reached(4)).called


def test_a_user_is_here_until_his_last_connection_goes() -> None:
    picture = Picture()
    for socket_id in ("1.1", "1.2", "1.2"):
        picture.come(socket_id, Member("ada"))
    picture.go("1.1")
    picture.go("9.9")
    assert picture.users == {"ada": 1}
    picture.go("1.2")
    assert picture.users == {}


def test_members_are_read_in_order_of_arrival() -> None:
    version, members = read([b"7", b"bob", b"1", b"5", b"ada", b"null", b"3"])
    assert version == 7
    assert list(members.items()) == [("ada", Member("ada")), ("bob", Member("bob", b"1"))]
