"""How the program writes its log: one line per event, with ids and a trace id, to standard error.

Called once by the composition root. Every room logs through `structlog.get_logger()`; nobody writes message
bodies, names, phone numbers or secrets. Third-party loggers speak through the same lines.
"""

import logging
import sys
from contextlib import AbstractContextManager
from typing import Any
from uuid import uuid4

import structlog

# These log a line per connection or request, which says nothing that ours do not.
QUIET_LOGGERS = ("werkzeug", "urllib3", "alembic", "huey", "flask-limiter", "twilio")


def configure(level: str, log_format: str) -> None:
    """Write from `level` up, as JSON lines or as text for people. Idempotent."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_last_steps(log_format)],
        )
    )
    root = logging.getLogger()
    for old in [h for h in root.handlers if getattr(h, "is_balcao", False)]:
        root.removeHandler(old)
    handler.is_balcao = True  # type: ignore[attr-defined]
    root.addHandler(handler)
    root.setLevel(level)
    for name in QUIET_LOGGERS:
        logging.getLogger(name).setLevel(logging.WARNING)


def new_trace_id() -> str:
    return uuid4().hex


def tracing(trace_id: str | None) -> AbstractContextManager[Any]:
    """Let everything that happens meanwhile in this thread belong to one trace: log lines and written rows.

    Without an id the trace that there is goes on.
    """
    return structlog.contextvars.bound_contextvars(**({"trace_id": trace_id} if trace_id else {}))


def current_trace_id() -> str | None:
    """Give the id under which what happens now can be followed; None outside of every trace."""
    return structlog.contextvars.get_contextvars().get("trace_id")


def _last_steps(log_format: str) -> list[Any]:
    if log_format == "json":
        return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    # Where `rich` happens to be installed, tracebacks would show local variables, which hold messages.
    plain = structlog.dev.plain_traceback
    return [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain)]
