"""How gunicorn serves the application. One process with threads: the work is waiting for Redis, and one
process keeps one set of metrics. More load is a matter of more pods."""

import os

from vote.settings import Settings, SettingsError

try:
    _settings = Settings.from_environment(os.environ)
except SettingsError as error:
    raise SystemExit(str(error)) from None

bind = f"0.0.0.0:{_settings.port}"
worker_class = "vote.draining_worker.DrainingThreadWorker"
workers = 1
threads = _settings.threads
backlog = 1024
keepalive = 15
timeout = 30
# Drain, then the requests in flight; the pod's terminationGracePeriodSeconds must be longer.
graceful_timeout = int(_settings.drain_seconds) + 10
# The root file system is read-only; /dev/shm is memory and always writable in a pod.
worker_tmp_dir = "/dev/shm"
control_socket_disable = True
accesslog = None
loglevel = _settings.log_level
logger_class = "vote.logs.GunicornLogger"
proc_name = "vote"
