"""Wires to foreign services that are not WhatsApp: dataclasses in and out, failures as values."""
