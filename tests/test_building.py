"""The building guards: floors, names, sizes and doors, read from the code itself.

A new room is entered in FLOORS; a room that is planned but not written yet is no fault. Imports are taken
from the syntax tree, so a room is judged without being run.
"""

import ast
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from graphlib import CycleError, TopologicalSorter
from importlib import import_module
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from werkzeug.routing import Rule

import config
from config import VARIABLES, Config, example_file

ROOT = Path(config.__file__).resolve().parent

# Highest floor first. Imports run downwards only.
FLOORS: dict[int, tuple[str, ...]] = {
    6: ("main", "app"),
    5: ("routes", "payment_door", "dashboard", "admin", "api", "cli", "commands", "setup_check", "auth"),
    4: (
        "desk_worker",
        "tasks",
        "telling",
        "connectors",
        "settling",
        "unasked",
        "counting",
        "rehearsal",
        "cashier",
        "opening",
        "demo",
        "pipeline",
        "answering",
        "flow_turns",
        "writing",
        "hearing",
        "assisting",
        "consulting",
        "grounding",
        "understanding",
        "pressing",
        "flow_actions",
        "desk_actions",
        "order_actions",
        "action_terms",
    ),
    3: (
        "whatsapp_service",
        "receipts",
        "received",
        "reconcile",
        "conversations",
        "flow_versions",
        "statements",
        "history",
        "crm",
        "shop",
        "owner",
        "outreach",
        "learning",
        "lanes",
        "inbox",
        "integrations",
        "teamwork",
        "message_templates",
        "knowledge",
        "training",
        "model_calls",
        "desk_settings",
        "media",
        "privacy",
        "changes",
        "analytics",
        "replay",
        "alerts",
        "operators",
        "simulated_phone",
        "side_events",
        "webhooks_out",
    ),
    2: ("models",),
    1: ("ai_service", "llm", "providers", "wires"),
    0: (
        "vocabulary",
        "phone",
        "config",
        "config_kinds",
        "config_variables",
        "bandit",
        "triage",
        "menu_flows",
        "flow_files",
        "answers",
        "texts",
        "replies",
        "record_numbers",
        "working_hours",
        "message_content",
        "analysis",
        "vault",
        "logs",
        "metrics",
    ),
}
# The only imports between rooms of one floor: importer, then what it may import. No cycles.
SAME_FLOOR: dict[str, tuple[str, ...]] = {
    "main": ("app",),
    "routes": ("auth",),
    "payment_door": ("auth", "dashboard"),
    "dashboard": ("auth",),
    "admin": ("auth", "dashboard"),
    "api": ("auth", "dashboard"),
    "cli": ("auth", "commands", "setup_check"),
    "commands": ("dashboard",),
    "desk_worker": ("connectors", "tasks", "telling"),
    "telling": ("connectors",),
    "tasks": (
        "rehearsal",
        "settling",
        "unasked",
        "counting",
        "cashier",
        "pipeline",
        "understanding",
        "assisting",
        "consulting",
    ),
    "rehearsal": ("pipeline",),
    "opening": ("counting", "demo"),
    "understanding": ("pressing",),
    "pipeline": ("answering", "flow_turns", "consulting", "hearing", "understanding", "flow_actions"),
    "flow_actions": ("action_terms", "desk_actions", "order_actions"),
    "order_actions": ("action_terms",),
    "desk_actions": ("action_terms", "connectors"),
    "answering": ("flow_turns", "consulting", "understanding", "pressing", "order_actions", "writing"),
    "flow_turns": ("consulting", "understanding", "pressing", "flow_actions", "writing"),
    "writing": ("consulting", "grounding", "understanding", "pressing"),
    "hearing": ("answering", "flow_turns", "consulting", "understanding"),
    "assisting": ("consulting", "grounding"),
    "lanes": ("statements",),
    "inbox": ("integrations", "lanes", "statements"),
    "conversations": ("history", "integrations", "lanes", "statements", "webhooks_out"),
    "alerts": ("simulated_phone", "statements"),
    "integrations": ("alerts",),
    "history": ("statements", "webhooks_out"),
    "webhooks_out": ("alerts", "simulated_phone", "statements"),
    "model_calls": ("alerts",),
    "desk_settings": ("statements",),
    "operators": ("statements",),
    "receipts": ("alerts", "conversations", "integrations", "statements", "webhooks_out"),
    "analytics": ("privacy", "statements"),
    "privacy": ("history", "lanes", "shop", "statements", "teamwork", "webhooks_out"),
    "teamwork": ("conversations", "statements"),
    "replay": ("integrations", "lanes", "statements"),
    "demo": ("flow_actions",),
    "simulated_phone": ("lanes",),
    "side_events": ("conversations", "integrations", "received"),
    "received": ("integrations", "statements", "webhooks_out"),
    "reconcile": ("inbox", "integrations", "message_templates", "statements"),
    "whatsapp_service": (
        "alerts",
        "conversations",
        "integrations",
        "lanes",
        "received",
        "statements",
        "webhooks_out",
    ),
    "ai_service": ("llm",),
    "llm": ("providers",),
    "wires": ("providers",),
    "config": ("config_kinds", "config_variables", "vault", "working_hours"),
    "config_variables": ("config_kinds",),
    "config_kinds": ("working_hours",),
    "menu_flows": ("answers", "flow_files", "texts", "vocabulary", "message_content"),
    "flow_files": ("answers", "message_content", "texts", "vocabulary"),
    "texts": ("vocabulary",),
    "replies": ("answers", "texts", "analysis", "vocabulary", "message_content"),
    "owner": (
        "alerts",
        "conversations",
        "integrations",
        "message_templates",
        "shop",
        "statements",
        "whatsapp_service",
    ),
    "knowledge": ("statements",),
    "flow_versions": ("history", "statements"),
    "crm": (
        "alerts",
        "outreach",
        "conversations",
        "flow_versions",
        "history",
        "integrations",
        "message_templates",
        "received",
        "statements",
        "whatsapp_service",
    ),
    "shop": (
        "alerts",
        "conversations",
        "history",
        "integrations",
        "learning",
        "media",
        "message_templates",
        "received",
        "simulated_phone",
        "statements",
        "whatsapp_service",
    ),
    "learning": ("alerts", "statements"),
    "outreach": (
        "alerts",
        "conversations",
        "history",
        "integrations",
        "message_templates",
        "shop",
        "statements",
        "whatsapp_service",
    ),
    "message_templates": ("alerts", "history", "integrations", "statements", "whatsapp_service"),
    "training": ("statements", "alerts"),
    "answers": ("analysis", "vocabulary"),
    "analysis": ("vocabulary",),
    "triage": ("vocabulary", "answers"),
}
# Rooms below floor 4 whose meaning is a commit: the whole room, or one function and what it defines inside.
MAY_COMMIT_BELOW = (
    "lanes",
    "inbox",
    "whatsapp_service.deliver",
    "whatsapp_service._deliver_under",
    "whatsapp_service.hand_out",
)
COMMITTING_FLOORS = (4, 5)
# The environment is read by config alone; these hand something on to a library, or start other programs.
MAY_READ_ENVIRONMENT = ("config", "main", "app", "cli")

FORBIDDEN_NAMES = ("utils", "helpers", "common", "manager", "misc", "util", "helper", "managers")
# The plan has about thirty rooms; each one more must earn its place.
MAX_ROOT_MODULES = 62
MAX_FILE_LINES = 600
# Every table stands in one room, as the plan wants it; a test file belongs to one room and holds its tables.
MAX_LINES_OF = {"models": 2000, "tests": 1200}
MAX_FUNCTION_LINES = 60
NOT_ROOMS = {
    "tests",
    "bench",
    "migrations",
    "instance",
    "docs",
    "static",
    "templates",
    "flows",
    "translations",
}

# Who may come in without an account: providers (the signature is their guard), probes, signing in, files.
PUBLIC_RULES = {
    "/webhook",
    "/webhook/health",
    "/whatsapp",
    "/whatsapp/status",
    "/payments/stripe",
    "/payments/mercadopago",
    "/payments/done/<language>",
    "/payments/back/<language>",
    "/healthz",
    "/readyz",
    "/login",
    "/login/code",
    "/logout",
    "/language",
    "/theme",
    "/favicon.ico",
    "/calendar/<token>.ics",
    "/connectors/calcom/webhook",
    "/api/v1/openapi.json",
    "/api/v1/docs",
    "/d/<token>",
    "/f/<signed>",
    "/forms/<token>",
}
PUBLIC_ENDPOINTS_END = "static"

# Words of other people's machines that have no place in a repository; split so that this file passes too.
WORKPLACE_WORDS = tuple(
    "".join(parts)
    for parts in (
        ("/wo", "rk/"),
        (".lib", "rary"),
        ("/opt/", "pypi"),
        ("/opt/", "wheels"),
        ("/root/", ".pyenv"),
        ("/tmp/", "bash_jobs"),
        ("Cla", "ude Code"),
        ("Co-Author", "ed-By"),
        ("DES", "IGN.md"),
        ("sha", "red/seeds"),
        ("../sha", "red"),
        ("$SHA", "RED"),
    )
)
SECRET_SHAPES = re.compile(
    r"\bEAA[A-Za-z0-9]{60,}"  # Meta's access tokens
    r"|\bsk-[A-Za-z0-9_-]{24,}"  # model providers
    r"|\bsk_live_[A-Za-z0-9]{16,}"
    r"|\bgh[pousr]_[A-Za-z0-9]{30,}"
    r"|\bAKIA[0-9A-Z]{16}\b"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----"
)
CDN = re.compile(
    r"(?:src|href)\s*=\s*[\"'](?:https?:)?//|@import\s+(?:url\()?[\"']?(?:https?:)?//"
    r"|cdn\.jsdelivr|cdnjs\.|unpkg\.com|googleapis\.com|bootstrapcdn",
    re.IGNORECASE,
)
# A link that a person follows is no file of the page.
LINK_OF_A_PERSON = re.compile(r"<a\b[^>]*>", re.IGNORECASE | re.DOTALL)
TEXT_SUFFIXES = {"", ".py", ".md", ".txt", ".in", ".toml", ".yaml", ".yml", ".html", ".css", ".js"} | {
    ".json", ".jsonl", ".cfg", ".ini", ".sh", ".svg", ".po", ".j2",
}  # fmt: skip


# --- Reading the building -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Module:
    """One file of a room: its dotted name, its path and its syntax tree."""

    name: str
    path: Path
    tree: ast.Module
    lines: int

    @property
    def room(self) -> str:
        return self.name.partition(".")[0]


@dataclass(frozen=True)
class Import:
    """One imported module or name, in full, and where it stands."""

    importer: Module
    imported: str
    line: int

    def __str__(self) -> str:
        return f"{self.importer.path.relative_to(ROOT)}:{self.line} imports {self.imported}"


@cache
def repository_files() -> tuple[Path, ...]:
    """Give what git keeps or would keep; in an unpacked archive, everything but what is generated."""
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listing.returncode == 0:
        names = [name for name in listing.stdout.split("\0") if name]
    else:
        names = [str(path.relative_to(ROOT)) for path in ROOT.rglob("*")]
    generated = {".git", ".venv", "instance", "__pycache__"}
    paths = (ROOT / name for name in sorted(names) if not generated & set(Path(name).parts))
    return tuple(path for path in paths if path.is_file())


def read(path: Path) -> Module:
    source = path.read_text(encoding="utf-8")
    parts = path.relative_to(ROOT).with_suffix("").parts
    name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
    return Module(name, path, ast.parse(source, str(path)), len(source.splitlines()))


@cache
def modules() -> tuple[Module, ...]:
    """Give every file of every room."""
    return tuple(
        read(path)
        for path in repository_files()
        if path.suffix == ".py"
        and path.relative_to(ROOT).parts[0] not in NOT_ROOMS
        and path.name != "gunicorn.conf.py"
    )


@cache
def rooms() -> frozenset[str]:
    return frozenset(module.room for module in modules())


def floor_of(room: str) -> int | None:
    return next((floor for floor, names in FLOORS.items() if room in names), None)


@cache
def imports() -> tuple[Import, ...]:
    return tuple(found for module in modules() for found in imports_of(module))


def imports_of(module: Module) -> Iterator[Import]:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(module, alias.name, node.lineno)
        elif isinstance(node, ast.ImportFrom):
            origin = origin_of(module, node)
            for alias in node.names:
                yield Import(module, f"{origin}.{alias.name}".strip("."), node.lineno)


def origin_of(module: Module, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    is_package = module.path.name == "__init__.py"
    parts = module.name.split(".")
    base = parts[: len(parts) - node.level + is_package]
    return ".".join([*base, *([node.module] if node.module else [])])


def house_imports() -> Iterator[tuple[Import, str]]:
    """Give every import of one room by another, with the imported room."""
    for found in imports():
        room = found.imported.partition(".")[0]
        if room in rooms() and room != found.importer.room:
            yield found, room


def functions(tree: ast.AST, outer: str = "") -> Iterator[tuple[str, ast.AST]]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            name = f"{outer}.{node.name}".strip(".")
            if not isinstance(node, ast.ClassDef):
                yield name, node
            yield from functions(node, name)
        else:
            yield from functions(node, outer)


def faults(found: Iterable[object]) -> str:
    return "\n".join(str(fault) for fault in found)


# --- Floors -------------------------------------------------------------------------------------------------


def test_every_room_stands_on_one_floor() -> None:
    homeless = sorted(room for room in rooms() if floor_of(room) is None)
    assert not homeless, f"enter these in FLOORS of {Path(__file__).name}: {homeless}"
    names = [room for floor in FLOORS.values() for room in floor]
    assert len(names) == len(set(names))


def test_imports_run_downwards_only() -> None:
    upwards = [
        found
        for found, room in house_imports()
        if (floor_of(room) or 0) > (floor_of(found.importer.room) or 0)
    ]
    assert not upwards, faults(upwards)


def test_rooms_of_one_floor_import_only_what_the_list_allows() -> None:
    strangers = [
        found
        for found, room in house_imports()
        if floor_of(room) == floor_of(found.importer.room)
        and room not in SAME_FLOOR.get(found.importer.room, ())
    ]
    assert not strangers, faults(strangers)


def test_the_list_of_neighbours_is_acyclic_and_stays_on_its_floor() -> None:
    TopologicalSorter(SAME_FLOOR).prepare()
    for importer, imported in SAME_FLOOR.items():
        assert {floor_of(room) for room in imported} == {floor_of(importer)}, importer


def test_no_modules_import_each_other_in_a_circle() -> None:
    known = {module.name for module in modules()}
    graph: dict[str, set[str]] = {name: set() for name in known}
    for found in imports():
        target = found.imported if found.imported in known else found.imported.rpartition(".")[0]
        if target in known and target != found.importer.name:
            graph[found.importer.name].add(target)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"circle: {' > '.join(error.args[1])}", pytrace=False)


def test_nothing_is_imported_inside_a_function() -> None:
    hidden = [
        f"{module.path.relative_to(ROOT)}:{node.lineno} imports inside {name}"
        for module in modules()
        for name, function in functions(module.tree)
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    assert not hidden, faults(hidden)


@pytest.mark.parametrize(
    ("floors", "forbidden"),
    [
        pytest.param((0, 1), r"flask($|_|\.)", id="flask"),
        pytest.param((0, 1), r"(sqlalchemy|psycopg|pymysql)($|\.)", id="the database"),
        pytest.param(
            (0,), r"(requests|urllib3|http|socket|redis|huey)($|\.)", id="the network, on the ground"
        ),
        pytest.param((0, 1, 2, 3, 4), r"flask\.(request|session|g)$|flask_login", id="the request"),
    ],
)
def test_low_floors_do_not_know(floors: tuple[int, ...], forbidden: str) -> None:
    found = [i for i in imports() if floor_of(i.importer.room) in floors and re.match(forbidden, i.imported)]
    assert not found, faults(found)


def test_only_doors_and_conductors_commit() -> None:
    found = [
        f"{module.path.relative_to(ROOT)}:{line} commits in {name or 'the module'}"
        for module in modules()
        if floor_of(module.room) not in COMMITTING_FLOORS
        for name, line in commits(module)
        if not may_commit(f"{module.name}.{name}")
    ]
    assert not found, faults(found)


def commits(module: Module) -> Iterator[tuple[str, int]]:
    """Give each call of `.commit()` with the function that it stands in."""
    spans = [
        (node.lineno, node.end_lineno or node.lineno, name)
        for name, node in functions(module.tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "commit":
            around = [span for span in spans if span[0] <= node.lineno <= span[1]]
            yield (min(around, key=lambda span: span[1] - span[0])[2] if around else ""), node.lineno


def may_commit(name: str) -> bool:
    return any(name == allowed or name.startswith(f"{allowed}.") for allowed in MAY_COMMIT_BELOW)


def test_only_config_reads_the_environment() -> None:
    found = [
        f"{module.path.relative_to(ROOT)}:{node.lineno}"
        for module in modules()
        if module.room not in MAY_READ_ENVIRONMENT
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Attribute)
        and node.attr in ("environ", "getenv")
        and isinstance(node.value, ast.Name)
        and node.value.id == "os"
    ]
    assert not found, f"take it from the Config instead: {found}"


# --- Names and sizes ----------------------------------------------------------------------------------------


def test_no_room_has_a_name_that_says_nothing() -> None:
    found = [m.name for m in modules() if set(re.split(r"[._]", m.name)) & set(FORBIDDEN_NAMES)]
    assert not found


def test_no_room_hides_a_module_of_the_standard_library() -> None:
    assert not sorted(rooms() & sys.stdlib_module_names)


def test_the_house_has_few_rooms_at_the_root() -> None:
    at_root = sorted(m.name for m in modules() if m.path.parent == ROOT)
    assert len(at_root) <= MAX_ROOT_MODULES, f"{len(at_root)}: {at_root}"


def test_files_and_functions_stay_short() -> None:
    python = [read(path) for path in repository_files() if path.suffix == ".py"]
    written = [module for module in python if not module.name.startswith("migrations.")]
    long_files = [
        f"{m.path.relative_to(ROOT)}: {m.lines} lines"
        for m in written
        if m.lines > MAX_LINES_OF.get(m.room, MAX_FILE_LINES)
    ]
    long_functions = [
        f"{module.path.relative_to(ROOT)}:{node.lineno} {name}: {length} lines"
        for module in written
        for name, node in functions(module.tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (length := (node.end_lineno or 0) - node.lineno + 1) > MAX_FUNCTION_LINES
    ]
    assert not long_files + long_functions, faults(long_files + long_functions)


def test_every_module_says_what_it_is() -> None:
    silent = [m.name for m in modules() if m.tree.body and not ast.get_docstring(m.tree)]
    assert not silent


# --- The repository's texts ---------------------------------------------------------------------------------


def texts(accept: Callable[[Path], bool] = lambda path: True) -> Iterator[tuple[str, str]]:
    for path in repository_files():
        if path.suffix in TEXT_SUFFIXES and accept(path):
            yield str(path.relative_to(ROOT)), path.read_text(encoding="utf-8", errors="replace")


def test_no_file_names_the_machine_that_it_was_written_on() -> None:
    found = [f"{name}: {word}" for name, text in texts() for word in WORKPLACE_WORDS if word in text]
    assert not found, faults(found)


def test_no_file_holds_what_looks_like_a_secret() -> None:
    found = [
        f"{name}: {hit[0][:12]}..." for name, text in texts() for hit in [SECRET_SHAPES.search(text)] if hit
    ]
    assert not found, faults(found)


def test_pages_load_nothing_from_elsewhere() -> None:
    """Styles and scripts come from this program; a link that a person follows may lead away."""

    def is_page(path: Path) -> bool:
        return path.relative_to(ROOT).parts[0] in ("templates", "static") and path.suffix != ".svg"

    found = [name for name, text in texts(is_page) if CDN.search(LINK_OF_A_PERSON.sub("", text))]
    assert not found, faults(found)


def test_every_variable_is_in_the_example_file_and_nothing_else_is() -> None:
    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    names = re.findall(r"^([A-Z_]+)=", example, re.MULTILINE)
    assert names == [variable.name for variable in VARIABLES]
    assert example == example_file(), "run: make example"


def test_pinned_requirements_name_no_address_and_are_hashed() -> None:
    for name in ("requirements.txt", "requirements-dev.txt"):
        text = (ROOT / name).read_text(encoding="utf-8")
        assert not re.search(r"://|^-|^\s*-[ief]\b", text, re.MULTILINE), name
        for requirement in re.split(r"\n(?=[a-zA-Z])", text):
            assert "==" in requirement, requirement
            assert "--hash=sha256:" in requirement, requirement


def test_everything_that_was_asked_for_is_pinned() -> None:
    pinned = {
        bare_name(line) for line in (ROOT / "requirements.txt").read_text().splitlines() if "==" in line
    }
    lines = (ROOT / "requirements.in").read_text().splitlines()
    asked = {bare_name(line) for line in lines if line and not line.startswith("#")}
    assert asked <= pinned, f"run `make lock`: {sorted(asked - pinned)}"


def test_every_library_that_is_imported_is_asked_for() -> None:
    """What came along with another library can leave with it."""
    asked = {bare_name(line) for line in (ROOT / "requirements.in").read_text().splitlines()}
    planned = {room for floor in FLOORS.values() for room in floor}
    ours = rooms() | planned | NOT_ROOMS | sys.stdlib_module_names
    carriers = packages_distributions()
    found = {
        f"{i.importer.path.relative_to(ROOT)}:{i.line} imports {package}"
        for i in imports()
        if (package := i.imported.partition(".")[0]) not in ours
        and not asked & {bare_name(carrier) for carrier in carriers.get(package, [])}
    }
    assert not found, faults(sorted(found))


def bare_name(requirement: str) -> str:
    return re.split(r"[\[=<>~;! ]", requirement, maxsplit=1)[0].lower().replace("_", "-").replace(".", "-")


# --- Doors --------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not (ROOT / "app.py").exists(), reason="the doors are not built yet")
def test_a_stranger_passes_no_door_but_the_public_ones(
    load_config: Callable[..., Config], sqlite_url: str
) -> None:
    app = import_module("app").create_app(load_config(DATABASE_URL=sqlite_url))
    with app.app_context():
        import_module("models").db.create_all()
    client = app.test_client()
    let_in = []
    for rule in app.url_map.iter_rules():
        if rule.rule in PUBLIC_RULES or rule.endpoint.endswith(PUBLIC_ENDPOINTS_END):
            continue
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            answer = client.open(address_of(rule), method=method, headers={"Accept": "text/html"})
            if not is_turned_away(answer.status_code, answer.headers.get("Location", "")):
                let_in.append(f"{method} {rule.rule} ({rule.endpoint}): {answer.status_code}")
    assert not let_in, faults(let_in)


def address_of(rule: Rule) -> str:
    """Fill the places of a rule with something that fits."""
    return re.sub(
        r"<(?:(\w+)(?:\([^)]*\))?:)?\w+>",
        lambda place: {"int": "1", "uuid": "00000000-0000-4000-8000-000000000000"}.get(place[1] or "", "1"),
        rule.rule,
    )


def is_turned_away(status: int, location: str) -> bool:
    return status in (401, 403) or (status in (302, 303) and location.partition("?")[0].endswith("/login"))
