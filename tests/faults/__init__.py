"""Storms: a desk of real processes under faults, kills and restarts, and a report that counts every case."""
