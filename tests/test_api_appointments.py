"""Appointments by programs: free times, a booking, a wish, another time, an end."""

from typing import Any

import pytest
from flask import Flask

from models import Alert, Appointment, Message, OutgoingEvent, StateChange, db, utc_now
from tests.calling import API, Caller, code_of
from tests.records import make_conversation
from webhooks_out import endpoints


def wish_of(thread: dict[str, int], **more: Any) -> dict[str, Any]:
    return {"contact_id": thread["contact_id"], "conversation_id": thread["id"], **more}


def free_times(program: Caller, **asked: str) -> list[str]:
    return [one["starts_at"] for one in program.get("/appointments/free-times", **asked)["data"]]


def texts_of(app: Flask, thread: dict[str, int]) -> list[str]:
    with app.app_context():
        rows = db.session.query(Message).filter_by(conversation_id=thread["id"], direction="out")
        return [row.body for row in rows.order_by(Message.id)]


def test_a_free_time_is_booked_once_and_its_customer_is_told(
    app: Flask, program: Caller, thread: dict[str, int], woken: list[int]
) -> None:
    at = free_times(program)[3]
    made = program.post("/appointments", wish_of(thread, topic="Consulta", starts_at=at), once="a-1")
    assert made.status_code == 201, made.text
    told = program.get(made.headers["Location"].removeprefix(API))
    assert (told["status"], told["starts_at"], told["topic"]) == ("confirmed", at, "Consulta")
    assert told["ends_at"] > at
    assert told["number"]
    assert at not in free_times(program)
    assert woken == [thread["id"]]
    assert len(texts_of(app, thread)) == 1
    again = program.post("/appointments", wish_of(thread, topic="Consulta", starts_at=at), once="a-1")
    assert again.json == made.json
    taken = program.post("/appointments", wish_of(thread, starts_at=at), once="a-2")
    assert (taken.status_code, code_of(taken)) == (409, "slot_taken")
    with app.app_context():
        assert db.session.query(Appointment).count() == 1
        steps = db.session.query(StateChange).filter_by(record="appointment").all()
        assert {row.actor for row in steps} == {"program"}


def test_free_times_are_told_for_a_stretch_of_time(program: Caller) -> None:
    times = free_times(program)
    assert times == sorted(times)
    assert free_times(program, after=times[2], before=times[5]) == times[3:5]
    assert free_times(program, before="2000-01-01T00:00:00Z") == []


def test_a_wish_waits_for_people_and_a_second_one_takes_it_further(
    app: Flask, program: Caller, thread: dict[str, int], woken: list[int]
) -> None:
    first = program.post("/appointments", wish_of(thread, topic="Consulta", wish="amanhã cedo"))
    second = program.post("/appointments", wish_of(thread, wish="sexta às 15h"))
    assert (first.status_code, second.json["id"]) == (201, first.json["id"])
    told = program.get(f"/appointments/{first.json['id']}")
    assert (told["status"], told["topic"], told["wish"]) == ("requested", "Consulta", "sexta às 15h")
    assert woken == []
    with app.app_context():
        alert = db.session.query(Alert).filter_by(kind="appointment").one()
        assert told["number"] in alert.text


def test_an_appointment_is_moved_and_cancelled_and_gives_its_time_back(
    app: Flask, program: Caller, thread: dict[str, int], woken: list[int]
) -> None:
    first, second = free_times(program)[3:5]
    made = program.post("/appointments", wish_of(thread, starts_at=first))
    path = f"/appointments/{made.json['id']}"
    seen = program.call("GET", path).headers["ETag"]
    moved = program.call("PATCH", path, json={"starts_at": second}, headers={"If-Match": seen})
    assert (moved.status_code, moved.json["starts_at"]) == (200, second), moved.text
    late = program.call("PATCH", path, json={"status": "cancelled"}, headers={"If-Match": seen})
    assert (late.status_code, code_of(late)) == (412, "precondition_failed")
    assert first in free_times(program)
    ended = program.call("PATCH", path, json={"status": "cancelled", "reason": "doente"})
    assert ended.json["status"] == "cancelled"
    assert second in free_times(program)
    assert len(texts_of(app, thread)) == len(woken) == 3


@pytest.mark.parametrize(
    ("more", "status", "code"),
    [
        ({"contact_id": 99}, 404, "not_found"),
        ({"conversation_id": 99}, 409, "conflict"),
        ({"starts_at": "2020-01-01T12:00:00Z"}, 409, "slot_taken"),
        ({"starts_at": "tomorrow"}, 422, "invalid"),
        ({"topic": "x" * 161}, 422, "invalid"),
    ],
)
def test_what_cannot_be_booked_leaves_nothing(
    app: Flask, program: Caller, thread: dict[str, int], more: dict[str, Any], status: int, code: str
) -> None:
    answer = program.post("/appointments", wish_of(thread, **more))
    assert (answer.status_code, code_of(answer)) == (status, code)
    with app.app_context():
        assert db.session.query(Appointment).count() == 0


def test_an_appointment_is_told_to_other_systems(app: Flask, program: Caller, woken: list[int]) -> None:
    with app.app_context():
        row = make_conversation("5511999990000", "Rui")
        thread = {"id": row.id, "contact_id": row.contact_id}
        endpoints.add(
            "https://example.com/hook",
            endpoints.Wish(kinds=("appointment.created", "appointment.updated")),
            secret="whsec_dGVzdA==",
            secret_key=app.config["BALCAO"].secret_key,
            now=utc_now(),
        )
        db.session.commit()
    program.post("/appointments", wish_of(thread, starts_at=free_times(program)[3]))
    with app.app_context():
        kinds = [row.kind for row in db.session.query(OutgoingEvent).order_by(OutgoingEvent.id)]
    assert kinds == ["appointment.created", "appointment.updated"]
