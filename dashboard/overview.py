"""The front page: who needs a person now, the last messages, the health of numbers and workers, alerts."""

from flask import render_template


def page() -> str:
    return render_template("dashboard/overview.html")
