"""What the desk shows to programs: one shape a table, its fields named one by one.

No secret has a field here. Times are UTC (RFC 3339), money is whole minor units with its currency.
"""

from datetime import datetime
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field


class Shape(BaseModel):
    """Made of a row's own attributes, or of named values."""

    model_config = ConfigDict(frozen=True, from_attributes=True)

    @classmethod
    def of(cls, row: object, **named: Any) -> Self:
        """Take each field that is not named from the row's attribute of that name."""
        taken = {name: getattr(row, name) for name in cls.model_fields if name not in named}
        return cls(**taken, **named)


class Receipt(Shape):
    """What a POST answers: ids and states alone, for it is kept to answer the same request again."""

    id: int
    url: str


class Money(Shape):
    amount_minor: int = Field(description="Whole minor units: cents, or yen, which have none smaller.")
    currency: str = Field(description="ISO 4217.")


class Identity(Shape):
    kind: str = Field(description="wa_id, bsuid, parent_bsuid or username.")
    value: str = Field(description="As the provider gave it: a wa_id is a phone number without plus.")


class Contact(Shape):
    """A person who writes to us. Not a phone number: see `identities`."""

    id: int
    name: str
    email: str
    language: str | None
    country: str | None
    identities: list[Identity]
    opted_out_at: datetime | None = Field(description="Set: nothing may be sent to this person.")
    refuses_marketing_at: datetime | None
    merged_into_id: int | None = Field(description="Set: this row is history, that contact is the person.")
    custom: dict[str, str] = Field(
        description="The shop's own fields, by their names; an empty one is left out."
    )
    is_demo: bool
    created_at: datetime


class ContactField(Shape):
    """A field of the shop's own that every contact has; people add it at their desk."""

    id: int
    name: str
    created_at: datetime


class Integration(Shape):
    """One WhatsApp number of ours. Its credentials are never shown."""

    id: int
    provider: str
    name: str
    number_id: str = Field(description="The provider's own id of the number.")
    display_phone: str
    language: str
    start_flow: str
    is_default: bool
    is_active: bool
    health_ok: bool | None
    health_at: datetime | None
    paused_until: datetime | None
    created_at: datetime


class Conversation(Shape):
    """The one thread between a contact and a number of ours."""

    id: int
    contact_id: int
    integration_id: int
    handler: str = Field(description="bot or human.")
    operator_id: int | None
    team_id: int | None
    is_closed: bool
    snoozed_until: datetime | None
    labels: list[str]
    unread_count: int
    buying_signal: str | None
    sentiment: str | None
    urgency: str | None
    last_inbound_at: datetime | None
    last_message_at: datetime | None
    last_preview: str
    service_window_ends_at: datetime | None = Field(
        description="Until then free text may be sent; null: only a template."
    )
    created_at: datetime


class Media(Shape):
    id: int
    media_kind: str
    mime_type: str
    filename: str
    size_bytes: int | None
    state: str


class Message(Shape):
    """One message of a conversation, in or out."""

    id: int
    conversation_id: int
    integration_id: int
    direction: str = Field(description="in or out.")
    sender: str = Field(description="customer, bot, shop, operator (a program counts as one) or owner.")
    operator_id: int | None
    kind: str
    body: str
    media: list[Media]
    status: str | None = Field(
        description="Of an outgoing one: queued, sending, uncertain, sent, delivered, read, played or failed."
    )
    status_at: datetime | None
    error_code: str
    error_text: str
    external_id: str | None
    quotes_external_id: str | None
    is_edited: bool
    is_revoked: bool
    language: str | None
    intent: str | None
    buying_signal: str | None
    sentiment: str | None
    sentiment_score: float | None
    urgency: str | None
    provider_at: datetime | None
    created_at: datetime


class Accepted(Receipt):
    """A message that waits in the outbox. Its way shows at `url`."""

    conversation_id: int
    status: str


class Made(Receipt):
    """A new row, and where it is."""


class Handed(Receipt):
    """A conversation, and who answers in it now."""

    handler: str


class Moved(Receipt):
    """A campaign, and where it stands now."""

    state: str


class KeysAdded(Receipt):
    """A product, how many keys are new on its list, and how many stood there before."""

    added: int
    known: int


class OrderMoved(Receipt):
    """An order, what a change came to, and where it stands now."""

    result: str = Field(
        description="Of money that arrived: paid, already (it was booked before), twice or late (booked: pay "
        "it back). Of money that goes back: done or requested. Else cancelled."
    )
    status: str
    payment_status: str


class Template(Shape):
    """A message that the provider approved beforehand: all that may be sent outside the service window."""

    id: int
    integration_id: int
    name: str
    language: str
    category: str
    body: str
    placeholders: list[str] = Field(description="The keys that `values` of a message must fill.")
    status: str
    status_reason: str
    quality: str
    is_usable: bool
    created_at: datetime
    updated_at: datetime


class Lead(Shape):
    id: int
    contact_id: int
    conversation_id: int | None
    name: str
    phone: str
    email: str
    interest: str
    budget: Money | None
    country: str
    source: str
    notes: str
    status: str
    score: int | None = Field(description="0 to 100.")
    team_id: int | None
    operator_id: int | None
    created_at: datetime
    updated_at: datetime


class Ticket(Shape):
    id: int
    number: str | None
    contact_id: int
    conversation_id: int | None
    subject: str
    description: str
    priority: str
    status: str
    team_id: int | None
    operator_id: int | None
    due_at: datetime | None
    created_at: datetime
    updated_at: datetime


class Complaint(Shape):
    id: int
    number: str | None
    contact_id: int
    conversation_id: int | None
    description: str
    status: str
    team_id: int | None
    operator_id: int | None
    due_at: datetime | None
    escalated_at: datetime | None
    created_at: datetime
    updated_at: datetime


class Appointment(Shape):
    id: int
    number: str | None
    contact_id: int
    conversation_id: int | None
    topic: str
    wish: str = Field(description="The customer's own words for the time.")
    starts_at: datetime | None
    ends_at: datetime | None
    status: str
    team_id: int | None
    operator_id: int | None
    created_at: datetime
    updated_at: datetime


class FreeTime(Shape):
    starts_at: datetime
    ends_at: datetime


class FreeTimes(Shape):
    """When appointments may begin, the earliest first."""

    data: list[FreeTime]


class Product(Shape):
    """Something that is for sale. What is handed over after payment is never shown."""

    id: int
    sku: str
    name: str
    names: dict[str, str]
    description: str
    benefits: list[str]
    category_id: int
    position: int
    niche_id: int | None
    price: Money
    stock: int | None = Field(description="null: unlimited.")
    offer_ends_at: datetime | None
    delivery_kind: str
    is_active: bool
    is_demo: bool
    created_at: datetime


class Category(Shape):
    id: int
    name: str
    names: dict[str, str] = Field(description="By language, where it differs.")
    position: int
    is_active: bool


class Niche(Shape):
    id: int
    name: str
    names: dict[str, str]
    position: int


class OrderItem(Shape):
    product_id: int
    name: str
    quantity: int
    price: Money = Field(description="Of one.")


class Payment(Shape):
    """One way in which an order was to be paid; the first that is confirmed pays it."""

    id: int
    method: str = Field(description="pix, stripe, mercadopago or manual.")
    status: str
    amount: Money
    refunded: Money
    reference: str = Field(description="Ours, which a bank's statement shows.")
    claimed_at: datetime | None = Field(description="When the customer said that she has paid.")
    confirmed_at: datetime | None
    created_at: datetime


class Order(Shape):
    """An order, or a cart that has no number yet."""

    id: int
    number: str | None
    contact_id: int
    conversation_id: int
    status: str
    payment_status: str
    items: list[OrderItem]
    total: Money
    payments: list[Payment]
    source: str
    placed_at: datetime | None
    paid_at: datetime | None
    created_at: datetime
    updated_at: datetime


class Sale(Shape):
    """A paid order as a figure."""

    id: int
    order_id: int | None
    contact_id: int | None
    conversation_id: int | None
    decision_id: int | None
    amount: Money
    refunded: Money
    method: str
    strategy: str
    flow: str
    ad_source_id: str
    campaign: str
    is_demo: bool
    at: datetime
    reversed_at: datetime | None


class Article(Shape):
    """A page of what the business knows and tells."""

    id: int
    slug: str
    title: str
    body: str
    language: str
    integration_id: int | None
    is_active: bool
    is_demo: bool
    created_at: datetime
    updated_at: datetime


class Campaign(Shape):
    """One template to many people."""

    id: int
    name: str
    integration_id: int
    template_name: str
    state: str
    per_minute: int
    reason: str
    people: int
    waiting: int
    starts_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None
    is_demo: bool
    created_at: datetime


class Outcome(Shape):
    kind: str
    value: Money | None
    at: datetime


class Decision(Shape):
    """Which way of selling a conversation got, how likely each was, and what came of it."""

    id: int
    conversation_id: int | None
    contact_id: int | None
    episode: int
    strategy: str
    version: int
    propensities: dict[str, float]
    propensity: float | None
    epsilon: float | None
    explored: bool
    context: dict[str, Any]
    policy: str
    policy_version: int
    is_holdout: bool
    is_manual: bool
    is_demo: bool
    outcomes: list[Outcome]
    created_at: datetime
    closes_at: datetime


class Problem(Shape):
    code: str
    message: str


class Error(Shape):
    """The one shape of every answer that is no success."""

    error: Problem
