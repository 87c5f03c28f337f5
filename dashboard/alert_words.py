"""What the pages of alerts say: channels, groups, states, why a message did not arrive, what is not set up.

Called by the templates of alerts. Reads nothing and decides nothing.
"""

from collections.abc import Mapping, Sequence

from flask_babel import gettext as _
from flask_babel import ngettext

from config import Config

ICONS: Mapping[str, str] = {
    "email": "fa-envelope",
    "sms": "fa-comment-sms",
    "push": "fa-bell",
    "webhook": "fa-code",
    "whatsapp": "fa-bell-concierge",
}


def channel_word(channel: str) -> str:
    words: Mapping[str, str] = {
        "email": _("E-mail"),
        "sms": _("Text message (SMS)"),
        "push": _("Browser"),
        "webhook": _("Webhook"),
        "whatsapp": _("Owner's WhatsApp"),
    }
    return words.get(channel, channel)


def group_word(group: str) -> str:
    words: Mapping[str, str] = {
        "customers": _("Customers"),
        "money": _("Orders and money"),
        "desk": _("Running the desk"),
    }
    return words.get(group, group)


def kinds_words(kinds: Sequence[str] | None) -> str:
    """Say how much somebody is told of."""
    if kinds is None:
        return str(_("everything"))
    return str(ngettext("%(num)d kind", "%(num)d kinds", len(kinds)))


def count_words(count: int) -> str:
    """Say how many alerts travelled in one message."""
    return str(ngettext("%(num)d alert", "%(num)d alerts", count))


def state_word(state: str) -> str:
    words: Mapping[str, str] = {
        "waiting": _("waits"),
        "sending": _("is being sent"),
        "sent": _("sent"),
        "failed": _("not sent"),
        "uncertain": _("cut off, perhaps sent"),
        "dropped": _("not told"),
        "done": _("done"),
    }
    return words.get(state, state)


def trouble_words(code: str) -> str:
    """Say why something was not sent: a code of the wires (`SendError`), or of the outbox."""
    words: Mapping[str, str] = {
        "not_configured": _("This channel is not set up on the server."),
        "credentials": _("The mail server refuses our user name or password."),
        "recipient_refused": _("The mail server refuses this recipient."),
        "refused": _("The other side refused it."),
        "not_connected": _("The other side cannot be reached."),
        "cut": _("The line was cut."),
        "no_tls": _("The mail server offers no encryption for the password."),
        "bad_certificate": _("The mail server's certificate cannot be verified."),
        "bad_address": _("The address is not usable."),
        "private_address": _("The address leads into a private network."),
        "gone": _("It does not exist any more."),
        "no_secret": _("Its secret cannot be opened: SECRET_KEY was changed."),
        "bad_subscription": _("The browser's subscription is not usable."),
        "settled": _("over before it was told"),
        "too_old": _("too old to be news"),
        "switched_off": _("switched off"),
        "replaced": _("replaced by a newer one"),
        "bad_click": _("Meta does not know the click as one on an ad of this account."),
        "not_counted": _("Meta counted nothing."),
        "other_dataset": _("Meta does not name this dataset for the account."),
        "no_business_account": _("The number has no business account ID."),
        "no_number": _("Its number is switched off, or its secrets cannot be opened."),
        "nobody": _("the person may not be written to"),
        "unauthorized": _("The key is not accepted. Enter a new one: what waits leaves then."),
        "forbidden": _("The key lacks rights. Give it those that are named below, and test again."),
        "busy": _("It wants fewer requests at a time."),
        "unavailable": _("It has a fault of its own; we try again."),
        "unreadable": _("Its answer cannot be read; we try again."),
        "no_pipeline": _("The account has no pipeline of deals."),
        "no_stage": _("Choose a stage for every status."),
        "no_event_type": _("Choose what is booked there."),
    }
    return words.get(code, str(_("The service answered with %(code)s.", code=code)))


def letter_word(method: str, sequence: int, state: str, reason: str) -> str:
    """Say what became of an invitation by e-mail."""
    what = _("Cancellation") if method == "CANCEL" else _("New time") if sequence else _("Invitation")
    if state == "sent":
        return f"{what}: {_('was sent')}"
    return f"{what}: {trouble_words(reason) if reason else state_word(state)}"


def missing_words(config: Config) -> list[str]:
    """Say which channels wait for a setting."""
    missing = []
    if not config.smtp_url:
        missing.append(str(_("E-mail: set SMTP_URL. Until then letters are kept and shown, not sent.")))
    if not (config.twilio_sms_from and config.twilio_account_sid and config.twilio_auth_token):
        words = _("Text messages: set TWILIO_SMS_FROM, TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN.")
        missing.append(str(words))
    if not config.public_base_url:
        missing.append(str(_("Links: set PUBLIC_BASE_URL. Until then messages have none.")))
    return missing
