"""Receipts: forward only in every order, repeated, too early, for nobody, for sends of unknown fate."""

from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest
from sqlalchemy import delete

import receipts
import tasks
from models import Alert, Contact, Message, WebhookEvent, db
from tests.fakes.graph import SentMessage, status_error
from tests.real_door import WalkedDesk

# What every order of arrival must end in: the furthest of these.
ORDER = ("sent", "failed", "delivered", "read", "played")


def sent_message(desk: WalkedDesk) -> SentMessage:
    (message,) = desk.says("hello")
    return message


def only(desk: WalkedDesk) -> Message:
    (message,) = desk.outgoing()
    return message


def receipt(desk: WalkedDesk, of: SentMessage, status: str, **about: Any) -> None:
    errors = [status_error(131026)] if status == "failed" else ()
    webhook = desk.meta.status(of.id, status, **({"errors": errors, "reference": of.reference} | about))
    assert desk.post(webhook) == 200
    desk.work()


def start_over(desk: WalkedDesk) -> None:
    """Put the one message back to `sent`, as if no receipt had come."""
    desk.change(Message, Message.direction == "out", status="sent", error_code="", error_text="")
    with desk.app.app_context():
        db.session.execute(delete(WebhookEvent).where(WebhookEvent.kind == "status"))
        db.session.commit()


@pytest.mark.parametrize("last", ORDER)
def test_every_order_of_receipts_ends_in_the_furthest_status(desk: WalkedDesk, last: str) -> None:
    """All 120 orders, by their last receipt."""
    message = sent_message(desk)
    for order in permutations(ORDER):
        if order[-1] != last:
            continue
        start_over(desk)
        seen = []
        for status in order:
            receipt(desk, message, status)
            seen.append(only(desk).status)
        ranks = [ORDER.index(status) for status in seen]
        assert ranks == sorted(ranks), order
        assert seen[-1] == "played", order


@pytest.mark.parametrize("order", list(permutations(("sent", "delivered", "read"))))
def test_all_receipts_of_one_post_count(any_desk: WalkedDesk, order: tuple[str, ...]) -> None:
    message = sent_message(any_desk)
    values = [any_desk.meta.status_value(message.id, status, reference=message.reference) for status in order]
    any_desk.hears(any_desk.meta.batch(values))
    assert only(any_desk).status == "read"


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("sent", "failed", "failed"),
        ("failed", "sent", "failed"),
        ("failed", "delivered", "delivered"),
        ("delivered", "failed", "delivered"),
        ("read", "delivered", "read"),
        ("read", "played", "played"),
        ("played", "read", "played"),
        ("read", "sent", "read"),
    ],
)
def test_what_follows_what(desk: WalkedDesk, before: str, after: str, expected: str) -> None:
    message = sent_message(desk)
    receipt(desk, message, before)
    receipt(desk, message, after)
    assert only(desk).status == expected


def test_a_repeated_receipt_is_stored_once(desk: WalkedDesk) -> None:
    message = sent_message(desk)
    webhook = desk.meta.status(message.id, "delivered", reference=message.reference)
    for _ in range(3):
        desk.hears(webhook)
    assert len(desk.events(WebhookEvent.kind == "status")) == 1
    assert only(desk).status == "delivered"


def test_a_receipt_is_matched_by_our_reference_or_by_the_providers_id(desk: WalkedDesk) -> None:
    message = sent_message(desk)
    receipt(desk, message, "delivered", reference=None)
    assert only(desk).status == "delivered"
    receipt(desk, message, "read", reference=message.reference)
    assert only(desk).status == "read"


@pytest.mark.parametrize("reference", ["", "x", "0", "-1", "9" * 60, "1e3", "１", "1.0"])
def test_a_strange_reference_falls_back_on_the_providers_id(desk: WalkedDesk, reference: str) -> None:
    message = sent_message(desk)
    receipt(desk, message, "delivered", reference=reference)
    assert not {"failed", "pending"} & set(desk.states())
    if not reference.strip().isascii() or not reference.isdigit():
        assert only(desk).status == "delivered"


def message_number(message: SentMessage) -> int:
    return int(str(message.reference).partition(".")[0])


def test_a_guessed_reference_settles_nothing(desk: WalkedDesk) -> None:
    """Another installation on the same number counts 1, 2, 3 too; its receipts must not mark ours as sent."""
    message = sent_message(desk)
    desk.change(Message, Message.direction == "out", status="queued", external_id=None)
    for guess in (str(message_number(message)), f"{message_number(message)}.0000000000000000"):
        receipt(desk, replace(message, id="wamid.NOTOURS"), "delivered", reference=guess)
    assert (only(desk).status, only(desk).external_id) == ("queued", None)


def test_the_reference_of_another_installation_is_not_taken_for_ours(desk: WalkedDesk) -> None:
    message = sent_message(desk)
    receipt(desk, replace(message, id="wamid.NOTOURS"), "read")
    assert only(desk).status == "sent"
    assert desk.events(WebhookEvent.kind == "status")[0].state == "unmatched"


def test_a_receipt_that_comes_before_our_send_was_stored_counts(desk: WalkedDesk) -> None:
    message = sent_message(desk)
    desk.change(Message, Message.direction == "out", status="sending", external_id=None)
    receipt(desk, message, "delivered")
    assert (only(desk).status, only(desk).external_id) == ("delivered", message.id)


def test_our_own_answer_does_not_push_an_early_receipt_back(desk: WalkedDesk) -> None:
    """The receipt is applied while the request is still on its way; then the answer is stored."""
    real = desk.graph.handle
    done: list[bool] = []

    def receipt_first(request: Any) -> Any:
        answer = real(request)
        if "/messages" in request.path and desk.graph.sent and not done:
            done.append(True)
            message = desk.graph.sent[0]
            desk.change(Message, Message.id == message_number(message), status="read", external_id=message.id)
        return answer

    desk.graph._server.handle = receipt_first
    desk.says("hello")
    assert done
    assert (only(desk).status, only(desk).send_due_at) == ("read", None)


@pytest.mark.parametrize("status", ["sending", "uncertain"])
@pytest.mark.parametrize("receipt_status", ["sent", "delivered", "read", "failed"])
def test_a_receipt_settles_a_send_of_unknown_outcome(
    desk: WalkedDesk, status: str, receipt_status: str
) -> None:
    message = sent_message(desk)
    desk.change(
        Message,
        Message.direction == "out",
        status=status,
        external_id=None,
        send_due_at=desk.clock(),
        status_at=desk.clock(),
    )
    assert desk.post(
        desk.meta.status(
            message.id,
            receipt_status,
            reference=message.reference,
            errors=[status_error(131026)] if receipt_status == "failed" else (),
        )
    ) == 200  # fmt: skip
    tasks.run_lane("receipts")
    settled = only(desk)
    assert (settled.status, settled.external_id, settled.send_due_at) == (receipt_status, message.id, None)
    desk.clock.advance(3600)
    desk.work()
    assert len(desk.graph.sent) == 1


def test_a_receipt_for_nobody_waits_and_is_applied_when_its_message_appears(any_desk: WalkedDesk) -> None:
    desk = any_desk
    message = sent_message(desk)
    desk.change(Message, Message.direction == "out", external_id="wamid.hidden")
    receipt(desk, message, "read", reference=None)
    (event,) = desk.events(WebhookEvent.kind == "status")
    assert event.state == "unmatched"
    desk.change(Message, Message.direction == "out", external_id=message.id)
    desk.clock.advance(10)
    with desk.app.app_context():
        tasks.sweep()
    desk.work()
    assert only(desk).status == "read"
    assert desk.events(WebhookEvent.kind == "status")[0].state == "done"


def test_a_receipt_for_nobody_is_given_up_in_the_end(desk: WalkedDesk) -> None:
    receipt(desk, SentMessage("wamid.X", "1", None, None, "text", None, {}, 0.0), "read")
    for _ in range(receipts.UNMATCHED_TRIES + 2):
        desk.clock.advance(600)
        with desk.app.app_context():
            tasks.sweep()
        desk.work()
    (event,) = desk.events()
    assert event.state == "ignored"
    assert event.error


def test_a_failure_is_shown_in_words_and_raises_an_alert(desk: WalkedDesk) -> None:
    message = sent_message(desk)
    receipt(desk, message, "failed")
    failed = only(desk)
    assert (failed.error_code, bool(failed.error_text)) == ("131026", True)
    assert [alert.kind for alert in desk.rows(Alert)] == ["delivery_failed"]


def test_a_failure_because_she_stopped_us_opts_her_out(desk: WalkedDesk) -> None:
    message = sent_message(desk)
    receipt(desk, message, "failed", errors=[status_error(21610)])
    assert desk.rows(Contact)[0].opted_out_at is not None
    assert desk.says("hello") == []


def test_who_stopped_marketing_at_meta_is_still_answered(desk: WalkedDesk) -> None:
    message = sent_message(desk)
    receipt(desk, message, "failed", errors=[status_error(131050)])
    contact = desk.rows(Contact)[0]
    assert (contact.opted_out_at, contact.refuses_marketing_at is not None) == (None, True)
    assert len(desk.says("hello")) == 1


def test_an_unknown_status_word_changes_nothing(desk: WalkedDesk) -> None:
    message = sent_message(desk)
    receipt(desk, message, "warned")
    assert only(desk).status == "sent"
    assert "failed" not in desk.states()


@pytest.mark.parametrize("external_id", ["w" * 500, "wamid.\x00", "wamid.\ud800", "wamid.é"])
def test_a_strange_id_in_a_receipt_holds_no_other_receipt_up(any_desk: WalkedDesk, external_id: str) -> None:
    desk = any_desk
    message = sent_message(desk)
    desk.change(Message, Message.direction == "out", external_id=None, status="sending")
    assert desk.post(desk.meta.status(external_id, "sent", reference=message.reference)) == 200
    tasks.run_lane("receipts")
    desk.change(Message, Message.direction == "out", external_id=message.id)
    receipt(desk, message, "read")
    assert only(desk).status == "read"


def test_a_receipt_that_cannot_be_worked_on_holds_no_other_up(
    desk: WalkedDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = sent_message(desk)
    find, poison = receipts._find, "wamid.POISON"

    def explode(integration_id: int | None, parsed: Any) -> Any:
        if parsed.external_id == poison:
            raise RuntimeError("poison")
        return find(integration_id, parsed)

    monkeypatch.setattr(receipts, "_find", explode)
    assert desk.post(desk.meta.status(poison, "read")) == 200
    assert desk.post(desk.meta.status(message.id, "read", reference=message.reference)) == 200
    for _ in range(8):
        desk.end_leases()
        desk.clock.advance(120)
        try:
            tasks.run_lane("receipts")
        except RuntimeError:
            continue
    assert only(desk).status == "read"
    assert "receipt_failed" in [alert.kind for alert in desk.rows(Alert)]
