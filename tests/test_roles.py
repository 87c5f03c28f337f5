"""Each route refuses the wrong role and the wrong key: the routes are read from the program, what each asks
for stands here.

A blueprint or a resource that nobody entered below fails, and so does a view that asks for less than it did.
"""

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.routing import Rule

import config
import operators
from app import create_app
from models import db
from operators import SCOPES
from tests.browsing import AS_BROWSER, sign_in
from tests.calling import Caller
from tests.conftest import QUICK_HASHER
from tests.page_rows import ADMIN_EMAIL, AGENT_EMAIL, PASSWORD, people
from vocabulary import ROLES

EMAILS: Final = {"agent": AGENT_EMAIL, "manager": "caio@loja.com.br", "admin": ADMIN_EMAIL}
# Signatures, tokens in the address and tests of their own guard these; `test_building` names their rules.
PUBLIC: Final = (
    "static bootstrap font_awesome door payment_door api_reference status sign_in calendar_feed"
    " form_door downloads connector_door"
)
# The least role that may use a blueprint.
LEAST: Final = {
    "agent": "overview inbox conversation assist strategy live records record order account second_factor"
    " browser_alerts simulator reach",
    "manager": "products shelves template_list campaigns contacts programmes figures order_by_hand",
    "admin": "person_data components events teaching ways_to_pay teams articles learning owner_phone"
    " alert_settings webhooks lead_forms api_keys people getting_started numbers flows ai_settings"
    " conversions connectors retention",
}
# Views that ask for more than their blueprint does.
MORE: Final = {
    "inbox.remove_label": "manager",
    "order.mark_paid": "manager",
    "order.cancel": "manager",
    "order.take_up": "manager",
    "order.refund": "manager",
    "simulator.create_number": "admin",
    "figures.save_prices": "admin",
    "template_list.sync": "admin",
    "template_list.submit": "admin",
}
# Which resources of the API a family of scopes opens.
RESOURCES: Final = {
    "integrations": "integrations",
    "contacts": "contacts contact-fields",
    "messages": "messages conversations media",
    "outreach": "campaigns templates",
    "records": "leads tickets complaints appointments",
    "shop": "products categories niches orders sales",
    "knowledge": "articles",
    "figures": "analytics learning",
}
OTHER_DOORS: Final = {
    "door.stats": "read",
    "payment_door.bank_lines": "write",
    "metrics_page.page": "figures:read",
}


def rules(app: Flask) -> list[Rule]:
    return sorted(app.url_map.iter_rules(), key=lambda rule: rule.rule)


def role_of(rule: Rule) -> str | None:
    """Give the least role that may use a rule, None for doors that are not for operators."""
    roles = {name: role for role, names in LEAST.items() for name in names.split()}
    doors = dict.fromkeys([*PUBLIC.split(), "api", "metrics_page"])
    blueprint = rule.endpoint.partition(".")[0]
    assert blueprint in roles | doors, f"say in LEAST who may use {blueprint}"
    return MORE.get(rule.endpoint) or (roles | doors)[blueprint]


def scope_of(rule: Rule, method: str) -> str | None:
    """Give the scope that a program needs, None for a door of people."""
    if not rule.endpoint.startswith("api."):
        return OTHER_DOORS.get(rule.endpoint)
    families = {name: family for family, names in RESOURCES.items() for name in names.split()}
    resource = rule.rule.split("/")[3]
    assert resource in families, f"say in RESOURCES which scopes open {resource}"
    family = families[resource]
    change = "send" if family == "messages" else "write"
    return f"{family}:{'read' if method == 'GET' else change}"


def methods_of(rule: Rule) -> list[str]:
    return sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})


def address_of(rule: Rule, named: Mapping[str, str] = MappingProxyType({})) -> str:
    """Give an address of a rule, with 1 for whatever it asks for that is not `named`."""
    return re.sub(r"<(?:[^>]*:)?\w+>", lambda found: named.get(found[0], "1"), rule.rule)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    """Give one desk for all roles. Its forms ask for no token: the role must stop who has one."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(operators, "_hasher", QUICK_HASHER)
        patched.setattr(operators, "_nobodys_hash", QUICK_HASHER.hash("nobody"))
        folder = str(tmp_path_factory.mktemp("desk"))
        environ = {"INSTANCE_DIR": folder, "API_REQUESTS_PER_MINUTE": "10000"}
        app = create_app(config.load(environ, entry="test"))
        with app.app_context():
            db.create_all()
            people()
            operators.create_operator(EMAILS["manager"], "Caio", PASSWORD, "manager")
            db.session.commit()
        yield app
        with app.app_context():
            db.session.remove()
            db.engine.dispose()


@pytest.fixture(scope="module")
def browsers(desk: Flask) -> dict[str, FlaskClient]:
    """Give a browser for each role, signed in."""
    found = {role: desk.test_client() for role in ROLES}
    for role, browser in found.items():
        assert sign_in(browser, EMAILS[role]).status_code == 302
    desk.config["WTF_CSRF_ENABLED"] = False
    return found


def test_every_route_is_known_here(desk: Flask) -> None:
    for rule in rules(desk):
        role_of(rule)
        scope_of(rule, "GET")


def test_each_route_refuses_every_role_below_its_own(desk: Flask, browsers: dict[str, FlaskClient]) -> None:
    let_in = []
    tried = 0
    for rule in rules(desk):
        wanted = role_of(rule)
        for role in ROLES[: ROLES.index(wanted)] if wanted else ():
            for method in methods_of(rule):
                tried += 1
                status = browsers[role].open(address_of(rule), method=method, headers=AS_BROWSER).status_code
                if status != 403:
                    let_in.append(f"{role}: {method} {rule.rule} ({rule.endpoint}): {status}")
    assert let_in == []
    assert tried > 200


def test_each_route_of_programs_refuses_a_key_without_its_scope(desk: Flask) -> None:
    let_in = []
    tried = 0
    callers: dict[str, Caller] = {}
    for rule in rules(desk):
        for method in methods_of(rule):
            scope = scope_of(rule, method)
            if scope is None:
                continue
            whole = "read" if scope.endswith("read") else "write"
            others = [one for one in SCOPES if one not in (scope, whole)]
            caller = callers.setdefault(scope, Caller(desk, *others))
            headers = {"Authorization": f"Bearer {caller.key}"}
            status = caller.client.open(address_of(rule), method=method, headers=headers).status_code
            tried += 1
            if status != 403:
                let_in.append(f"{scope}: {method} {rule.rule}: {status}")
    assert let_in == []
    assert tried > 50
