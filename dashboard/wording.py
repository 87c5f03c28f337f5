"""What rows say in English, in the words of the page: why somebody answered, why a message failed, what an
alert is about.

Called by the templates. Reasons and codes are closed lists of other rooms; what is not in a table is shown as
it was stored. Reads nothing and decides nothing.
"""

import json
from collections.abc import Mapping
from functools import cache

from flask_babel import get_locale
from flask_babel import gettext as _

# Reasons that name a thing: the words before or after it, and the table of the things.
AROUND = (
    ("answers the question for ", ""),
    ("clear intent: ", ""),
    ("said ", ""),
    ("the word for ", ""),
    ("", " needs no answer"),
    ("", " received"),
)


def reason_words(reason: str) -> str:
    """Say why somebody answered (`turns.reason`, `conversations.handler_reason`)."""
    fixed = _fixed_reasons().get(reason)
    if fixed is not None:
        return fixed
    for before, after in AROUND:
        if reason.startswith(before) and reason.endswith(after) and len(reason) > len(before + after):
            thing = reason[len(before) : len(reason) - len(after)]
            return _reason_about(before or after, thing)
    return reason


def _fixed_reasons() -> Mapping[str, str]:
    return {
        "groups are never answered": _("groups are never answered"),
        "opted in again": _("wants messages again"),
        "opted in again, a person has the conversation": _(
            "wants messages again; a person has the conversation"
        ),
        "opted out": _("asked for no more messages"),
        "opt-out word": _("asked for no more messages just now"),
        "too old to answer": _("came too late to be answered by the bot"),
        "a person has the conversation": _("a person has the conversation"),
        "angry and critical": _("angry, and it is critical"),
        "somebody may be in danger": _("somebody may be in danger"),
        "cannot be read": _("a kind of message that the bot cannot read"),
        "asked for a person": _("asked for a person"),
        "not read surely enough": _("the desk was not sure enough what is meant"),
        "the customer says that it is not solved": _("the customer says that it is not solved"),
        "taken over": _("a person took the conversation over"),
        "answered on the owner's phone": _("the owner answered on her own phone"),
        "the owner's button": _("a button of the owner's"),
        "follow-up: cart": _("a follow-up of our own: a cart that was left"),
        "follow-up: order": _("a follow-up of our own: an order without payment"),
        "follow-up: lead": _("a follow-up of our own: a silent lead"),
        "catalogue order": _("an order from the catalogue"),
        "chose an option": _("chose an option of the menu"),
        "greeting": _("a greeting opens the menu"),
        "shop word": _("named the shop or its cart"),
        "spam": _("reads like spam"),
        "doubts what is offered": _("doubts what is offered"),
        "does not name an option": _("names no option of the menu"),
        "no option has this number": _("gives a number that no option of the menu has"),
        "first contact without a clear wish": _("first contact without a clear wish: the menu"),
        "free text": _("free text without a clear wish"),
    }


def _reason_about(frame: str, thing: str) -> str:
    if frame == "answers the question for ":
        return str(_("answers the open question: %(thing)s", thing=_awaited(thing)))
    if frame == "clear intent: ":
        return str(_("a clear wish: %(thing)s", thing=reading_word(thing)))
    if frame == "said ":
        words: Mapping[str, str] = {
            "thanks": _("said thanks"),
            "hello_back": _("asked how we are"),
            "robot": _("asked whether a robot answers"),
            "insult": _("was rude"),
            "lost": _("did not know how to go on"),
            "wait": _("asked us to wait"),
            "laugh": _("laughed"),
            "declined": _("said no, thank you"),
            "bye": _("said goodbye"),
            "okay": _("agreed, nothing to answer"),
        }
        return words.get(thing, f"{frame}{thing}")
    if frame == "the word for ":
        words = {"menu": _("asked for the menu"), "back": _("asked to go back")}
        return words.get(thing, f"{frame}{thing}")
    if frame == " received":
        return str(_("%(thing)s cannot be read by the bot", thing=_kind(thing)))
    return str(_("%(thing)s needs no answer", thing=_kind(thing)))


def _awaited(name: str) -> str:
    words: Mapping[str, str] = {
        "text": _("words of their own"),
        "free": _("words of their own"),
        "name": _("a name"),
        "number": _("a number"),
        "money": _("an amount"),
        "email": _("an e-mail address"),
        "country": _("a country"),
        "date": _("a date"),
    }
    return words.get(name, name)


def _kind(name: str) -> str:
    words: Mapping[str, str] = {
        "image": _("Photo"),
        "video": _("Video"),
        "audio": _("Voice message"),
        "document": _("Document"),
        "sticker": _("Sticker"),
        "location": _("A place on the map"),
        "contacts": _("A contact card"),
        "reaction": _("A reaction"),
        "system": _("News of WhatsApp"),
    }
    return words.get(name, name)


def reading_word(label: str) -> str:
    """Name a label of the analysis: an intent, a sentiment, an urgency, a buying signal."""
    return _reading_words(str(get_locale())).get(label, label)


@cache
def _reading_words(_locale: str) -> Mapping[str, str]:
    """Give the names in the language of the page: once, because a page of the inbox names hundreds."""
    return {
        "lead_inquiry": _("interest in an offer"),
        "support_ticket": _("needs help"),
        "complaint": _("a complaint"),
        "order_inquiry": _("about an order"),
        "payment_inquiry": _("about a payment"),
        "appointment_request": _("an appointment"),
        "feedback": _("feedback"),
        "spam": _("spam"),
        "other": _("no particular wish"),
        "positive": _("positive"),
        "negative": _("negative"),
        "angry": _("angry"),
        "frustrated": _("frustrated"),
        "excited": _("excited"),
        "neutral": _("neutral"),
        "critical": _("critical"),
        "urgent": _("urgent"),
        "high": _("high"),
        "medium": _("medium"),
        "low": _("low"),
        "initial_interest": _("first interest"),
        "question": _("a question"),
        "objection": _("an objection"),
        "ready_to_buy": _("ready to buy"),
        "not_interested": _("not interested"),
        "none": _("no buying signal"),
    }


def task_word(task: str) -> str:
    """Name what a text is read for."""
    words: Mapping[str, str] = {
        "intent": _("intent"),
        "buying_signal": _("buying signal"),
        "sentiment": _("sentiment"),
        "urgency": _("urgency"),
        "spam": _("spam"),
    }
    return words.get(task, task)


def error_words(code: str, stored: str) -> str:
    """Say why a message failed or waits (`messages.error_code`); `stored` when the code is in no table."""
    known = _our_errors().get(code) or _provider_errors().get(code)
    return known or stored or str(_("It could not be sent."))


def health_words(stored: str) -> str:
    """Say what a provider last said of a number (`integrations.health_summary`); older rows as stored."""
    try:
        told = json.loads(stored)
    except ValueError:
        return stored
    if not isinstance(told, dict):
        return stored
    code = str(told.get("code", ""))
    if code.startswith("http_"):
        status = code.removeprefix("http_")
        return str(_("The provider refused the request (HTTP %(status)s).", status=status))
    facts = {name: str(told.get(name, "")) for name in ("number", "name", "status", "quality")}
    facts |= {name: _health_state(facts[name]) for name in ("status", "quality")}
    sentences = {
        "meta_number": _("%(number)s %(name)s: %(status)s, quality %(quality)s", **facts),
        "twilio_account": _("Twilio account %(name)s: %(status)s", **facts),
        "simulated": _("Simulated number: always there, reaches nobody"),
        "bad_address": _("The provider's address or key is malformed."),
        "cut": _("The line was cut before the provider answered."),
    }
    return sentences.get(code) or error_words(code, str(told.get("said", "")))


def _health_state(word: str) -> str:
    """Name a number's or an account's state, and a number's quality; words of tomorrow stay as they came."""
    words: Mapping[str, str] = {
        "connected": _("connected"),
        "disconnected": _("disconnected"),
        "pending": _("pending"),
        "flagged": _("flagged"),
        "restricted": _("restricted"),
        "unknown": _("unknown"),
        "green": _("good"),
        "yellow": _("medium"),
        "red": _("low"),
        "active": _("active"),
        "suspended": _("suspended"),
        "closed": _("closed"),
    }
    return words.get(word, word)


def _our_errors() -> Mapping[str, str]:
    return {
        "cancelled": _("Not sent: a person took over, or the customer opted out, before it left."),
        "window_closed": _("The 24-hour window is closed. It opens again when the customer writes."),
        "number_off": _("This number is switched off."),
        "no_address": _("The provider gave no address for this person."),
        "not_connected": _("The provider could not be reached."),
        "not_fitted": _("The provider's limits do not allow this message."),
        "cut_off": _("The line was cut while sending; it may have arrived."),
    }


def _provider_errors() -> Mapping[str, str]:
    """Name the refusals that a desk meets, by the codes of Meta and Twilio; ids of both never collide."""
    closed = _("More than 24 hours since the customer's last message: only a template may be sent.")
    unreachable = _("Undeliverable: this person has no WhatsApp, an old version, or blocked us.")
    blocked = _("The customer blocked us.")
    too_fast = _("The number sends faster than the provider allows; it goes on by itself.")
    token = _("The provider does not accept our credentials. An admin must look at the number.")
    kept_back = _("WhatsApp kept the message back to protect the customer from too many.")
    unpaid = _("A payment method is missing or was refused at the provider.")
    locked = _("The WhatsApp account is locked or restricted.")
    template = _("The template does not exist in this language or is not approved.")
    trouble = _("The provider had trouble of its own; it is tried again.")
    rows = {
        closed: (131047, 63016),
        unreachable: (131026, 63024, 63003, 63036, 30003, 30005),
        blocked: (63033, 63014, 30004),
        too_fast: (4, 80007, 130429, 131056, 20429, 21611, 30022, 63018),
        token: (0, 3, 10, 190, 131005, 20003, 20006, 63001, 63007),
        kept_back: (131049, 130472, 63049, 63032),
        unpaid: (131042,),
        locked: (131031, 368, 63051, 20005, 30002),
        template: (132001, 63027, 63040),
        trouble: (1, 2, 131000, 131016, 20503, 63009, 63010, 63012),
        _("The customer stopped messages from this number."): (21610,),
        _("The customer stopped this business's advertising."): (131050,),
        _("The recipient is not on the test number's list."): (131030, 63015, 21608),
        _("The file could not be fetched or is of a kind that is not taken."): (131052, 131053, 63019, 21620),
    }
    return {str(code): words for words, codes in rows.items() for code in codes}


def model_failure_words(code: str) -> str:
    """Say in a sentence why a model did not help (`llm.FailureCode`), or why nobody may be asked."""
    words: Mapping[str, str] = {
        "timeout": _("The model took too long to answer."),
        "refused_key": _("The model's service refused our key. An admin must look at it."),
        "refused_request": _("The model's service did not accept the request. An admin must look at it."),
        "rate_limited": _("The model's service is asked too often right now. Try again in a moment."),
        "overloaded": _("The model's service is overloaded. Try again in a moment."),
        "bad_answer": _("The model's answer could not be used."),
        "unreachable": _("The model's service cannot be reached."),
        "content_filtered": _("The model's service held its answer back."),
        "too_long": _("The conversation is too long for the model."),
        "circuit_open": _("The model failed several times and rests for a moment."),
        "over_budget": _("Today's money for the language model is spent."),
        "not_configured": _("No language model is set."),
        "number_off": _("This number is switched off."),
    }
    return words.get(code, str(_("The model could not help this time.")))


def strategy_word(name: str) -> str:
    """Name a way of selling."""
    words: Mapping[str, str] = {
        "consultivo": _("Advising"),
        "escassez": _("Scarcity"),
        "emocional": _("Emotional"),
        "racional": _("Factual"),
    }
    return str(words.get(name, name))


def alert_words(kind: str, stored: str) -> str:
    """Say what an alert of this kind is about; `stored` when the kind is in no table."""
    words: Mapping[str, str] = {
        "waiting": _("A customer waits for a person"),
        "media": _("A customer sent a file that nobody has looked at"),
        "model_spend": _("Today's calls to the language model have reached their cap"),
        "lead": _("A new lead"),
        "complaint": _("A complaint came in: a manager should look"),
        "appointment": _("An appointment waits for a time"),
        "delivery_failed": _("A message did not arrive"),
        "credentials": _("A number's credentials are refused by the provider"),
        "receipt_failed": _("A receipt could not be worked on and was set aside"),
        "template": _("A message template was changed at its provider"),
        "turn_failed": _("A message could not be worked on and was set aside"),
        "token_ending": _("The access token of a number ends within a week"),
        "no_worker": _("No worker is running: messages wait"),
        "webhook": _("A program does not take our webhooks"),
        "unanswered": _("A message has waited for an answer for too long"),
        "alert_untold": _("Alerts do not reach one of their recipients"),
        "paid": _("An order is paid"),
        "payment_claimed": _("A payment waits to be confirmed: look at the account"),
        "claim_ending": _("An order that is said to be paid ends in two days: look at the account"),
        "payment_mismatch": _("Money arrived that is not what an order costs"),
        "payment_late": _("Money arrived for an order that had been cancelled or paid back"),
        "payment_twice": _("An order was paid twice: pay one payment back"),
        "payment_failed": _("A payment link could not be made"),
        "refund_failed": _("Money could not be paid back"),
        "refund_wanted": _("A customer wants an order paid back"),
        "order_placed": _("An order waits for the payment data: no way to pay is set up"),
        "no_keys": _("No licence key is left: paid orders wait"),
        "to_deliver": _("A paid order is to be handed over by a person"),
        "undelivered": _("A paid order waits until its customer writes again"),
        "payment_service": _("A payment service refuses our key: nobody can pay through it"),
        "payment_unknown": _("Money came through a payment service for no order of ours"),
        "payment_disputed": _("A payment is disputed: answer at the payment service in time"),
        "strategy_paused": _("A way of selling was paused: too many people asked for silence after it"),
        "learning_unreadable": _("What the selling had learnt could not be read: it was worked out anew"),
        "payment_event_failed": _("News of a payment service could not be worked on for days"),
    }
    return words.get(kind, stored)


def part_word(name: str) -> str:
    """Name a part of a turn whose time was taken."""
    words: Mapping[str, str] = {
        "read": _("reading"),
        "answer": _("answering"),
    }
    return words.get(name, name)


def snooze_word(length: str) -> str:
    """Name a length of time for which a conversation is put off."""
    words = {"1h": _("for an hour"), "4h": _("for four hours"), "1d": _("for a day"), "7d": _("for a week")}
    return str(words.get(length, length))


def identity_word(kind: str) -> str:
    """Name a kind of identity under which a provider knows a person."""
    words = {
        "wa_id": _("Phone"),
        "username": _("Username"),
        "bsuid": _("WhatsApp id"),
        "parent_bsuid": _("WhatsApp id of the business group"),
    }
    return str(words.get(kind, kind))


def record_kind_word(kind: str) -> str:
    """Name one record of a kind."""
    words = {
        "leads": _("Lead"),
        "tickets": _("Ticket"),
        "complaints": _("Complaint"),
        "appointments": _("Appointment"),
        "orders": _("Order"),
    }
    return str(words.get(kind, kind))


def attachment_words(code: str) -> str:
    """Say why a file cannot be sent."""
    words = {
        "kind": _("Only pictures (PNG, JPEG) and PDF documents can be sent."),
        "large": _("That file is too large: pictures up to 5 MB, documents up to 16 MB."),
        "caption": _("With a file, the text has at most 1024 characters."),
    }
    return str(words.get(code, code))
