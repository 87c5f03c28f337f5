"""HTTP headers of requests from outside, by name whatever their capitals. The providers' `verify` calls
it."""

from collections.abc import Mapping


def header(headers: Mapping[str, str], name: str) -> str:
    """Give a header's value; empty when it is missing."""
    value = headers.get(name)
    if value is None:
        # A plain dict, as tests and the simulator make them.
        wanted = name.lower()
        value = next((given for key, given in headers.items() if key.lower() == wanted), "")
    return value
