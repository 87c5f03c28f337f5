"""Replies that sell and cannot invent: the facts, the plan, its guards, the strategies and the prompts.

`ai_service` and `answering` call the modules of this room. Pure: it reads packaged texts and prompts, and
never a database, a network or a clock.
"""
