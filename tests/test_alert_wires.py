"""The wires that alerts travel by, against real servers on loopback: SMTP, signed webhooks, Web Push, SMS."""

import json
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from ipaddress import ip_address
from pathlib import Path
from threading import Thread

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from standardwebhooks import Webhook, WebhookVerificationError

import vault
from providers import transport
from providers.transport import Answer, Failure
from tests.fakes import server
from tests.fakes.push import FakePush
from tests.fakes.server import HttpServer, Request
from tests.fakes.smtp import FakeSmtp
from tests.fakes.twilio import FakeTwilio
from tests.fakes.webhooks import ACCOUNT_SID, AUTH_TOKEN
from wires import guarded_fetch, signed_webhook, sms, smtp, web_push
from wires.smtp import Calendar, Letter
from wires.web_push import Subscription

NOW = datetime(2026, 11, 21, 15, 0, tzinfo=UTC)
WAIT_SECS = 30.0
SECRET_KEY = "a-secret-key-of-the-tests"

pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")


def letter(**more) -> Letter:
    given = {
        "sender": "desk@example.com",
        "to": "ana@example.com",
        "subject": "Uma reclamação chegou",
        "text": "Olá,\n\né só um teste: 👋\n",
        "message_id": "alert-1@balcao",
        "at": NOW,
        "language": "pt",
    }
    return Letter(**{**given, **more})


# --- e-mail -------------------------------------------------------------------------------------------------


def test_a_letter_arrives_with_its_words_whole():
    with FakeSmtp() as mail:
        assert smtp.send(mail.url, letter(), timeout_secs=WAIT_SECS) is None
        (taken,) = mail.wait_for(1)
    assert (taken.sender, taken.recipients) == ("desk@example.com", ("ana@example.com",))
    assert taken.message["Subject"] == "Uma reclamação chegou"
    assert taken.text == "Olá,\n\né só um teste: 👋\n"
    assert taken.message["Message-ID"] == "<alert-1@balcao>"
    assert taken.message["Auto-Submitted"] == "auto-generated"


def test_an_invitation_travels_as_a_part_that_calendars_act_on_and_as_a_file():
    text = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nEND:VCALENDAR\r\n"
    with FakeSmtp() as mail:
        sent = smtp.send(mail.url, letter(calendar=Calendar(text, "REQUEST")), timeout_secs=WAIT_SECS)
        assert sent is None
        (taken,) = mail.wait_for(1)
    calendars = [part for part in taken.message.walk() if part.get_content_type() == "text/calendar"]
    assert [part.get_param("method") for part in calendars] == ["REQUEST", "REQUEST"]
    assert [part.get_filename() for part in calendars] == [None, "invite.ics"]
    assert all(isinstance(part, EmailMessage) for part in calendars)
    assert "BEGIN:VCALENDAR" in calendars[0].get_content()


def test_a_login_that_the_server_takes_and_one_that_it_refuses():
    with FakeSmtp(password="hunter2") as mail:
        assert smtp.check(mail.url, timeout_secs=WAIT_SECS) is None
        assert smtp.send(mail.url, letter(), timeout_secs=WAIT_SECS) is None
        refused = smtp.check(mail.url.replace("hunter2", "wrong"), timeout_secs=WAIT_SECS)
    assert (refused.code, refused.is_credential_problem) == ("credentials", True)
    assert "wrong" not in refused.operator_message


@pytest.mark.parametrize(
    ("settings", "code", "outcome"),
    [
        (
            {"refusals": {"ana@example.com": "550 no such person ana@example.com"}},
            "recipient_refused",
            "final",
        ),
        ({"refusals": {"ana@example.com": "451 try again"}}, "recipient_refused", "retry"),
        ({"data_answer": "554 that is spam"}, "refused", "final"),
        ({"data_answer": "452 no room"}, "refused", "retry"),
    ],
)
def test_a_refusal_says_whether_to_try_again_and_names_nobody(settings, code, outcome):
    with FakeSmtp(**settings) as mail:
        error = smtp.send(mail.url, letter(), timeout_secs=WAIT_SECS)
        assert mail.taken == []
    assert (error.code, error.outcome) == (code, outcome)
    assert "ana" not in error.operator_message


def test_a_server_that_is_away_is_tried_again():
    error = smtp.send(f"smtp://127.0.0.1:{closed_port()}", letter(), timeout_secs=WAIT_SECS)
    assert (error.code, error.outcome) == ("not_connected", "retry")


def test_a_password_does_not_leave_in_the_open(monkeypatch):
    monkeypatch.setattr(smtp, "LOOPBACK", ())
    with FakeSmtp(password="hunter2") as mail:
        error = smtp.send(mail.url, letter(), timeout_secs=WAIT_SECS)
    assert error.code == "no_tls"


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """Make a certificate of 127.0.0.1 that nobody knows, with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    address = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    today = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - timedelta(days=1))
        .not_valid_after(today + timedelta(days=1))
        .add_extension(address, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, SHA256())
    )
    path = tmp_path / "certificate.pem"
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(made.public_bytes(Encoding.PEM) + secret)
    return path


def test_a_password_leaves_after_starttls_to_a_server_that_is_known_alone(certificate, monkeypatch):
    monkeypatch.setattr(smtp, "LOOPBACK", ())
    theirs = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    theirs.load_cert_chain(certificate)
    known = ssl.create_default_context(cafile=str(certificate))
    with FakeSmtp(password="hunter2", tls=theirs) as mail:
        unknown = smtp.send(mail.url, letter(), timeout_secs=WAIT_SECS)
        assert (unknown.code, unknown.outcome, mail.taken) == ("bad_certificate", "retry", [])
        monkeypatch.setattr(ssl, "create_default_context", lambda: known)
        assert smtp.send(mail.url, letter(), timeout_secs=WAIT_SECS) is None
        assert len(mail.wait_for(1)) == 1


@pytest.mark.parametrize("to", ["ana@example.com\nBcc: bob@example.com", "", "no address", "a@b@c"])
def test_an_address_that_is_none_reaches_no_server(to):
    with FakeSmtp() as mail:
        error = smtp.send(mail.url, letter(to=to), timeout_secs=WAIT_SECS)
        assert mail.taken == []
    assert error.outcome == "final"


def test_without_a_server_nothing_is_sent():
    assert smtp.send("", letter(), timeout_secs=1).code == "not_configured"
    assert smtp.send("smtp://127.0.0.1:1", letter(sender=""), timeout_secs=1).code == "not_configured"


# --- addresses that lead inside -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0",
        "224.0.0.1", "255.255.255.255", "::1", "fe80::1", "fc00::1", "ff02::1", "::ffff:127.0.0.1",
        "64:ff9b::7f00:1", "2002:7f00:1::", "2001:0:4136:e378:8000:63bf:80ff:fffe", "::",
        "::127.0.0.1", "fec0::1", "64:ff9b:1::808:808", "192.0.0.8", "192.88.99.1", "::ffff:0:808:808",
        "5f00::1", "3fff::1", "2001:db8::1",
    ],
)  # fmt: skip
def test_no_private_address_is_public(address: str):
    assert not guarded_fetch.is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "64:ff9b::808:808"])
def test_addresses_of_the_open_internet_are_public(address: str):
    assert guarded_fetch.is_public(address)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("https://127.0.0.1/hook", "private_address"),
        ("https://[::1]/hook", "private_address"),
        ("https://2130706433/hook", "private_address"),
        ("https://0x7f.1/hook", "private_address"),
        ("https://localhost/hook", "private_address"),
        ("http://example.com/hook", "not_https"),
        ("ftp://example.com/hook", "malformed"),
        ("https://user:pass@example.com/", "malformed"),
        ("https:///hook", "malformed"),
        ("no address", "malformed"),
        ("https://example.com/" + "x" * 2000, "malformed"),
    ],
)
def test_an_address_that_leads_inside_or_nowhere_is_not_asked(url: str, reason: str):
    assert guarded_fetch.post(url, b"", {}, timeout_secs=WAIT_SECS) == Failure("impossible", reason)


def test_the_address_that_was_judged_is_the_one_that_is_connected_to(monkeypatch):
    """A name that turns private between two questions gains nothing: there is only one question."""
    asked = []

    def rebinding(host, port, **more):
        asked.append(host)
        address = "203.0.113.7" if len(asked) == 1 else "127.0.0.1"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    connected = []

    class Refusing(socket.socket):
        def connect(self, address):
            connected.append(address)
            raise ConnectionRefusedError

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    monkeypatch.setattr(guarded_fetch, "is_public", lambda address: address == "203.0.113.7")
    monkeypatch.setattr(socket, "socket", Refusing)
    answer = guarded_fetch.post("https://rebind.example.com/x", b"", {}, timeout_secs=WAIT_SECS)
    assert isinstance(answer, Failure)
    assert (answer.kind, asked, connected) == ("not_sent", ["rebind.example.com"], [("203.0.113.7", 443)])


def test_a_redirect_is_not_followed():
    seen = []

    def handle(request: Request) -> server.Answer:
        seen.append(request.path)
        return server.Answer(302, headers={"Location": "/inside"})

    with HttpServer(handle) as there:
        answer = guarded_fetch.post(f"{there.url}/a", b"x", {}, timeout_secs=WAIT_SECS, allow_private=True)
    assert isinstance(answer, Answer)
    assert (answer.status, seen) == (302, ["/a"])


@contextmanager
def dripping(beginning: bytes) -> Iterator[str]:
    """A server that begins an answer and then sends a byte now and then, for as long as it is listened to."""
    with socket.create_server(("127.0.0.1", 0)) as there:

        def drip() -> None:
            line, _address = there.accept()
            with line, suppress(OSError):
                line.recv(65536)
                line.sendall(beginning)
                for _ in range(100):
                    line.sendall(b"1")
                    time.sleep(0.1)

        thread = Thread(target=drip)
        thread.start()
        yield f"http://127.0.0.1:{there.getsockname()[1]}/"
        thread.join()


def dripped_foreign(url: str) -> object:
    return guarded_fetch.post(url, b"", {}, timeout_secs=0.5, allow_private=True)


def dripped_provider(url: str) -> object:
    return transport.exchange("GET", url, transport.NoCredentials(), timeout_secs=0.5)


def test_an_endless_answer_is_cut():
    with HttpServer(lambda _request: server.Answer(200, b"x" * 300_000)) as there:
        answer = guarded_fetch.post(there.url, b"", {}, timeout_secs=WAIT_SECS, allow_private=True)
    assert (len(answer.content), answer.is_cut) == (guarded_fetch.MAX_ANSWER_BYTES, True)


@pytest.mark.parametrize(
    "beginning", [b"HTTP/1.1 200 OK\r\nX-Slow: ", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"]
)
@pytest.mark.parametrize("ask", [dripped_foreign, dripped_provider])
def test_who_drips_holds_nobody_longer_than_the_time(beginning: bytes, ask: Callable[[str], object]):
    with dripping(beginning) as url:
        began = time.monotonic()
        answer = ask(url)
    assert isinstance(answer, Failure)
    assert answer.kind == "cut"
    assert time.monotonic() - began < 5


# --- webhooks -----------------------------------------------------------------------------------------------


def posted(url: str, secret: str, **more):
    given = {
        "message_id": "alert_7",
        "kind": "alert.waiting",
        "happened_at": NOW,
        "data": {"count": 1, "headline": "Olá"},
        "now": datetime.now(UTC),
        "timeout_secs": WAIT_SECS,
        "allow_private": True,
    }
    return signed_webhook.send(url, secret, **{**given, **more})


def test_a_receiver_can_verify_a_webhook_with_the_published_library():
    got: list[Request] = []
    secret = signed_webhook.new_secret()

    def handle(request: Request) -> server.Answer:
        got.append(request)
        return server.Answer(204)

    with HttpServer(handle) as there:
        assert posted(f"{there.url}/hook?a=1", secret) is None
    event = Webhook(secret).verify(got[0].body, got[0].headers)
    assert event == {
        "type": "alert.waiting",
        "timestamp": "2026-11-21T15:00:00+00:00",
        "data": {"count": 1, "headline": "Olá"},
    }
    assert got[0].target == "/hook?a=1"
    with pytest.raises(WebhookVerificationError):
        Webhook(signed_webhook.new_secret()).verify(got[0].body, got[0].headers)


@pytest.mark.parametrize(
    ("answer", "code", "outcome", "wait"),
    [
        (server.Answer(410), "gone", "final", None),
        (server.Answer(500), "refused", "retry", None),
        (server.Answer(404), "refused", "retry", None),
        (server.Answer(429, headers={"Retry-After": "90"}), "refused", "retry", 90.0),
        (server.Answer(cut=True), "cut", "retry", None),
    ],
)
def test_what_a_receiver_answers_says_whether_to_try_again(answer, code, outcome, wait):
    with HttpServer(lambda _request: answer) as there:
        error = posted(there.url, signed_webhook.new_secret())
    assert (error.code, error.outcome, error.retry_after_secs) == (code, outcome, wait)


def test_a_webhook_never_goes_inside():
    with HttpServer(lambda _request: server.Answer(200)) as there:
        error = posted(there.url, signed_webhook.new_secret(), allow_private=False)
        inside = posted(there.url.replace("http", "https"), signed_webhook.new_secret(), allow_private=False)
    assert (error.code, error.outcome) == ("bad_address", "final")
    assert (inside.code, inside.outcome) == ("private_address", "final")


# --- web push -----------------------------------------------------------------------------------------------


def pushed(push: FakePush, **more):
    given = {
        "secret_key": SECRET_KEY,
        "contact": "mailto:owner@example.com",
        "urgency": "high",
        "now": datetime.now(UTC),
        "timeout_secs": WAIT_SECS,
        "allow_private": True,
    }
    to = Subscription(push.endpoint, push.p256dh, push.auth)
    return web_push.send(to, json.dumps({"title": "Olá 👋"}).encode(), **{**given, **more})


def test_only_the_browser_can_read_a_push_and_its_service_knows_who_sends():
    with FakePush(bound_to=web_push.public_key(SECRET_KEY)) as push:
        assert pushed(push) is None
        assert pushed(push, secret_key="another-secret-key").code == "refused"
    (shown,) = push.shown
    assert shown.payload == {"title": "Olá 👋"}
    assert shown.claims["sub"] == "mailto:owner@example.com"
    assert (shown.headers["urgency"], int(shown.headers["ttl"])) == ("high", 12 * 3600)


def test_the_key_follows_from_the_secret_alone():
    assert web_push.public_key(SECRET_KEY) == web_push.public_key(SECRET_KEY)
    assert web_push.public_key(SECRET_KEY) != web_push.public_key(SECRET_KEY + "x")
    assert vault.derive(SECRET_KEY, "a", 16) != vault.derive(SECRET_KEY, "b", 16)


@pytest.mark.parametrize(
    ("status", "code", "outcome"),
    [(410, "gone", "final"), (404, "gone", "final"), (413, "refused", "final"), (503, "refused", "retry")],
)
def test_what_a_push_service_answers_says_whether_to_try_again(status, code, outcome):
    with FakePush(status=status) as push:
        error = pushed(push)
    assert (error.code, error.outcome) == (code, outcome)


@pytest.mark.parametrize("field", ["p256dh", "auth"])
@pytest.mark.parametrize("value", ["", "!", "AAAA", "é" * 20, "A" * 87])
def test_keys_that_are_none_are_refused_and_nothing_breaks(field: str, value: str):
    with FakePush() as push:
        keys = {"p256dh": push.p256dh, "auth": push.auth, field: value}
        with pytest.raises(web_push.BadSubscription):
            Subscription(push.endpoint, **keys).check()


@pytest.mark.parametrize("endpoint", ["", "x", "https://", "https://a b/", "http://[::1"])
def test_an_endpoint_that_is_none_is_an_error_and_no_crash(endpoint: str):
    with FakePush() as push:
        to = Subscription(endpoint, push.p256dh, push.auth)
        error = web_push.send(
            to,
            b"{}",
            secret_key=SECRET_KEY,
            contact="mailto:a@example.com",
            urgency="normal",
            now=NOW,
            timeout_secs=1.0,
        )
    assert error.outcome == "final"


# --- text messages ------------------------------------------------------------------------------------------


def texted(twilio: FakeTwilio, **more):
    given = {
        "sender": "+14155550100",
        "account_sid": ACCOUNT_SID,
        "auth_token": AUTH_TOKEN,
        "base_url": twilio.url,
        "now": NOW,
        "timeout_secs": WAIT_SECS,
    }
    return sms.send("+5511987654321", "Balcão: alguém espera", **{**given, **more})


def test_a_text_message_leaves_through_twilio():
    with FakeTwilio(text_numbers=["+14155550100"]) as twilio:
        assert texted(twilio) is None
        assert texted(twilio, auth_token="wrong").is_credential_problem
        assert texted(twilio, sender="+14155550199").outcome == "final"
        assert texted(twilio, sender="").code == "not_configured"
        (sent,) = twilio.sent
    assert (sent.sender, sent.to, sent.body) == ("+14155550100", "+5511987654321", "Balcão: alguém espera")


def test_a_text_message_whose_line_was_cut_is_uncertain():
    with FakeTwilio(text_numbers=["+14155550100"]) as twilio:
        twilio.fault("cut_after")
        assert texted(twilio).outcome == "uncertain"


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
