"""`python -m bench`: pick the measures, print a table, and with --json one object per line."""

import argparse
import json
import signal
import sys
from collections.abc import Callable
from typing import Any

from bench import batch, door, growth, pages, scale, turns
from bench.servers import Unavailable

DATABASES = ("sqlite", "postgresql")
MEASURES = ("door", "turns", "batch", "growth")
ALONE = ("pages", "scale")  # minutes each
ONLY_POSTGRESQL = ("scale",)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure the desk on this machine.")
    parser.add_argument("measure", nargs="?", default="all", choices=(*MEASURES, *ALONE, "all"))
    parser.add_argument("--database", choices=DATABASES, help="only this one (default: both)")
    parser.add_argument("--json", action="store_true", help="one JSON object per result and nothing else")
    parser.add_argument("--rounds", type=int, default=3, help="door: how often bare and door alternate")
    parser.add_argument("--secs", type=float, default=4.0, help="door: seconds of one round")
    parser.add_argument("--workers", type=int, default=0, help="door: message workers running beside it")
    parser.add_argument("--no-redis", action="store_true", help="turns: wake-ups through SQLite in any case")
    parser.add_argument("--messages", type=int, default=0, help="growth, pages: how many are stored")
    parser.add_argument("--turns", type=int, default=growth.TURNS, help="growth: turns on each database")
    chosen = parser.parse_args()
    # A polite end unwinds: processes are ended, databases dropped.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    runs: dict[str, Callable[[str], dict[str, Any]]] = {
        "door": lambda kind: door.measure(
            kind, rounds=chosen.rounds, secs=chosen.secs, workers=chosen.workers
        ),
        "turns": lambda kind: turns.measure(kind, with_redis=kind == "postgresql" and not chosen.no_redis),
        "batch": lambda kind: batch.measure(kind, repeats=5),
        "growth": lambda kind: growth.measure(
            kind, messages=chosen.messages or growth.MESSAGES_BIG, turns=chosen.turns
        ),
        "pages": lambda kind: pages.measure(kind, messages=chosen.messages or pages.MESSAGES),
        "scale": scale.measure,
    }
    measures = MEASURES if chosen.measure == "all" else (chosen.measure,)
    failures = 0
    for name in measures:
        everywhere = DATABASES[1:] if name in ONLY_POSTGRESQL else DATABASES
        for kind in (chosen.database,) if chosen.database else everywhere:
            failures += _run(name, kind, runs[name], as_json=chosen.json)
    return 1 if failures else 0


def _run(name: str, kind: str, measure: Callable[[str], dict[str, Any]], *, as_json: bool) -> int:
    """Run one measure and print it; 1 when it could not be taken."""
    try:
        result = measure(kind)
    except (Unavailable, TimeoutError, ConnectionError) as error:
        result = {"database": kind, "error": str(error)}
    if as_json:
        print(json.dumps({"measure": name, **result}), flush=True)
    else:
        print(f"\n{name} on {kind}", flush=True)
        for key, value in result.items():
            if key != "database":
                print(f"  {key.replace('_', ' '):<22} {_shown(value)}", flush=True)
    return int("error" in result)


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {part}" for name, part in value.items())
    return str(value)


if __name__ == "__main__":
    sys.exit(main())
