"""Teams, who is in them, and who of them is next: round-robin, or whoever has the least open work.

Verbs that open a record call `assign`; admins' forms keep the teams. With no team for a duty a record stays
with nobody, and everybody sees it. They flush and never commit.
"""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Final, TypeVar

from sqlalchemy import delete, func, select

from config import Config
from crm import hours
from models import (
    Appointment,
    Complaint,
    Conversation,
    FollowUp,
    Lead,
    Operator,
    Team,
    TeamMember,
    Ticket,
    db,
)
from statements import changed_rows

SUPPORT: Final = "support"
ESCALATION: Final = "escalation"
FINANCE: Final = "finance"
SCHEDULING: Final = "scheduling"
SALES: Final = "sales"
DUTIES: Final = (SUPPORT, ESCALATION, FINANCE, SCHEDULING, SALES)
ROUND_ROBIN: Final = "round_robin"
LEAST_LOADED: Final = "least_loaded"
RULES: Final = (ROUND_ROBIN, LEAST_LOADED)
# Who steps in where nobody has the duty itself.
STEPS_IN: Final = {ESCALATION: SUPPORT}
NAME_MAX_CHARS: Final = 120
SEATS_MAX: Final = 100

Record = TypeVar("Record", Lead, Ticket, Complaint, Appointment, FollowUp, Conversation)
# What a customer is promised an answer to.
Promised = TypeVar("Promised", Ticket, Complaint, FollowUp)

# What counts as open work of a person.
_OPEN: Final = (
    (Lead, ("new", "contacted", "qualified")),
    (Ticket, ("open", "pending")),
    (Complaint, ("open", "in_review")),
    (Appointment, ("requested",)),
    (FollowUp, ("open",)),
)


class NameTaken(ValueError):
    """Another team has this name, or there is none."""


def teams() -> Sequence[Team]:
    return db.session.scalars(select(Team).order_by(Team.name)).all()


def team(team_id: int) -> Team | None:
    return db.session.get(Team, team_id)


def team_for(duty: str) -> Team | None:
    """Give the active team of a duty, or of the one that steps in; None when nobody has it."""
    for wanted in (duty, STEPS_IN.get(duty)):
        found = db.session.scalars(
            select(Team).where(Team.duty == wanted, Team.is_active.is_(True)).order_by(Team.id).limit(1)
        ).first()
        if found is not None:
            return found
    return None


def members_of(team_id: int) -> Sequence[Operator]:
    """List the people of a team who may still sign in."""
    return db.session.scalars(
        select(Operator)
        .join(TeamMember, TeamMember.operator_id == Operator.id)
        .where(TeamMember.team_id == team_id, Operator.is_active.is_(True))
        .order_by(Operator.id)
    ).all()


def assign(record: Record, duty: str) -> None:
    """Give a record to the team of a duty and to the one in it who is next. Flushes.

    What somebody has already stays hers.
    """
    found = team_for(duty)
    if found is None:
        return
    record.team_id = found.id
    if record.operator_id is None:
        record.operator_id = _has_the_rest(record, found.id) or next_in(found)
    db.session.flush()


def entrust(record: Promised, duty: str, within: timedelta, *, config: Config, now: datetime) -> None:
    """Give a record to the team of a duty, to be answered within so much of that team's hours. Flushes."""
    assign(record, duty)
    record.due_at = hours.due_time(config, record.team_id, now, within)


def _has_the_rest(record: Record, team_id: int) -> int | None:
    """Give who of the team has this conversation, or what is open of it, already: one person serves it."""
    ids = [operator.id for operator in members_of(team_id)]
    if isinstance(record, Conversation):
        for model, statuses in _OPEN:
            of_it = (model.conversation_id == record.id, model.status.in_(statuses))
            found = db.session.scalars(
                select(model.operator_id)
                .where(*of_it, model.operator_id.in_(ids))
                .order_by(model.id.desc())
                .limit(1)
            ).first()
            if found is not None:
                return found
        return None
    mine = select(Conversation.operator_id).where(
        Conversation.id == record.conversation_id, Conversation.operator_id.in_(ids)
    )
    return db.session.scalar(mine) if record.conversation_id is not None else None


def next_in(of: Team) -> int | None:
    """Give whose turn it is in a team, and remember it. Flushes. Two workers take their turns in turn."""
    turn = db.session.scalar(select(Team.last_operator_id).where(Team.id == of.id).with_for_update())
    ids = [operator.id for operator in members_of(of.id)]
    if not ids:
        return None
    # Who was last comes last, so that equals take turns.
    last = turn or 0
    in_turn = [i for i in ids if i > last] + [i for i in ids if i <= last]
    if of.rule == LEAST_LOADED:
        load = _open_work(ids)
        in_turn.sort(key=lambda operator_id: load.get(operator_id, 0))
    of.last_operator_id = in_turn[0]
    db.session.flush()
    return in_turn[0]


def _open_work(operator_ids: Collection[int]) -> dict[int, int]:
    """Count what is open of each: records, and conversations that she holds."""
    load: dict[int, int] = dict.fromkeys(operator_ids, 0)
    counted = [
        select(model.operator_id, func.count()).where(model.status.in_(statuses)) for model, statuses in _OPEN
    ]
    counted.append(select(Conversation.operator_id, func.count()).where(Conversation.handler == "human"))
    for query in counted:
        owner = query.selected_columns[0]
        for operator_id, count in db.session.execute(query.where(owner.in_(operator_ids)).group_by(owner)):
            load[int(operator_id or 0)] += count
    return load


# --- what admins write --------------------------------------------------------------------------------------


def save_team(
    row: Team | None,
    *,
    name: str,
    duty: str,
    rule: str,
    seats: int,
    is_active: bool,
    operator_ids: Collection[int],
) -> Team:
    """Make a team or change one. Flushes. Raises NameTaken; unknown duties and rules count as none."""
    name = name.strip()[:NAME_MAX_CHARS]
    namesake = db.session.scalars(select(Team).where(func.lower(Team.name) == name.lower())).first()
    if not name or (namesake is not None and namesake is not row):
        raise NameTaken
    row = row or Team()
    row.name, row.is_active = name, is_active
    row.duty = duty if duty in DUTIES else ""
    row.rule = rule if rule in RULES else ROUND_ROBIN
    row.seats = min(max(seats, 1), SEATS_MAX)
    db.session.add(row)
    db.session.flush()
    changed_rows(delete(TeamMember).where(TeamMember.team_id == row.id))
    known = db.session.scalars(select(Operator.id).where(Operator.id.in_(set(operator_ids)))).all()
    db.session.add_all(TeamMember(team_id=row.id, operator_id=operator_id) for operator_id in known)
    db.session.flush()
    return row


def close_team(row: Team) -> None:
    """Give a team up: it gets no more work, and its hours go. What it had stays with its people. Flushes."""
    row.is_active = False
    hours.forget_team(row)
    db.session.flush()
