"""How tests and benches browse: with a browser's headers, a signed-in session and the form's token."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event
from werkzeug.test import TestResponse

from models import db
from tests.page_rows import PASSWORD

AS_BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


def get(client: FlaskClient, path: str, **headers: str) -> TestResponse:
    return client.get(path, headers=AS_BROWSER | headers)


def token(client: FlaskClient, path: str = "/login") -> str:
    found = re.search(r'name="csrf_token" value="([^"]+)"', get(client, path).text)
    assert found is not None, f"no form on {path}"
    return found[1]


def post(client: FlaskClient, path: str, form_page: str, **fields: Any) -> TestResponse:
    """Send a form as the page `form_page` would."""
    data = {"csrf_token": token(client, form_page)} | fields
    return client.post(path, data=data, headers=AS_BROWSER)


def sign_in(client: FlaskClient, email: str, password: str = PASSWORD, **fields: str) -> TestResponse:
    return post(client, "/login", "/login", email=email, password=password, **fields)


@contextmanager
def counted(app: Flask) -> Iterator[list[str]]:
    """Collect the statements that the database is asked meanwhile."""
    asked: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if not statement.startswith("BEGIN"):
            asked.append(statement)

    with app.app_context():
        engine = db.engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield asked
    finally:
        event.remove(engine, "before_cursor_execute", note)
