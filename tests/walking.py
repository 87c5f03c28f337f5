"""A customer who walks through a flow without a database: her actions end as the test says."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from menu_flows import ActionCall, Flow, Turn, advance, resume, shipped
from message_content import Content, Menu

NOW = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)
CONTEXT: Mapping[str, Any] = {
    "business_name": "Loja da Ana",
    "booking_url": "https://nexora.example/book",
    "brochure_url": "https://nexora.example/brochure.pdf",
    "contact_name": "Carla Dias",
    "region": "BR",
    "time_zone": "America/Sao_Paulo",
}
PROGRAMS = [
    {
        "name": "Portugal Golden Residency Program",
        "country": "Portugal",
        "category": "Europe",
        "minimum_investment": 280000,
        "link": "https://nexorainvestments.com/portugal-golden-visa",
    },
    {
        "name": "Greece Golden Visa - Real Estate",
        "country": "Greece",
        "category": "Europe",
        "minimum_investment": 250000,
        "link": "https://nexorainvestments.com/greece-golden-visa",
    },
    {
        "name": "Spain Golden Visa Program",
        "country": "Spain",
        "category": "Europe",
        "minimum_investment": 500000,
        "link": "https://nexorainvestments.com/spain-golden-visa",
    },
]
JOBS = [{"title": "Nurse", "company": "Klinik", "location": "Berlin", "url": "https://jobs.example/1"}]
CATEGORIES = [{"id": 1, "name": "Cursos"}, {"id": 2, "name": "E-books"}, {"id": 3, "name": "Planilhas"}]
PRODUCTS = [
    {"id": 11, "name": "Curso de Violão", "price_text": "R$ 97,00", "in_stock": True},
    {"id": 12, "name": "Curso de Inglês", "price_text": "R$ 197,00", "in_stock": False},
]
PRODUCT = {
    "id": 11,
    "name": "Curso de Violão",
    "description": "Do zero ao primeiro show.",
    "benefits": ["40 aulas", "Acesso vitalício"],
    "price_text": "R$ 97,00",
    "stock_text": "",
    "in_stock": True,
}
ORDERS = [{"number": "P-1001", "status_text": "aguardando pagamento", "total_text": "R$ 194,00"}]
FACTS: Mapping[tuple[str, str], Mapping[str, Any]] = {
    ("list_programs", "found"): {"programs": PROGRAMS},
    ("check_eligibility", "found"): {"programs": PROGRAMS[:2], "more_count": 0},
    ("check_eligibility", "none"): {"minimum_investment": 100000},
    ("find_programs", "found"): {"programs": PROGRAMS[:1]},
    ("known_lead", "found"): {"lead": {"name": "Ana Souza", "email": "ana@example.com"}},
    ("find_products", "one"): {"best": PRODUCT},
    ("find_products", "found"): {"products": PRODUCTS},
    ("search_jobs", "found"): {"jobs": JOBS},
    ("show_categories", "found"): {"categories": CATEGORIES},
    ("show_products", "found"): {"products": PRODUCTS},
    ("show_product", "found"): {"product": PRODUCT},
    ("add_to_cart", "ok"): {"product": PRODUCT, "quantity": 2, "total_text": "R$ 194,00"},
    ("add_to_cart", "out_of_stock"): {"product": PRODUCT, "available": 1},
    ("show_cart", "found"): {
        "lines": [{"name": "Curso de Violão", "quantity": 2, "total_text": "R$ 194,00"}],
        "total_text": "R$ 194,00",
    },
    ("checkout", "created"): {"order": ORDERS[0]},
    ("checkout", "out_of_stock"): {"product": PRODUCT},
    ("order_status", "found"): {"orders": ORDERS},
    ("payment_status", "found"): {"orders": ORDERS},
    ("open_ticket", "created"): {"ticket": {"number": "T-7"}},
    ("open_complaint", "created"): {"complaint": {"number": "R-8"}},
    ("request_appointment", "created"): {"appointment": {"number": "A-9"}},
}
# How an action ends when a test does not say.
USUAL_OUTCOMES = {
    "list_programs": "found",
    "check_eligibility": "found",
    "find_programs": "found",
    "known_lead": "none",
    "create_lead": "created",
    "search_jobs": "found",
    "show_categories": "found",
    "show_products": "found",
    "find_products": "found",
    "show_product": "found",
    "add_to_cart": "ok",
    "show_cart": "found",
    "empty_cart": "ok",
    "checkout": "created",
    "order_status": "found",
    "payment_status": "found",
    "open_ticket": "created",
    "open_complaint": "created",
    "request_appointment": "created",
    "record_feedback": "created",
    "hand_over": "done",
}


@dataclass
class Customer:
    """Someone in a conversation: what she says goes through the engine and every action ends at once."""

    flow_name: str
    language: str = "pt"
    outcomes: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    context: Mapping[str, Any] = field(default_factory=lambda: CONTEXT)
    step: str | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    asked: list[ActionCall] = field(default_factory=list)

    @property
    def flow(self) -> Flow:
        return shipped()[self.flow_name]

    def says(self, *texts: str) -> Turn:
        """Say one thing after the other; the last turn is given."""
        turn = Turn((), self.step, self.data)
        for text in texts:
            turn = self.sends(text)
        return turn

    def presses(self, turn: Turn, choice: str) -> Turn:
        """Press the button or row of that choice in what was said."""
        menu = menu_of(turn)
        pressed = next(c for c in menu.choices if c.id.rpartition(":")[2] == choice)
        return self.sends(pressed.title, pressed.id)

    def sends(self, text: str, choice_id: str | None = None) -> Turn:
        options: dict[str, Any] = {"language": self.language, "now": NOW, "context": self.context}
        turn = advance(self.flow, self.step, self.data, text, choice_id=choice_id, **options)
        for _ in range(5):
            if turn.action is None:
                break
            self.asked.append(turn.action)
            outcome = self.outcomes.get(turn.action.name, USUAL_OUTCOMES[turn.action.name])
            usual = FACTS.get((turn.action.name, outcome), {})
            turn = resume(
                flow=self.flow,
                turn=turn,
                outcome=outcome,
                facts=self.facts.get(turn.action.name, usual),
                **options,
            )
        assert turn.action is None, "an action led to an action five times"
        self.step, self.data = turn.step, turn.data
        return turn


def menu_of(turn: Turn) -> Menu:
    """Give the menu that a turn shows (the last one)."""
    return next(content for content in reversed(turn.say) if isinstance(content, Menu))


def words_of(turn: Turn) -> str:
    """Give all that a turn says, as the customer reads it."""
    return "\n".join(summary_of(content) for content in turn.say)


def summary_of(content: Content) -> str:
    return content.summary
