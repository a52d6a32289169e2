"""The queue of accepted votes in Redis."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from .ballot import Vote
from .settings import Settings

QUEUE_KEY = "votes"
SEQUENCE_KEY = "votes:sequence"
RECENT_KEY = "votes:recent"
# About 1.5 MB of Redis memory at most; a repeat later than that is answered 201 again, and still counted once.
REMEMBERED_VOTES = 10_000
# How many threads may wait for Redis at once, and how long one waits to be among them (seconds). While Redis
# hangs, the threads beyond it stay free for the probes: a hanging Redis must not get this pod restarted.
MAX_CALLS = 24
CALL_QUEUE_SECONDS = 0.25

_ENQUEUE = (Path(__file__).parent / "enqueue.lua").read_text(encoding="utf-8")


@dataclass(frozen=True)
class Receipt:
    """Where an accepted vote stands; `repeat` when it is known to have been accepted before."""

    sequence: int
    repeat: bool


class QueueUnavailable(Exception):
    """Redis did not confirm the vote. `reason` is one of unreachable, timeout, busy, full, read_only,
    loading, refused."""

    def __init__(self, reason: str):
        super().__init__(reason)
        self.reason = reason


class VoteQueue:
    """Puts votes into Redis. Safe for use by many threads at once."""

    def __init__(self, settings: Settings, client: redis.Redis | None = None):
        # No retries in here: a retry doubles the time a voter waits, and the client can repeat a vote safely.
        self._redis = client or redis.Redis(
            host=settings.redis_host,
            port=settings.redis_port,
            password=settings.redis_password,
            socket_timeout=settings.redis_timeout,
            socket_connect_timeout=settings.redis_timeout,
            socket_keepalive=True,
            retry=Retry(NoBackoff(), 0),
            health_check_interval=0,
            client_name="vote",
        )
        self._enqueue = self._redis.register_script(_ENQUEUE)
        self._calls = threading.BoundedSemaphore(MAX_CALLS)

    def accept(self, vote: Vote) -> Receipt:
        """Queue `vote`; returns only once Redis has answered that it holds it. Raises QueueUnavailable."""
        accepted_at = datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        if not self._calls.acquire(timeout=CALL_QUEUE_SECONDS):
            raise QueueUnavailable("busy")
        try:
            sequence, known = self._enqueue(
                keys=[QUEUE_KEY, SEQUENCE_KEY, RECENT_KEY],
                args=[vote.vote_id, vote.voter_id, vote.choice, accepted_at, REMEMBERED_VOTES],
            )
        except (redis.RedisError, OSError) as error:
            raise QueueUnavailable(_reason(error)) from error
        finally:
            self._calls.release()
        return Receipt(sequence=int(sequence), repeat=known == 1)

    def length(self) -> int:
        """How many votes wait to be counted. Raises QueueUnavailable."""
        try:
            return int(self._redis.llen(QUEUE_KEY))
        except (redis.RedisError, OSError) as error:
            raise QueueUnavailable(_reason(error)) from error

    def ping(self) -> None:
        """Raises QueueUnavailable unless Redis answers."""
        try:
            self._redis.ping()
        except (redis.RedisError, OSError) as error:
            raise QueueUnavailable(_reason(error)) from error


def _reason(error: Exception) -> str:
    # Order matters: several of these are subclasses of ConnectionError.
    if isinstance(error, (redis.exceptions.TimeoutError, TimeoutError)):
        return "timeout"
    if isinstance(error, redis.exceptions.BusyLoadingError):
        return "loading"
    if isinstance(error, (redis.exceptions.ConnectionError, OSError)):
        return "unreachable"
    if isinstance(error, redis.exceptions.ReadOnlyError):
        return "read_only"
    message = str(error)
    if isinstance(error, redis.exceptions.OutOfMemoryError) or "OOM" in message:
        return "full"
    if "READONLY" in message:
        return "read_only"
    return "refused"
