"""Versions: when what a strategy says or what its niche costs has changed, and what then stays known.

`tasks` has changes noticed every few minutes, so that no turn looks for them; `absorbing` feeds them in their
time. Why nothing but a share stays: `docs/adr/0036-versions-follow-from-what-is-said-and-sold.md`.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import func, or_, select

from bandit import Policy
from learning.arms import Standing, standings
from learning.steering import NEW_TEXTS, new_prices_reason, note_change, renew
from models import Arm, Category, Niche, Offer, Product, db
from replies.manners import fingerprint
from statements import insert_or_ignore

STRENGTH: Final = 0.3  # of what an older version taught
# A first version is as old as the log: nothing was different before it.
ALWAYS: Final = datetime(1970, 1, 1, tzinfo=UTC)
NICHE: Final = "niche"

Prices = Mapping[str, str]  # by SKU: minor units and currency


class Arrival(NamedTuple):
    """An own arm that came, a strategy's new version, or (with a `niche`) other prices."""

    at: datetime
    version: int
    strategy: str = ""
    base: str = ""
    niche: str = ""

    def feed(self, policy: Policy) -> None:
        """Tell a policy."""
        if self.niche:
            policy.renew(where=(NICHE, self.niche), strength=STRENGTH)
        elif self.version > 1:
            policy.renew(self.strategy, strength=STRENGTH)
        else:
            arrive(policy, self.strategy, self.base)


class Current:
    """Which versions stand at a moment of the log."""

    def __init__(self, arrivals: Iterable[Arrival] = ()) -> None:
        self._arms: Counter[str] = Counter()
        self._offers: Counter[str] = Counter()
        for arrival in arrivals:
            self.note(arrival)

    def note(self, arrival: Arrival) -> None:
        """Count an arrival."""
        counts = self._offers if arrival.niche else self._arms
        counts[arrival.niche or arrival.strategy] = arrival.version

    def weight(self, strategy: str, version: int, niche: str, offer_version: int) -> float:
        """Give what a decision counts: less for each version that came since it was made."""
        behind = max(0, self._arms[strategy] - version) + max(0, self._offers[niche] - offer_version)
        return STRENGTH**behind


def notice(*, now: datetime) -> int:
    """Make a new version of every strategy that says something else now, and of every niche with another
    price. Gives how many. Flushes. Idempotent.

    What is met first is only written down.
    """
    renewed = [arm for arm in standings() if not arm.is_retired and _says_something_else(arm)]
    for arm in renewed:
        renew(arm, reason=NEW_TEXTS, now=now, fingerprint=fingerprint(arm.manner))
        note_change("renew", strategy=arm.strategy, reason=NEW_TEXTS, now=now)
    repriced = _notice_prices(now)
    for niche in repriced:
        note_change("reprice", reason=new_prices_reason(niche), now=now)
    return len(renewed) + len(repriced)


def arrivals(now: datetime) -> Sequence[Arrival]:
    """Give all that came until now, in order."""
    arms = db.session.execute(
        select(Arm.created_at, Arm.version, Arm.strategy, Arm.base)
        .where(or_(Arm.version > 1, Arm.base != ""), Arm.created_at <= now)
        .order_by(Arm.id)
    ).all()
    offers = db.session.execute(
        select(Offer.created_at, Offer.version, Offer.niche)
        .where(Offer.version > 1, Offer.created_at <= now)
        .order_by(Offer.id)
    ).all()
    found = [Arrival(*row) for row in arms]
    found += [Arrival(row.created_at, row.version, niche=row.niche) for row in offers]
    return sorted(found, key=lambda one: one.at)


def arrive(policy: Policy, strategy: str, base: str) -> None:
    """Add an own arm that the policy does not know, warm-started from what it builds on."""
    if strategy not in policy.arms:
        policy.add_arm(strategy, like=base if base in policy.arms else None, strength=STRENGTH)


def offer_versions() -> dict[str, int]:
    """Give the newest version of each niche's prices."""
    rows = db.session.execute(select(Offer.niche, func.max(Offer.version)).group_by(Offer.niche))
    return {row[0]: row[1] for row in rows}


def _says_something_else(arm: Standing) -> bool:
    """Tell whether a new version is due; the first look at one is written down. Flushes."""
    says = fingerprint(arm.manner)
    if arm.fingerprint == says:
        return False
    if arm.fingerprint:
        return True
    first = {"is_paused": False, "is_pinned": False, "reason": "", "created_at": ALWAYS, "changed_at": ALWAYS}
    db.session.execute(insert_or_ignore(Arm).values(strategy=arm.strategy, version=arm.version, **first))
    row = db.session.scalars(
        select(Arm).where(Arm.strategy == arm.strategy, Arm.version == arm.version)
    ).one()
    row.fingerprint = says
    db.session.flush()
    return False


# --- prices -------------------------------------------------------------------------------------------------


def _notice_prices(now: datetime) -> list[str]:
    """Keep the prices of each niche; gives the niches in which one that was known has changed."""
    kept = {offer.niche: offer for offer in db.session.scalars(select(Offer).order_by(Offer.version))}
    changed = []
    for niche, prices in _prices().items():
        known = kept.get(niche)
        if known is None:
            _keep(niche, 1, prices, ALWAYS)
        elif any(known.prices.get(sku, price) != price for sku, price in prices.items()):
            _keep(niche, known.version + 1, {**known.prices, **prices}, now)
            changed.append(niche)
        elif not prices.keys() <= known.prices.keys():
            known.prices = {**known.prices, **prices}  # something more for sale changes no price
    db.session.flush()
    return changed


def _keep(niche: str, version: int, prices: Prices, at: datetime) -> None:
    db.session.execute(
        insert_or_ignore(Offer).values(niche=niche, version=version, prices=prices, created_at=at)
    )


def _prices() -> Mapping[str, Prices]:
    """Give what is for sale by niche, named as a decision's context names it."""
    rows: Sequence[Any] = db.session.execute(
        select(
            func.coalesce(Niche.name, Category.name).label("niche"),
            Product.sku,
            Product.price_minor,
            Product.currency,
        )
        .join(Category, Category.id == Product.category_id)
        .outerjoin(Niche, Niche.id == Product.niche_id)
        .where(Product.is_active)
    ).all()
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for row in rows:
        found[row.niche][row.sku] = f"{row.price_minor} {row.currency}"
    return found
