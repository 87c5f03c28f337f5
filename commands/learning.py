"""`export-learning` gives the log, `rebuild-learning` works the learnt state out of it anew, `simulate` lets
simulated customers come, so that anyone can watch it learn.
"""

from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

import click

import learning
import logs
import rehearsal
from commands.making import COMMANDS, as_json, clock, command, print_json, refuse, settings, table
from demo import history
from learning import figures, log, vowpal
from learning.figures import Report
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
    if not learning.rebuild(settings(), now=clock()):
        refuse("another process changed the state meanwhile; run it again")
    db.session.commit()
    click.echo("Rebuilt.")


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
    click.echo(f"{output}: {size:,} bytes.")


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

        try:
            played = rehearsal.run(plan, settings(), now=clock(), tell=tell)
        except RehearsalRefused as refused:
            refuse(str(refused))
    with reading():
        told = figures.report(settings(), now=clock())
    if wants_json:
        print_json(_account(played, told))
    else:
        _print(played, told)


def _account(played: Result, told: Report) -> dict[str, Any]:
    uplift = told.uplift
    return asdict(played) | {
        "customers_per_sec": round(played.customers / played.secs, 1),
        "closed_decisions": told.closed,
        "needed_decisions": told.needed,
        "uplift": {"value": uplift.value, "low": uplift.low, "high": uplift.high},
        "strategies": {
            line.arm.strategy: {
                "decisions": line.count,
                "closed": line.conversion.size,
                "conversion": line.conversion.value,
                "chance_now": line.propensity,
            }
            for line in told.lines
        },
    }


def _print(played: Result, told: Report) -> None:
    click.echo(
        f"{played.customers} customers, {played.turns} turns, {played.sales} paid orders, {played.refunds} "
        f"refunds, {played.opt_outs} opt-outs, {played.complaints} complaints in {played.secs:.0f} s."
    )
    rows = [
        (
            line.arm.strategy,
            f"{played.tastes.get(line.arm.strategy, 0.0):.1%}",
            f"{line.conversion.value:.1%} ({line.conversion.low:.1%} to {line.conversion.high:.1%})",
            line.count,
        )
        for line in told.lines
    ]
    table(rows, ("strategy", "true conversion", "seen, of closed decisions", "decisions"))
    uplift = told.uplift
    if uplift.low is None or uplift.high is None:
        click.echo(f"{told.closed} of about {told.needed} closed decisions are needed to compare.")
    else:
        click.echo(
            f"Against the hold-out: {uplift.value:+.1%} of conversations, between {uplift.low:+.1%} and "
            f"{uplift.high:+.1%}."
        )
