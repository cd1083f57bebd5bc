"""Settings for a relay among many: the default port of the metrics is the machine's, no test's."""

from __future__ import annotations

from msgspec import structs

from wsrelay.config.settings import Settings


def unwatched(settings: Settings) -> Settings:
    """The same without metrics, unless the settings name a port of their own for them."""
    if settings.metrics_port != Settings().metrics_port:
        return settings
    return structs.replace(settings, metrics_port=0)
