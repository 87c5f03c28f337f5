"""Admins' forms: parse, call one verb, render, commit. One module per page; `app.py` names the guard."""
