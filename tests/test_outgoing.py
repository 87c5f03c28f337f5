"""Every way out of the program is known here: who opens connections, to whose addresses, and that what a
stranger or a form named goes through the guard against private addresses (SSRF) and nowhere else.

A module that begins to speak to the network, or to send through a line of others, fails until it is entered.
"""

import ast
import re
from typing import Final

from tests.test_building import Module, imports_of, modules

# What opens connections; `urllib.parse` and the like open none.
NETWORK: Final = re.compile(
    r"(requests|urllib3|httpx|aiohttp|socket|smtplib|ftplib|telnetlib|imaplib|poplib|stripe|mercadopago|openai"
    r"|anthropic|websocket|websockets|twilio\.rest|http\.client|urllib\.request|asyncio)(\.|$)"
)
# Who imports that, and who chose the addresses that it speaks to.
LINES: Final = {
    "providers.transport": "environment: Meta's and Twilio's API",
    "providers.time_limit": "nobody: ends what others opened",
    "providers.connections": "nobody: pools for `providers.transport` and `llm.line`",
    "llm.line": "environment or an admin: the model's server",
    "wires.careerjet": "environment",
    "wires.stripe": "environment",
    "wires.mercadopago": "environment",
    "wires.smtp": "environment",
    "wires.guarded_fetch": "anybody: judged before each connection",
    "dashboard.simulator": "this program's own door",
    "tasks": "nobody: only the name of this machine",
}
# Who sends through `providers.transport`, which judges no address: each pins its hosts, or has them from the
# environment.
SENDERS: Final = frozenset(
    "providers.meta providers.graph providers.twilio wires.sms wires.stripe wires.mercadopago".split()
)
TRANSPORT: Final = "providers.transport"


def imported(module: Module) -> set[str]:
    return {found.imported for found in imports_of(module)}


def test_only_known_modules_open_connections() -> None:
    found = {module.name for module in modules() if any(NETWORK.match(one) for one in imported(module))}
    assert found == set(LINES), "say whose addresses they are, or go through wires.guarded_fetch"


def test_only_providers_send_through_the_line_that_judges_no_address() -> None:
    assert {module.name for module in modules() if sends(module)} == SENDERS


def test_the_guard_is_what_posts_to_addresses_of_forms() -> None:
    """Webhooks out, push services and other people's programs: each module that keeps such addresses."""
    users = {module.name for module in modules() if "wires.guarded_fetch" in imported(module)}
    assert {"wires.signed_webhook", "wires.web_push"} <= users


def sends(module: Module) -> bool:
    """Whether a module calls `transport.exchange`, under whichever name."""
    if f"{TRANSPORT}.exchange" in imported(module):
        return True
    return any(
        isinstance(node, ast.Attribute)
        and node.attr == "exchange"
        and isinstance(node.value, ast.Name)
        and node.value.id == "transport"
        for node in ast.walk(module.tree)
    )
