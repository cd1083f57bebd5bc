"""What the tests ask of a server, in a reader's words: the rows of the matrix, in their order."""

from __future__ import annotations

from enum import Enum


class Feature(Enum):
    """A test names its own by the mark ``feature``."""

    CONNECTING = "Connecting: a socket id, and an answer to every ping"
    UNKNOWN_KEY = "An unknown app key is told 4001, and the client stops"
    RECONNECTING = "After a reconnect all channels are there again"
    UNKNOWN_EVENTS = "Unknown events of the protocol are ignored"

    PUBLIC = "Public channels: every event arrives once and in order"
    PRIVATE = "Private channels open with a backend's signature"
    REFUSED = "A wrong signature is told 401, and the connection stays open"
    ANY_TEXT = "Names of events and data arrive unchanged, in any script"
    CONFIRMED = "A subscription is confirmed with data, which native clients read"
    UNSUBSCRIBING = "Unsubscribing: the channel is silent, members hear of it"
    PRESENCE = "Presence channels: who is here, joins and leaves"
    PRESENCE_OF_TABS = "Presence: somebody with several tabs is one member"
    PRESENCE_OF_CRASHES = "Presence: who vanishes without a goodbye leaves"
    ENCRYPTED = "End-to-end encrypted channels"
    ENCRYPTED_SIZE = "Encrypted channels: the size limit counts the plaintext"

    WHISPERS = "Client events reach all others, and say whose they are"
    WHISPERS_AS_TEXT = "Client events carry their data as a text, as published ones do"
    WHISPERS_IN_PUBLIC = "Client events are refused on public channels"
    WHISPERS_OF_STRANGERS = "Client events of somebody outside the channel reach nobody"

    CACHE_REPLAY = "Cache channels: a subscriber gets the newest event"
    CACHE_MISS = "Cache channels: a subscriber is told of an empty cache"
    CACHE_KINDS = "Private, presence and encrypted cache channels"
    CACHE_OF_EVENTS = "Cache channels: client events and members are not remembered"
    CACHE_INFO = "Asking what a cache channel remembers (info=cache)"

    SIGN_IN = "Sign-in, with a backend's signature"
    SIGN_IN_REFUSED = "A forged sign-in is told 4009, and the client stops"
    USER_EVENTS = "Events to a user reach all his connections and nobody else"
    USER_CHANNEL_REFUSED = "A user's own channel is refused to others, with 401"
    USER_CHANNEL = "A user's own channel tells nothing to others"
    USER_PRESENCE = "Presence by sign-in, without channel_data"
    WATCHLIST = "Watchlist: who comes online and goes offline"
    TERMINATE = "Terminating a user's connections stops his clients with 4009"

    PUBLISH = "Publishing to one channel or several"
    PUBLISH_ANSWER = "A publish is answered with an empty object"
    PUBLISH_TO_OTHERS = "Publishing to all but one connection (socket_id)"
    PUBLISH_INFO = "Publishing tells the counts it is asked for (info)"
    PUBLISH_BATCH = "Batches: several events in one request"
    PUBLISH_BATCH_INFO = "Batches tell the counts they are asked for (info)"
    LIST_CHANNELS = "Listing the occupied channels, by prefix"
    ONE_CHANNEL = "Asking whether a channel is occupied"
    CHANNEL_COUNTS = "Asking for the counts of channels, and getting only those (info)"
    LIST_USERS = "Listing the users of a presence channel"
    COUNT_CONNECTIONS = "Counting the connections of an app"
    WRONG_CREDENTIALS = "A wrong signature or key is told 401, an unknown app 404"
    TOO_MUCH_DATA = "Too much data is told 413"
    BROKEN_RULES = "What breaks a rule is told 400, and reaches nobody"
    CROSS_ORIGIN = "Pages of any origin may call the HTTP API"

    COUNTS = "Setting: subscribers are told how many they are (subscription_count)"
    ORIGINS = "Setting: pages of other origins are told 4009"
    DUTY = "Setting: a connection that authorises nothing is told 4009 in time"
    QUOTA = "Setting: a connection above the quota is told 4004"
    DISABLED = "Setting: a disabled app tells clients 4003, backends 403"
    RATES = "Setting: too many publishes or questions are told 429, with headers"
    WHISPER_RIGHTS = "Setting: client events for all, for nobody, so many a second"
    MEMBERS = "Setting: a presence channel that is full refuses the next user"
    DIALECTS = "Setting: refused subscriptions are told as Pusher or as Soketi does"
    APPS = "Apps on one server do not hear each other"
    RULES = "Setting: rules of channels, heard by whispers alone"
