"""The program as `main.py` starts it, with leases of seconds: a test cannot wait half a minute per kill.

`python -m tests.crash.hasty SECS [worker]`.
"""

import runpy
import sys
from datetime import timedelta

import cashier
import lanes


def shorten_leases(seconds: float) -> None:
    """Make `seconds` the length of every lease that is taken without naming one."""
    lanes.LEASE_SECS = seconds
    for verb in (lanes.claim, lanes.take, lanes.confirm, lanes.renew):
        verb.__defaults__ = (seconds,)
    vars(cashier)["LEASE"] = timedelta(seconds=seconds)


if __name__ == "__main__":
    shorten_leases(float(sys.argv.pop(1)))
    sys.argv[0] = "main.py"
    runpy.run_module("main", run_name="__main__")
