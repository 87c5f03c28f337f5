"""`export-learning` gives the log, `rebuild-learning` works the learnt state out of it anew, `simulate` lets
simulated customers come, so that anyone can watch it learn.
"""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any, NamedTuple

import click

import learning
import logs
import rehearsal
from commands.making import COMMANDS, as_json, clock, command, print_json, refuse, settings, table, tell
from demo import history
from learning import figures, log, policies, vowpal
from learning.outlook import Outlook, outlook
from learning.proof import Uplift
from learning.rules import SteeringRefused
from learning.shares import Share
from models import db, reading
from rehearsal import DRIFTS, Drift, Plan, Progress, RehearsalRefused, Result


@command("export-learning")
@click.option("--output", type=click.File("w", encoding="utf-8", lazy=True), default="-")
@click.option("--format", "form", type=click.Choice(("csv", "vw")), default="csv", show_default=True)
def export_learning(output: IO[str], form: str) -> None:
    """Write every decision with its propensities and what came of it as CSV, or the closed ones for Vowpal
    Wabbit (--cb_adf)."""
    with reading():
        for line in log.csv_lines() if form == "csv" else vowpal.vw_lines(now=clock()):
            output.write(line)


@command("rebuild-learning")
def rebuild_learning() -> None:
    """Work what is learnt out of the whole log anew."""
    try:
        if not learning.rebuild(settings(), now=clock()):
            refuse("another process changed the state meanwhile; run it again")
    except SteeringRefused:
        refuse("the learning is frozen and stays as it is; let it learn on first")
    db.session.commit()
    tell("Rebuilt.", rebuilt=True)


# `learning export` and `learning rebuild` are the same, for who looks for them there.
COMMANDS.append(
    click.Group(
        "learning",
        {"export": export_learning, "rebuild": rebuild_learning},
        help="What the desk has learnt: the log, and the state that follows from it.",
    )
)


@command("export-history")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), default=history.HISTORY_FILE)
def export_history(output: Path) -> None:
    """Write what simulated customers left on this desk as the demo's history (`make demo-history`)."""
    with reading():
        size = history.write(rehearsal.own_number(), output, until=clock())
        db.session.rollback()
    tell(f"{output}: {size:,} bytes.", file=str(output), bytes=size)


@command("simulate")
@click.option("--customers", default=2000, show_default=True, type=click.IntRange(1, 100_000))
@click.option("--days", default=60, show_default=True, type=click.IntRange(1, 730))
@click.option("--drift", default="none", show_default=True, type=click.Choice(DRIFTS))
@click.option("--seed", default=1, show_default=True, help="Another number, other customers.")
@as_json
def simulate(customers: int, days: int, drift: Drift, seed: int, wants_json: bool) -> None:
    """Let simulated customers come, over the days that end now, and learn from them."""
    logs.configure("WARNING", settings().log_format)  # a line per turn would hide how far it is
    plan = Plan(customers, days, drift, seed)
    with click.progressbar(length=customers, label="Customers", hidden=wants_json) as bar:

        def tell(progress: Progress) -> None:
            bar.update(progress.came - bar.pos)

        with reading():
            after_id = figures.last_id()
        try:
            played = rehearsal.run(plan, settings(), now=clock(), tell=tell)
        except RehearsalRefused as refused:
            refuse(str(refused))
    with reading():
        seen = Seen(
            figures.conversions(now=clock(), after_id=after_id),
            figures.compare(settings(), now=clock(), after_id=after_id),
            outlook(policies.current(settings())),
            {arm.strategy: arm.kind for arm in learning.standings()},
        )
    if wants_json:
        print_json(_account(played, seen))
    else:
        _print(played, seen)


class Seen(NamedTuple):
    """What the desk saw of this play alone, and what it would do now."""

    strategies: Mapping[str, tuple[int, Share]]
    uplift: Uplift
    outlook: Outlook
    kinds: Mapping[str, str]  # what each strategy is or builds on: simulated customers hear no more than that


def _account(played: Result, seen: Seen) -> dict[str, Any]:
    uplift = seen.uplift
    return asdict(played) | {
        "customers_per_sec": round(played.customers / played.secs, 1),
        "closed_decisions": uplift.closed,
        "needed_decisions": uplift.needed,
        "uplift": {
            "value": uplift.value if uplift.is_enough else None,
            "low": uplift.low,
            "high": uplift.high,
            "standing": uplift.standing,
        },
        "strategies": {
            strategy: {
                "decisions": count,
                "closed": conversion.size,
                "conversion": conversion.value,
                "chance_now": seen.outlook.chances[strategy],
            }
            for strategy, (count, conversion) in seen.strategies.items()
        },
    }


def _print(played: Result, seen: Seen) -> None:
    click.echo(
        f"{played.customers} customers, {played.turns} turns, {played.sales} paid orders, {played.refunds} "
        f"refunds, {played.opt_outs} opt-outs, {played.complaints} complaints in {played.secs:.0f} s."
    )
    rows = [
        (
            strategy,
            f"{played.tastes.get(seen.kinds[strategy], 0.0):.1%}",
            f"{conversion.value:.1%} ({conversion.low:.1%} to {conversion.high:.1%})",
            count,
        )
        for strategy, (count, conversion) in seen.strategies.items()
    ]
    table(rows, ("strategy", "true conversion", "seen, of closed decisions", "decisions"))
    click.echo(_belief(seen.uplift))


def _belief(uplift: Uplift) -> str:
    """Say how far this play shows that it sells better than chance, as the learning page says it of all."""
    if uplift.standing == "no_holdout":
        return "Nobody is held out (LEARNING_HOLDOUT=0): it cannot be compared with chance."
    if uplift.standing == "few":
        return f"{uplift.closed} of about {uplift.needed} closed decisions needed to compare with chance."
    if uplift.low is None or uplift.high is None:
        return (
            f"{uplift.holdout.size} of at least {uplift.needed_held_out} held-out closed decisions needed to "
            "compare with chance."
        )
    return (
        f"Against the hold-out: {uplift.value:+.1%} of conversations, between {uplift.low:+.1%} and "
        f"{uplift.high:+.1%}."
    )
