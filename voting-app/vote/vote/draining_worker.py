"""gunicorn's threaded worker, which keeps serving for a while after SIGTERM.

Kubernetes removes a stopping pod from its Services at the same time as it sends SIGTERM, and nodes learn of
it later: for some seconds new connections still arrive here. They are served, readiness answers 503, and
kept-alive connections are told to close, so a rolling update loses no request.
"""

from __future__ import annotations

import os
import threading
from types import FrameType

from gunicorn.workers.gthread import ThreadWorker

from .lifecycle import lifecycle
from .settings import Settings


class DrainingThreadWorker(ThreadWorker):
    """ThreadWorker whose shutdown starts DRAIN_SECONDS after SIGTERM."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if lifecycle.draining:
            return
        lifecycle.start_draining()
        drain = Settings.from_environment(os.environ).drain_seconds
        self.log.info("draining for %.1f s", drain)
        timer = threading.Timer(drain, super().handle_exit, args=(sig, None))
        timer.daemon = True
        timer.start()
