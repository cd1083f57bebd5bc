"""Offers the subcommand ``wsrelay`` to ``twistd`` and ``twist``.

Each ``twistd`` and ``twist`` that can see this file imports it, so it names ``wsrelay.tap``
without importing it. Neither ``twisted/`` nor ``twisted/plugins/`` may hold an ``__init__.py``:
Twisted would not find the plugin, or not find itself.
"""

from twisted.application.service import ServiceMaker

wsrelay = ServiceMaker("wsrelay", "wsrelay.tap", "A Pusher-protocol WebSocket relay.", "wsrelay")
