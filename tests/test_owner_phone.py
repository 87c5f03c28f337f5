"""The owner's own phone: news reach it through the shop's number, its buttons work, and nobody else's do."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select

import alerts
import integrations
import privacy
import unasked
from alerts import recipients
from alerts.kinds import ABOUT_ORDERS
from config import Config
from message_content import Text
from models import (
    Alert,
    Contact,
    Conversation,
    Integration,
    Message,
    MessageTemplate,
    Order,
    OwnerNotice,
    Payment,
    Product,
    Sale,
    StateChange,
    db,
)
from owner import notices, phones, replies
from providers.templates import Wording, to_json
from shop import orders, payments
from tests.fakes.graph import FakeGraph, SentMessage
from tests.fakes.webhooks import CUSTOMER
from tests.real_door import META, WalkedDesk, texts_of, walked_desk
from tests.records import make_product

OWNER = "5521998877665"
# The same phone as Brazil's older accounts have it: without the ninth digit.
OWNER_OF_OLD = "552198877665"
STRANGER = "5531977776666"
SHOP = {
    **META,
    "OWNER_PHONE": f"+{OWNER}",
    "START_FLOW": "shop",
    "PIX_KEY": "loja@example.com",
    "PIX_NAME": "Loja da Ana",
    "PIX_CITY": "Recife",
    "PUBLIC_BASE_URL": "https://desk.example.com",
}
GOODS = "Entre em aulas.example com o código VIOLAO."
WALKS = {
    "pt": ("quanto custa o curso de violão?", "comprar", "1", "fechar pedido", "sim", "já paguei"),
    "es": ("cuánto cuesta el curso de guitarra?", "comprar", "1", "finalizar pedido", "sí", "ya pagué"),
    "en": ("how much is the guitar course?", "buy", "1", "checkout", "yes", "I've paid"),
}
TITLES = {
    "pt": ["Marcar como pago", "Assumir conversa", "Depois"],
    "es": ["Marcar pagado", "Tomar conversación", "Más tarde"],
    "en": ["Mark paid", "Take over", "Later"],
}
WORDS = {
    "pt": ("diz que pagou", "marcado como pago", "Pagamento", "já estava marcado"),
    "es": ("dice que pagó", "marcado como pagado", "pago", "ya estaba marcado"),
    "en": ("says that order", "is marked paid", "payment", "was marked paid before"),
}


@pytest.fixture
def open_desk(load_config: Callable[..., Config]) -> Iterator[Callable[..., WalkedDesk]]:
    """Give a function that opens a shop with these settings."""
    with FakeGraph() as graph:
        opened = []

        def opens(**environ: str) -> WalkedDesk:
            config = load_config(GRAPH_API_BASE_URL=graph.url, **{**SHOP, **environ})
            opened.append(walked_desk(config, graph))
            desk = opened[-1].__enter__()
            with desk.app.app_context():
                make_product(
                    name="Curso de Violão",
                    names={"en": "Guitar Course", "es": "Curso de Guitarra"},
                    delivery_kind="text",
                    delivery_text=GOODS,
                )
                db.session.commit()
            return desk

        yield opens
        for one in opened:
            one.__exit__(None, None, None)


@pytest.fixture
def desk(open_desk: Callable[..., WalkedDesk]) -> WalkedDesk:
    return open_desk()


def tell_owner(desk: WalkedDesk) -> list[SentMessage]:
    """Do what the sweeper does, and give what was sent because of it."""
    before = len(desk.graph.sent)
    with desk.app.app_context():
        unasked.tell_owners(desk.app.config["BALCAO"], desk.clock())
    desk.work()
    return desk.graph.sent[before:]


def claim_a_payment(desk: WalkedDesk) -> None:
    """Let a customer order and say that she has paid, without the talk."""
    desk.says("oi")
    with desk.app.app_context():
        config, now = desk.app.config["BALCAO"], desk.clock()
        thread = db.session.scalars(select(Conversation).order_by(Conversation.id.desc()).limit(1)).one()
        product = db.session.scalars(select(Product)).one()
        order = orders.place(orders.add_to_cart(thread.id, thread.contact_id, product, now=now), now=now)
        payments.start(order, "pix", config=config, now=now)
        assert payments.claim(order, now=now)
        db.session.commit()


def press(desk: WalkedDesk, choice_id: str, wa_id: str = OWNER) -> list[SentMessage]:
    return desk.hears(desk.meta.button_reply(choice_id, "x", wa_id))


def button(told: SentMessage, verb: str) -> str:
    return next(choice for choice in told.choices if choice.startswith(f"owner:{verb}:"))


def raise_alert(desk: WalkedDesk, kind: str, topic: str = "") -> None:
    """Raise an alert about the customer who wrote first."""
    with desk.app.app_context():
        of_customer = select(Conversation.id).order_by(Conversation.id).limit(1)
        conversation_id = db.session.scalar(of_customer)
        about = topic or f"{kind}:{conversation_id}"
        alerts.raise_alert(kind, about, "x", now=desk.clock(), conversation_id=conversation_id)
        db.session.commit()


# --- the whole life -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["pt", "es", "en"])
def test_a_one_person_shop_sells_by_pix_from_its_owners_phone(desk: WalkedDesk, language: str) -> None:
    desk.change(Integration, language=language)
    desk.says({"pt": "oi", "es": "hola", "en": "hello"}[language], OWNER)
    sent = [message for said in WALKS[language] for message in desk.says(said)]
    (code,) = [text for text in texts_of(sent) if text.startswith("000201")]
    assert "loja@example.com" in code

    (told,) = tell_owner(desk)
    assert told.person == OWNER
    assert WORDS[language][0] in told.text
    assert "97" in told.text
    assert list(told.choices.values()) == TITLES[language]

    sent = press(desk, button(told, "paid"))
    to_customer = texts_of([one for one in sent if one.person == CUSTOMER])
    to_owner = texts_of([one for one in sent if one.person == OWNER])
    assert any(GOODS in text for text in to_customer)
    assert len(to_owner) == 1
    assert WORDS[language][1] in to_owner[0]

    (order,), (payment,), (sale,) = desk.rows(Order), desk.rows(Payment), desk.rows(Sale)
    assert (order.status, payment.status, sale.amount_minor) == ("paid", "confirmed", 9700)
    changes = desk.rows(StateChange, StateChange.record.in_(("order", "payment")))
    assert {change.actor for change in changes if change.after in ("paid", "confirmed")} == {"owner"}
    assert tell_owner(desk) == []  # what she did herself is no news


def test_a_button_pressed_twice_is_done_once(desk: WalkedDesk) -> None:
    desk.says("oi", OWNER)
    claim_a_payment(desk)
    (told,) = tell_owner(desk)
    press(desk, button(told, "paid"))
    (again,) = press(desk, button(told, "paid"))
    assert WORDS["pt"][3] in again.text
    assert len(desk.rows(Sale)) == 1
    assert len(desk.messages(Message.body.contains(GOODS))) == 1


def test_nobody_else_can_press_the_owners_buttons(desk: WalkedDesk) -> None:
    desk.says("oi", OWNER)
    claim_a_payment(desk)
    (told,) = tell_owner(desk)
    for wa_id in (CUSTOMER, STRANGER):
        for verb in ("paid", "take", "later"):
            press(desk, button(told, verb), wa_id)
        pressed = desk.meta.template_button(button(told, "paid"), "Marcar como pago", wa_id)
        (answer,) = desk.hears(pressed)
        assert "não vale nesta conversa" in answer.text, "its title is no wish of hers"
        desk.says("pago 1", wa_id)
    (order,), (notice,) = desk.rows(Order), desk.rows(OwnerNotice)
    assert (order.status, order.payment_status) == ("placed", "claimed")
    assert (notice.state, notice.answer) == ("sent", "")
    assert {row.handler for row in desk.rows(Conversation)} == {"bot"}


@pytest.mark.parametrize("choice_id", ["owner:paid:999", "owner:paid:", "owner:burn:1", "owner:paid:1:2"])
def test_a_button_that_never_was_changes_nothing(desk: WalkedDesk, choice_id: str) -> None:
    desk.says("oi", OWNER)
    claim_a_payment(desk)
    press(desk, choice_id)
    assert desk.rows(Order)[0].payment_status == "claimed"


def test_the_owner_is_known_by_every_spelling_of_her_number(desk: WalkedDesk) -> None:
    desk.says("oi", OWNER_OF_OLD)
    claim_a_payment(desk)
    (told,) = tell_owner(desk)
    assert told.person == OWNER_OF_OLD
    press(desk, button(told, "paid"), OWNER_OF_OLD)
    assert desk.rows(Order)[0].status == "paid"


def test_the_owner_may_type_instead_of_pressing(desk: WalkedDesk) -> None:
    desk.says("oi", OWNER)
    claim_a_payment(desk)
    tell_owner(desk)
    (notice,) = desk.rows(OwnerNotice)
    desk.says(f"PAGO #{notice.id}", OWNER)
    assert desk.rows(Order)[0].status == "paid"


def test_other_words_of_the_owner_are_a_customers(desk: WalkedDesk) -> None:
    (menu,) = desk.says("oi", OWNER)
    assert "Boas-vindas" in menu.text
    (found,) = desk.says("quanto custa o curso de violão?", OWNER)
    assert "R$ 97,00" in found.text


# --- taking over, and later ---------------------------------------------------------------------------------


def test_a_conversation_is_taken_over_from_the_phone(desk: WalkedDesk) -> None:
    desk.says("oi")
    desk.says("oi", OWNER)
    desk.says("quero falar com um atendente")
    (told,) = tell_owner(desk)
    assert "quero falar com um atendente" in told.text
    (done,) = press(desk, button(told, "take"))
    conversation = desk.rows(Conversation)[0]
    assert f"https://desk.example.com/inbox/{conversation.id}" in done.text
    assert (conversation.handler, conversation.handler_reason) == ("human", "taken over on the owner's phone")
    assert desk.rows(Alert, Alert.kind == "waiting")[0].open_topic is None
    assert desk.says("oi, tem alguém?") == []


def test_later_reminds_once_and_not_when_it_is_settled(desk: WalkedDesk) -> None:
    desk.says("oi", OWNER)
    claim_a_payment(desk)
    (told,) = tell_owner(desk)
    (said,) = press(desk, button(told, "later"))
    due_at = desk.rows(OwnerNotice)[0].due_at
    assert due_at.astimezone(desk.app.config["BALCAO"].zone).strftime("%H:%M") in said.text
    press(desk, button(told, "later"))
    assert desk.rows(OwnerNotice)[0].due_at == due_at
    assert tell_owner(desk) == []
    desk.clock.advance(notices.REMIND_AFTER.total_seconds() + 1)
    (reminder,) = tell_owner(desk)
    assert reminder.text.startswith("⏰")
    assert tell_owner(desk) == []
    press(desk, button(reminder, "later"))
    with desk.app.app_context():
        alerts.settle(f"payment_claimed:{desk.rows(Order)[0].id}", now=desk.clock())
        db.session.commit()
    desk.clock.advance(notices.REMIND_AFTER.total_seconds() + 1)
    assert tell_owner(desk) == []
    assert desk.rows(OwnerNotice)[0].state == "dropped"


def test_a_cancelled_order_is_not_delivered(desk: WalkedDesk) -> None:
    desk.says("oi", OWNER)
    claim_a_payment(desk)
    (told,) = tell_owner(desk)
    desk.change(Order, status="cancelled")
    done, customer = sorted(press(desk, button(told, "paid")), key=lambda one: one.person != OWNER)
    assert "cancelado" in done.text
    assert "já tinha sido cancelado" in customer.text
    assert desk.messages(Message.body.contains(GOODS)) == []


# --- windows, templates, silence ----------------------------------------------------------------------------


def test_news_wait_for_the_window_and_follow_it(desk: WalkedDesk) -> None:
    claim_a_payment(desk)
    assert tell_owner(desk) == []
    assert [row.state for row in desk.rows(OwnerNotice)] == ["waiting"]
    desk.says("oi", OWNER)
    (told,) = tell_owner(desk)
    assert list(told.choices.values()) == TITLES["pt"]
    desk.clock.advance(timedelta(hours=25).total_seconds())
    raise_alert(desk, "complaint")
    assert tell_owner(desk) == []


def test_a_template_asks_her_to_write_once(open_desk: Callable[..., WalkedDesk]) -> None:
    desk = open_desk(OWNER_TEMPLATE="novidades_da_loja:pt_PT")
    desk.graph.add_template("novidades_da_loja", "pt_PT", "{{1}}")
    claim_a_payment(desk)
    (knock,) = tell_owner(desk)
    assert (knock.person, knock.type, knock.text) == (OWNER, "template", "novidades_da_loja")
    assert knock.payload["template"]["language"] == {"code": "pt_PT"}
    raise_alert(desk, "waiting")
    assert tell_owner(desk) == []  # she was asked a moment ago
    desk.says("oi", OWNER)
    assert len(tell_owner(desk)) == 2


@pytest.mark.parametrize(("status", "told"), [("approved", 1), ("paused", 0)])
def test_an_approved_template_of_the_desks_list_needs_no_setting(
    desk: WalkedDesk, status: str, told: int
) -> None:
    body = "A sua loja tem novidades: {{1}}"
    desk.graph.add_template("owner_news", "pt_BR", body)
    with desk.app.app_context():
        (number,) = integrations.numbers()
        row = MessageTemplate(
            integration_id=number.id, name="owner_news", language="pt_BR", category="utility", status=status,
            body=body, wording=to_json(Wording(body)), created_at=desk.clock(), updated_at=desk.clock(),
        )  # fmt: skip
        db.session.add(row)
        db.session.commit()
    claim_a_payment(desk)
    knocks = tell_owner(desk)
    assert [(one.person, one.text) for one in knocks] == [(OWNER, "owner_news")] * told
    assert tell_owner(desk) == []
    desk.says("oi", OWNER)
    assert len(tell_owner(desk)) == 1


HIDDEN = "BR.4162942176406083"


def write_hidden(desk: WalkedDesk, text: str, user_id: str = HIDDEN) -> list[SentMessage]:
    return desk.hears(desk.meta.text(text, None, user_id=user_id))


def todays_code(desk: WalkedDesk, days_ago: int = 0) -> str:
    with desk.app.app_context():
        (number,) = integrations.numbers()
        secret_key = desk.app.config["BALCAO"].secret_key
        return phones.code_of(number, secret_key, desk.clock() - timedelta(days=days_ago))


@pytest.mark.parametrize("known_before", [False, True])
def test_an_owner_whose_number_is_hidden_is_known_by_the_code_of_her_page(
    desk: WalkedDesk, known_before: bool
) -> None:
    if known_before:
        desk.says("oi", OWNER)
    write_hidden(desk, "oi")
    (answer,) = write_hidden(desk, f"dono {todays_code(desk).lower()}")
    assert "novidades da loja" in answer.text
    claim_a_payment(desk)
    (news,) = tell_owner(desk)
    paid = next(choice for choice in news.choices if ":paid:" in choice)
    pressed = desk.meta.button_reply(paid, "x", None, user_id=HIDDEN)
    assert any("marcado como pago" in one.text for one in desk.hears(pressed))
    assert [order.status for order in desk.rows(Order)] == ["paid"]


def test_a_wrong_or_an_old_code_makes_nobody_the_owner(desk: WalkedDesk) -> None:
    write_hidden(desk, "oi")
    for code in ("AAAA-2222", todays_code(desk, days_ago=2), "ſſſſ-2222"):
        write_hidden(desk, f"owner {code}")
    claim_a_payment(desk)
    assert tell_owner(desk) == []
    with desk.app.app_context():
        (number,) = integrations.numbers()
        contacts = db.session.scalars(select(Contact.id)).all()
        assert not any(phones.is_owner(number, one) for one in contacts)


def test_news_that_failed_are_told_again_once_she_writes(desk: WalkedDesk) -> None:
    desk.says("oi", OWNER)
    claim_a_payment(desk)
    tell_owner(desk)
    (notice,) = desk.rows(OwnerNotice)
    desk.change(Message, Message.id == notice.message_id, status="failed", status_at=desk.clock())
    assert tell_owner(desk) == []
    desk.clock.advance(1)
    desk.change(Conversation, last_inbound_at=desk.clock())
    assert len(tell_owner(desk)) == 1
    assert tell_owner(desk) == []


def test_through_twilio_the_news_say_what_to_type(desk: WalkedDesk) -> None:
    claim_a_payment(desk)
    tell_owner(desk)
    with desk.app.app_context():
        (number,) = integrations.numbers()
        through_twilio = replace(number, account=replace(number.account, provider="twilio"))
        row = db.session.scalars(select(OwnerNotice)).one()
        (told,) = notices.contents_of(row, through_twilio, "en", desk.app.config["BALCAO"])
        assert isinstance(told, Text)
        assert told.body.endswith(f"LATER {row.id}")
        for line in told.body.splitlines()[-3:]:
            typed = line.rpartition(": ")[2]
            assert replies.wish_of(number, row.conversation_id, None, typed) is None  # not hers
            assert replies._typed(typed) == replies.Wish(replies.TYPED[typed.split()[0].lower()], row.id)


def test_an_alert_is_told_once_however_often_it_is_raised(desk: WalkedDesk) -> None:
    desk.says("oi")
    desk.says("oi", OWNER)
    for _ in range(3):
        raise_alert(desk, "complaint")
        tell_owner(desk)
    assert len(desk.rows(OwnerNotice)) == 1
    assert [row.sent_count for row in desk.rows(OwnerNotice)] == [1]


def test_what_is_not_for_her_is_not_told(desk: WalkedDesk) -> None:
    desk.says("oi")
    desk.says("oi", OWNER)
    raise_alert(desk, "media")
    raise_alert(desk, "lead")
    raise_alert(desk, "complaint")
    desk.change(Alert, Alert.kind == "complaint", created_at=desk.clock() - timedelta(days=2))
    assert tell_owner(desk) == []
    assert desk.rows(OwnerNotice) == []


def test_an_owner_who_asked_for_silence_is_left_alone(desk: WalkedDesk) -> None:
    desk.says("oi", OWNER)
    desk.says("parar", OWNER)
    claim_a_payment(desk)
    assert tell_owner(desk) == []


def test_without_a_phone_nothing_is_kept(open_desk: Callable[..., WalkedDesk]) -> None:
    desk = open_desk(OWNER_PHONE="")
    claim_a_payment(desk)
    assert tell_owner(desk) == []
    assert desk.rows(OwnerNotice) == []


def test_a_number_may_have_an_owner_of_its_own(desk: WalkedDesk) -> None:
    desk.change(Integration, owner_phone=f"+{STRANGER}")
    desk.says("oi", STRANGER)
    desk.says("oi", OWNER)
    claim_a_payment(desk)
    (told,) = tell_owner(desk)
    assert told.person == STRANGER
    press(desk, button(told, "paid"), OWNER)
    assert desk.rows(Order)[0].status == "placed"


@pytest.mark.parametrize("language", ["pt", "es", "en"])
def test_every_kind_is_told_in_every_language(desk: WalkedDesk, language: str) -> None:
    desk.change(Integration, language=language)
    claim_a_payment(desk)
    desk.says({"pt": "oi", "es": "hola", "en": "hello"}[language], OWNER)
    (order,) = desk.rows(Order)
    desk.change(Alert, open_topic=None)
    choose(desk, None)
    for kind in sorted(notices.BUTTONS):
        raise_alert(desk, kind, f"{kind}:{order.id}")
        (told,) = tell_owner(desk)
        assert len(told.choices) == len(notices.BUTTONS[kind]), kind
        assert "None" not in told.text, kind
        assert 20 < len(told.text) < 600, kind
        assert str(order.number) in told.text or kind not in ABOUT_ORDERS, kind


def test_the_owner_is_told_of_what_was_chosen_and_of_nothing_else(desk: WalkedDesk) -> None:
    desk.says("oi")
    desk.says("oi", OWNER)
    raise_alert(desk, "lead", "lead:1")
    assert tell_owner(desk) == [], "a lead is not among what she usually hears of"
    choose(desk, ("lead",))
    raise_alert(desk, "complaint", "complaint:1")
    (told,) = tell_owner(desk)
    assert "lead" in told.text.lower()
    choose(desk, ("complaint",), is_active=False)
    assert tell_owner(desk) == []


def test_in_quiet_hours_the_owner_hears_of_urgent_things_alone(desk: WalkedDesk) -> None:
    desk.says("oi")
    desk.says("oi", OWNER)
    local = desk.clock().astimezone(desk.app.config["BALCAO"].zone)
    minute = local.hour * 60 + local.minute
    choose(desk, None, quiet_from=minute, quiet_until=(minute + 30) % (24 * 60))
    raise_alert(desk, "complaint", "complaint:1")
    assert tell_owner(desk) == []
    raise_alert(desk, "no_keys", "no_keys:1")
    assert len(tell_owner(desk)) == 1
    desk.clock.advance(31 * 60)
    assert len(tell_owner(desk)) == 1


def choose(
    desk: WalkedDesk,
    chosen: tuple[str, ...] | None,
    *,
    is_active: bool = True,
    quiet_from: int | None = None,
    quiet_until: int | None = None,
) -> None:
    """Choose on the page of the alerts what the owner is told of; quiet hours are minutes of the day."""
    with desk.app.app_context():
        wish = recipients.Wish("", "pt", chosen, quiet_from, quiet_until)
        row = recipients.owner()
        if row is None:
            recipients.add(recipients.WHATSAPP, recipients.OWNER, wish, now=desk.clock())
        else:
            recipients.change(row, wish)
            recipients.switch(row, is_active=is_active)
        db.session.commit()


def test_a_persons_deletion_takes_the_notices_about_her(desk: WalkedDesk) -> None:
    desk.says("oi")
    desk.says("oi", OWNER)
    raise_alert(desk, "complaint")
    tell_owner(desk)
    with desk.app.app_context():
        people = privacy.find_people(CUSTOMER)
        exported = privacy.export_person(people, now=desk.clock())
        assert [row["kind"] for row in exported["owner_notices"]] == ["complaint"]
        privacy.delete_person(people)
        db.session.commit()
    assert desk.rows(OwnerNotice) == []


def test_it_is_the_same_on_every_database(load_config: Callable[..., Config], database_url: str) -> None:
    with FakeGraph() as graph:
        config = load_config(GRAPH_API_BASE_URL=graph.url, DATABASE_URL=database_url, **SHOP)
        with walked_desk(config, graph) as desk:
            with desk.app.app_context():
                make_product(delivery_kind="text", delivery_text=GOODS)
                db.session.commit()
            desk.says("oi", OWNER)
            claim_a_payment(desk)
            (told,) = tell_owner(desk)
            press(desk, button(told, "later"))
            desk.clock.advance(notices.REMIND_AFTER.total_seconds() + 1)
            (reminder,) = tell_owner(desk)
            press(desk, button(reminder, "paid"))
            assert [(row.status, row.payment_status) for row in desk.rows(Order)] == [("paid", "paid")]
            assert tell_owner(desk) == []
