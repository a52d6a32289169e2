"""Real servers for the tests: each on a free port, ended with the test."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from vote.app import create_app
from vote.lifecycle import Lifecycle
from vote.settings import Settings

SERVICE = Path(__file__).parent.parent


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def eventually(what: str, probe: Callable[[], bool], within: float = 10) -> None:
    """Wait until `probe` is true; fails after `within` seconds, saying what was waited for."""
    deadline = time.monotonic() + within
    while not probe():
        if time.monotonic() > deadline:
            pytest.fail(f"{what}: not within {within:g} s")
        time.sleep(0.02)


class RedisServer:
    """A Redis that keeps its data through `kill` and `start`."""

    def __init__(self, folder: Path):
        self.port = free_port()
        self.client = redis.Redis(port=self.port, decode_responses=True, socket_timeout=5)
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        arguments = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self._folder), "--save", "",
                     "--appendonly", "yes", "--appendfsync", "always", "--maxmemory-policy", "noeviction"]
        self._process = subprocess.Popen(["redis-server", *arguments], stdout=subprocess.DEVNULL)

        def answers() -> bool:
            try:
                return self.client.ping()
            except redis.RedisError:
                return False

        eventually("redis-server answers", answers)

    def kill(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None

    def pause(self) -> None:
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._process.send_signal(signal.SIGCONT)


@pytest.fixture(scope="session")
def redis_binary() -> None:
    if shutil.which("redis-server") is None:
        pytest.fail("redis-server is not installed; install it: apt-get install redis-server", pytrace=False)


@pytest.fixture
def redis_server(redis_binary: None, tmp_path: Path) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path)
    server.start()
    yield server
    server.kill()


@pytest.fixture
def settings(redis_server: RedisServer) -> Settings:
    return Settings(redis_host="127.0.0.1", redis_port=redis_server.port, redis_timeout=0.5, pod="vote-test")


@pytest.fixture
def lifecycle() -> Lifecycle:
    return Lifecycle()


@pytest.fixture
def client(settings: Settings, lifecycle: Lifecycle):
    return create_app(settings, lifecycle).test_client()


class Service:
    """The service as it runs in its image: under gunicorn."""

    def __init__(self, redis_port: int, drain_seconds: float, output: Path):
        # A file: nobody reads a pipe here, and a full one would stop the service.
        self.output = output
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        env = {
            **os.environ,
            "PORT": str(self.port),
            "REDIS_HOST": "127.0.0.1",
            "REDIS_PORT": str(redis_port),
            "DRAIN_SECONDS": str(drain_seconds),
            "POD_NAME": "vote-test",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        command = [sys.executable, "-m", "gunicorn", "--config", "gunicorn.conf.py", "vote.wsgi:application"]
        with output.open("wb") as sink:
            self.process = subprocess.Popen(command, cwd=SERVICE, env=env, stdout=sink, stderr=subprocess.STDOUT)
        eventually("the service is ready", lambda: self.status("/ready") == 200, within=20)

    def status(self, path: str, timeout: float = 5) -> int:
        """The status code of a GET; 0 when there is no answer."""
        try:
            with urllib.request.urlopen(self.url + path, timeout=timeout) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0


@pytest.fixture
def start_service(redis_server: RedisServer, tmp_path: Path) -> Iterator[Callable[[float], Service]]:
    services: list[Service] = []

    def start(drain_seconds: float = 1) -> Service:
        services.append(Service(redis_server.port, drain_seconds, tmp_path / f"service-{len(services)}.log"))
        return services[-1]

    yield start
    for service in services:
        if service.process.poll() is None:
            service.process.terminate()
            service.process.wait(20)
