"""What the shop's rows say in English, in the words of the page: ways to pay, kinds of goods, who did it.

Called by the templates. The lists are closed in `shop` and `history`. Reads nothing and decides nothing.
"""

from collections.abc import Mapping
from decimal import Decimal

from babel.numbers import format_decimal, get_currency_precision
from flask_babel import get_locale
from flask_babel import gettext as _


def method_word(method: str) -> str:
    """Name a way to pay."""
    words: Mapping[str, str] = {
        "pix": "Pix",
        "stripe": "Stripe",
        "mercadopago": "Mercado Pago",
        "manual": _("Bank transfer"),
    }
    return words.get(method, method)


def goods_word(kind: str) -> str:
    """Name a way to hand something over."""
    words: Mapping[str, str] = {
        "manual": _("by hand"),
        "file": _("download link"),
        "key": _("licence key"),
        "text": _("text"),
    }
    return words.get(kind, kind)


def record_word(record: str) -> str:
    """Name what a step belongs to."""
    words: Mapping[str, str] = {
        "order": _("Order"),
        "order_payment": _("Money for the order"),
        "order_stock": _("Stock of the order"),
        "payment": _("Payment"),
        "refund": _("Refund"),
        "delivery": _("Goods"),
        "ticket": _("Ticket"),
        "complaint": _("Complaint"),
        "appointment": _("Appointment"),
        "lead": _("Lead"),
        "follow_up": _("Follow-up"),
        "conversation": _("Conversation"),
        "campaign": _("Campaign"),
        "template": _("Template"),
        "product": _("Product"),
        "contact": _("Contact"),
        "flow": _("Flow"),
        "integration": _("Number"),
        "operator": _("Operator"),
        "demo": _("Demo data"),
        "setting": _("Setting"),
        "retention": _("Retention"),
        "category": _("Category"),
        "niche": _("Niche"),
        "programme": _("Programme"),
        "ways_to_pay": _("Ways to pay"),
        "owner_phone": _("Owner's phone"),
        "api_key": _("API key"),
        "article": _("Article"),
        "team": _("Team"),
        "hours": _("Working hours"),
        "holiday": _("Holiday"),
        "alert_recipient": _("Recipient of alerts"),
        "webhook_endpoint": _("Webhook"),
        "connector": _("Connector"),
        "lead_form": _("Lead form"),
        "training": _("Training"),
        "example": _("Examples"),
        "phrase": _("Phrase"),
        "label": _("Label"),
        "canned_reply": _("Canned reply"),
        "field": _("Custom field"),
        "prices": _("Prices"),
    }
    return words.get(record, record)


def actor_word(actor: str) -> str:
    """Name who took a step."""
    words: Mapping[str, str] = {
        "customer": _("the customer"),
        "bot": _("the bot"),
        "operator": _("a person of the desk"),
        "owner": _("the owner"),
        "program": _("a program"),
        "provider": _("the payment service"),
        "system": _("by itself"),
    }
    return words.get(actor, actor)


def plain_amount(minor: int, currency: str) -> str:
    """Write an amount as it is typed into a field: 97,00 in Portuguese, without a sign."""
    places = get_currency_precision(currency)
    pattern = f"0.{'0' * places}" if places else "0"
    return str(format_decimal(Decimal(minor).scaleb(-places), format=pattern, locale=get_locale() or "en"))
