"""What a flow sets in motion for people: leads, tickets, complaints, appointments, feedback, a hand-over.

`flow_actions` takes ACTIONS over into its closed list and says what an action may do. Decides no step, sends
nothing, commits nothing.
"""

from collections.abc import Mapping
from typing import Final
from zoneinfo import ZoneInfo

import analysis
import learning
import texts
from action_terms import (
    FAILED,
    NONE,
    Action,
    ActionContext,
    ActionResult,
    Args,
    alert,
    contact_of,
    conversation_of,
    found,
    phone_of,
    text_arg,
    whole_arg,
)
from connectors import calcom
from crm import (
    appointments,
    complaints,
    feedback,
    follow_ups,
    hand_overs,
    hours,
    leads,
    new_leads,
    slots,
    teams,
    tickets,
)
from crm.numbered import CUSTOMER
from models import Appointment, Ticket, db, reading

SHOWN_TICKETS: Final = 3
KNOWN_LEADS: Final = 5
ISO_DAY_CHARS: Final = 10
TOPIC_MIN_CHARS: Final = 5  # beside a day or time; less is "on", "at", "para"
REASON_MAX_CHARS: Final = 120


def _known_lead(_args: Args, ctx: ActionContext) -> ActionResult:
    for lead in leads.newest_leads(KNOWN_LEADS, contact_id=ctx.contact_id):
        if lead.name and lead.email:
            return ActionResult("found", {"lead": {"name": lead.name, "email": lead.email}})
    return ActionResult(NONE)


def _create_lead(args: Args, ctx: ActionContext) -> ActionResult:
    contact = contact_of(ctx)
    new_leads.take(
        contact,
        leads.LeadWish(
            name=text_arg(args, "name") or contact.name,
            phone=phone_of(contact),
            email=text_arg(args, "email"),
            interest=text_arg(args, "interest"),
            budget_usd=whole_arg(args, "budget"),
            country=text_arg(args, "country"),
        ),
        now=ctx.now,
        conversation_id=ctx.conversation_id,
        message_id=ctx.message_id,
        source=text_arg(args, "source") or ctx.flow,
        tells_again=True,
    )
    return ActionResult("created")


def _open_ticket(args: Args, ctx: ActionContext) -> ActionResult:
    ticket = tickets.open_ticket(
        ctx.contact_id,
        text_arg(args, "description"),
        now=ctx.now,
        subject=text_arg(args, "subject"),
        priority=ctx.priority,
        conversation_id=ctx.conversation_id,
        message_id=ctx.message_id,
    )
    if ticket.due_at is None:
        within = tickets.ANSWERED_WITHIN[ticket.priority]
        teams.entrust(ticket, teams.SUPPORT, within, config=ctx.config, now=ctx.now)
    return ActionResult("created", {"ticket": {"number": ticket.number}})


def _add_to_ticket(_args: Args, ctx: ActionContext) -> ActionResult:
    ticket = tickets.open_recent(ctx.conversation_id, ctx.now)
    if ticket is None or ctx.message_id is None:
        solved = tickets.solved_recent(ctx.conversation_id, ctx.now)
        return ActionResult("solved", _facts(solved)) if solved else ActionResult(NONE)
    if tickets.add_words(ticket, ctx.message_id, ctx.priority, now=ctx.now):
        within = tickets.ANSWERED_WITHIN[ticket.priority]
        due = hours.due_time(ctx.config, ticket.team_id, ctx.now, within)
        ticket.due_at = min(due, ticket.due_at or due)
    return ActionResult("added", _facts(ticket))


def _reopen_ticket(args: Args, ctx: ActionContext) -> ActionResult:
    ticket = tickets.solved_recent(ctx.conversation_id, ctx.now)
    if ticket is None:
        return ActionResult(NONE)
    tickets.reopen(ticket, text_arg(args, "words"), now=ctx.now)
    within = tickets.ANSWERED_WITHIN[ticket.priority]
    ticket.due_at = hours.due_time(ctx.config, ticket.team_id, ctx.now, within)
    return ActionResult("reopened", _facts(ticket))


def _facts(ticket: Ticket) -> dict[str, dict[str, str]]:
    return {"ticket": {"number": ticket.number or "", "subject": ticket.subject}}


def _ticket_status(args: Args, ctx: ActionContext) -> ActionResult:
    written = text_arg(args, "number")
    if written:
        wanted = tickets.ticket_of(ctx.contact_id, written)
        shown = [wanted] if wanted is not None else []
    else:
        shown = tickets.newest_tickets(SHOWN_TICKETS, contact_id=ctx.contact_id)
    return found(
        "tickets",
        [
            {
                "number": ticket.number,
                "subject": ticket.subject,
                "status_text": texts.text("ticket_status_word", ctx.language, status=ticket.status),
            }
            for ticket in shown
        ],
    )


def _open_complaint(args: Args, ctx: ActionContext) -> ActionResult:
    complaint = complaints.open_complaint(
        ctx.contact_id,
        text_arg(args, "description"),
        now=ctx.now,
        conversation_id=ctx.conversation_id,
        message_id=ctx.message_id,
    )
    if complaint.due_at is None:
        within = complaints.ANSWERED_WITHIN
        teams.entrust(complaint, teams.ESCALATION, within, config=ctx.config, now=ctx.now)
    learning.note(ctx.conversation_id, "complaint", now=ctx.now)
    alert(
        "complaint",
        f"complaint:{complaint.number}",
        f"Complaint {complaint.number}: a manager should look",
        ctx,
    )
    return ActionResult("created", {"complaint": {"number": complaint.number}})


def _add_to_complaint(_args: Args, ctx: ActionContext) -> ActionResult:
    complaint = complaints.open_recent(ctx.conversation_id, ctx.now)
    if complaint is None or ctx.message_id is None:
        return ActionResult(NONE)
    complaints.add_words(complaint, ctx.message_id, now=ctx.now)
    return ActionResult("added", {"complaint": {"number": complaint.number}})


def _accept_solution(_args: Args, ctx: ActionContext) -> ActionResult:
    complaint = complaints.awaiting_word(ctx.conversation_id)
    if complaint is None:
        return ActionResult(NONE)
    complaints.accept(complaint, now=ctx.now)
    feedback.note_request(complaint, now=ctx.now)
    return ActionResult("closed", {"complaint": {"number": complaint.number}})


def _reject_solution(_args: Args, ctx: ActionContext) -> ActionResult:
    complaint = complaints.awaiting_word(ctx.conversation_id)
    if complaint is None:
        return ActionResult(NONE)
    complaints.reject(complaint, now=ctx.now)
    within = complaints.ANSWERED_WITHIN
    teams.entrust(complaint, teams.ESCALATION, within, config=ctx.config, now=ctx.now)
    number = complaint.number
    alert("complaint", f"complaint:{number}", f"Complaint {number} is not solved: a manager should look", ctx)
    return ActionResult("reopened", {"complaint": {"number": number}})


def _follow_up(args: Args, ctx: ActionContext) -> ActionResult:
    kind = text_arg(args, "kind")
    if kind not in follow_ups.KINDS:
        return ActionResult(FAILED)
    row, is_new = follow_ups.open_follow_up(
        ctx.contact_id,
        kind,
        now=ctx.now,
        words=text_arg(args, "words"),
        conversation_id=ctx.conversation_id,
        message_id=ctx.message_id,
    )
    if is_new:
        duty = teams.FINANCE if kind == "payment_inquiry" else teams.SUPPORT
        teams.entrust(row, duty, follow_ups.DONE_WITHIN, config=ctx.config, now=ctx.now)
    return ActionResult("created")


def _request_appointment(args: Args, ctx: ActionContext) -> ActionResult:
    wish = text_arg(args, "wish")
    day = text_arg(args, "day") or _day_in(wish, ctx)
    appointment = appointments.request_appointment(
        ctx.contact_id,
        now=ctx.now,
        topic=_without_moments(text_arg(args, "topic"), ctx),
        wish=f"{wish} ({day})" if day and day not in wish else wish,
        conversation_id=ctx.conversation_id,
        message_id=ctx.message_id,
    )
    teams.assign(appointment, teams.SCHEDULING)
    alert(
        "appointment",
        f"appointment:{appointment.number}",
        f"Appointment {appointment.number} waits for a time: {appointment.wish}",
        ctx,
    )
    facts = {"number": appointment.number, "day_text": texts.day_text(day, ctx.language)}
    return ActionResult("created", {"appointment": facts})


def _upcoming_appointment(_args: Args, ctx: ActionContext) -> ActionResult:
    row = appointments.upcoming(ctx.contact_id, ctx.now)
    return ActionResult(NONE) if row is None else ActionResult("found", {"appointment": _booked(row, ctx)})


def _ask_free_slots(args: Args, ctx: ActionContext) -> ActionResult:
    calcom.ask_free_times(ctx.config, now=ctx.now)
    is_ours = not db.session().in_transaction()
    with reading():
        try:
            return _free_slots(args, ctx)
        finally:
            if is_ours:
                db.session.rollback()


def _free_slots(args: Args, ctx: ActionContext) -> ActionResult:
    words = text_arg(args, "wish")
    wish, between = _moment_in(words, ctx), slots.part_of_day(words)
    free = slots.free_slots(
        ctx.config,
        slots.place(),
        now=ctx.now,
        wish=wish,
        between=between,
        calendar=calcom.free_times(ctx.config),
    )
    offered = [
        {"id": slots.slot_id(at), "name": texts.slot_text(at.astimezone(ctx.config.zone), ctx.language)}
        for at in free
    ]
    if not offered:
        return ActionResult(NONE)
    return ActionResult("found", {"slots": offered, "is_full": slots.is_full(ctx.config, free, wish)})


def _book_appointment(args: Args, ctx: ActionContext) -> ActionResult:
    starts_at = slots.read_slot_id(text_arg(args, "slot"))
    if starts_at is None:
        return ActionResult("taken")
    moved = appointments.upcoming(ctx.contact_id, ctx.now) if text_arg(args, "moving") else None
    said = text_arg(args, "topic")
    topic = _without_moments(said, ctx)
    calendar = calcom.calendar_with(ctx.config, starts_at)
    try:
        if moved is not None:
            appointments.move(ctx.config, moved, starts_at, now=ctx.now, calendar=calendar)
            return _told_of(moved, ctx)
        row = appointments.book(
            ctx.config,
            ctx.contact_id,
            starts_at,
            now=ctx.now,
            topic=topic,
            wish=text_arg(args, "wish") or (said if said != topic else ""),
            conversation_id=ctx.conversation_id,
            message_id=ctx.message_id,
            calendar=calendar,
        )
    except appointments.SlotTaken:
        return ActionResult("taken")
    return _told_of(row, ctx)


def _told_of(row: Appointment, ctx: ActionContext) -> ActionResult:
    can_invite = ctx.config.smtp_url and not contact_of(ctx).email
    return ActionResult("no_address" if can_invite else "booked", {"appointment": _booked(row, ctx)})


def _cancel_appointment(_args: Args, ctx: ActionContext) -> ActionResult:
    row = appointments.upcoming(ctx.contact_id, ctx.now)
    if row is None:
        return ActionResult(NONE)
    facts = {"appointment": _booked(row, ctx)}
    appointments.set_status(row, "cancelled", now=ctx.now, by=CUSTOMER)
    return ActionResult("cancelled", facts)


def _booked(row: Appointment, ctx: ActionContext) -> dict[str, str]:
    at = row.starts_at.astimezone(ctx.config.zone) if row.starts_at else None
    when = texts.moment_text(at, ctx.language) if at else ""
    return {"number": row.number or "", "when_text": when, "topic": row.topic}


def _without_moments(topic: str, ctx: ActionContext) -> str:
    """Give what of a topic is no day or time; nothing where hardly a word is left: "on Tuesday at 3"."""
    read = analysis.read(topic, now=ctx.now.astimezone(ctx.config.zone), language=ctx.language)
    moments = [entity for entity in read.entities if entity.type == "date"]
    left = topic
    for entity in sorted(moments, key=lambda one: one.start, reverse=True):
        left = left[: entity.start] + left[entity.end :]
    left = " ".join(left.split()).strip(" ,.;:!?-")
    return left if not moments or len(left) >= TOPIC_MIN_CHARS else ""


def _moment_in(wish: str, ctx: ActionContext) -> str:
    """Give the one day or time that a wish names, in ISO; nothing when there is none, or several."""
    read = analysis.read(wish, now=ctx.now.astimezone(ctx.config.zone), language=ctx.language)
    moments = {str(entity.value) for entity in read.entities if entity.type == "date"}
    return moments.pop() if len(moments) == 1 else ""


def _day_in(wish: str, ctx: ActionContext) -> str:
    """Give the one day that a wish names, as ISO date: "tomorrow" is soon another day."""
    local_now = ctx.now.astimezone(ZoneInfo(ctx.config.time_zone))
    reading = analysis.read(wish, now=local_now, language=ctx.language)
    days = {str(entity.value)[:ISO_DAY_CHARS] for entity in reading.entities if entity.type == "date"}
    return days.pop() if len(days) == 1 else ""


def _record_feedback(args: Args, ctx: ActionContext) -> ActionResult:
    score, said = whole_arg(args, "score"), text_arg(args, "text")
    if score is not None and not feedback.LOWEST_SCORE <= score <= feedback.HIGHEST_SCORE:
        score = None
    if not said and feedback.just_scored(ctx.conversation_id, ctx.now) is not None:
        return ActionResult("created")  # the score stands; its reason was left out
    if score is None and not said:
        return ActionResult(FAILED)
    feedback.record_feedback(
        ctx.contact_id,
        now=ctx.now,
        score=score,
        text=said,
        conversation_id=ctx.conversation_id,
    )
    return ActionResult("created")


def _hand_over(args: Args, ctx: ActionContext) -> ActionResult:
    reason = text_arg(args, "reason").replace("_", " ")[:REASON_MAX_CHARS]
    duty = text_arg(args, "team") or teams.SUPPORT
    hand_overs.hand_over(conversation_of(ctx), duty, now=ctx.now, reason=reason)
    return ActionResult("done")


ACTIONS: Final[Mapping[str, Action]] = {
    "known_lead": Action(reads=_known_lead),
    "create_lead": Action(writes=_create_lead),
    "open_ticket": Action(writes=_open_ticket),
    "add_to_ticket": Action(writes=_add_to_ticket),
    "reopen_ticket": Action(writes=_reopen_ticket),
    "ticket_status": Action(reads=_ticket_status),
    "open_complaint": Action(writes=_open_complaint),
    "add_to_complaint": Action(writes=_add_to_complaint),
    "accept_solution": Action(writes=_accept_solution),
    "reject_solution": Action(writes=_reject_solution),
    "follow_up": Action(writes=_follow_up),
    "request_appointment": Action(writes=_request_appointment),
    "upcoming_appointment": Action(reads=_upcoming_appointment),
    "free_slots": Action(reads=_free_slots, asks_network=_ask_free_slots),
    "book_appointment": Action(writes=_book_appointment),
    "cancel_appointment": Action(writes=_cancel_appointment),
    "record_feedback": Action(writes=_record_feedback),
    "hand_over": Action(writes=_hand_over),
}
