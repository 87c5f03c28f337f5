"""Tells recipients of alerts: takes what is due, sends it by its channel, keeps what came of it.

`tasks` finds who is due and calls `tell`, the web process does the same while no worker lives, and admins'
pages call `send_test`. What is told is a sentence, a time and a link; names and words of customers stay on
the page behind it.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from babel.dates import format_datetime

import lanes
import texts
import vault
from alerts import deliveries, kinds, recipients
from alerts.deliveries import News, Parcel
from config import Config
from models import AlertRecipient, db, reading
from providers.base import SendError
from wires import signed_webhook, sms, smtp, web_push
from wires.smtp import Letter
from wires.web_push import Subscription

log = structlog.get_logger()

SMS_STATUS_PATH: Final = "/whatsapp/sms"
TIMEOUT_SECS: Final = 15.0
# Of each browser, and an operator may have some.
PUSH_TIMEOUT_SECS: Final = 5.0
# Longer than any send, and than the sends to many browsers.
LEASE_SECS: Final = 120.0
MESSAGES_AT_ONCE: Final = 10
SHORT_MAX_CHARS: Final = 300
KEPT_FOR: Final = timedelta(days=90)
TEST: Final = "test"
# RFC 8292 wants somebody to write to; where nobody is known, no address that could be somebody's.
NOBODY: Final = "mailto:alerts@localhost"
GONE: Final = "gone"


@dataclass(frozen=True, slots=True)
class To:
    """A recipient as the wires need one; no row, so that no session is held."""

    id: int
    channel: str
    address: str
    language: str
    secret: str
    browsers: tuple[tuple[int, Subscription], ...] = ()


@dataclass(frozen=True, slots=True)
class Words:
    """One message in the words of its recipient: long for e-mail, short for a phone, data for a program."""

    headline: str
    text: str
    short: str
    path: str
    kind: str
    at: datetime
    data: Mapping[str, Any]
    is_urgent: bool = False


# --- the outbox ---------------------------------------------------------------------------------------------


def wanted(config: Config, now: datetime) -> list[int]:
    """Write down who is told of what is new, and give the recipients for whom something is due. Commits."""
    with reading():
        has_new = deliveries.has_new()
        db.session.rollback()
    if has_new:
        deliveries.route(config, now=now)
        db.session.commit()
    with reading():
        found = deliveries.due(now)
        db.session.rollback()
    return found


def tell(recipient_id: int, config: Config, holder: str, clock: Callable[[], datetime]) -> int:
    """Send one recipient what is due, one worker at a time; gives how many messages left. Commits."""
    lease = lanes.claim(f"job:alerts:{recipient_id}", holder, LEASE_SECS)
    if lease is None:
        return 0
    sent = 0
    try:
        for _message in range(MESSAGES_AT_ONCE):
            taken = _take(recipient_id, config, clock())
            if taken is None:
                break
            to, parcel = taken
            error = _deliver(to, words_of(parcel, to.language, config), f"{parcel.batch_id}", config, clock())
            _settle(to, parcel, error, clock())
            db.session.commit()  # whoever has the lease by now, this message has left
            sent += error is None
            lanes.confirm(lease, LEASE_SECS)
            db.session.commit()
    finally:
        db.session.rollback()
        lanes.release(lease)
    return sent


def _take(recipient_id: int, config: Config, now: datetime) -> tuple[To, Parcel] | None:
    row = db.session.get_one(AlertRecipient, recipient_id, populate_existing=True)
    parcel = deliveries.take(row, config.zone, now=now)
    to = _to(row, config) if parcel is not None else None
    db.session.commit()
    return (to, parcel) if to is not None and parcel is not None else None


def _to(row: AlertRecipient, config: Config) -> To:
    try:
        secret = vault.unseal(row.secret, config.secret_key)
    except vault.SealBroken:
        secret = ""
    browsers = recipients.browsers_of(row.operator_id) if row.operator_id is not None else ()
    return To(
        row.id,
        row.channel,
        row.address,
        row.language,
        secret,
        tuple((one.id, Subscription(one.endpoint, one.p256dh, one.auth)) for one in browsers),
    )


def _settle(to: To, parcel: Parcel, error: SendError | None, now: datetime) -> None:
    if error is not None:
        log.warning("alert_not_told", recipient_id=to.id, channel=to.channel, code=error.code)
    is_given_up = deliveries.settle(parcel, error, now=now)
    if error is None:
        deliveries.tell_of_success(to.id, now=now)
    if error is not None and is_given_up:
        if error.code == GONE and to.channel == recipients.WEBHOOK:
            # The specification: an endpoint that says so is not asked again.
            recipients.switch(db.session.get_one(AlertRecipient, to.id), is_active=False)
        if error.code != "not_configured":  # check-setup and the page say that
            deliveries.tell_of_failure(to.id, error, now=now)


def forget_old(now: datetime) -> None:
    """Forget what people were told long ago. Commits."""
    deliveries.forget_before(now - KEPT_FOR)
    db.session.commit()


# --- the words ----------------------------------------------------------------------------------------------


def words_of(parcel: Parcel, language: str, config: Config) -> Words:
    """Say what a message tells, in the language of its reader."""
    news = [_shown(one, language, config) for one in parcel.news]
    newest = parcel.news[-1]
    path = newest.path if len(news) == 1 else "/"
    base = config.public_base_url
    return Words(
        headline=texts.letter_text("alert_subject", language, news=news),
        text=texts.letter_text(
            "alert_letter",
            language,
            news=news,
            home=f"{base}/" if base else "",
            settings=f"{base}/alerts" if base else "",
        )
        + "\n",
        short=texts.letter_text("alert_short", language, news=news, link=f"{base}{path}" if base else ""),
        path=path,
        kind=f"alert.{newest.kind}" if len(news) == 1 else "alert.digest",
        at=newest.at,
        data={"count": len(news), "alerts": [_as_data(one, language, config) for one in parcel.news]},
        is_urgent=any(kinds.is_urgent(one.kind) for one in parcel.news),
    )


def test_words(language: str, now: datetime) -> Words:
    """Say what a test says."""
    words = texts.letter_text("alert_test", language)
    return Words(words, words + "\n", words, "/", "alert.test", now, {"count": 0, "alerts": []})


def _headline(kind: str, language: str) -> str:
    return texts.letter_text("alert_headline", language, kind=kind)


def _shown(one: News, language: str, config: Config) -> dict[str, object]:
    at = format_datetime(
        one.at.astimezone(config.zone), "short", locale=texts.DAY_LOCALES[texts.text_language(language)]
    )
    base = config.public_base_url
    link = f"{base}{one.path}" if base else ""
    return {"headline": _headline(one.kind, language), "times": one.times, "at": at, "link": link}


def _as_data(one: News, language: str, config: Config) -> dict[str, object]:
    return {
        "id": one.alert_id,
        "kind": one.kind,
        "headline": _headline(one.kind, language),
        "url": f"{config.own_url}{one.path}",
        "times": one.times,
        "at": one.at.isoformat(),
    }


# --- the channels -------------------------------------------------------------------------------------------


def send_test(row: AlertRecipient, config: Config, *, now: datetime) -> SendError | None:
    """Really send a test to one recipient, now; None when it was taken. Holds no session. Commits."""
    to = _to(row, config)
    db.session.rollback()
    error = _deliver(to, test_words(to.language, now), f"{TEST}_{to.id}", config, now)
    db.session.commit()
    return error


def _deliver(to: To, words: Words, name: str, config: Config, now: datetime) -> SendError | None:
    """Send one message by the recipient's channel; `name` makes its id, which a second attempt keeps."""
    message_id = f"alert_{name}_{int(words.at.timestamp())}"
    match to.channel:
        case recipients.EMAIL:
            return _mail(to, words, message_id, config, now)
        case recipients.SMS:
            return sms.send(
                to.address,
                words.short[:SHORT_MAX_CHARS],
                sender=config.twilio_sms_from,
                account_sid=config.twilio_account_sid,
                auth_token=config.twilio_auth_token,
                base_url=config.twilio_api_base_url,
                now=now,
                timeout_secs=TIMEOUT_SECS,
                status_url=_status_url(name, config),
            )
        case recipients.WEBHOOK:
            return _post(to, words, message_id, config, now)
        case recipients.PUSH:
            return _push(to, words, message_id, config, now)
    return SendError("no_channel", "final", "This channel sends by itself.")


def _status_url(name: str, config: Config) -> str:
    """Give where Twilio tells what became of a text message; a test has nothing to be told of."""
    is_followed = config.public_base_url and name.isdigit()
    return f"{config.public_base_url}{SMS_STATUS_PATH}?batch={name}" if is_followed else ""


def _mail(to: To, words: Words, message_id: str, config: Config, now: datetime) -> SendError | None:
    letter = Letter(
        sender=config.mail_sender,
        to=to.address,
        subject=f"[Balcão] {words.headline}",
        text=words.text,
        message_id=f"{message_id}_{to.id}@{config.mail_sender.rpartition('@')[2] or 'balcao'}",
        at=now,
        language=to.language,
    )
    return smtp.send(config.smtp_url, letter, timeout_secs=TIMEOUT_SECS)


def _post(to: To, words: Words, message_id: str, config: Config, now: datetime) -> SendError | None:
    if not to.secret:
        return SendError("no_secret", "final", "Its secret cannot be opened: SECRET_KEY was changed.")
    return signed_webhook.send(
        to.address,
        to.secret,
        message_id=message_id,
        kind=words.kind,
        happened_at=words.at,
        data=words.data,
        now=now,
        timeout_secs=TIMEOUT_SECS,
        allow_private=config.allow_private_addresses,
    )


def _push(to: To, words: Words, message_id: str, config: Config, now: datetime) -> SendError | None:
    """Send to every browser of the operator's; one that took it is enough."""
    told, gone, errors = [], [], []
    content = {"title": "Balcão", "body": words.headline, "url": words.path, "tag": message_id}
    for browser_id, subscription in to.browsers:
        error = web_push.send(
            subscription,
            json.dumps(content).encode(),
            secret_key=config.secret_key,
            contact=_contact(config),
            urgency="high" if words.is_urgent else "normal",
            now=now,
            timeout_secs=PUSH_TIMEOUT_SECS,
            allow_private=config.allow_private_addresses,
        )
        if error is None:
            told.append(browser_id)
        elif error.code == GONE:
            gone.append(browser_id)
        else:
            errors.append(error)
    recipients.note_shown(told, now=now)
    recipients.forget(gone)
    if told:
        return None
    if errors:
        return next((error for error in errors if error.outcome == "retry"), errors[0])
    return SendError(GONE, "final", "No browser of this operator shows alerts any more.")


def _contact(config: Config) -> str:
    if config.admin_email:
        return f"mailto:{config.admin_email}"
    return config.public_base_url if config.public_base_url.startswith("https://") else NOBODY
