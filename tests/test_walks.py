"""Walks through the real door: a signed webhook in, an accepted send out."""

from collections.abc import Callable

import pytest

from config import Config
from models import Integration, Turn, db
from tests.fakes.graph import FakeGraph
from tests.real_door import META, WalkedDesk, texts_of, walked_desk
from tests.records import make_product

NEXORA_MENU = (
    "👋 Welcome to Nexora Investments!\n\nPlease choose an option:\n\n"
    "1️⃣ Explore Residency Programs\n2️⃣ Check Eligibility\n3️⃣ Talk to Consultant\n"
    "4️⃣ Job Search Assistance\n5️⃣ Book Consultation\n6️⃣ Download Brochure\n\nReply with a number."
)


def test_a_greeting_is_answered_with_the_six_options_of_the_seed(desk: WalkedDesk) -> None:
    (menu,) = desk.says("hello")
    assert menu.text == NEXORA_MENU
    assert len(menu.choices) == 6
    assert menu.to == "5511987654321"


def test_a_duplicate_message_is_answered_once(desk: WalkedDesk) -> None:
    webhook = desk.meta.text("hello")
    assert len(desk.hears(webhook)) == 1
    assert desk.hears(webhook) == []
    assert [m.direction for m in desk.messages()] == ["in", "out"]


def test_the_programmes_of_europe(desk: WalkedDesk) -> None:
    desk.says("hello")
    (categories,) = desk.says("1")
    assert "🌍 Top Residency Categories:" in categories.text
    sent = desk.says("A")
    assert "Portugal Golden Residency Program" in sent[0].text
    assert "$280,000" in sent[0].text


def test_a_consultant_is_asked_for(desk: WalkedDesk) -> None:
    desk.says("hello")
    desk.says("3")
    desk.says("Maria Silva")
    sent = desk.says("maria@example.com")
    assert sent


def test_the_sample_post_of_the_seed_is_answered(load_config: Callable[..., Config]) -> None:
    sample = {"from": "1234567890", "id": "msg_123", "text": {"body": "hello"}, "timestamp": "1234567890"}
    environ = {name: value for name, value in META.items() if name != "WHATSAPP_APP_SECRET"}
    with FakeGraph() as graph:
        config = load_config(GRAPH_API_BASE_URL=graph.url, APP_ENV="development", **environ)
        with walked_desk(config, graph) as desk:
            answer = desk.client.post(
                "/webhook", json={"entry": [{"changes": [{"value": {"messages": [sample]}}]}]}
            )
            assert answer.status_code == 200
            desk.work()
            assert graph.sent[0].text == NEXORA_MENU


# --- a walk per flow in each language -----------------------------------------------------------------------

WALKS = {
    ("nexora", "pt"): [
        ("olá", "Boas-vindas à Nexora"), ("1", "Golden Visa na Europa"), ("A", "Top 3 programas"),
        ("voltar", "Boas-vindas"), ("2", "em dólares"), ("tenho uns 300 mil reais", "em dólares"),
        ("300 mil dólares", "US$ 300.000"), ("Falar com consultor", "nome completo"), ("Ana Souza", "e-mail"),
        ("ana@exemplo.com", "✅ Obrigado, Ana!"), ("obrigada", "Por nada"), ("menu", "Boas-vindas"),
        ("3", "Posso usar Ana Souza, ana@exemplo.com?"), ("sim", "✅ Obrigado, Ana!"),
        ("quanto custa o visto de Portugal?", "US$ 280.000"), ("quero falar com um atendente", "Combinado!"),
    ],
    ("nexora", "es"): [
        ("hola", "Te damos la bienvenida a Nexora"), ("1", "Golden Visa en Europa"), ("A", "Top 3 programas"),
        ("volver", "bienvenida"), ("2", "presupuesto"), ("200 mil euros", "dólares"),
        ("300 mil", "US$ 300.000"),
        ("Hablar con consultor", "nombre completo"), ("Ana Gómez", "correo"),
        ("ana@ejemplo.com", "✅ ¡Gracias, Ana!"), ("gracias", "De nada"), ("menú", "bienvenida"),
        ("3", "¿Uso Ana Gómez, ana@ejemplo.com?"), ("otros datos", "nombre completo"), ("menú", "bienvenida"),
        ("cuánto cuesta la visa de Portugal?", "US$ 280.000"),
        ("quiero hablar con una persona", "De acuerdo"),
    ],
    ("nexora", "en"): [
        ("hello", NEXORA_MENU), ("1", "Top Residency Categories"), ("A", "Top 3 Europe Golden Visa Programs"),
        ("back", NEXORA_MENU), ("2", "US dollars"), ("R$ 1.500.000,00", "dollars"),
        ("$1,500,000", "… and 5 more"),
        ("Talk to Consultant", "full name"), ("Ana Smith", "e-mail"), ("ana@example.com", "Thank you, Ana!"),
        ("thanks", "You're welcome"), ("menu", NEXORA_MENU), ("3", "May I use Ana Smith, ana@example.com?"),
        ("yes", "Thank you, Ana!"), ("What is the cheapest golden visa?", "1. Greece Golden Visa"),
        ("I want to talk to a human NOW", "Someone from our team"),
    ],
    ("shop", "pt"): [
        ("oi", "Boas-vindas"), ("quanto custa o curso de violão?", "R$ 97,00"),
        ("comprar", "Quantas unidades"),
        ("cadê meu pedido?", "pedidos seus"), ("curso de violão", "Curso de Violão"), ("1", "Quantas"),
        ("2", "R$ 194,00"), ("fechar pedido", "registrar"), ("sim", "registrado!"), ("valeu", "Por nada"),
        ("cadê meu pedido?", "aguardando pagamento"),
        ("paguei ontem e não recebi", "ainda não foi confirmado"),
        ("quero falar com uma pessoa", "Combinado!"),
    ],
    ("shop", "es"): [
        ("hola", "bienvenida"), ("cuánto cuesta el curso de guitarra?", "R$ 97,00"), ("comprar", "Cuántas"),
        ("2", "R$ 194,00"), ("finalizar pedido", "Registro"), ("sí", "registrado"), ("gracias", "De nada"),
        ("¿dónde está mi pedido?", "pendiente de pago"), ("necesito un asesor", "De acuerdo"),
    ],
    ("shop", "en"): [
        ("hello", "Welcome"), ("how much is the guitar course?", "R$97.00"), ("buy", "How many"),
        ("2", "R$194.00"), ("checkout", "place your order"), ("yes", "placed!"), ("thank you!", "welcome"),
        ("where is my order?", "awaiting payment"), ("can I speak to a human", "Someone from our team"),
    ],
    ("desk", "pt"): [
        ("oi", "atendimento"), ("meu curso não abre, a tela fica preta", "Abro um chamado"),
        ("sim", "aberto!"),
        ("tchau", "Até logo"), ("cadê meu pedido?", "Não encontrei pedidos"), ("2", "Como posso ajudar?"),
        ("Quero agendar para sexta às 15h", "horários estão livres"),
        ("amanhã de manhã", "Qual fica bem para você"), ("1", "Marcado!"),
        ("agendar", "Você tem o horário"), ("2", "foi cancelado"), ("menu", "atendimento"),
        ("6", "De 1 a 5"), ("5", "porquê"), ("pular", "Anotado!"), ("atendente", "Combinado!"),
    ],
    ("desk", "es"): [
        ("hola", "atención"), ("2", "Cuéntanos"), ("El curso llegó incompleto", "Tu reclamo"),
        ("ok", "Perfecto"),
        ("dónde está mi pedido", "No encontré pedidos"), ("2", "¿En qué puedo ayudarte?"), ("5", "Agendemos"),
        ("Consultoría", "horarios están libres"), ("otro día", "Qué día"),
        ("el lunes a las 10", "horarios están libres"), ("1", "¡Agendado!"),
        ("quiero hablar con una persona", "De acuerdo"),
    ],
    ("desk", "en"): [
        ("hello", "service desk"), ("1", "what is it about"), ("The course does not open", "detail"),
        ("The screen stays black on my phone", "is open!"), ("thanks", "You're welcome"),
        ("where is my order", "couldn't find any orders"), ("2", "How can I help?"),
        ("I WANT TO TALK TO A HUMAN NOW", "Someone from our team"),
    ],
}  # fmt: skip


@pytest.mark.parametrize(("flow", "language"), WALKS)
def test_every_flow_is_walked_in_every_language(desk: WalkedDesk, flow: str, language: str) -> None:
    desk.change(Integration, start_flow=flow, language=language)
    with desk.app.app_context():
        make_product(name="Curso de Violão", names={"en": "Guitar Course", "es": "Curso de Guitarra"})
        make_product(sku="curso-2", name="Curso de Foto", names={"en": "Photo Course", "es": "Curso de Foto"})
        db.session.commit()
    for said, expected in WALKS[flow, language]:
        read = "\n".join(texts_of(desk.says(said)))
        assert expected in read, f"after {said!r}"


def test_a_clear_intent_is_the_turns_reason(desk: WalkedDesk) -> None:
    desk.change(Integration, start_flow="desk")
    desk.says("hello")
    desk.says("where is my order?")
    turn = desk.rows(Turn)[-1]
    assert (turn.reason, turn.step_after) == ("clear intent: order_inquiry", "orders.none")


def test_after_an_opt_out_thanks_and_calls_for_a_person_get_nothing(desk: WalkedDesk) -> None:
    desk.says("hello")
    assert desk.says("stop")
    assert desk.says("thanks") == []
    assert desk.says("human") == []


def test_a_digit_after_a_reply_in_words_means_what_that_reply_offered(desk: WalkedDesk) -> None:
    desk.change(Integration, start_flow="desk")
    desk.says("hello")
    (reply,) = desk.says("do you sell wedding cakes?")
    assert list(reply.choices) == ["desk/lead.created:person", "desk/lead.created:menu"]
    (person,) = desk.says("1")
    assert "Someone from our team" in person.text
