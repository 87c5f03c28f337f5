"""Writing to people of our own accord: campaigns to many, and one message to one person later.

`lists` reads files, `audience` says whom a campaign reaches and whom not, `campaigns` is its life and its
sending, `results` what came of it, `scheduled` the single messages. Rows and queued messages only: nothing
here commits or talks to a provider.
"""
