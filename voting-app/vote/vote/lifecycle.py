"""Whether this process wants traffic."""

from __future__ import annotations

import threading


class Lifecycle:
    """Starting until Redis has answered once, then ready, then draining.

    A Redis that goes away later does not make the service unready: voters are better served by an honest
    503 with Retry-After than by a Service without endpoints. At the start it does, so that a rollout with
    wrong settings stops before it replaces a good one.
    """

    def __init__(self) -> None:
        self._connected = threading.Event()
        self._draining = threading.Event()

    @property
    def connected(self) -> bool:
        return self._connected.is_set()

    @property
    def draining(self) -> bool:
        return self._draining.is_set()

    def mark_connected(self) -> None:
        self._connected.set()

    def start_draining(self) -> None:
        self._draining.set()


# Shared by the application and gunicorn's worker, which is told of SIGTERM.
lifecycle = Lifecycle()
