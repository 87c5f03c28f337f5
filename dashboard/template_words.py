"""What pages say of templates, campaigns and planned messages, in the language of the page."""

from flask_babel import gettext as _

from providers.templates import Problem

_TONES = {
    "approved": "tag-bot",
    "running": "tag-bot",
    "done": "tag-bot",
    "pending": "tag-warn",
    "paused": "tag-warn",
    "scheduled": "tag-person",
    "rejected": "tag-danger",
    "disabled": "tag-danger",
    "refused": "tag-danger",
    "deleted": "tag-muted",
}


def status_word(status: str) -> str:
    """Name the state of a template, a campaign or a planned message."""
    words = {
        "draft": _("draft"),
        "pending": _("in review"),
        "approved": _("approved"),
        "rejected": _("rejected"),
        "paused": _("paused"),
        "disabled": _("disabled"),
        "archived": _("archived"),
        "deleted": _("gone"),
        "scheduled": _("scheduled"),
        "running": _("running"),
        "done": _("done"),
        "cancelled": _("cancelled"),
        "waiting": _("waiting"),
        "queued": _("in the outbox"),
        "refused": _("not sent"),
        "changed": _("changed"),
    }
    return str(words.get(status, status))


def tone(status: str) -> str:
    """Give the class of a status's tag."""
    return _TONES.get(status, "tag-muted")


def category_word(category: str) -> str:
    words = {
        "utility": _("utility (about something that she asked for)"),
        "marketing": _("marketing (news and offers)"),
        "authentication": _("login code"),
    }
    return str(words.get(category, category))


def quality_word(quality: str) -> str:
    words = {"green": _("high quality"), "yellow": _("medium quality"), "red": _("low quality")}
    return str(words.get(quality, ""))


def button_kinds() -> list[tuple[str, str]]:
    return [
        ("quick_reply", _("quick reply")),
        ("url", _("link")),
        ("phone_number", _("call a number")),
        ("copy_code", _("copy a code")),
    ]


def header_kinds() -> list[tuple[str, str]]:
    return [
        ("text", _("text")),
        ("image", _("picture")),
        ("video", _("video")),
        ("document", _("document")),
    ]


def placeholder_word(key: str) -> str:
    """Name a placeholder where it is filled."""
    if key == "header":
        return str(_("Address of the file (https)"))
    if key.startswith("header:"):
        return str(_("{{%(name)s}} in the header", name=key.partition(":")[2]))
    if key.startswith("button:"):
        return str(_("Ending of the link, or code, of button %(place)d", place=int(key[7:]) + 1))
    return f"{{{{{key}}}}}"


def source_words() -> list[tuple[str, str]]:
    return [
        ("text", _("the same words for all")),
        ("first_name", _("her first name")),
        ("name", _("her whole name")),
        ("column", _("a column of the file")),
    ]


def problem_words(problem: Problem) -> str:
    """Say what a provider would refuse."""
    detail = problem.detail
    words = {
        "bad_name": _("Lower-case letters without accents, digits and underscores only."),
        "taken": _("There is a template of this name in this language already."),
        "handed_in": _("It was handed in and cannot be changed here any more."),
        "unknown_language": _("Choose one of the languages."),
        "unknown_category": _("Choose one of the categories."),
        "empty": _("Words are missing."),
        "too_long": _("It has more than %(count)s characters.", count=detail),
        "placeholder_at_edge": _("A placeholder may stand neither at the beginning nor at the end."),
        "placeholders_touch": _("There must be words between two placeholders."),
        "not_in_sequence": _("Number the placeholders 1, 2, 3 in each part, or give all of them names."),
        "broken_placeholder": _("Write placeholders as {{1}} or {{name}}."),
        "bad_placeholder_name": _(
            "“%(name)s”: lower-case letters, digits and underscores only.", name=detail
        ),
        "too_few_words": _("There are too many placeholders for so few words."),
        "many_line_ends": _("More than one empty line in a row is not allowed."),
        "no_example": _("An example is needed for the review."),
        "no_placeholder_here": _("No placeholder may stand here."),
        "one_placeholder": _("The header takes one placeholder at most."),
        "plain_line": _("The header is one line without * marks."),
        "too_many": _("There are more than %(count)s of them.", count=detail),
        "too_many_of_kind": _("There are too many buttons of this kind."),
        "same_title": _("Two buttons have the same title."),
        "mixed": _("Quick replies must stand together."),
        "button_kind": _("The desk does not know this kind of button."),
        "bad_link": _("Write a whole address that begins with https://."),
        "link_placeholder": _("A link takes one placeholder, {{1}}, at its end."),
        "bad_phone": _("Write the number with its country code."),
        "bad_code": _("A code has 1 to 15 characters."),
        "no_file": _("Choose the file that stands on top; WhatsApp looks at it in the review."),
        "no_sample": _("On top goes a JPEG or PNG picture, an MP4 video or a PDF document."),
        "large": _("The file is too large: pictures up to 5 MB, videos and documents up to 16 MB."),
        "other_kind": _("The file's ending does not fit what was chosen above."),
        "header_kind": _("The desk does not know this kind of header."),
        "bad_sid": _("A Content SID begins with HX and has 34 characters."),
    }
    return str(words.get(problem.code) or _("The provider would refuse this."))


def refusal_words(code: str) -> str:
    """Say why something cannot be sent, planned or started; also why somebody is left out."""
    words = {
        "invalid_phone": _("no valid phone"),
        "duplicate": _("twice in the file"),
        "already_in": _("in this campaign already"),
        "opted_out": _("asked for no more messages"),
        "refuses_marketing": _("wants no advertisement"),
        "no_language": _("no template in her language"),
        "missing_value": _("a placeholder has no value for her"),
        "missing": _("a placeholder has no value"),
        "too_long": _("the text is too long"),
        "bad_link": _("the file's address must begin with https://"),
        "unsupported": _("the desk cannot fill this template"),
        "not_approved": _("the template is not approved"),
        "no_template": _("no approved template of this name"),
        "other_number": _("the template belongs to another number"),
        "number_off": _("this number is switched off"),
        "window_closed": _("the 24-hour window was closed"),
        "stale": _("its time had passed long ago"),
        "nobody": _("there is nobody to send it to"),
        "in_past": _("that time is over"),
        "too_late": _("that is more than six months ahead"),
        "empty": _("words are missing"),
        "not_draft": _("it has begun already"),
        "not_running": _("it is not running"),
        "over": _("it is over"),
        "daily_limit": _("Meta's number of people per day is used up"),
        "refused": _("the provider refused the template"),
        "failed": _("an error of the desk: tell whoever looks after it"),
        "no_address": _("the provider gave no address"),
    }
    return str(words.get(code, code))


def list_words(code: str, detail: str) -> str:
    """Say why a file of people cannot be read."""
    words = {
        "empty": _("There is nobody in the file."),
        "too_large": _("The file has more than %(count)s MB. Import it in parts.", count=detail),
        "too_many_rows": _("The file has more than %(count)s rows. Import it in parts.", count=detail),
        "too_many_columns": _("The file has more than %(count)s columns.", count=detail),
        "not_text": _("This is no CSV file. Save it in your spreadsheet program as CSV and try again."),
        "broken": _(
            "Line %(line)s cannot be read: a quotation mark is missing, or a cell is too long.", line=detail
        ),
        "no_phone_column": _("No column with phones was found. Name it “phone” in the first row."),
    }
    return str(words.get(code) or _("The file cannot be read."))


def outcome_hint(outcome: str) -> str:
    """Say what a figure counts where its word leaves that open; nothing where it does not."""
    if outcome == "replied":
        return str(_("Wrote within 3 days after the message, quoted it, or pressed one of its buttons."))
    return ""


def outcome_word(outcome: str) -> str:
    words = {
        "waiting": _("waiting"),
        "queued": _("in the outbox"),
        "sent": _("sent"),
        "delivered": _("delivered"),
        "read": _("read"),
        "replied": _("answered"),
        "failed": _("failed"),
        "opted_out": _("opted out"),
        "left_out": _("left out"),
    }
    return str(words.get(outcome, outcome))
