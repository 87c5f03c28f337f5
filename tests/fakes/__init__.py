"""Providers that are not there: faithful fakes of Meta's Graph API and of Twilio, over real HTTP on loopback.

Tests use them in process, benches and crash tests as processes of their own. They refuse what the real ones
document that they refuse, sign their webhooks, and misbehave on demand. Nothing in the program imports them.
"""
