"""Logs: one JSON object per line on standard output."""

from __future__ import annotations

import json
import logging
import sys
from datetime import datetime, timezone

from gunicorn.config import Config
from gunicorn.glogging import Logger

_STANDARD = frozenset(logging.LogRecord("", 0, "", 0, "", (), None).__dict__) | {"message", "asctime", "taskName"}


class JsonFormatter(logging.Formatter):
    """Fields given by `extra=` appear beside time, level, service and message."""

    def format(self, record: logging.LogRecord) -> str:
        event = {
            "time": datetime.fromtimestamp(record.created, timezone.utc).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "service": "vote",
            "message": record.getMessage(),
        }
        event.update({name: value for name, value in record.__dict__.items() if name not in _STANDARD})
        if record.exc_info:
            event["error"] = self.formatException(record.exc_info)
        return json.dumps(event, default=str)


class GunicornLogger(Logger):
    """Gunicorn's own lines in the same form."""

    def setup(self, cfg: Config) -> None:
        super().setup(cfg)
        configure(cfg.loglevel)


def configure(level: str) -> None:
    """Send everything, gunicorn's own lines included, to standard output at `level`."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in ("gunicorn.error", "gunicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers[:] = []
        logger.propagate = True
