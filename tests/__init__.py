"""The tests: one file per room, names as sentences. `tests.fakes` are the providers that they talk to."""
