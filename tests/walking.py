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
        "is_free": False,
    },
    ("remove_from_cart", "ok"): {
        "product": PRODUCT,
        "lines": [{"name": "Curso de Violão", "quantity": 1, "total_text": "R$ 97,00"}],
        "total_text": "R$ 97,00",
    },
    ("remove_from_cart", "fewer"): {
        "product": PRODUCT,
        "quantity": 1,
        "lines": [{"name": "Curso de Violão", "quantity": 1, "total_text": "R$ 97,00"}],
        "total_text": "R$ 97,00",
    },
    ("remove_from_cart", "emptied"): {"product": PRODUCT},
    ("remove_from_cart", "which"): {
        "lines": [{"name": "Curso de Violão", "quantity": 2, "total_text": "R$ 194,00"}],
        "total_text": "R$ 194,00",
    },
    ("price_of", "found"): {"product": PRODUCT, "quantity": 3, "total_text": "R$ 291,00"},
    ("price_of", "out_of_stock"): {"product": PRODUCT, "quantity": 3, "available": 1},
    **{
        ("change_cart", outcome): {
            "product": PRODUCT,
            "quantity": 1,
            "total_text": "R$ 97,00",
        }
        for outcome in ("ok", "gone")
    },
    ("change_cart", "which"): {
        "lines": [{"name": "Curso de Violão", "quantity": 1, "total_text": "R$ 97,00"}],
        "total_text": "R$ 97,00",
    },
    ("change_cart", "emptied"): {"product": PRODUCT},
    ("change_cart", "out_of_stock"): {"product": PRODUCT, "available": 1},
    ("empty_cart", "ok"): {"held": "11:2"},
    ("refill_cart", "ok"): {
        "lines": [{"name": "Curso de Violão", "quantity": 2, "total_text": "R$ 194,00"}],
        "total_text": "R$ 194,00",
        "left_out": "",
    },
    ("checkout", "created"): {"order": ORDERS[0]},
    ("checkout", "out_of_stock"): {"product": PRODUCT},
    ("checkout", "changed"): {"total_text": "R$ 250,00", "is_free": False},
    ("checkout", "left_out"): {"product": PRODUCT},
    **{("start_payment", outcome): {"order": ORDERS[0]} for outcome in ("awaited", "by_hand", "free")},
    ("start_payment", "choose"): {
        "order": ORDERS[0],
        "methods": [{"id": "pix", "name": "Pix"}, {"id": "stripe", "name": "Cartão"}],
    },
    ("start_payment", "pix"): {"order": ORDERS[0], "code": "00020126" + "x" * 160, "picture": 3},
    ("start_payment", "link"): {"order": ORDERS[0], "link": "https://pay.example/1"},
    ("start_payment", "manual"): {"order": ORDERS[0], "instructions": "Banco 123, conta 45-6"},
    **{("claim_payment", outcome): {"order": ORDERS[0]} for outcome in ("claimed", "paid")},
    **{
        ("send_goods_again", outcome): {"order": ORDERS[0]}
        for outcome in ("sent", "just_sent", "waiting", "unpaid")
    },
    **{("open_order", outcome): {"order": ORDERS[0]} for outcome in ("found", "paid")},
    ("open_order", "several"): {"orders": ORDERS},
    **{("cancel_order", outcome): {"order": ORDERS[0]} for outcome in ("cancelled", "paid")},
    ("request_refund", "unpaid"): {"order": ORDERS[0]},
    ("request_refund", "created"): {"order": ORDERS[0], "ticket": {"number": "T-7"}},
    ("order_status", "found"): {"orders": ORDERS},
    ("which_order", "one"): {"order": ORDERS[0]},
    ("which_order", "several"): {"orders": ORDERS},
    ("payment_status", "found"): {"orders": ORDERS},
    ("ticket_status", "found"): {
        "tickets": [{"number": "T-7", "subject": "Não consigo entrar", "status_text": "aberto"}]
    },
    ("open_ticket", "created"): {"ticket": {"number": "T-7"}},
    ("add_to_ticket", "added"): {"ticket": {"number": "T-7", "subject": "Não consigo entrar"}},
    ("accept_solution", "closed"): {"complaint": {"number": "R-8"}},
    ("reject_solution", "reopened"): {"complaint": {"number": "R-8"}},
    ("open_complaint", "created"): {"complaint": {"number": "R-8"}},
    ("upcoming_appointment", "found"): {
        "appointment": {"number": "A-9", "when_text": "segunda-feira", "topic": "Consultoria"}
    },
    ("free_slots", "found"): {
        "is_full": False,
        "slots": [
            {"id": "20261123T1200Z", "name": "seg. 23/11, 09:00"},
            {"id": "x", "name": "seg. 23/11, 10:00"},
        ],
    },
    ("book_appointment", "booked"): {"appointment": {"number": "A-9", "when_text": "segunda-feira, 23"}},
    ("cancel_appointment", "cancelled"): {"appointment": {"number": "A-9"}},
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
    "price_of": "found",
    "change_cart": "ok",
    "empty_cart": "ok",
    "refill_cart": "ok",
    "remove_from_cart": "ok",
    "checkout": "created",
    "start_payment": "by_hand",
    "claim_payment": "claimed",
    "send_goods_again": "sent",
    "open_order": "found",
    "cancel_order": "cancelled",
    "request_refund": "created",
    "order_status": "found",
    "which_order": "one",
    "payment_status": "found",
    "ticket_status": "found",
    "open_ticket": "created",
    "add_to_ticket": "none",
    "add_to_complaint": "none",
    "reopen_ticket": "reopened",
    "accept_solution": "closed",
    "reject_solution": "reopened",
    "follow_up": "created",
    "open_complaint": "created",
    "request_appointment": "created",
    "upcoming_appointment": "none",
    "free_slots": "found",
    "book_appointment": "booked",
    "cancel_appointment": "cancelled",
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
