"""The simulated provider: signed webhooks in both shapes, sends that obey the real limits, no network."""

import hashlib
import socket
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from message_content import Choice, LinkButton, Menu, Reaction, Text
from providers import provider, simulated_media, simulator
from providers.base import (
    Account,
    Echo,
    InboundMedia,
    InboundMessage,
    OrderItem,
    Person,
    ProviderError,
    Receipt,
    SendError,
    Sent,
    SignedRequest,
)
from providers.simulator import SimulatedEvent

NOW = datetime(2026, 11, 21, 10, 0, 0, 500, tzinfo=UTC)
BASE = "https://balcao.example.com"
META = Account(1, "simulator", "106540352242922", "102290129340398", app_secret="s", shape="meta")
TWILIO = Account(2, "simulator", "+14155238886", "AC" + "0" * 32, app_secret="s", shape="twilio")
ANA = Person("5511987654321", "BR.9f2c61d0a4b84e7", name="Ana Souza")
HIDDEN = Person(bsuid="BR.9f2c61d0a4b84e7", name="Ana Souza")
BOTH = pytest.mark.parametrize("account", [META, TWILIO], ids=["meta", "twilio"])


def id_of(account: Account) -> str:
    """A message's id as this provider writes it."""
    return "wamid.OURS" if account is META else "SM" + "0a" * 16


def through_the_door(account: Account, event: SimulatedEvent) -> Any:
    """Give the element and the event that the real provider reads from the simulated webhook."""
    made = simulator.webhook(account, event, public_base_url=BASE, now=NOW)
    request = SignedRequest("POST", BASE + made.path, made.headers, made.body)
    for reader in (provider(account.shape), provider("simulator")):
        assert reader.verify(request, "s")
        assert not reader.verify(request, "other")
    (element,) = provider(account.shape).split(request)
    assert provider("simulator").split(request) == [element]
    parsed = provider(account.shape).parse(element.payload)
    assert provider("simulator").parse(element.payload) == parsed
    assert element.number_id == account.number_id
    assert made.external_id == (parsed.message if isinstance(parsed, Echo) else parsed).external_id
    return element, parsed


@BOTH
@pytest.mark.parametrize("person", [ANA, HIDDEN], ids=["with phone", "without phone"])
def test_a_text_is_read_as_it_was_written(account, person):
    element, message = through_the_door(
        account, SimulatedEvent("text", person, text='Olá / "aspas" & @ 😀\n2ª linha', quotes="wamid.OURS")
    )
    assert isinstance(message, InboundMessage)
    assert (element.kind, element.person) == ("message", ANA.bsuid)
    assert (message.text, message.kind) == ('Olá / "aspas" & @ 😀\n2ª linha', "text")
    assert (message.sender.wa_id, message.sender.bsuid) == (person.wa_id, person.bsuid)
    assert (message.sender.name, message.quotes) == ("Ana Souza", "wamid.OURS")


@BOTH
@pytest.mark.parametrize("choice_kind", ["button", "list"])
def test_a_pressed_choice_brings_its_id(account, choice_kind):
    event = SimulatedEvent(
        "choice", ANA, choice_id="menu:1", choice_title="Produtos", choice_kind=choice_kind
    )
    _, message = through_the_door(account, event)
    assert (message.choice_id, message.text) == ("menu:1", "Produtos")
    assert message.extra["choice_kind"] == choice_kind


@BOTH
def test_an_ad_is_told_once_with_the_message(account):
    referral = {"source_id": "7", "source_type": "ad", "headline": "Violão", "ctwa_clid": "Aff"}
    _, message = through_the_door(account, SimulatedEvent("text", ANA, text="oi", referral=referral))
    assert message.referral == referral


@BOTH
def test_a_reaction_a_file_and_a_place_are_read(account):
    _, reaction = through_the_door(account, SimulatedEvent("reaction", ANA, target="wamid.OURS", emoji="👍"))
    assert (reaction.kind, reaction.target, reaction.emoji) == ("reaction", "wamid.OURS", "👍")
    file = InboundMedia("image", "77", mime_type="image/jpeg")
    _, message = through_the_door(account, SimulatedEvent("media", ANA, text="esta", media=file))
    assert (message.kind, message.text, message.media.mime_type) == ("image", "esta", "image/jpeg")
    event = SimulatedEvent("location", ANA, text="MASP", latitude=-23.5, longitude=-46.6)
    _, message = through_the_door(account, event)
    assert (message.kind, message.text) == ("location", "MASP")


def test_a_catalogue_order_keeps_quantities_and_prices():
    items = (OrderItem("violao", 2, 9790, "BRL"), OrderItem("palheta", 1, 1500, "JPY"))
    _, message = through_the_door(META, SimulatedEvent("order", ANA, text="hoje?", order_items=items))
    assert (message.kind, message.order_items, message.text) == ("order", items, "hoje?")


@BOTH
@pytest.mark.parametrize("status", ["sent", "delivered", "read"])
def test_a_receipt_brings_the_reference_back(account, status):
    event = SimulatedEvent("status", ANA, external_id=id_of(account), status=status, reference="8817 é")
    element, receipt = through_the_door(account, event)
    assert isinstance(receipt, Receipt)
    assert element.kind == "status"
    assert (receipt.external_id, receipt.status, receipt.reference) == (id_of(account), status, "8817 é")
    assert receipt.recipient is not None
    assert receipt.recipient.wa_id == ANA.wa_id


@BOTH
def test_a_failed_delivery_has_its_code(account):
    code = 131047 if account is META else 63016
    event = SimulatedEvent("status", ANA, external_id=id_of(account), status="failed", error_code=code)
    _, receipt = through_the_door(account, event)
    assert (receipt.status, receipt.errors[0].code) == ("failed", code)
    assert provider("simulator").explain(receipt.errors[0]).is_window_closed


def test_the_owners_own_words_come_as_an_echo_at_meta_only():
    element, echo = through_the_door(META, SimulatedEvent("echo", ANA, text="Oi, é a Carla"))
    assert isinstance(echo, Echo)
    assert (element.kind, element.person) == ("echo", ANA.bsuid)
    assert (echo.message.text, echo.recipient.wa_id) == ("Oi, é a Carla", ANA.wa_id)
    with pytest.raises(ValueError, match="no echoes"):
        simulator.webhook(TWILIO, SimulatedEvent("echo", ANA), public_base_url=BASE, now=NOW)


@BOTH
def test_the_same_event_has_the_same_bytes_and_another_moment_another_id(account):
    event = SimulatedEvent("text", ANA, text="oi")
    first = simulator.webhook(account, event, public_base_url=BASE, now=NOW)
    assert simulator.webhook(account, event, public_base_url=BASE, now=NOW) == first
    later = through_the_door(account, replace(event, at=NOW.replace(second=1)))[1]
    assert later.external_id != through_the_door(account, event)[1].external_id
    mine = replace(event, external_id=id_of(account))
    assert through_the_door(account, mine)[1].external_id == id_of(account)


def test_time_is_the_events_own():
    earlier = datetime(2026, 11, 19, 8, tzinfo=UTC)
    element, message = through_the_door(META, SimulatedEvent("text", ANA, text="oi", at=earlier))
    assert element.provider_at == message.sent_at == earlier


# --- sending ------------------------------------------------------------------------------------------------


@BOTH
def test_a_send_reaches_nobody_and_repeats_its_id(account, monkeypatch):
    monkeypatch.setattr(socket.socket, "connect", None)
    send = provider("simulator").send
    first = send(account, ANA, Text("oi"), reference="8817")
    assert isinstance(first, Sent)
    assert first.external_id.startswith("wamid.SIM" if account is META else "SM")
    assert send(account, ANA, Text("outra"), reference="8817") == first
    assert send(account, ANA, Text("oi"), reference="8818") != first


@BOTH
def test_what_the_real_provider_refuses_is_refused(account):
    send = provider("simulator").send
    refused: Any = send(account, Person(name="Ana"), Text("oi"), reference="1")
    assert isinstance(refused, SendError)
    assert refused.code == "no_address"
    assert isinstance(send(META, ANA, Text("palavra " * 1000), reference="1"), SendError)
    assert isinstance(send(TWILIO, ANA, Reaction("SM1", "👍"), reference="1"), SendError)


def test_fitting_follows_the_shape():
    menu = Menu("Escolha:", (Choice("1", "Um"), Choice("2", "Dois")))
    assert provider("simulator", "meta").fit(menu) == (menu,)
    assert provider("simulator", "twilio").fit(menu) == (Text("Escolha:\n\n1. Um\n2. Dois"),)
    assert provider("simulator", "twilio").limits.text == 1600
    assert provider("simulator", "meta").limits.text == 4096


def test_without_a_shape_every_piece_suits_both():
    rows = tuple(Choice(str(n), f"Programa número {n}", str(n), "descrição " * 7) for n in range(10))
    for content in (
        Text("palavra " * 900),
        Menu("corpo " * 200, rows),
        LinkButton("Pague", "Pagar", "https://l/p"),
    ):
        for piece in provider("simulator").fit(content):
            for account in (META, TWILIO):
                assert isinstance(provider("simulator").send(account, ANA, piece, reference="1"), Sent)


def test_the_rest_of_the_contract_answers_without_a_network():
    simulated: Any = provider("simulator")
    assert simulated.mark_read(META, "wamid.X", typing=True)
    assert simulated.health(META).is_ok
    assert simulated.fetch_media(META, InboundMedia("sticker", "1"), max_bytes=1).code == "simulated"
    assert simulated.explain(ProviderError(131050)).stops_marketing
    assert simulated.explain(ProviderError(21610)).is_opt_out


@pytest.mark.parametrize(
    ("kind", "mime_type", "begins"),
    [
        ("image", "image/jpeg", b"\xff\xd8\xff"),
        ("audio", "audio/wav", b"RIFF"),
        ("document", "application/pdf", b"%PDF-"),
    ],
)
@BOTH
def test_a_simulated_file_comes_through_the_door_with_real_bytes(
    account: Account, kind: str, mime_type: str, begins: bytes
) -> None:
    event = SimulatedEvent(
        "media", ANA, external_id=id_of(account), media=simulated_media.file_of(kind, "42")
    )
    _element, heard = through_the_door(account, event)
    assert heard.kind == kind
    simulated: Any = provider("simulator")
    file = simulated.fetch_media(account, heard.media, max_bytes=1_000_000)
    assert (file.mime_type, file.content[: len(begins)]) == (mime_type, begins)
    assert file.sha256_hex == hashlib.sha256(file.content).hexdigest()
    assert simulated.fetch_media(account, heard.media, max_bytes=10).code == "too_large"
