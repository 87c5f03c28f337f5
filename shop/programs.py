"""Residency and citizenship programmes of an investment consultancy: the list of seed 004, and how it is
searched.

Flow actions and the command line call these verbs. They flush and never commit. Amounts are whole US dollars.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select

from answers import plain
from models import InvestmentProgram, db

CATEGORIES = ("Europe", "Caribbean", "USA", "UAE")
TOP_COUNT = 3
ELIGIBLE_COUNT = 5
STEM_MIN_CHARS = 3
STEM_CHARS = 5
COUNTRY_WORTH = 10  # more than any words of a name
SITE = "https://nexorainvestments.com"


@dataclass(frozen=True, slots=True)
class Programme:
    """One programme as it is seeded."""

    category: str
    country: str
    name: str
    minimum_investment: int
    processing_time: str
    page: str
    description: str

    @property
    def link(self) -> str:
        return f"{SITE}/{self.page}"


# The three of Europe are the documents' own words. The others are public programmes with their official
# minimum
# (government contribution or unit price) of 2025 and 2026; an admin changes them when the law does.
SEEDED = (
    Programme(
        "Europe",
        "Portugal",
        "Portugal Golden Residency Program",
        280_000,
        "12-18 months",
        "portugal-golden-visa",
        "Residency through a qualifying investment, with seven days of stay a year on average.",
    ),
    Programme(
        "Europe",
        "Greece",
        "Greece Golden Visa - Real Estate",
        250_000,
        "4-8 months",
        "greece-golden-visa",
        "Five-year renewable residency for the buyer of a qualifying property and the family.",
    ),
    Programme(
        "Europe",
        "Spain",
        "Spain Golden Visa Program",
        500_000,
        "3-6 months",
        "spain-golden-visa",
        "Residency through real estate; ask a consultant which routes are open at present.",
    ),
    Programme(
        "Caribbean",
        "Saint Kitts and Nevis",
        "St. Kitts and Nevis Citizenship by Investment",
        250_000,
        "4-6 months",
        "st-kitts-nevis-citizenship",
        "Citizenship through a contribution to the Sustainable Island State fund.",
    ),
    Programme(
        "Caribbean",
        "Dominica",
        "Dominica Citizenship by Investment",
        200_000,
        "4-6 months",
        "dominica-citizenship",
        "Citizenship through a contribution to the Economic Diversification Fund.",
    ),
    Programme(
        "Caribbean",
        "Grenada",
        "Grenada Citizenship by Investment",
        235_000,
        "5-8 months",
        "grenada-citizenship",
        "Citizenship through the National Transformation Fund; the country has an E-2 treaty with the USA.",
    ),
    Programme(
        "USA",
        "United States",
        "USA EB-5 Investor Visa - Targeted Employment Area",
        800_000,
        "24-48 months",
        "usa-eb5-targeted-employment-area",
        "Green card through an investment in a rural or high-unemployment area that creates ten jobs.",
    ),
    Programme(
        "USA",
        "United States",
        "USA EB-5 Investor Visa - Standard",
        1_050_000,
        "24-60 months",
        "usa-eb5-standard",
        "Green card through an investment anywhere in the country that creates ten jobs.",
    ),
    Programme(
        "UAE",
        "United Arab Emirates",
        "UAE Golden Visa - Real Estate",
        545_000,
        "1-2 months",
        "uae-golden-visa",
        "Ten-year residency for owners of property worth 2 million dirhams or more.",
    ),
    Programme(
        "UAE",
        "United Arab Emirates",
        "UAE Property Investor Residency",
        205_000,
        "1-2 months",
        "uae-property-investor-residency",
        "Two-year renewable residency for owners of property worth 750,000 dirhams or more.",
    ),
)


def seed_programs(*, now: datetime, programs: Sequence[Programme] = SEEDED) -> int:
    """Add the programmes that are missing, by name, and tell how many that were.

    What an admin has changed since stays as it is. Flushes. Idempotent.
    """
    known = set(db.session.scalars(select(InvestmentProgram.name)))
    missing = [
        InvestmentProgram(
            country=programme.country,
            category=programme.category,
            name=programme.name,
            description=programme.description,
            minimum_investment=programme.minimum_investment,
            processing_time=programme.processing_time,
            link=programme.link,
            rank=rank,
            created_at=now,
        )
        for rank, programme in enumerate(programs, start=1)
        if programme.name not in known
    ]
    db.session.add_all(missing)
    db.session.flush()
    return len(missing)


def top_programs(category: str, limit: int = TOP_COUNT) -> list[InvestmentProgram]:
    """Give the best ranked programmes of a category."""
    return list(
        db.session.scalars(
            select(InvestmentProgram)
            .where(func.lower(InvestmentProgram.category) == category.strip().lower())
            .order_by(InvestmentProgram.rank, InvestmentProgram.id)
            .limit(max(0, limit))
        )
    )


def affordable_programs(budget_usd: int, limit: int = ELIGIBLE_COUNT) -> list[InvestmentProgram]:
    """Give the best ranked programmes that this budget pays for."""
    return list(
        db.session.scalars(
            select(InvestmentProgram)
            .where(InvestmentProgram.minimum_investment <= budget_usd)
            .order_by(InvestmentProgram.rank, InvestmentProgram.id)
            .limit(limit)
        )
    )


def named_programs(
    words: Sequence[str],
    *,
    countries: Collection[str] = (),
    country_of: Callable[[str], str | None],
    is_cheapest: bool = False,
    limit: int = TOP_COUNT,
) -> list[InvestmentProgram]:
    """Give the programmes that these words name, the best match first, or the cheapest of them.

    `countries` are the ISO codes that were named, `country_of` gives a programme's own.
    """
    scored = [
        (_score(program, words) + COUNTRY_WORTH * (country_of(program.country) in countries), program)
        for program in db.session.scalars(select(InvestmentProgram).order_by(InvestmentProgram.rank))
    ]
    best = max((score for score, _ in scored), default=0)
    if not best and not is_cheapest:
        return []
    found = [program for score, program in scored if score == best]
    if is_cheapest:
        found.sort(key=lambda program: program.minimum_investment)
    return found[:limit]


def _score(program: InvestmentProgram, words: Sequence[str]) -> int:
    told = plain(f"{program.name} {program.country} {program.category} {program.link}")
    named = {_stem(word) for word in told.split()}
    return sum(_stem(word) in named for word in words if len(word) >= STEM_MIN_CHARS)


def _stem(word: str) -> str:
    """Make "Europe", "Europa" and "european" one word."""
    return word[:STEM_CHARS]


def lowest_minimum() -> int | None:
    """Give the least that any programme asks for, None when there is none."""
    return db.session.scalar(select(func.min(InvestmentProgram.minimum_investment)))
