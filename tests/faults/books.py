"""What a storm left, judged by the tables and by what the fake providers accepted: every case is counted."""

import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from sqlalchemy import select

from models import Contact, ContactIdentity, Conversation, Message, ModelCall, Turn, WebhookEvent
from tests.crash.processes import Site
from tests.fakes.graph import SentMessage
from tests.fakes.twilio import TwilioMessage
from tests.faults.storm import UNHEARD, Fleet, People

Sent = SentMessage | TwilioMessage


@dataclass
class Books:
    """The counts of one storm. `wrongs` must be empty; each says in words what does not hold."""

    posted: int = 0
    repeated: int = 0
    stored: int = 0
    turns: int = 0
    answers: int = 0
    accepted: int = 0
    statuses: dict[str, int] = field(default_factory=dict)
    refused_for_good: int = 0
    uncertain_resent: int = 0
    doubled_and_counted: int = 0
    model_calls: dict[str, int] = field(default_factory=dict)
    kills: dict[str, int] = field(default_factory=dict)
    faults: dict[str, int] = field(default_factory=dict)
    secs: dict[str, float] = field(default_factory=dict)
    wrongs: list[str] = field(default_factory=list)

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=2, ensure_ascii=False)


def check(desk: Site, fleet: Fleet, parts: Sequence[People]) -> Books:
    """Judge a desk at rest."""
    crowds = [crowd for part in parts for crowd in part.stormy]
    books = Books(
        posted=sum(crowd.posted for crowd in crowds),
        repeated=sum(crowd.repeated for crowd in crowds),
        kills=dict(fleet.kills),
    )
    inbound, outbound = _messages(desk)
    _check_stored(books, desk, inbound, sum(part.message_count for part in parts) + len(UNHEARD))
    _check_sent(books, outbound, [*desk.journal(), *desk.twilio_journal()])
    texts: dict[str, list[str]] = defaultdict(list)
    for row in outbound:
        texts[row.person].append(row.body)
    for part in parts:
        _check_answers(books, texts, part)
    _expect(books, "people of Twilio's list without an answer", sum(not texts[p] for p in UNHEARD), 0)
    return books


def _messages(desk: Site) -> tuple[list[Any], list[Any]]:
    """Every message with its person's wa_id, in order of ids."""
    query = (
        select(
            Message.id, Message.direction, Message.body, Message.turn_id, Message.status, Message.external_id,
            Message.resent_count, ContactIdentity.value.label("person"),
        )
        .join(Conversation, Conversation.id == Message.conversation_id)
        .join(Contact, Contact.id == Conversation.contact_id)
        .join(ContactIdentity, ContactIdentity.contact_id == Contact.id)
        .where(ContactIdentity.kind == "wa_id")
        .order_by(Message.id)
    )  # fmt: skip
    with desk.reading() as connection:
        rows = list(connection.execute(query))
    return [r for r in rows if r.direction == "in"], [r for r in rows if r.direction == "out"]


def _check_stored(books: Books, desk: Site, inbound: Sequence[Any], wanted: int) -> None:
    with desk.reading() as connection:
        about = select(WebhookEvent.id, WebhookEvent.kind, WebhookEvent.error)
        failed = connection.execute(about.where(WebhookEvent.state == "failed")).all()
        books.turns = len(connection.execute(select(Turn.id)).all())
        books.model_calls = dict(Counter(connection.execute(select(ModelCall.outcome)).scalars()))
    books.stored = len(inbound)
    answered = {row.turn_id for row in inbound if row.turn_id is not None}
    _expect(books, "messages lost", wanted - len({row.external_id for row in inbound}), 0)
    _expect(books, "messages stored twice", len(inbound) - len({row.external_id for row in inbound}), 0)
    _expect(books, "messages that no turn answered", sum(row.turn_id is None for row in inbound), 0)
    _expect(books, "turns beside those of the messages", books.turns - len(answered), 0)
    _expect(books, f"events that failed {[tuple(row) for row in failed[:3]]}", len(failed), 0)


def _check_sent(books: Books, outbound: Sequence[Any], journal: Sequence[Sent]) -> None:
    by_id = {row.id: row for row in outbound}
    accepted = Counter(_id_of(message) for message in journal)
    books.answers, books.accepted = len(outbound), len(journal)
    books.statuses = dict(Counter(row.status for row in outbound))
    books.refused_for_good = books.statuses.get("failed", 0)
    books.uncertain_resent = sum(row.resent_count for row in outbound)
    doubled = {id_: count - 1 for id_, count in accepted.items() if count > 1}
    counted = {id_: n for id_, n in doubled.items() if id_ in by_id and by_id[id_].resent_count >= n}
    books.doubled_and_counted = sum(counted.values())
    sent = [row for row in outbound if row.status not in ("failed", "uncertain")]
    _expect(books, "accepted sends that are not ours", len(accepted.keys() - by_id.keys()), 0)
    _expect(books, "sends doubled and not counted", sum(doubled.values()) - books.doubled_and_counted, 0)
    lost = [(row.id, row.status, row.resent_count) for row in sent if row.id not in accepted]
    _expect(books, f"called sent, and nobody got it {lost[:3]}", len(lost), 0)
    _expect(books, "people who read out of order", len(_disordered(journal)), 0)


def _disordered(journal: Sequence[Sent]) -> set[str]:
    """Those whose messages were first accepted in another order than they were written."""
    last: dict[str, int] = defaultdict(int)
    seen: set[int] = set()
    wrong = set()
    for message in journal:
        id_ = _id_of(message)
        if id_ not in seen:
            seen.add(id_)
            if id_ < last[message.person]:
                wrong.add(message.person)
            last[message.person] = id_
    return wrong


def _id_of(message: Sent) -> int:
    """The row that a send speaks of: our reference begins with it."""
    return int((message.reference or "0").partition(".")[0])


def _check_answers(books: Books, texts: Mapping[str, list[str]], part: People) -> None:
    (example,) = part.calm.customers
    wrong = [person for person in part.menu.customers if texts[person] != texts[example]]
    _expect(books, "kinds of answers in calm weather", len(set(texts[example])) > 1, True)
    silent = [person for person in part.talkers.customers if not texts[person]]
    _expect(books, f"people of the menu with other answers than in calm weather {wrong[:3]}", len(wrong), 0)
    _expect(books, "people who wrote freely and got no answer", len(silent), 0)


def _expect(books: Books, what: str, found: int, wanted: int) -> None:
    if found != wanted:
        books.wrongs.append(f"{what}: {found}")
