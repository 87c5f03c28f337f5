"""Simulated customers: to watch the desk learn in minutes, and for the demo's history.

They come over some weeks of a clock that is set, write to a number of their own, are answered by the real
pipeline, and buy, doubt, refuse, complain, leave or fall silent by the strategy that they were answered in.
`commands` call `run`, `tasks` play what a page has booked. Everything is marked as demo and goes with
`remove-demo`; nothing leaves the house, nobody is waited for. Commits, turn by turn.
"""

from rehearsal.booking import book, is_open, is_possible, latest, play_booked
from rehearsal.personas import DRIFTS, Drift
from rehearsal.play import Plan, Progress, Result, run
from rehearsal.stage import RehearsalRefused, own_number

__all__ = [
    "DRIFTS",
    "Drift",
    "Plan",
    "Progress",
    "RehearsalRefused",
    "Result",
    "book",
    "is_open",
    "is_possible",
    "latest",
    "own_number",
    "play_booked",
    "run",
]
