"""wsrelay.pusher.subscribing. What a client hears of it is in test_memberships."""

from __future__ import annotations

import pytest

from tests.doubles import APP, Notices, an_app
from wsrelay.core.apps import App
from wsrelay.core.errors import SubscriptionRefused
from wsrelay.core.notices import SubscriptionDenied
from wsrelay.core.roster import Member
from wsrelay.pusher.codec import decode
from wsrelay.pusher.messages import Subscribe, User
from wsrelay.pusher.signatures import sign
from wsrelay.pusher.subscribing import proven_member, refuse_bad_name

SOCKET_ID = "271828.31415926"
#: The published frame that subscribes to a presence channel, with its published signature.
PUBLISHED_FRAME = (
    '{"event":"pusher:subscribe","data":{"auth":"wsr-key-7f3a91:'
    '38df09011075f8938927f59bea07cf4965361169761d2966a2bef05abde4d2eb",'
    '"channel_data":"{\\"user_id\\":\\"42\\",\\"user_info\\":{\\"name\\":\\"Ada\\"}}",'
    '"channel":"presence-lobby"}}'
)


def member(
    channel: str,
    channel_data: str | None = None,
    user: User | None = None,
    app: App = APP,
    observer: Notices | None = None,
) -> Member | None:
    """Who comes with a subscription that the app has signed."""
    text = f"{SOCKET_ID}:{channel}" + ("" if channel_data is None else f":{channel_data}")
    asked = Subscribe(channel, f"{app.key}:{sign(app, text)}", channel_data)
    return proven_member(app, SOCKET_ID, asked, user, Notices() if observer is None else observer)


def test_the_published_frame_brings_its_member() -> None:
    asked = decode(PUBLISHED_FRAME)
    assert isinstance(asked, Subscribe)
    found = proven_member(APP, SOCKET_ID, asked, None, Notices())
    assert found == Member("42", b'{"name":"Ada"}')


@pytest.mark.parametrize("channel", ["room", "cache-room", "private-room", "private-encrypted-a"])
def test_channels_without_presence_bring_nobody(channel: str) -> None:
    assert member(channel) is None
    assert member(channel, '{"user_id":"42"}', User("42")) is None


def test_who_has_signed_in_is_the_member_unless_channel_data_says_otherwise() -> None:
    user = User("42", b'{"name":"Ada"}')
    assert member("presence-room", None, user) == Member("42", b'{"name":"Ada"}')
    assert member("presence-room", '{"user_id":"43"}', user) == Member("43")


@pytest.mark.parametrize("user", [None, User("4"), User("420")])
def test_a_users_own_channel_opens_for_nobody_else(user: User | None) -> None:
    with pytest.raises(SubscriptionRefused) as raised:
        member("#server-to-user-42", None, user)
    assert (raised.value.status, raised.value.kind) == (401, "AuthError")
    assert member("#server-to-user-42", None, User("42")) is None


def test_the_observer_hears_of_wrong_signatures_and_of_no_other_refusal() -> None:
    observer = Notices()
    for channel_data, app in (("{}", APP), ('{"user_id":"42"}', an_app(max_user_id_length=1))):
        with pytest.raises(SubscriptionRefused):
            member("presence-room", channel_data, app=app, observer=observer)
    assert observer == []
    with pytest.raises(SubscriptionRefused) as raised:
        proven_member(APP, SOCKET_ID, Subscribe("private-room", "k:s"), None, observer)
    (denied,) = observer
    assert isinstance(denied, SubscriptionDenied)
    assert (denied.status, denied.reason) == (401, raised.value.message)


def test_a_bad_name_is_refused_before_anything_else_is_looked_at() -> None:
    refuse_bad_name(APP, "private-room")
    with pytest.raises(SubscriptionRefused) as raised:
        refuse_bad_name(an_app(max_channel_name_length=5), "rooms-")
    assert (raised.value.status, raised.value.kind) == (400, "InvalidName")
    assert raised.value.message == (
        "the channel's name has 6 characters, the limit is 5 (max_channel_name_length)"
    )
