"""Telling people outside of WhatsApp: alerts to people of ours, invitations to customers, by many channels.

`alerting` drains the outbox of alerts, `invitations` the one of appointments, `webhooks` the one of other
people's programs; `watch` looks from the web process whether a worker lives at all. Conductors: each takes
rows, commits, sends with no session held, and commits what came of it.
"""
