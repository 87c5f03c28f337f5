"""Desks of real processes: several workers at once, and workers that are killed in the middle of their work."""
