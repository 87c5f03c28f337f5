"""What a guard refused in a written reply, in the language of the page.

Called by the x-ray of turns; the codes are those of `replies.breaches`.
"""

from collections.abc import Mapping

from flask_babel import gettext as _


def breach_words(code: str) -> str:
    """Say what was wrong with a reply that did not leave; the code where an older version wrote another."""
    words: Mapping[str, str] = {
        "unknown_amount": _("It named an amount that the shop does not have."),
        "wrong_price": _("It gave a product a price that is not its own."),
        "unknown_number": _("It used a number that the shop did not give."),
        "discount": _("It offered a discount that the shop does not give."),
        "payment_terms": _("It named terms of payment that the shop does not state."),
        "time_pressure": _("It pressed for time without a true deadline."),
        "stock": _("It said something untrue about the stock."),
        "scarcity": _("It spoke of scarcity without a true fact."),
        "refund": _("It promised a refund that the shop does not state."),
        "guarantee": _("It promised a guarantee or result that the shop does not state."),
        "free": _("It promised something free that the shop does not give."),
        "delivery": _("It promised a delivery that the shop does not state."),
        "order_claim": _("It claimed that something was done which was not."),
        "unknown_phone": _("It gave a phone number that is not the shop's."),
        "unknown_link": _("It gave a link that is not the shop's."),
        "unknown_email": _("It gave an e-mail address that is not the shop's."),
        "private_data": _("It spoke of another person's data."),
        "too_long": _("It was too long for a chat."),
        "wrong_language": _("It was in another language than the customer's."),
        "prompt_leak": _("It spoke of its own instructions."),
        "raw_format": _("It held raw code or encoded text."),
        "unsafe_characters": _("It held hidden or disguised characters."),
        "unknown_action": _("It wanted to do something that cannot be done."),
        "unknown_claim": _("It claimed something about the shop that the shop does not state."),
        "off_topic": _("It was rude or spoke of something that is not the shop's."),
        "identity": _("It spoke as if it were a person."),
        "unknown_contact": _("It named a way to reach the shop that the shop does not state."),
        "unsupported": _("A second model found it unsupported by the shop's facts."),
        "unjudged": _("A second model was to check it and gave no verdict, so it was held back."),
    }
    return words.get(code, code)
