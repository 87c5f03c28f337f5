"""The days of the shop as its pages count them: they begin at midnight in the shop's time zone."""

from datetime import datetime, time, timedelta

from auth import current_config


def midnight(now: datetime, *, days_ago: int = 0) -> datetime:
    """Give when the local day of `now`, or one before it, began."""
    zone = current_config().zone
    return datetime.combine(now.astimezone(zone).date() - timedelta(days=days_ago), time(), tzinfo=zone)
