"""One rehearsal from its first customer to its last: what happens when, as a queue of moments.

The desk learns on its way: every twelve hours of the play it closes decisions, as its worker would.
"""

import heapq
import itertools
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from random import Random
from time import perf_counter
from typing import Any, Final

from sqlalchemy import select

import alerts
import conversations
import learning
from config import Config
from models import Conversation, Order, Product, db, reading
from rehearsal import personas
from rehearsal.personas import Drift, Moment, Persona
from rehearsal.stage import Clock, Heard, RehearsalRefused, Stage, quick_commits
from shop import catalog, sales
from simulated_phone import Customer, sample_referral
from vocabulary import STRATEGIES

WAKING_HOURS: Final = (11, 24)  # UTC: day in Recife and Madrid, evening in London and Dubai
CLOSES_EVERY: Final = timedelta(hours=12)
TYPING: Final = (timedelta(seconds=20), timedelta(minutes=6))
PRESSING: Final = (timedelta(seconds=8), timedelta(seconds=70))
HELPED_AFTER: Final = (timedelta(minutes=20), timedelta(hours=9))
# Most pay at once, some days later, some never.
PAYS: Final = {"soon": 0.72, "late": 0.18, "never": 0.1}
SOON: Final = (timedelta(minutes=2), timedelta(hours=3))
LATE: Final = (timedelta(days=1), timedelta(days=9))
REFUNDED_SHARE: Final = 0.05
REFUNDED_AFTER: Final = (timedelta(days=2), timedelta(days=12))
COMES_BACK_SHARE: Final = 0.35
COMES_BACK_AFTER: Final = (timedelta(days=8), timedelta(days=25))
TYPED: Final = (15, 90)  # seconds
THANKS_SHARE: Final = 0.3
FROM_ADS_SHARE: Final = 0.3


@dataclass(frozen=True, slots=True)
class Plan:
    """How many come, over how many days that end now, and whether tastes change meanwhile."""

    customers: int = 2000
    days: int = 60
    drift: Drift = "none"
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a play is."""

    came: int
    sales: int
    at: datetime


@dataclass(slots=True)
class Result:
    """What was played. `tastes` is the truth that the desk had to find: how often each strategy would sell
    if it were always used; `chosen` what was sold in expectation by what it chose.
    """

    customers: int = 0
    turns: int = 0
    heard: int = 0
    orders: int = 0
    sales: int = 0
    refunds: int = 0
    opt_outs: int = 0
    complaints: int = 0
    refusals: int = 0
    secs: float = 0.0
    tastes: dict[str, float] = field(default_factory=dict)
    chosen: float = 0.0


@dataclass(slots=True)
class _Guest:
    """Somebody in the play: who, and what she is about to do."""

    persona: Persona
    phone: Customer
    product: Product | None = None
    product_name: str = ""
    offered: Heard = field(default_factory=Heard)
    is_returning: bool = False
    has_doubted: bool = False


Act = Callable[["_Guest"], None]


def run(
    plan: Plan, config: Config, *, now: datetime, tell: Callable[[Progress], None] = lambda _progress: None
) -> Result:
    """Play `plan` so that it ends `now`; the same seed plays alike. Commits, turn by turn."""
    began = perf_counter()
    with quick_commits(db.engine):
        play = _Play(plan, config, now, tell)
        play.go()
    play.result.secs = perf_counter() - began
    return play.result


class _Play:
    """The queue of moments and what they do."""

    def __init__(self, plan: Plan, config: Config, now: datetime, tell: Callable[[Progress], None]) -> None:
        self._plan, self._until, self._tell = plan, now, tell
        self._rng = Random(plan.seed)
        self._begins = now - timedelta(days=plan.days)
        self._clock = Clock(self._begins)
        self._stage = Stage.open(config, self._clock, self._rng)
        self._config = self._stage.config
        self._queue: list[tuple[datetime, int, Act, _Guest]] = []
        self._count = itertools.count()
        self._true: dict[str, list[float]] = defaultdict(list)
        self._goods = _goods()
        self.result = Result()

    def go(self) -> None:
        for at in self._arrivals():
            persona = personas.invent(self._rng)
            guest = _Guest(persona, self._stage.phone_for(persona.name, persona.country))
            self._at(at, self._arrive, guest)
        closes_at = self._begins + CLOSES_EVERY
        while self._queue and self._queue[0][0] < self._until:
            at, _, act, guest = heapq.heappop(self._queue)
            while closes_at <= at:
                self._close(closes_at)
                closes_at += CLOSES_EVERY
            self._clock.go_to(at)
            act(guest)
            db.session.rollback()
        self._close(self._until)
        self._sum_up()

    def _arrivals(self) -> list[datetime]:
        """Give when each customer comes: by day, less at the weekend, at an hour at which people write."""
        hours = self._plan.days * 24
        starts = [self._begins + timedelta(hours=hour) for hour in range(hours)]
        weights = [_busy(start) for start in starts]
        drawn = self._rng.choices(starts, weights, k=self._plan.customers)
        return sorted(start + timedelta(hours=self._rng.random()) for start in drawn)

    def _at(self, at: datetime, act: Act, guest: _Guest) -> None:
        heapq.heappush(self._queue, (at, next(self._count), act, guest))

    def _after(self, wait: Sequence[timedelta], act: Act, guest: _Guest) -> None:
        secs = self._rng.uniform(wait[0].total_seconds(), wait[1].total_seconds())
        self._at(self._clock() + timedelta(seconds=secs), act, guest)

    def _close(self, at: datetime) -> None:
        """Do what the worker does from time to time: read receipts, close decisions."""
        self._stage.read_receipts()
        learning.close_decisions(self._config, now=at)
        db.session.commit()
        self._tell(Progress(self.result.customers, self.result.sales, at))

    # --- acts ---

    def _arrive(self, guest: _Guest) -> None:
        """Ask about a product."""
        guest.product = product = self._rng.choice(self._goods)
        guest.product_name = catalog.shown_name(product, guest.persona.language)
        self.result.customers += 1
        is_from_ad = self._rng.random() < FROM_ADS_SHARE
        self._say(guest, "first", sample_referral(guest.persona.language) if is_from_ad else None)
        self._after(TYPING, self._go_on, guest)

    def _go_on(self, guest: _Guest) -> None:
        """Doubt, ask, show interest or want it; then decide by what was answered."""
        self._decide(guest, self._say(guest, "again" if guest.has_doubted else guest.persona.signal))

    def _decide(self, guest: _Guest, heard: Heard) -> None:
        guest.offered = heard
        if not heard.strategy:
            return  # answered by an article or a menu: nobody tried to sell
        moment = Moment(
            self._niche(guest),
            (self._clock() - self._begins) / (self._until - self._begins),
            guest.is_returning,
            guest.has_doubted,
        )
        chances = {one: personas.chance(guest.persona, one, moment, self._plan.drift) for one in STRATEGIES}
        self.result.heard += 1
        self.result.chosen += chances[heard.strategy]
        for strategy, chance in chances.items():
            self._true[strategy].append(chance)
        if self._rng.random() < chances[heard.strategy]:
            self._after(TYPING, self._buy, guest)
            return
        way = personas.way_out(heard.strategy, may_doubt=not guest.has_doubted, rng=self._rng)
        act = {
            "again": self._doubt,
            "refuse": self._refuse,
            "opt_out": self._opt_out,
            "complain": self._complain,
        }.get(way)
        if act is not None:
            self._after(TYPING, act, guest)

    def _niche(self, guest: _Guest) -> str:
        return str(guest.product.category_id) if guest.product is not None else ""

    def _doubt(self, guest: _Guest) -> None:
        guest.has_doubted = True
        self._go_on(guest)

    def _refuse(self, guest: _Guest) -> None:
        self.result.refusals += 1
        self._say(guest, "refusal")

    def _opt_out(self, guest: _Guest) -> None:
        self.result.opt_outs += 1
        self._say(guest, "opt_out")

    def _complain(self, guest: _Guest) -> None:
        self.result.complaints += 1
        heard = self._say(guest, "complaint")
        if heard.choice("yes") is not None:
            self._clock.wait(self._rng.uniform(*TYPED))
            self._press(guest, heard, ("yes",), "confirm")
        self._after(HELPED_AFTER, self._get_help, guest)

    def _get_help(self, guest: _Guest) -> None:
        """A person of the shop has seen to it, and gives the conversation back."""
        conversation = db.session.get(Conversation, self._stage.conversation_of(guest.phone))
        if conversation is None:
            return
        if conversation.is_with_person:
            conversations.hand_back(conversation, now=self._clock())
        conversation.unread_count = 0
        alerts.settle(f"waiting:{conversation.id}", now=self._clock())
        db.session.commit()

    def _buy(self, guest: _Guest) -> None:
        """Press the button under the reply, and walk through the flow to an order."""
        heard = self._press(guest, guest.offered, ("add_to_cart", "buy"), "buy")
        if heard.choice("checkout") is None:
            self._clock.wait(self._rng.uniform(5, 40))
            heard = self._say(guest, "one")
        for choice, words in (("checkout", "check_out"), ("yes", "confirm")):
            self._clock.wait(self._rng.uniform(5, 40))
            heard = self._press(guest, heard, (choice,), words)
        order = self._last_order(guest)
        if order is None:
            return
        self.result.orders += 1
        _restock(order)
        db.session.commit()
        pays = personas.drawn(PAYS, self._rng)
        if pays != "never":
            self._after(SOON if pays == "soon" else LATE, self._pay, guest)

    def _pay(self, guest: _Guest) -> None:
        order = self._last_order(guest)
        if order is None:
            return
        _pay(order, self._clock())
        db.session.commit()
        self.result.sales += 1
        if self._rng.random() < THANKS_SHARE:
            self._say(guest, "thanks")
        if self._rng.random() < REFUNDED_SHARE:
            self._after(REFUNDED_AFTER, self._refund, guest)
        elif self._rng.random() < COMES_BACK_SHARE:
            back = replace(guest, is_returning=True, has_doubted=False)
            self._after(COMES_BACK_AFTER, self._come_back, back)

    def _refund(self, guest: _Guest) -> None:
        order = self._last_order(guest)
        if order is not None and order.payment_status == "paid":
            self.result.refunds += 1
            _refund(order, self._clock())
            db.session.commit()

    def _come_back(self, guest: _Guest) -> None:
        """A customer who has bought comes for something else."""
        self._arrive(guest)
        self.result.customers -= 1  # known already

    # --- means ---

    def _say(self, guest: _Guest, words: str, referral: Mapping[str, Any] | None = None) -> Heard:
        text = self._rng.choice(personas.phrases()[guest.persona.language][words])
        return self._stage.say(guest.phone, text.format(product=guest.product_name), referral=referral)

    def _press(self, guest: _Guest, heard: Heard, names: Sequence[str], words: str) -> Heard:
        """Press the first of these buttons that is there; else say it in words."""
        found = next((button for name in names if (button := heard.choice(name))), None)
        if found is None:
            return self._say(guest, words)
        return self._stage.say(guest.phone, found[1], found[0])

    def _last_order(self, guest: _Guest) -> Order | None:
        mine = Order.conversation_id == self._stage.conversation_of(guest.phone)
        return db.session.scalars(
            select(Order).where(mine, Order.status != "cart").order_by(Order.id.desc()).limit(1)
        ).first()

    def _sum_up(self) -> None:
        self.result.turns = self._stage.turns
        self.result.tastes = {one: sum(all_) / len(all_) for one, all_ in self._true.items() if all_}
        self.result.chosen /= max(1, self.result.heard)


def _busy(hour: datetime) -> float:
    if not WAKING_HOURS[0] <= hour.hour < WAKING_HOURS[1]:
        return 0.03
    return 0.6 if hour.weekday() >= 5 else 1.0


def _goods() -> list[Product]:
    """Give what is for sale, detached: it is only asked about."""
    with reading():
        goods = catalog.products()
        db.session.expunge_all()
        db.session.rollback()
    if not goods:
        hint = "python cli.py seed-demo --no-history"
        raise RehearsalRefused("nothing_for_sale", f"the shop has no products; try: {hint}")
    return list(goods)


def _restock(order: Order) -> None:
    """Give back at once what the order took: a play must not sell the shop out."""
    for item in order.items:
        product = db.session.get(Product, item.product_id)
        if product is not None and product.stock is not None:
            product.stock += item.quantity


def _pay(order: Order, now: datetime) -> None:
    """Mark an order as paid, and make the sale, which credits the strategy. Flushes.

    Not by `payments.confirm`: that hands the goods over, and a play must give away no licence key.
    """
    order.status, order.payment_status, order.updated_at, order.paid_at = "paid", "paid", now, now
    db.session.flush()
    sales.record(order, "manual", now=now)


def _refund(order: Order, now: datetime) -> None:
    """Mark an order as paid back, which takes the credit back. Flushes."""
    order.payment_status, order.updated_at = "refunded", now
    db.session.flush()
    sales.note_refund(order, order.total_minor, is_whole=True, now=now)
