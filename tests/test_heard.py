"""What words tell of their writer: an e-mail address is kept, who wants to buy is a lead."""

from collections.abc import Callable, Iterator

import pytest

from config import Config
from models import Alert, Appointment, AppointmentLetter, Contact, Integration, Lead, db
from tests.fakes.graph import FakeGraph
from tests.real_door import META, WalkedDesk, texts_of, walked_desk
from tests.test_teams import make_team, people

WANTS = {
    "pt": "Oi, quero contratar o plano empresarial para 30 pessoas, meu e-mail é ana@loja.com.br",
    "es": "Hola, quiero contratar el plan para mi empresa de 30 personas, mi correo es ana@loja.com.br",
    "en": "Hi, I want to buy a plan for my company of 30 people, budget 5000 dollars: ana@loja.com.br",
}
TOLD = {"pt": "equipe de vendas", "es": "equipo de ventas", "en": "sales team"}


@pytest.fixture
def desk(load_config: Callable[..., Config]) -> Iterator[WalkedDesk]:
    with FakeGraph() as graph:
        config = load_config(GRAPH_API_BASE_URL=graph.url, SMTP_URL="smtp://127.0.0.1:9", **META)
        with walked_desk(config, graph) as desk:
            desk.change(Integration, start_flow="desk")
            yield desk


@pytest.mark.parametrize("language", WANTS)
def test_who_wants_to_buy_is_a_lead_of_the_sales_team(desk: WalkedDesk, language: str) -> None:
    with desk.app.app_context():
        (ana,) = people("ana")
        make_team("sales", (ana,))
        db.session.commit()
    desk.change(Integration, language=language)
    assert TOLD[language] in texts_of(desk.says(WANTS[language]))[0]
    (lead,) = desk.rows(Lead)
    assert (lead.email, lead.operator_id, lead.status, lead.source) == (
        "ana@loja.com.br",
        ana,
        "new",
        "conversation",
    )
    assert lead.score > 0
    assert lead.score_reasons
    assert [alert.kind for alert in desk.rows(Alert)] == ["lead"]
    desk.says(WANTS[language])
    assert len(desk.rows(Lead)) == 1


def test_an_address_and_a_budget_that_come_later_complete_the_lead(desk: WalkedDesk) -> None:
    desk.says("Hi, I want to buy a plan for my company of 30 people")
    desk.says("you can reach me at joe@acme.com")
    desk.says("I want to buy the plan, my budget is 5000 dollars")
    (lead,) = desk.rows(Lead)
    assert (lead.email, lead.budget_usd) == ("joe@acme.com", 5000)
    assert desk.rows(Contact)[0].email == "joe@acme.com"


def test_an_address_that_is_known_stays(desk: WalkedDesk) -> None:
    desk.says("meu e-mail é ana@loja.com.br")
    desk.says("o e-mail do meu chefe é chefe@loja.com.br")
    assert desk.rows(Contact)[0].email == "ana@loja.com.br"
    assert desk.rows(Lead) == []


def test_who_books_may_have_the_invitation_by_e_mail(desk: WalkedDesk) -> None:
    for words in ("oi", "agendar", "Consultoria"):
        desk.says(words)
    (booked,) = desk.says("1")
    assert "Convite por e-mail" in booked.choices.values()
    assert desk.rows(AppointmentLetter) == []
    desk.says("1")
    assert "convite" in texts_of(desk.says("ana@loja.com.br"))[0]
    (row,) = desk.rows(Appointment)
    assert [letter.appointment_id for letter in desk.rows(AppointmentLetter)] == [row.id]


def test_cross_words_are_no_lead(desk: WalkedDesk) -> None:
    desk.says("hola")
    assert "ventas" not in texts_of(desk.says("el curso sigue sin abrir en el celular, necesito ayuda"))[0]
    assert desk.rows(Lead) == []
