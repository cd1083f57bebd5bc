"""Which rules a channel has: found once, when the channel comes to be."""

from __future__ import annotations

import re
from collections.abc import Callable
from fnmatch import translate

from msgspec import Struct

from ..core.apps import App, Apps
from ..core.channel import Channel
from ..core.names import kind_of
from ..core.notices import Tally
from ..core.ports import CallLater, Nodes, Rules, Wording
from ..core.rules import Rule
from .channel import ChannelRules
from .terms import Terms

Fits = Callable[[str], object]


class Means(Struct, frozen=True):
    """What the rules of all channels are given to work with."""

    wording: Wording
    tally: Tally
    call_later: CallLater
    #: Unix time in seconds, which is what TURN servers compare with.
    now: Callable[[], float]
    #: The other nodes, if there may be any.
    nodes: Nodes | None = None


class Rulebook:
    """The rules of all apps, by the patterns of channels' names.

    Where an app's settings are changed while it runs, channels that come to be from then on have
    the new rules; those that are there keep theirs.
    """

    def __init__(self, apps: Apps, means: Means) -> None:
        self._apps = apps
        self._means = means
        #: By app id: the app as it was, and what its rules mean.
        self._terms: dict[str, tuple[App, list[tuple[Fits, Terms]]]] = {}

    def rules_of(self, app_id: str, channel: Channel) -> Rules | None:
        """A channel's rules, ``None`` where it has none."""
        app = self._apps.with_id(app_id)
        if app is None or not app.rules or not carries_whispers(channel.name):
            return None
        known, rules = self._terms.get(app_id, (None, []))
        if known is not app:
            rules = [(_matcher(rule.channels), Terms(rule)) for rule in app.rules]
            self._terms[app_id] = app, rules
        terms = next((terms for fits, terms in rules if fits(channel.name)), None)
        if terms is None or terms.are_none:
            return None
        means = self._means
        return ChannelRules(
            app_id,
            channel,
            terms,
            means.wording,
            means.tally,
            means.call_later,
            means.now,
            means.nodes,
        )


def rule_for(app: App, channel: str) -> Rule | None:
    """The app's rule for channels of this name."""
    if not carries_whispers(channel):
        return None
    return next((rule for rule in app.rules if _matcher(rule.channels)(channel)), None)


def carries_whispers(name: str) -> bool:
    """Whether clients may whisper in such a channel at all, if they may anywhere."""
    kind = kind_of(name)
    return not kind.is_encrypted and kind.is_listed


def _matcher(pattern: str) -> Fits:
    return re.compile(translate(pattern)).match
