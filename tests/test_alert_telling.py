"""Alerts reach who is told of them: once, in few messages, by real servers, without a customer's words."""

import runpy
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from flask import Flask
from sqlalchemy import select, update
from standardwebhooks import Webhook

import alerts
import config_kinds
import desk_worker
import integrations
import texts
from alerts import deliveries, kinds, recipients
from alerts.recipients import EMAIL, SMS, WEBHOOK, Wish
from app import create_app
from config import Config
from dashboard import wording
from models import Alert, AlertDelivery, AlertRecipient, Integration, Operator, PushSubscription, Worker, db
from providers.base import Health, SendError
from simulated_phone import REHEARSAL_NUMBER
from telling import alerting, watch
from tests.fakes import server
from tests.fakes.push import FakePush
from tests.fakes.server import HttpServer, Request
from tests.fakes.smtp import FakeSmtp
from tests.fakes.twilio import FakeTwilio
from tests.fakes.webhooks import ACCOUNT_SID, AUTH_TOKEN, TwilioWebhooks
from tests.records import make_conversation
from wires import signed_webhook, web_push

NOW = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)  # a Monday, 12:00 in São Paulo
LANGUAGES = ("pt", "es", "en")
ALL = Wish("", "pt")


class Clock:
    """A clock that goes when it is told to."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now

    def advance(self, by: timedelta) -> None:
        self.now += by


class Desk:
    """A desk with its clock, and what a worker does about alerts."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.config: Config = app.config["BALCAO"]
        self.clock = Clock()

    def add(self, channel: recipients.Channel, address: str, wish: Wish = ALL, **more) -> int:
        with self.app.app_context():
            row = recipients.add(
                channel, address, wish, now=self.clock(), secret_key=self.config.secret_key, **more
            )
            db.session.commit()
            return row.id

    def raises(self, kind: str, topic: str = "", **more) -> int:
        with self.app.app_context():
            row = alerts.raise_alert(
                kind, topic or f"{kind}:1", "Words of the log.", now=self.clock(), **more
            )
            db.session.commit()
            return row.id

    def tell(self) -> int:
        """Do what the teller does, and give how many messages left."""
        with self.app.app_context():
            found = alerting.wanted(self.config, self.clock())
            return sum(alerting.tell(one, self.config, "test", self.clock) for one in found)

    def deliveries(self) -> list[tuple[str, str]]:
        with self.app.app_context():
            rows = db.session.scalars(select(AlertDelivery).order_by(AlertDelivery.id)).all()
            return [(row.state, row.reason) for row in rows]

    def acknowledge(self, alert_id: int) -> None:
        with self.app.app_context():
            alerts.acknowledge(alert_id, now=self.clock())
            db.session.commit()

    def cut_off(self) -> None:
        """Leave every delivery as a worker does that dies while it sends, and let its lease end."""
        with self.app.app_context():
            sending = {"state": "sending", "sent_at": None, "due_at": self.clock() + deliveries.LEASE}
            db.session.execute(update(AlertDelivery).values(**sending))
            db.session.commit()
        self.clock.advance(deliveries.LEASE)


@pytest.fixture
def open_desk(load_config: Callable[..., Config], sqlite_url: str) -> Iterator[Callable[..., Desk]]:
    """Give a function that opens a desk with these settings."""
    opened: list[Flask] = []

    def opens(**environ: str) -> Desk:
        settings = {
            "DATABASE_URL": sqlite_url,
            "MAIL_FROM": "desk@loja.example",
            "PUBLIC_BASE_URL": "https://desk.example.com",
            "ALLOW_PRIVATE_ADDRESSES": "1",
        }
        app = create_app(load_config(**{**settings, **environ}))
        with app.app_context():
            db.create_all()
        opened.append(app)
        return Desk(app)

    yield opens
    for app in opened:
        with app.app_context():
            db.session.remove()
            db.engine.dispose()


@pytest.fixture
def mail() -> Iterator[FakeSmtp]:
    with FakeSmtp() as opened:
        yield opened


@pytest.fixture
def desk(open_desk: Callable[..., Desk], mail: FakeSmtp) -> Desk:
    return open_desk(SMTP_URL=mail.url)


# --- one alert ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("pt", "Um cliente espera por uma pessoa"),
        ("es", "Un cliente espera a una persona"),
        ("en", "A customer waits for a person"),
    ],
)
def test_an_alert_is_one_letter_with_a_sentence_and_a_link(desk, mail, language, words):
    desk.add(EMAIL, "ana@loja.example", Wish("Ana", language))
    with desk.app.app_context():
        conversation_id = make_conversation(name="Zuleica Prado").id
        db.session.commit()
    desk.raises("waiting", f"waiting:{conversation_id}", conversation_id=conversation_id)
    assert desk.tell() == 1
    assert desk.tell() == 0
    (taken,) = mail.wait_for(1)
    assert taken.recipients == ("ana@loja.example",)
    assert taken.message["Subject"] == f"[Balcão] {words}"
    assert words in taken.text
    assert f"https://desk.example.com/inbox/{conversation_id}" in taken.text
    assert "https://desk.example.com/alerts" in taken.text
    assert "Zuleica" not in taken.text
    assert "Words of the log" not in taken.text
    assert desk.deliveries() == [("sent", "")]


def test_who_chose_kinds_hears_of_these_alone(desk, mail):
    desk.add(EMAIL, "some@loja.example", Wish("", "en", ("complaint",)))
    desk.add(EMAIL, "all@loja.example", Wish("", "en"))
    desk.raises("lead")
    desk.raises("a_kind_to_come")
    desk.tell()
    desk.raises("complaint")
    desk.tell()
    told = [(one.recipients[0], one.message["Subject"]) for one in mail.wait_for(4)]
    assert told == [
        ("all@loja.example", "[Balcão] A new lead"),
        ("all@loja.example", "[Balcão] Something needs a look"),
        ("some@loja.example", "[Balcão] A complaint came in: a manager should look"),
        ("all@loja.example", "[Balcão] A complaint came in: a manager should look"),
    ]


def test_news_that_repeat_are_told_once(desk, mail):
    desk.add(EMAIL, "ana@loja.example")
    for _time in range(5):
        desk.raises("delivery_failed")
        desk.tell()
        desk.clock.advance(timedelta(hours=2))
    assert len(mail.taken) == 1


def test_what_is_over_before_it_was_told_is_not_told(desk, mail):
    desk.add(EMAIL, "ana@loja.example", Wish("", "pt", None, 0, 23 * 60))
    alert_id = desk.raises("waiting")
    desk.tell()
    desk.acknowledge(alert_id)
    desk.clock.advance(timedelta(hours=12))
    desk.tell()
    assert desk.deliveries() == [("dropped", "settled")]
    assert mail.taken == []


def test_the_same_thing_again_is_told_after_a_rest_and_only_if_it_is_still_so(desk, mail):
    desk.add(EMAIL, "ana@loja.example")
    desk.acknowledge(desk.raises("waiting"))
    desk.raises("waiting")
    desk.tell()
    again = desk.raises("waiting")
    desk.acknowledge(again)
    desk.raises("waiting")
    desk.clock.advance(timedelta(minutes=1))
    desk.tell()
    assert len(mail.taken) == 1
    desk.clock.advance(deliveries.REST)
    desk.tell()
    assert len(mail.taken) == 2
    assert [state for state, _reason in desk.deliveries()] == ["sent", "sent"]


# --- many alerts --------------------------------------------------------------------------------------------


def test_many_alerts_at_once_are_one_letter(desk, mail):
    desk.add(EMAIL, "ana@loja.example")
    for number in range(25):
        desk.raises("delivery_failed", f"delivery_failed:{number}")
    assert desk.tell() == 1
    (taken,) = mail.wait_for(1)
    assert taken.message["Subject"] == "[Balcão] 25 alertas"
    assert "E mais 5 no painel" in taken.text
    assert set(desk.deliveries()) == {("sent", "")}


def test_after_a_burst_news_wait_and_travel_together(desk, mail):
    desk.add(EMAIL, "ana@loja.example")
    for number in range(6):
        desk.raises("delivery_failed", f"delivery_failed:{number}")
        desk.tell()
        desk.clock.advance(timedelta(seconds=30))
    assert len(mail.taken) == deliveries.BURST
    desk.raises("no_worker")
    desk.tell()
    assert len(mail.taken) == deliveries.BURST + 1, "urgent news do not wait"
    desk.clock.advance(deliveries.BURST_WINDOW)
    desk.tell()
    assert len(mail.taken) <= deliveries.BURST + 4
    assert {state for state, _reason in desk.deliveries()} == {"sent"}


# --- when -----------------------------------------------------------------------------------------------


def test_quiet_hours_hold_all_but_urgent_news(desk, mail):
    desk.add(EMAIL, "ana@loja.example", Wish("", "en", None, 11 * 60, 14 * 60))
    desk.raises("lead")
    desk.raises("credentials")
    desk.tell()
    desk.tell()
    assert [one.message["Subject"] for one in mail.taken] == [
        "[Balcão] A number's credentials are refused by the provider"
    ]
    desk.clock.advance(timedelta(hours=2))
    desk.tell()
    assert mail.taken[-1].message["Subject"] == "[Balcão] A new lead"


@pytest.mark.parametrize(
    ("start", "end", "local", "until"),
    [
        ((22, 0), (7, 0), (23, 30), (7, 0)),
        ((22, 0), (7, 0), (6, 59), (7, 0)),
        ((22, 0), (7, 0), (7, 0), None),
        ((22, 0), (7, 0), (21, 59), None),
        ((12, 0), (13, 0), (12, 30), (13, 0)),
        ((12, 0), (12, 0), (12, 0), None),
        ((0, 0), (24, 0), (12, 0), (0, 0)),
    ],
)
def test_quiet_hours_end_on_the_local_clock(load_config, start, end, local, until):
    zone = load_config(TIME_ZONE="America/Sao_Paulo").zone
    row = AlertRecipient(quiet_from_min=start[0] * 60 + start[1], quiet_until_min=end[0] * 60 + end[1])
    row.is_woken = False
    now = datetime(2026, 11, 23, local[0], local[1], tzinfo=zone).astimezone(UTC)
    found = recipients.quiet_end(row, "no_worker", zone, now)
    assert (found and (found.astimezone(zone).hour, found.astimezone(zone).minute)) == until
    assert found is None or now < found <= now + timedelta(days=1)
    row.is_woken = True
    assert recipients.quiet_end(row, "no_worker", zone, now) is None


def test_what_was_raised_long_ago_or_for_a_rehearsal_is_no_news(desk, mail):
    desk.add(EMAIL, "ana@loja.example")
    with desk.app.app_context():
        db.session.add(
            Integration(provider="simulator", shape="meta", name="Ensaio", number_id=REHEARSAL_NUMBER)
        )
        played = make_conversation().id
        db.session.commit()
    desk.raises("waiting", conversation_id=played)
    desk.raises("lead", "lead:1")
    with desk.app.app_context():
        old = desk.clock() - timedelta(hours=2)
        db.session.execute(update(Alert).where(Alert.kind == "lead").values(created_at=old))
        db.session.commit()
    assert desk.tell() == 0
    assert desk.deliveries() == []


# --- what goes wrong ----------------------------------------------------------------------------------------


def test_a_failed_letter_is_sent_again_later_under_its_own_id(desk, mail):
    mail.refusals = {"ana@loja.example": "451 try again later"}
    desk.add(EMAIL, "ana@loja.example")
    desk.raises("lead")
    assert desk.tell() == 0
    assert desk.deliveries() == [("waiting", "recipient_refused")]
    assert desk.tell() == 0
    mail.refusals = {}
    desk.clock.advance(deliveries.BACKOFF[0])
    assert desk.tell() == 1
    assert desk.deliveries() == [("sent", "")]
    with desk.app.app_context():
        row = db.session.scalars(select(AlertDelivery)).one()
        assert (row.attempts, row.batch_id) == (2, row.id)


def test_a_digest_that_failed_goes_again_as_it_was(desk, mail):
    mail.data_answer = "452 no room"
    desk.add(EMAIL, "ana@loja.example")
    for number in range(5):
        desk.raises("lead", f"lead:{number}")
    desk.tell()
    mail.data_answer = "250 OK"
    desk.raises("complaint")
    desk.clock.advance(deliveries.BACKOFF[0])
    desk.tell()
    assert [one.message["Subject"] for one in mail.taken] == [
        "[Balcão] 5 alertas",
        "[Balcão] Chegou uma reclamação: um gerente deve ver",
    ]


def test_a_recipient_is_given_up_after_a_day_and_the_others_hear_of_it(desk, mail):
    mail.refusals = {"gone@loja.example": "550 nobody"}
    gone = desk.add(EMAIL, "gone@loja.example", Wish("", "en"))
    desk.add(EMAIL, "ana@loja.example", Wish("", "en"))
    desk.raises("lead")
    desk.tell()
    desk.tell()
    assert [one.message["Subject"] for one in mail.taken] == [
        "[Balcão] A new lead",
        "[Balcão] Alerts do not reach one of their recipients",
    ]
    with desk.app.app_context():
        rows = db.session.scalars(select(AlertDelivery).where(AlertDelivery.recipient_id == gone)).all()
        assert [(row.state, row.reason) for row in rows] == [("failed", "recipient_refused")]
        assert deliveries.troubles() == {gone: "recipient_refused"}


def test_a_recipient_that_is_reached_again_is_no_alert_any_more(desk, mail):
    mail.refusals = {"ana@loja.example": "550 nobody"}
    recipient_id = desk.add(EMAIL, "ana@loja.example")
    desk.raises("lead")
    desk.tell()
    mail.refusals = {}
    desk.raises("complaint")
    with desk.app.app_context():
        assert alerts.is_open(deliveries.untold_topic(recipient_id))
    desk.tell()
    with desk.app.app_context():
        assert not alerts.is_open(deliveries.untold_topic(recipient_id))


def test_every_retry_ends_in_a_failure_that_is_shown():
    wait = timedelta()
    for step in deliveries.BACKOFF:
        assert step > wait
        wait = step
    assert sum(deliveries.BACKOFF, timedelta()) < deliveries.TELL_MAX_AGE


def test_retries_end(desk, mail):
    mail.data_answer = "452 no room"
    desk.add(EMAIL, "ana@loja.example")
    desk.raises("lead")
    for step in (*deliveries.BACKOFF, timedelta()):
        desk.tell()
        desk.clock.advance(step)
    states = desk.deliveries()
    assert states[0] == ("failed", "refused")
    with desk.app.app_context():
        assert db.session.scalars(select(AlertDelivery.attempts)).first() == len(deliveries.BACKOFF) + 1
        assert alerts.is_open(deliveries.untold_topic(1))


def test_without_a_mail_server_letters_are_kept_and_shown(open_desk):
    desk = open_desk(SMTP_URL="")
    desk.add(EMAIL, "ana@loja.example")
    desk.raises("lead")
    desk.tell()
    assert desk.deliveries() == [("failed", "not_configured")]
    with desk.app.app_context():
        assert not alerts.is_open(deliveries.untold_topic(1))


def test_a_worker_that_dies_while_it_sends_leaves_nothing_untold(desk, mail):
    desk.add(EMAIL, "ana@loja.example")
    desk.raises("lead")
    desk.tell()
    desk.cut_off()
    assert desk.tell() == 1
    first, second = mail.taken
    assert first.message["Message-ID"] == second.message["Message-ID"], "so that it is known as the same"


def test_two_workers_tell_once(desk, mail):
    desk.add(EMAIL, "ana@loja.example")
    desk.raises("lead")
    start = threading.Barrier(4)
    sent = []

    def work() -> None:
        start.wait()
        sent.append(desk.tell())

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert (sum(sent), len(mail.taken), desk.deliveries()) == (1, 1, [("sent", "")])


def test_what_was_told_long_ago_is_forgotten(desk, mail):
    desk.add(EMAIL, "ana@loja.example")
    desk.raises("lead")
    desk.tell()
    for age, left in ((alerting.KEPT_FOR, 1), (alerting.KEPT_FOR + timedelta(seconds=1), 0)):
        with desk.app.app_context():
            alerting.forget_old(NOW + age)
        assert len(desk.deliveries()) == left


def test_one_recipient_that_breaks_keeps_nothing_from_the_others(desk, mail, monkeypatch):
    for name in ("ana", "bia"):
        desk.add(EMAIL, f"{name}@loja.example")
    desk.raises("lead")
    with desk.app.app_context():
        db.session.execute(update(Alert).values(created_at=datetime.now(UTC)))
        db.session.commit()
    told = alerting.tell

    def breaks(recipient_id, *more):
        if recipient_id == 1:
            raise RuntimeError("broken")
        return told(recipient_id, *more)

    monkeypatch.setattr(alerting, "tell", breaks)
    with desk.app.app_context():
        desk_worker.tell()
    assert [one.recipients for one in mail.taken] == [("bia@loja.example",)]


# --- the other channels -------------------------------------------------------------------------------------


@contextmanager
def receiver(status: int = 204) -> Iterator[tuple[HttpServer, list[Request]]]:
    got: list[Request] = []

    def handle(request: Request) -> server.Answer:
        got.append(request)
        return server.Answer(status)

    with HttpServer(handle) as there:
        yield there, got


def test_a_webhook_says_what_happened_and_can_be_verified(desk):
    secret = signed_webhook.new_secret()
    desk.clock.now = datetime.now(UTC)  # receivers refuse old time stamps
    with receiver() as (there, got):
        desk.add(WEBHOOK, f"{there.url}/hook", Wish("CRM", "en"), secret=secret)
        desk.raises("paid", "paid:17")
        assert desk.tell() == 1
    event = Webhook(secret).verify(got[0].body, got[0].headers)
    assert event["type"] == "alert.paid"
    (alert,) = event["data"]["alerts"]
    assert alert["headline"] == "An order is paid"
    assert alert["url"] == "https://desk.example.com/orders/17"
    with desk.app.app_context():
        assert secret not in db.session.scalars(select(AlertRecipient.secret)).one()


def test_a_webhook_that_is_gone_is_switched_off(desk):
    with receiver(410) as (there, got):
        recipient_id = desk.add(WEBHOOK, there.url, secret=signed_webhook.new_secret())
        desk.raises("lead")
        desk.tell()
        desk.raises("complaint")
        desk.tell()
    assert len(got) == 1
    with desk.app.app_context():
        assert not db.session.get_one(AlertRecipient, recipient_id).is_active


def test_a_text_message_is_short_and_never_sent_twice(open_desk):
    with FakeTwilio(text_numbers=["+14155550100"]) as twilio:
        desk = open_desk(
            TWILIO_ACCOUNT_SID=ACCOUNT_SID,
            TWILIO_AUTH_TOKEN=AUTH_TOKEN,
            TWILIO_SMS_FROM="+14155550100",
            TWILIO_API_BASE_URL=twilio.url,
        )
        desk.add(SMS, "+5511987654321")
        desk.raises("no_worker")
        assert desk.tell() == 1
        (sent,) = twilio.sent
        assert sent.body.startswith("Balcão: Nenhum worker está em execução")
        assert len(sent.body) < 160
        desk.cut_off()
        assert desk.tell() == 0
        assert len(twilio.sent) == 1
    assert desk.deliveries() == [("uncertain", "cut")]


def test_a_text_message_that_did_not_arrive_is_shown_and_the_others_are_told(open_desk):
    with FakeTwilio(text_numbers=["+14155550100"]) as twilio:
        desk = open_desk(
            TWILIO_ACCOUNT_SID=ACCOUNT_SID,
            TWILIO_AUTH_TOKEN=AUTH_TOKEN,
            TWILIO_SMS_FROM="+14155550100",
            TWILIO_API_BASE_URL=twilio.url,
        )
        desk.add(SMS, "+5511987654321")
        desk.raises("no_worker")
        assert desk.tell() == 1
        (sent,) = twilio.sent
    url = sent.form["StatusCallback"]
    assert url.startswith("https://desk.example.com/whatsapp/sms?batch=")
    client = desk.app.test_client()

    def told(status: str, token: str = AUTH_TOKEN, where: str = url) -> int:
        webhook = TwilioWebhooks(auth_token=token).status("SM1", status, url=where, error_code=30003)
        answer = client.post(webhook.path, data=webhook.body, headers=webhook.headers)
        return int(answer.status_code)

    assert told("undelivered", token="somebody else's") == 403
    assert told("delivered") == 200
    assert told("undelivered", where=url + "9" * 40) == 200
    assert told("undelivered", where=url + "x") == 200
    assert desk.deliveries() == [("sent", "")]
    assert told("undelivered") == 200
    assert told("undelivered") == 200
    assert desk.deliveries() == [("failed", "undelivered 30003")]
    with desk.app.app_context():
        assert "alert_untold" in [row.kind for row in alerts.open_alerts()]


def test_a_push_reaches_the_browsers_that_still_listen(desk):
    with FakePush() as push, FakePush(status=410) as gone:
        with desk.app.app_context():
            operator = Operator(email="ana@loja.example", name="Ana", password_hash="x", role="admin")
            db.session.add(operator)
            db.session.flush()
            for number, one in enumerate((push, gone)):
                recipients.subscribe(
                    operator.id,
                    ALL,
                    endpoint=f"{one.endpoint}-{number}",
                    p256dh=one.p256dh,
                    auth=one.auth,
                    browser="Firefox",
                    now=NOW,
                )
            db.session.commit()
        desk.clock.now = datetime.now(UTC)
        desk.raises("waiting")
        assert desk.tell() == 1
        (shown,) = push.shown
        assert shown.payload["body"].startswith("Um cliente espera por uma pessoa")
        assert shown.payload["url"] == "/"
        with desk.app.app_context():
            assert [one.endpoint for one in db.session.scalars(select(PushSubscription))] == [
                f"{push.endpoint}-0"
            ]


def test_who_may_not_sign_in_any_more_is_not_pushed_to(desk):
    with FakePush() as push:
        with desk.app.app_context():
            operator = Operator(email="ana@loja.example", name="Ana", password_hash="x", is_active=False)
            db.session.add(operator)
            db.session.flush()
            keys = {"p256dh": push.p256dh, "auth": push.auth}
            recipients.subscribe(operator.id, ALL, endpoint=push.endpoint, **keys, browser="", now=NOW)
            db.session.commit()
        desk.raises("waiting")
        assert desk.tell() == 0
    assert desk.deliveries() == []


def test_a_test_is_really_sent_and_says_what_came_of_it(desk, mail):
    recipient_id = desk.add(EMAIL, "ana@loja.example", Wish("", "es"))
    with desk.app.app_context():
        row = db.session.get_one(AlertRecipient, recipient_id)
        assert alerting.send_test(row, desk.config, now=NOW) is None
        mail.refusals = {"ana@loja.example": "550 nobody"}
        row = db.session.get_one(AlertRecipient, recipient_id)
        refused = alerting.send_test(row, desk.config, now=NOW)
    assert refused.code == "recipient_refused"
    (taken,) = mail.taken
    assert "Esto es una prueba" in taken.text


# --- nobody is at work --------------------------------------------------------------------------------------


def look(desk: Desk, since: datetime = NOW - timedelta(hours=1)) -> bool:
    with desk.app.app_context():
        return watch.look(desk.config, "web", since=since, clock=desk.clock)


def beat(desk: Desk) -> None:
    with desk.app.app_context():
        db.session.merge(Worker(name="w1", started_at=desk.clock(), seen_at=desk.clock()))
        db.session.commit()


def test_the_web_process_itself_tells_that_no_worker_lives(desk, mail):
    desk.add(EMAIL, "ana@loja.example", Wish("", "en"))
    beat(desk)
    assert look(desk)
    desk.clock.advance(watch.SILENT_AFTER)
    assert not look(desk)
    assert not look(desk)
    (taken,) = mail.wait_for(1)
    assert taken.message["Subject"] == "[Balcão] No worker is running: messages wait"
    beat(desk)
    assert look(desk)
    with desk.app.app_context():
        assert not alerts.is_open(kinds.NO_WORKER)


def test_a_worker_has_time_to_start(desk):
    assert not look(desk, since=NOW - timedelta(seconds=30))
    with desk.app.app_context():
        assert not alerts.is_open(kinds.NO_WORKER)


def test_who_knows_that_no_worker_lives_is_not_told_every_moment(desk, mail):
    desk.add(EMAIL, "ana@loja.example")
    look(desk)
    with desk.app.app_context():
        alert_id = db.session.scalars(select(Alert.id)).one()
    desk.acknowledge(alert_id)
    desk.clock.advance(timedelta(minutes=5))
    look(desk)
    with desk.app.app_context():
        assert not alerts.is_open(kinds.NO_WORKER)
    desk.clock.advance(watch.AGAIN_AFTER)
    look(desk)
    assert len(mail.taken) == 2


def test_a_worker_that_came_back_and_died_again_is_news_again(desk, mail):
    desk.add(EMAIL, "ana@loja.example")
    look(desk)
    beat(desk)
    look(desk)
    desk.clock.advance(timedelta(seconds=10))
    beat(desk)
    desk.clock.advance(watch.SILENT_AFTER)
    look(desk)
    with desk.app.app_context():
        assert alerts.is_open(kinds.NO_WORKER)


def test_the_web_process_looks_by_itself(desk, mail, monkeypatch):
    monkeypatch.setattr(watch, "LOOK_EVERY_SECS", 0.05)
    monkeypatch.setattr(watch, "SILENT_AFTER", timedelta())
    desk.add(EMAIL, "ana@loja.example", Wish("", "en"))
    looking = watch.Watch(desk.app, "web")
    looking.start()
    try:
        (taken,) = mail.wait_for(1)
    finally:
        looking.stop()
    assert taken.message["Subject"] == "[Balcão] No worker is running: messages wait"


def test_each_web_process_of_gunicorn_looks(desk, monkeypatch, tmp_path):
    started: list[watch.Watch] = []
    monkeypatch.setattr(watch.Watch, "start", lambda self: started.append(self))
    monkeypatch.setattr(signal, "signal", lambda *_: None)  # it would be the tests' own
    monkeypatch.setenv("APP_ENV", "development")
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    settings = runpy.run_path(str(config_kinds.BASE_DIR / "gunicorn.conf.py"))
    settings["post_worker_init"](SimpleNamespace(wsgi=desk.app))
    assert len(started) == 1


# --- who is told --------------------------------------------------------------------------------------------


def test_the_admin_of_the_environment_is_told_until_somebody_changes_that(open_desk, mail):
    desk = open_desk(SMTP_URL=mail.url, ADMIN_EMAIL="Dona@Loja.example")
    desk.raises("lead")
    desk.tell()
    assert mail.wait_for(1)[0].recipients == ("dona@loja.example",)
    with desk.app.app_context():
        recipients.remove(recipients.everybody()[0], now=NOW)
        db.session.commit()
    desk.raises("complaint")
    desk.tell()
    assert len(mail.taken) == 1


def test_an_address_is_one_recipient_for_ever(desk):
    first = desk.add(EMAIL, "ana@loja.example")
    with pytest.raises(recipients.AlreadyThere):
        desk.add(EMAIL, "ana@loja.example")
    with desk.app.app_context():
        recipients.remove(recipients.everybody()[0], now=NOW)
        db.session.commit()
    assert desk.add(EMAIL, "ana@loja.example", Wish("Ana", "en")) == first
    desk.add(WEBHOOK, "ana@loja.example", secret="whsec_" + "A" * 32)
    with desk.app.app_context():
        assert [row.channel for row in recipients.everybody()] == [EMAIL, WEBHOOK]


def test_the_outbox_keeps_its_promises_on_every_database(load_config, database_url):
    app = create_app(load_config(DATABASE_URL=database_url))
    with app.app_context():
        db.create_all()
        config = app.config["BALCAO"]
        row = recipients.add(EMAIL, "ana@loja.example", ALL, now=NOW)
        recipients.adopt_environment(config, now=NOW)
        for number in range(5):
            alerts.raise_alert("lead", f"lead:{number}", "A lead.", now=NOW)
        deliveries.route(config, now=NOW)
        deliveries.route(config, now=NOW)
        db.session.commit()
        assert deliveries.due(NOW) == [row.id]
        parcel = deliveries.take(row, config.zone, now=NOW)
        db.session.commit()
        assert parcel is not None
        assert (len(parcel.delivery_ids), len(parcel.news), parcel.attempts) == (5, 5, 1)
        assert deliveries.take(row, config.zone, now=NOW) is None
        retry = SendError("not_connected", "retry", "away")
        assert not deliveries.settle(parcel, retry, now=NOW)
        db.session.commit()
        again = deliveries.take(row, config.zone, now=NOW + deliveries.BACKOFF[0])
        assert again is not None
        assert (again.delivery_ids, again.batch_id, again.attempts) == (
            parcel.delivery_ids,
            parcel.batch_id,
            2,
        )
        deliveries.settle(again, None, now=NOW)
        db.session.commit()
        assert [(one.state, count) for one, count in deliveries.newest(10)] == [("sent", 5)]
        assert deliveries.troubles() == {}
        db.session.remove()
        db.engine.dispose()


# --- the words ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_kind_has_a_sentence_of_its_own(language):
    other = texts.letter_text("alert_headline", language, kind="none of ours")
    said = [texts.letter_text("alert_headline", language, kind=name) for name in kinds.names()]
    assert other not in said
    assert len(set(said)) == len(said)
    assert all(10 <= len(sentence) < 100 for sentence in said)


def test_every_kind_has_words_on_the_pages(app):
    with app.test_request_context():
        silent = [name for name in kinds.names() if wording.alert_words(name, "nothing") == "nothing"]
    assert silent == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_every_letter(language):
    names = {path.stem for path in (texts.LETTERS_DIR / language).glob("*.txt")}
    assert names == {path.stem for path in (texts.LETTERS_DIR / "pt").glob("*.txt")}
    assert len(names) >= 8


def test_the_key_of_the_push_is_what_browsers_want():
    assert len(web_push.public_key("a-secret-key-of-the-tests")) == 87


# --- a provider's token -------------------------------------------------------------------------------------


def health_says(desk: Desk, health: Health) -> set[str]:
    """Let the provider say how a number is, and give the kinds of alerts that are open then."""
    with desk.app.app_context():
        number = db.session.query(Integration).first()
        if number is None:
            make_conversation()
            number = db.session.query(Integration).one()
        integrations.record_health(number.id, health, now=desk.clock())
        db.session.commit()
        return {alert.kind for alert in alerts.open_alerts()}


def test_a_token_that_is_refused_is_an_alert_until_it_is_taken_again(desk):
    refused = Health(False, "The access token has expired.", is_credential_problem=True)
    assert health_says(desk, refused) == {"credentials"}
    assert health_says(desk, Health(False, "Away for a moment.")) == {"credentials"}
    assert health_says(desk, Health(True, "There.")) == set()


def test_a_token_that_ends_soon_is_told_in_time_and_not_every_five_minutes(desk):
    ends_at = NOW + timedelta(days=8)
    assert health_says(desk, Health(True, "There.", token_ends_at=ends_at)) == set()
    desk.clock.advance(timedelta(days=2))
    assert health_says(desk, Health(True, "There.", token_ends_at=ends_at)) == {"token_ending"}
    with desk.app.app_context():
        alert_id = db.session.scalars(select(Alert.id)).one()
    desk.acknowledge(alert_id)
    assert health_says(desk, Health(True, "There.", token_ends_at=ends_at)) == set()
    desk.clock.advance(integrations.TOLD_AGAIN_AFTER + timedelta(minutes=1))
    assert health_says(desk, Health(True, "There.", token_ends_at=ends_at)) == {"token_ending"}
    assert health_says(desk, Health(True, "There.")) == set(), "a new token that never ends"
