"""Desks of real processes: several workers at once, and workers killed in the middle of their work."""
