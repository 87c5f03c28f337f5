"""How tests call the API: a program with a key of its own, and the one shape of a refusal."""

from typing import Any

from flask import Flask
from flask.testing import FlaskClient

import operators
from models import db

API = "/api/v1"


class Caller:
    """A program with a key of its own."""

    def __init__(self, app: Flask, *scopes: str) -> None:
        self.client: FlaskClient = app.test_client()
        with app.app_context():
            made = operators.create_api_key("crm", scopes or ("read", "write"))
            db.session.commit()
            self.key, self.key_id = made.key, made.row.id

    @classmethod
    def of(cls, app: Flask, other: "Caller") -> "Caller":
        """Give the same program once more, for another thread."""
        made = cls.__new__(cls)
        made.client, made.key, made.key_id = app.test_client(), other.key, other.key_id
        return made

    def call(self, method: str, path: str, **more: Any) -> Any:
        headers = {"Authorization": f"Bearer {self.key}"} | more.pop("headers", {})
        return self.client.open(API + path, method=method, headers=headers, **more)

    def get(self, path: str, **query: Any) -> Any:
        answer = self.call("GET", path, query_string=query)
        assert answer.status_code == 200, answer.text
        return answer.json

    def post(self, path: str, body: Any = None, *, once: str = "") -> Any:
        more = {} if body is None else {"json": body}
        return self.call("POST", path, headers={"Idempotency-Key": once} if once else {}, **more)


def code_of(answer: Any) -> str:
    assert answer.mimetype == "application/json"
    assert set(answer.json) == {"error"}
    assert set(answer.json["error"]) == {"code", "message"}
    assert answer.json["error"]["message"]
    return str(answer.json["error"]["code"])
