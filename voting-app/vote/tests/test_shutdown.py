"""The service under gunicorn: a stop that loses no request, logs in one form."""

from __future__ import annotations

import http.client
import json
import signal
import subprocess
import sys
import threading
import time
import uuid

from conftest import SERVICE, eventually


def test_sigterm_drains_and_loses_no_request(start_service, redis_server):
    service = start_service(drain_seconds=4)
    codes, failures = [], []
    stop = threading.Event()

    def load(fresh: bool) -> None:
        # As kube-proxy sends it: new connections keep coming for a while, kept-alive ones stay until told to close.
        connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=5)
        while not stop.is_set():
            try:
                body = json.dumps({"voteId": str(uuid.uuid4()), "voterId": "v", "choice": "a"})
                connection.request("POST", "/api/votes", body, {"Content-Type": "application/json"})
                answer = connection.getresponse()
                answer.read()
                codes.append(answer.status)
                if fresh or answer.will_close:
                    connection.close()
            except (OSError, http.client.HTTPException) as error:
                failures.append((time.monotonic(), repr(error)))
                connection.close()

    threads = [threading.Thread(target=load, args=(n % 2 == 0,)) for n in range(6)]
    for thread in threads:
        thread.start()
    time.sleep(0.3)
    service.process.send_signal(signal.SIGTERM)
    eventually("readiness says no", lambda: service.status("/ready") == 503, within=2)
    time.sleep(0.8)
    stop.set()  # within the drain time: whoever was still sent here was served
    for thread in threads:
        thread.join()
    assert failures == []
    assert set(codes) == {201} and len(codes) > 20
    assert service.process.wait(15) == 0
    assert redis_server.client.llen("votes") == len(codes)


def test_probes_answer_while_redis_hangs(start_service, redis_server):
    service = start_service()
    redis_server.pause()

    def vote() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=20)
        body = json.dumps({"voteId": str(uuid.uuid4()), "voterId": "v", "choice": "a"})
        connection.request("POST", "/api/votes", body, {"Content-Type": "application/json"})
        connection.getresponse().read()

    threads = [threading.Thread(target=vote) for _ in range(60)]
    for thread in threads:
        thread.start()
    time.sleep(0.3)
    started = time.monotonic()
    assert service.status("/health", timeout=5) == 200
    assert time.monotonic() - started < 2
    for thread in threads:
        thread.join()
    redis_server.resume()


def test_every_log_line_is_json(start_service):
    service = start_service(drain_seconds=0)
    service.status("/")
    service.process.terminate()
    service.process.wait(20)
    lines = service.output.read_text().splitlines()
    assert len(lines) >= 3
    for line in lines:
        assert {"time", "level", "service", "message"} <= set(json.loads(line)), line


def test_bad_settings_end_the_start_with_one_clear_line():
    import subprocess
    import sys
    run = subprocess.run(
        [sys.executable, "-m", "gunicorn", "--config", "gunicorn.conf.py", "vote.wsgi:application"],
        cwd=SERVICE, env={"REDIS_PORT": "high", "PYTHONDONTWRITEBYTECODE": "1"}, capture_output=True, text=True, timeout=20,
    )
    assert run.returncode != 0
    assert "REDIS_PORT='high': allowed is a number from 1 to 65535" in run.stderr
    assert "Traceback" not in run.stderr
