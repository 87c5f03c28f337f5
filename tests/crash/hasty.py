"""The program as `main.py` starts it, with leases and pauses of seconds: a test cannot wait half a minute per
kill, nor a minute for a number whose key was refused once.

`python -m tests.crash.hasty SECS [worker]`.
"""

import runpy
import sys
from datetime import timedelta

import cashier
import lanes
import whatsapp_service


def shorten_leases(seconds: float) -> None:
    """Make `seconds` the length of every lease that is taken without naming one."""
    lanes.LEASE_SECS = seconds
    for verb in (lanes.claim, lanes.take, lanes.confirm, lanes.renew):
        verb.__defaults__ = (seconds,)
    vars(cashier)["LEASE"] = timedelta(seconds=seconds)


def shorten_pauses() -> None:
    """Let a number whose provider said no rest for a moment only."""
    vars(whatsapp_service).update(CREDENTIAL_PAUSE_SECS=2.0, NUMBER_PAUSE_SECS=1.0)


if __name__ == "__main__":
    shorten_leases(float(sys.argv.pop(1)))
    shorten_pauses()
    sys.argv[0] = "main.py"
    runpy.run_module("main", run_name="__main__")
