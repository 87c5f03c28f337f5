"""`python -m tests.fuzz [TARGET ...] [--secs N]`: atheris on each target in turn, N seconds each.

Coverage leads the way, the seeds begin it, and what it learns stays in `.fuzz/` for the next run. Ends with
the number of targets that broke; the input of each stands beside its corpus.
"""

import argparse
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

CORPORA = Path(__file__).resolve().parents[2] / ".fuzz"
NAMES = ("meta", "twilio", "flow", "money", "dates")
INPUT_MAX_BYTES = 8192
# A reader that thinks for longer over 8 KB is a fault, too.
SLOW_SECS = 10


def run_all(names: list[str], secs: int) -> int:
    """Give each target a process of its own: libFuzzer ends the one that it runs in."""
    broken = [name for name in names if _run_apart(name, secs)]
    sys.stdout.write(f"broken: {', '.join(broken) or 'none'} of {', '.join(names)}\n")
    return len(broken)


def _run_apart(name: str, secs: int) -> int:
    command = [sys.executable, "-m", "tests.fuzz", name, "--secs", str(secs), "--alone"]
    return subprocess.run(command, check=False).returncode


def run(name: str, secs: int) -> None:
    """Fuzz in this process; never returns."""
    import atheris  # noqa: PLC0415 - only `make fuzz` installs it

    with atheris.instrument_imports(include=["providers", "flow_files", "menu_flows", "analysis", "answers"]):
        from tests.fuzz.targets import SEEDS, TARGETS  # noqa: PLC0415 - imports are what is instrumented

    corpus = CORPORA / name
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(SEEDS[name]()):
        (corpus / f"seed-{number}").write_bytes(seed)
    options = [f"-max_total_time={secs}", f"-max_len={INPUT_MAX_BYTES}", f"-timeout={SLOW_SECS}"]
    artifacts = f"-artifact_prefix={CORPORA}/{name}-"
    atheris.Setup([name, str(corpus), *options, artifacts, "-print_final_stats=1"], TARGETS[name])
    atheris.Fuzz()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", default=NAMES)
    parser.add_argument("--secs", type=int, default=60)
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if unknown := set(chosen.targets) - set(NAMES):
        parser.error(f"no target {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    if find_spec("atheris") is None:
        sys.stderr.write("atheris is not installed: make fuzz\n")
        return 2
    if chosen.alone:
        run(chosen.targets[0], chosen.secs)
    return run_all(list(chosen.targets), chosen.secs)


if __name__ == "__main__":
    sys.exit(main())
