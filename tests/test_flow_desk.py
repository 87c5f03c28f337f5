"""The flow of the service desk: tickets, complaints, states, appointments, feedback, in three languages."""

import pytest

from tests.walking import Customer, menu_of, words_of

LANGUAGES = ("pt", "es", "en")
SKIP = {"pt": "pular", "es": "omitir", "en": "skip"}


def desk(language: str = "pt", **options) -> Customer:
    return Customer("desk", language, **options)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_menu_greets_by_name_and_has_eight_ways(language: str):
    turn = desk(language).says("oi")
    assert "Carla" in words_of(turn)
    assert "Loja da Ana" in words_of(turn)
    assert [choice.key for choice in menu_of(turn).choices] == list("12345678")


def test_the_menu_greets_strangers_too():
    assert words_of(desk("en", context={}).says("hi")).startswith("👋 Hello! This is the service desk.")


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_ticket_is_opened_and_its_number_told(language: str):
    turn = desk(language).says("oi", "1", "Não consigo entrar", "A senha não chega no meu e-mail")
    assert turn.is_done
    assert [(call.name, call.args) for call in turn.applies] == [
        ("open_ticket", {"subject": "Não consigo entrar", "description": "A senha não chega no meu e-mail"})
    ]
    assert "T-7" in words_of(turn)


@pytest.mark.parametrize(
    ("language", "sorry"), [("pt", "Pedimos desculpas"), ("es", "disculpas"), ("en", "We apologise")]
)
def test_a_complaint_gets_an_apology_and_a_number(language: str, sorry: str):
    customer = desk(language)
    assert customer.says("oi", "2").awaits == "text"
    turn = customer.says("O curso veio errado e ninguém responde!")
    assert sorry in words_of(turn)
    assert "R-8" in words_of(turn)
    assert turn.applies[0].args == {"description": "O curso veio errado e ninguém responde!"}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("key", "action"), [("3", "order_status"), ("4", "payment_status")])
def test_states_of_orders_and_payments_are_told(language: str, key: str, action: str):
    customer = desk(language)
    turn = customer.says("oi", key)
    assert customer.asked[-1].name == action
    assert "*P-1001*: aguardando pagamento" in words_of(turn)
    assert turn.applies == ()
    assert customer.says("ok").step == "menu"


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("key", "action"), [("3", "order_status"), ("4", "payment_status")])
def test_no_order_found_offers_a_person(language: str, key: str, action: str):
    customer = desk(language, outcomes={action: "none"})
    turn = customer.says("oi", key)
    assert [c.id.rpartition(":")[2] for c in menu_of(turn).choices] == ["person", "menu"]
    done = customer.presses(turn, "person")
    assert [call.name for call in done.applies] == ["follow_up", "hand_over"]
    assert done.applies[0].args["kind"] == action.replace("status", "inquiry")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("words", ["8", "meu chamado", "¿Cómo va mi ticket?", "How is my ticket?"])
def test_the_state_of_a_ticket_is_told(language: str, words: str):
    customer = desk(language)
    turn = customer.says("oi", words)
    assert customer.asked[-1].name == "ticket_status"
    assert "*T-7*: aberto\nNão consigo entrar" in words_of(turn)
    assert turn.applies == ()
    assert customer.says("ok").step == "menu"


@pytest.mark.parametrize("language", LANGUAGES)
def test_who_has_no_ticket_may_open_one(language: str):
    customer = desk(language, outcomes={"ticket_status": "none"})
    assert customer.presses(customer.says("oi", "8"), "yes").step == "ticket_subject"


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_appointment_is_wished_in_the_customers_words(language: str):
    customer = desk(language)
    turn = customer.says("oi", "5", "Consultoria")
    assert [choice.title for choice in menu_of(turn).choices][:2] == [
        "seg. 23/11, 09:00",
        "seg. 23/11, 10:00",
    ]
    customer.presses(turn, "other_day")
    turn = customer.presses(customer.says("amanhã às 15h"), "person")
    assert turn.applies[0].args == {"wish": "amanhã às 15h", "topic": "Consultoria", "day": None}
    assert "A-9" in words_of(turn)
    assert "amanhã às 15h" in words_of(turn)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("score", ["1", "2", "3", "4", "5"])
def test_feedback_is_a_score_and_words(language: str, score: str):
    customer = desk(language)
    turn = customer.says("oi", "6", score, "Gostei muito")
    assert [call.args for call in turn.applies] == [{"score": None, "text": "Gostei muito"}]
    scores = [call.args["score"] for call in customer.asked if call.name == "record_feedback"]
    assert scores == [int(score), None]


@pytest.mark.parametrize("language", LANGUAGES)
def test_feedback_needs_no_words(language: str):
    turn = desk(language).says("oi", "6", "5", SKIP[language])
    assert turn.applies[0].args == {"score": None, "text": None}


def test_feedback_may_be_a_single_emoji():
    assert desk().says("oi", "6", "5", "👍").applies[0].args["text"] == "👍"


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("text", "step"),
    [
        ("suporte", "ticket_subject"), ("soporte", "ticket_subject"), ("support", "ticket_subject"),
        ("reclamação", "complaint_text"), ("queja", "complaint_text"), ("complaint", "complaint_text"),
        ("pedido", "orders.found"), ("delivery", "orders.found"), ("pix", "payments.found"),
        ("payment", "payments.found"),
        ("agendar", "appointment_topic"), ("cita", "appointment_topic"), ("feedback", "feedback_score"),
        ("Dar minha opinião", "feedback_score"), ("atendente", None), ("human", None),
    ],
)  # fmt: skip
def test_the_menu_understands_words_of_every_language(language: str, text: str, step: str | None):
    assert desk(language).says("oi", text).step == step


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("way", ["1", "2", "5"])
def test_a_greeting_while_a_text_is_awaited_is_not_taken_for_it(language: str, way: str):
    customer = desk(language)
    asked = customer.says("oi", way)
    turn = customer.says("oi")
    assert (turn.step, turn.is_understood) == (asked.step, False)


def test_back_from_a_question_goes_to_the_question_before():
    customer = desk()
    customer.says("oi", "1", "Assunto do chamado")
    assert customer.says("voltar").step == "ticket_subject"
    assert customer.says("voltar").step == "menu"
