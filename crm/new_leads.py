"""What happens when somebody wants something, whichever door it came by: a lead is written down or completed,
sales has it, people are told, and it is scored.

A flow's action, what a message tells by itself, a website's form and the API call `take`. Flushes, never
commits.
"""

from datetime import datetime

from alerts import raise_alert
from crm import lead_scores, leads, teams
from crm.leads import LeadWish
from crm.numbered import CUSTOMER, Actor
from models import Contact, Lead


def take(
    contact: Contact,
    wish: LeadWish,
    *,
    now: datetime,
    conversation_id: int | None = None,
    message_id: int | None = None,
    source: str = "",
    teaches: bool = True,
    tells_again: bool = False,
    by: Actor = CUSTOMER,
) -> Lead:
    """Open or complete a lead, as `leads.record_lead` does, with all that follows. Flushes. Idempotent.

    People are told of a new one; with `tells_again` also of one that was completed, because she asked again.
    """
    recorded = leads.record_lead(
        contact,
        wish,
        now=now,
        conversation_id=conversation_id,
        message_id=message_id,
        source=source,
        teaches=teaches,
        by=by,
    )
    lead = recorded.lead
    if recorded.is_new:
        teams.assign(lead, teams.SALES)
    if recorded.is_new or tells_again:
        topic, thread = f"lead:{lead.id}", conversation_id or lead.conversation_id
        raise_alert("lead", topic, _news_of(lead), now=now, conversation_id=thread)
    lead_scores.score_lead(lead, now=now)
    return lead


def _news_of(lead: Lead) -> str:
    """Say in an alert that a lead came: by name only where the alert hangs on a thread, and goes with it when
    the person is deleted."""
    if lead.conversation_id is None:
        return f"New lead: number {lead.id}"
    about = f" ({lead.interest})" if lead.interest else ""
    return f"New lead: {lead.name or lead.phone or lead.email or 'no name'}{about}"
