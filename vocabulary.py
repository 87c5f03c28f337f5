"""The closed word lists of the desk; every room speaks these words and no others.

Pure constants: nothing here reads, computes or imports a room.
"""

from typing import Final

SERVICE_INTENTS: Final = (
    "lead_inquiry",
    "support_ticket",
    "complaint",
    "order_inquiry",
    "payment_inquiry",
    "appointment_request",
    "feedback",
    "spam",
    "other",
)
BUYING_SIGNALS: Final = ("initial_interest", "question", "objection", "ready_to_buy", "not_interested")
SENTIMENTS: Final = ("positive", "negative", "angry", "frustrated", "excited", "neutral")
URGENCIES: Final = ("critical", "urgent", "high", "medium", "low")
LANGUAGES: Final = ("en", "es", "fr", "de", "it", "pt", "ar", "zh", "ja", "ko")
# Languages in which every text to a customer is shipped complete.
TEXT_LANGUAGES: Final = ("pt", "es", "en")
ENTITY_TYPES: Final = ("phone", "email", "url", "money", "date")
STRATEGIES: Final = ("consultivo", "escassez", "emocional", "racional")

PROVIDERS: Final = ("meta", "twilio", "simulator")
IDENTITY_KINDS: Final = ("wa_id", "bsuid", "parent_bsuid", "username")
RESPONDERS: Final = ("menu", "shop", "ai", "human", "nobody")
ROLES: Final = ("agent", "manager", "admin")

# A status may only be replaced by one further right; see `statuses_before`.
STATUS_ORDER: Final = (
    "queued",
    "sending",
    "uncertain",
    "sent",
    "failed",
    "delivered",
    "read",
    "played",
)
# What a provider's receipt can say; the first three of STATUS_ORDER are ours alone.
RECEIPT_STATUSES: Final = ("sent", "delivered", "read", "played", "failed")


def statuses_before(status: str) -> tuple[str, ...]:
    """Give the statuses that a receipt of `status` may overwrite: receipts only move forward.

    `failed` stands after `sent` and before `delivered`: a failure may follow an accepted send, but a
    delivery is proof against an earlier failure report.
    """
    return STATUS_ORDER[: STATUS_ORDER.index(status)]
