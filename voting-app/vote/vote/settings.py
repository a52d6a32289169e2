"""Settings, read once from environment variables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


class SettingsError(ValueError):
    """The environment holds a value the service cannot run with."""


@dataclass(frozen=True)
class Settings:
    """How one process of the service runs. Durations are seconds."""

    option_a: str = "Cats"
    option_b: str = "Dogs"
    redis_host: str = "redis-service"
    redis_port: int = 6379
    redis_password: str | None = None
    redis_timeout: float = 2.0
    pod: str = "unknown"
    result_url: str | None = None
    log_level: str = "info"
    port: int = 8080
    threads: int = 32
    drain_seconds: float = 5.0

    @staticmethod
    def from_environment(env: Mapping[str, str]) -> Settings:
        """Build settings from `env`; raises SettingsError naming every bad variable at once."""
        problems: list[str] = []

        def number(name: str, default: float, low: float, high: float) -> float:
            raw = env.get(name, "")
            if raw == "":
                return default
            try:
                value = float(raw)
            except ValueError:
                value = float("nan")
            if not low <= value <= high:
                problems.append(f"{name}={raw!r}: allowed is a number from {low:g} to {high:g}, for example {default:g}")
                return default
            return value

        def choice(name: str, default: str, allowed: tuple[str, ...]) -> str:
            raw = env.get(name, "") or default
            if raw not in allowed:
                problems.append(f"{name}={raw!r}: allowed is one of {', '.join(allowed)}")
            return raw

        result_url = env.get("RESULT_URL") or None
        if result_url and not result_url.startswith(("http://", "https://")):
            problems.append(f"RESULT_URL={result_url!r}: allowed is an http(s) URL, for example http://127.0.0.1:30081")
        settings = Settings(
            option_a=env.get("OPTION_A") or "Cats",
            option_b=env.get("OPTION_B") or "Dogs",
            redis_host=env.get("REDIS_HOST") or "redis-service",
            redis_port=int(number("REDIS_PORT", 6379, 1, 65535)),
            redis_password=_secret(env, "REDIS_PASSWORD", problems),
            redis_timeout=number("REDIS_TIMEOUT_SECONDS", 2, 0.1, 30),
            pod=env.get("POD_NAME") or env.get("HOSTNAME") or "unknown",
            result_url=result_url,
            log_level=choice("LOG_LEVEL", "info", ("debug", "info", "warning", "error")),
            port=int(number("PORT", 8080, 1, 65535)),
            threads=int(number("THREADS", 32, 4, 512)),
            drain_seconds=number("DRAIN_SECONDS", 5, 0, 600),
        )
        if problems:
            raise SettingsError("; ".join(problems))
        return settings


def _secret(env: Mapping[str, str], name: str, problems: list[str]) -> str | None:
    """A secret from `<name>_FILE` (wins) or `<name>`."""
    path = env.get(f"{name}_FILE")
    if path:
        try:
            return Path(path).read_text(encoding="utf-8").strip()
        except OSError as error:
            problems.append(f"{name}_FILE={path!r}: cannot be read: {error.strerror}")
            return None
    return env.get(name) or None
