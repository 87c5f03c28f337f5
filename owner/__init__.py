"""The owner's own phone: she is told on WhatsApp, through the same number, and answers with buttons.

`phones` knows who she is, `notices` tells her, `replies` does what her buttons say. Verbs flush and never
commit.
"""
