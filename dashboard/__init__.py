"""The operators' pages: parse, call one verb, render, commit.

One module per page, with a template of the same name. What is open to everybody (`status`, `sign_in`), to
every operator, or to admins alone (`events`) are blueprints of their own; `app.py` names their guards.
"""
