"""Figures for people and monitors: of one person, of each day, and of any period against the one before.

`counts` asks the tables themselves and is for the door, the command line and small questions. Pages read
`daily_figures`, which `rolling` writes day by day, in the shop's own time zone; `reports` adds them up and
`forecast` looks ahead. Nothing here is changed but those rows. Flushes, never commits.
"""

from analytics.counts import MAX_DAYS, DayCounts, daily_counts, person_counts
from analytics.reports import Period, Report, daily_series, read_report
from analytics.rolling import days_to_count, forget, keep_day, tally_day

__all__ = [
    "MAX_DAYS",
    "DayCounts",
    "Period",
    "Report",
    "daily_counts",
    "daily_series",
    "days_to_count",
    "forget",
    "keep_day",
    "person_counts",
    "read_report",
    "tally_day",
]
