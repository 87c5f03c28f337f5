"""The way in. `main:app` for gunicorn (never starts a worker); `python main.py` serves web and one worker
in one process;
`python main.py worker` is a worker alone.
"""

import errno
import os
import signal
import sys
from collections.abc import Callable
from typing import Any, NoReturn

if __name__ == "__main__":
    # Loading takes seconds; Ctrl-C means the same then as later. The process ends at once and not by an
    # exception: one that is raised while the garbage collector calls Python code is ignored and lost.
    for stop_signal in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop_signal, lambda *_: os.write(1, b"Stopped.\n") and os._exit(0))

import structlog
from flask import Flask
from waitress.server import create_server

import config as settings
import desk_worker
import opening
import tasks
from app import create_app
from config import Config, ConfigError, Entry
from dashboard import live
from opening import Opened
from telling import watch

log = structlog.get_logger()

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
WEB_THREADS_MIN = 8
USAGE = "usage: python main.py [worker]"


def serve() -> None:
    """Migrate, fill an empty database, and serve pages, webhooks and one worker until Ctrl-C or SIGTERM."""
    config = _load("run")
    app = create_app(config)
    # The address first: when it is taken, nothing was prepared and no password was made in vain.
    sockets: dict[int, Any] = {}
    server = _listen(app, config, sockets)
    with app.app_context():
        opened = _prepare(config)
    worker = desk_worker.DeskWorker(config.worker_threads)
    worker.start()
    watch.Watch(app, tasks.HOLDER).start()
    # The server's loop ends when it has no socket left.
    _on_stop_signals(sockets.clear)
    print(_welcome(config, opened), flush=True)
    try:
        server.run()
    finally:
        live.end_streams(app)
        server.task_dispatcher.shutdown()
        worker.stop()
        print("Stopped.", flush=True)


def _listen(app: Flask, config: Config, sockets: dict[int, Any]) -> Any:
    """Take the address and port; callers wait in the socket's queue until the server runs.

    `sockets` becomes the server's map of open sockets by descriptor.
    """
    try:
        return create_server(
            app,
            map=sockets,
            host=config.host,
            port=config.port,
            threads=max(WEB_THREADS_MIN, config.web_threads),
            clear_untrusted_proxy_headers=False,
            ident=None,
        )
    except (OSError, ValueError) as error:
        _refuse(_why_no_address(error, config), status=1)


def _why_no_address(error: Exception, config: Config) -> str:
    """Say in one line why nobody can be served at this address, and what to do."""
    code = error.errno if isinstance(error, OSError) else None
    if code == errno.EADDRINUSE:
        return f"Port {config.port} is taken by another program; choose another: PORT={config.port + 1}"
    if code == errno.EACCES:
        return f"Port {config.port} may only be opened by the administrator; choose one above 1023 in PORT"
    return f"{config.host}:{config.port} is no address of this machine; look at HOST and PORT"


def _welcome(config: Config, opened: Opened) -> str:
    """Say where everything is; a new admin's password is shown here and never again."""
    url = f"http://{config.host}:{config.port}"
    lines = [
        f"Balcão is open: {url}",
        f"The phone emulator: {url}/simulator",
        f"Sign in as {opened.admin_email}",
    ]
    if opened.new_password:
        lines.append(f"with the password {opened.new_password}  (shown only now; keep it)")
    return "\n".join(["", *lines, "Stop with Ctrl-C.", ""])


def work() -> None:
    """Work on lanes until Ctrl-C or SIGTERM; the database must be migrated (`python cli.py init-db`)."""
    config = _load("run" if sys.stdin.isatty() else "cli")
    create_app(config)
    worker = desk_worker.DeskWorker(config.worker_threads)
    # Blocked in every thread that starts from here, so that a signal waits for `sigwait`.
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    worker.start()
    log.info("worker_started", threads=config.worker_threads)
    signal.sigwait(STOP_SIGNALS)
    worker.stop()
    log.info("worker_stopped")


def _load(entry: Entry) -> Config:
    try:
        return settings.load(entry=entry)
    except ConfigError as error:
        _refuse(str(error))


def _prepare(config: Config) -> Opened:
    try:
        return opening.prepare(config)
    except ConfigError as error:
        _refuse(str(error))


def _refuse(message: str, *, status: int = 2) -> NoReturn:
    print(message, file=sys.stderr)
    raise SystemExit(status)


def _on_stop_signals(stop: Callable[[], None]) -> None:
    for number in STOP_SIGNALS:
        signal.signal(number, lambda _number, _frame: stop())


def _web_app() -> Flask:
    return create_app(_load("gunicorn" if "gunicorn" in sys.modules else "cli"))


if __name__ == "__main__":
    if sys.argv[1:] == ["worker"]:
        work()
    elif not sys.argv[1:]:
        serve()
    else:
        _refuse(USAGE)
else:
    app = _web_app()
