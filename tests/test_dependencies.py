"""What can be said of other people's libraries without the internet: every file pins by hash, all agree, and
none may be used only by those who give their own code away. `make audit` asks for known weaknesses.
"""

import re
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parent.parent
COMPILED: Final = sorted(ROOT.glob("requirements*.txt"))
PIN: Final = re.compile(r"^([\w.-]+)(?:\[[^]]*\])?==([^ ;\\]+)", re.MULTILINE)
# Strong copyleft; the lesser licence (psycopg) asks nothing of who only uses the library.
COPYLEFT: Final = re.compile(r"\bA?GPL|Affero|(?<!Lesser )General Public License", re.IGNORECASE)
# They name their licence in no field of their metadata: both are MIT.
SILENT: Final = frozenset({"huey", "xstatic-font-awesome"})


def pins(path: Path) -> dict[str, str]:
    return dict(PIN.findall(path.read_text(encoding="utf-8")))


def licence_of(name: str) -> str | None:
    """Give what a library's metadata says of its licence; None when this machine needs it not."""
    try:
        about = metadata(name).json
    except PackageNotFoundError:
        return None
    classifiers = [one for one in about.get("classifier", ()) if one.startswith("License ::")]
    return str(about.get("license_expression") or "; ".join(classifiers) or about.get("license", ""))[:200]


@pytest.mark.parametrize("path", COMPILED, ids=lambda path: path.name)
def test_each_library_is_pinned_by_hash(path: Path) -> None:
    requirements = re.split(r"\n(?=[a-zA-Z])", path.read_text(encoding="utf-8"))
    assert [one for one in requirements if not PIN.match(one)] == []
    assert [one for one in requirements if "--hash=sha256:" not in one] == []


def test_all_files_agree_on_versions() -> None:
    runtime = pins(ROOT / "requirements.txt")
    others = [path for path in COMPILED if path.name != "requirements.txt"]
    assert others
    differing = [
        f"{path.name}: {name}"
        for path in others
        for name, version in pins(path).items()
        if runtime.get(name, version) != version
    ]
    assert differing == [], "run: make lock"


def test_no_library_of_the_program_is_under_strong_copyleft() -> None:
    licences = {name: licence_of(name) for name in pins(ROOT / "requirements.txt")}
    assert [name for name, said in licences.items() if said == "" and name not in SILENT] == []
    assert [f"{name}: {said}" for name, said in licences.items() if said and COPYLEFT.search(said)] == []
