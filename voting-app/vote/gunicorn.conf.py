"""How gunicorn serves the application. One process with threads: the work is waiting for Redis, and one
process keeps one set of metrics. More load is a matter of more pods."""

import os

from vote.settings import Settings

_settings = Settings.from_environment(os.environ)
_drain = float(os.environ.get("DRAIN_SECONDS", "5"))

bind = f"0.0.0.0:{os.environ.get('PORT', '8080')}"
worker_class = "vote.draining_worker.DrainingThreadWorker"
workers = 1
threads = int(os.environ.get("THREADS", "32"))
backlog = 1024
keepalive = 15
timeout = 30
# Drain, then the requests in flight; the pod's terminationGracePeriodSeconds must be longer.
graceful_timeout = int(_drain) + 10
# The root file system is read-only; /dev/shm is memory and always writable in a pod.
worker_tmp_dir = "/dev/shm"
control_socket_disable = True
accesslog = None
loglevel = _settings.log_level
logger_class = "vote.logs.GunicornLogger"
proc_name = "vote"
