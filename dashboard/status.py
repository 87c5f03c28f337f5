"""What machines ask: is the process alive, is the desk ready, what is this service. Also the front page.

Open to everybody: says nothing about customers. The front page asks for a signed-in operator itself.
"""

from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask import Blueprint, current_app, jsonify
from flask.typing import ResponseReturnValue
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

import auth
from dashboard import overview
from models import Worker, db, utc_now

SERVICE = "balcao"
VERSION = "0.1.0"
WORKER_SILENT_AFTER = timedelta(seconds=60)

bp = Blueprint("status", __name__)
_ask_for_operator = auth.at_least("agent")


@bp.get("/")
def home() -> ResponseReturnValue:
    """The overview for browsers, the state of the service for programs."""
    if not auth.is_browser():
        return jsonify(service=SERVICE, status="ok", version=VERSION, ready=not not_ready_reasons())
    return _ask_for_operator() or overview.page()


@bp.get("/healthz")
def healthz() -> ResponseReturnValue:
    """Whether this process answers; looks at nothing else."""
    return jsonify(service=SERVICE, status="ok", version=VERSION)


@bp.get("/readyz")
def readyz() -> ResponseReturnValue:
    """Whether messages can be taken and answered: database, migrations, a worker."""
    reasons = not_ready_reasons()
    status = "unavailable" if reasons else "ok"
    return jsonify(service=SERVICE, status=status, version=VERSION, reasons=reasons), 503 if reasons else 200


def not_ready_reasons() -> list[dict[str, str]]:
    """Name what is missing before this desk can answer messages."""
    try:
        problems = [_migration_problem(), _worker_problem()]
    except SQLAlchemyError:
        db.session.rollback()
        return [_reason("database", "the database cannot be reached or is not set up")]
    return [problem for problem in problems if problem is not None]


def _migration_problem() -> dict[str, str] | None:
    head = _migration_head(str(Path(current_app.root_path) / "migrations"))
    current = MigrationContext.configure(db.session.connection()).get_current_revision()
    if head is None or current == head:
        return None
    return _reason("migrations", f"the database is at {current or 'nothing'}, the program needs {head}")


@cache
def _migration_head(directory: str) -> str | None:
    return ScriptDirectory(directory).get_current_head() if Path(directory, "env.py").exists() else None


def _worker_problem() -> dict[str, str] | None:
    seen_at = db.session.scalar(select(func.max(Worker.seen_at)))
    if seen_at is not None and utc_now() - seen_at < WORKER_SILENT_AFTER:
        return None
    return _reason("worker", f"no worker was seen in the last {WORKER_SILENT_AFTER.seconds} seconds")


def _reason(code: str, message: str) -> dict[str, Any]:
    return {"code": code, "message": message}
