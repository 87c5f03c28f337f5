"""Twilio's error codes and what each means for a message of ours: the closed table.

`twilio` asks it about answers of its REST API and about failed callbacks. Source: Twilio, "Error and warning
dictionary"; a code that is not here is final.
"""

from dataclasses import replace
from datetime import datetime

from providers import loose
from providers.base import ProviderError, SendError
from providers.refusals import Meaning, denied, final, retry_after, slow, to_send_error, unreadable
from providers.transport import Answer

# A day's limit: ours, since Twilio names no time.
_DAILY_WAIT_SECS = 3_600.0

MEANINGS: dict[int, Meaning] = {
    # Who we are
    20003: denied("Twilio did not accept the account SID and auth token."),
    20005: denied("The Twilio account is not active."),
    20006: denied("Twilio denied access."),
    20404: denied("Twilio does not know this account or resource."),
    30002: denied("The Twilio account is suspended."),
    63001: denied("Twilio could not log in to WhatsApp for this sender."),
    63002: denied("Twilio could not find the sender at WhatsApp."),
    63007: denied("Twilio has no WhatsApp sender with this number."),
    63008: denied("The sender is not set up correctly at Twilio."),
    63020: denied("The invitation in Meta's Business Manager was not accepted."),
    63022: denied("The display name's certificate is not valid."),
    63051: denied("Meta locked or restricted the WhatsApp account."),
    21212: denied("The sender's number is not valid."),
    21606: denied("The sender's number does not belong to this account or cannot send."),
    21703: denied("The Messaging Service has no sender."),
    # Too fast
    20429: slow("Too many calls to Twilio."),
    21611: slow("The sender's queue at Twilio is full."),
    30001: slow("The sender's queue at Twilio is full."),
    30022: slow("The sender is over its rate."),
    63018: slow("The sender is over WhatsApp's rate."),
    63038: slow("The account has reached its messages of the day.", wait_secs=_DAILY_WAIT_SECS),
    # Trouble at Twilio or Meta
    20503: slow("Twilio is away for a moment.", "message"),
    63009: slow("WhatsApp answered Twilio with an error.", "message"),
    63010: slow("Twilio had an internal error.", "message"),
    63012: slow("WhatsApp was not available to Twilio.", "message"),
    30008: final("Undelivered for an unknown reason."),
    # The person
    63016: Meaning(
        "final",
        "More than 24 hours since the customer's last message.",
        is_window_closed=True,
    ),
    21610: Meaning("final", "The customer stopped messages from this number.", is_opt_out=True),
    63049: final("Meta kept the message back to protect the customer from too many; wait at least a day."),
    63032: final("WhatsApp limits messages to this customer, perhaps for an experiment."),
    63033: final("The customer blocked us."),
    63014: final("The customer blocked us."),
    63003: final("WhatsApp does not know the customer's number."),
    63024: final("The recipient cannot be reached on WhatsApp."),
    63036: final("The customer cannot be reached now."),
    63015: final("The customer did not join the Twilio sandbox."),
    63031: final("Sender and recipient are the same number."),
    21211: final("The customer's number is not valid."),
    21614: final("The customer's number is not a mobile number."),
    21408: final("The account may not message this country."),
    21608: final("A trial account may only message verified numbers."),
    30003: final("The customer's phone cannot be reached."),
    30004: final("The customer blocked us."),
    30005: final("The customer's number does not exist."),
    30006: final("The customer's number is a landline."),
    30007: final("The message was filtered."),
    # The message
    20001: final("Twilio could not understand a parameter."),
    21602: final("The message has no text and no file."),
    21604: final("The message has no recipient."),
    21617: final("The text is longer than 1,600 characters."),
    21619: final("The message has no text and no file."),
    21620: final("The file's address is not valid."),
    21623: final("Too many files in one message."),
    21655: final("Twilio does not know the Content SID."),
    21656: final("The template's variables are not valid."),
    63005: final("WhatsApp did not accept the content."),
    63006: final("Twilio could not bring the message into WhatsApp's form."),
    63013: final("The message breaks a policy of WhatsApp."),
    63019: final("The file could not be downloaded."),
    63021: final("WhatsApp did not accept the content."),
    63027: final("The template does not exist in this language."),
    63028: final("The number of template variables does not match."),
    63030: final("A parameter is not supported for WhatsApp."),
    63040: final("The template was rejected."),
    63041: final("The template is paused for low quality."),
    63042: final("The template was disabled for low quality."),
}
_UNKNOWN = final("Twilio refused the message.")
# Twilio's own failure: the message may stand in its queue all the same; the listing tells.
_INTERNAL_ERROR = 20500


def explain(error: ProviderError) -> SendError:
    """Say what the error of a failed callback means."""
    return _as_send_error(error.code, error.title, MEANINGS.get(error.code, _UNKNOWN))


def read_refusal(answer: Answer, now: datetime) -> SendError:
    """Say what an answer other than an accepted message means.

    A 500 is uncertain, with a body or without: a listing settles whether the message was made.
    """
    code, message = _error_of(answer)
    wait = retry_after(answer.headers, now)
    if code is None or code == _INTERNAL_ERROR:
        return unreadable(answer, wait)
    meaning = MEANINGS.get(code)
    if meaning is None:
        meaning = _UNKNOWN
        if answer.status == 429:
            meaning = slow("Twilio asked to slow down.")
        elif answer.status >= 500:
            return unreadable(answer, wait)
        elif answer.status in (401, 403):
            meaning = denied("Twilio denied access.")
    error = _as_send_error(code, message, meaning)
    if error.outcome != "retry":
        return error
    return replace(error, retry_after_secs=error.retry_after_secs if wait is None else wait)


def _error_of(answer: Answer) -> tuple[int | None, str]:
    try:
        body = loose.mapping(loose.read(answer.content))
    except ValueError:
        return None, ""
    # A message that failed at once is answered 201 with the error in it.
    code = loose.integer(body.get("code")) or loose.integer(body.get("error_code"))
    return code, loose.text(body.get("message")) or loose.text(body.get("error_message"))


def _as_send_error(code: int, said: str, meaning: Meaning) -> SendError:
    return to_send_error("Twilio", code, said, meaning)
