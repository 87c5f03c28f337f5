"""How gunicorn serves the desk: `gunicorn main:app -c gunicorn.conf.py`. Never starts a message worker."""

import os
import shutil
import signal
import sys
import tempfile
from typing import Any

from config import ConfigError, load  # not `config`: gunicorn would take that name for a setting of its own

try:
    settings = load(entry="gunicorn")
except ConfigError as error:
    sys.exit(str(error))

bind = f"{settings.host}:{settings.port}"
worker_class = "gthread"
workers = settings.web_concurrency
threads = settings.web_threads  # a live page holds one as long as it is open
timeout = 60
graceful_timeout = 20
keepalive = 75  # longer than the idle time of the usual load balancers, so that they close first
accesslog = None  # the program logs its requests itself, with ids and without query strings
errorlog = "-"
worker_tmp_dir = "/dev/shm" if os.path.isdir("/dev/shm") else None  # a heartbeat must not wait for a disk
control_socket_disable = True  # it would open a socket in the home folder

# Every process counts for itself; in this folder /metrics adds them up. The library looks for it once, when
# it is first imported, and the workers are forks of this process.
_made_here = "PROMETHEUS_MULTIPROC_DIR" not in os.environ
if _made_here:
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = tempfile.mkdtemp(prefix="balcao-metrics-")

from prometheus_client import multiprocess  # noqa: E402


def post_worker_init(worker: Any) -> None:
    """Let each web process look whether a message worker lives, and end its live pages when it has to stop.

    Imported here, in the process that looks.
    """
    import tasks  # noqa: PLC0415
    from dashboard.live import end_streams  # noqa: PLC0415
    from telling.watch import Watch  # noqa: PLC0415

    Watch(worker.wsgi, tasks.HOLDER).start()
    # gunicorn waits for what still runs, for all of `graceful_timeout`: longer than most hosts wait for it.
    stop: Any = signal.getsignal(signal.SIGTERM)

    def end_and_stop(number: int, frame: Any) -> None:
        end_streams(worker.wsgi)
        stop(number, frame)

    signal.signal(signal.SIGTERM, end_and_stop)


def child_exit(_server: Any, worker: Any) -> None:
    """Forget the gauges of a process that has ended."""
    multiprocess.mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]


def on_exit(_server: Any) -> None:
    """Remove the folder of counts, when it was ours."""
    if _made_here:
        shutil.rmtree(os.environ["PROMETHEUS_MULTIPROC_DIR"], ignore_errors=True)
