"""The files by which the desk is put on a server agree with each other and with the program."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from config import VARIABLES

ROOT = Path(__file__).resolve().parent.parent
OURS_NOT = {"PATH", "PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE"}
NAMES = {name for variable in VARIABLES for name in (variable.name, *variable.aliases)}


def left_out() -> set[str]:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    return {line for line in lines if line and not line.startswith("#")}


def procfile() -> dict[str, str]:
    lines = (ROOT / "Procfile").read_text().splitlines()
    return {name: command.strip() for name, command in (line.split(":", 1) for line in lines if line)}


def dockerfile() -> str:
    return (ROOT / "Dockerfile").read_text()


@pytest.fixture
def composed() -> dict[str, dict[str, object]]:
    services: dict[str, dict[str, object]] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())[
        "services"
    ]
    return services


def test_compose_runs_what_the_procfile_runs(composed: dict[str, dict[str, object]]) -> None:
    by_image = re.search(r"^CMD \[(.+)\]$", dockerfile(), re.MULTILINE)
    assert by_image is not None
    assert [part.strip(' "') for part in by_image[1].split(",")] == procfile()["web"].split()
    assert "command" not in composed["web"]
    for name in ("worker", "release"):
        assert composed[name]["command"] == procfile()[name].split()


def test_every_setting_that_the_image_and_compose_name_is_one_of_the_desk(
    composed: dict[str, dict[str, object]],
) -> None:
    block = dockerfile().partition("\nENV ")[2].partition("\nUSER")[0]
    in_image = set(re.findall(r"(\w+)=", block)) - OURS_NOT
    in_compose = set(composed["web"]["environment"])  # type: ignore[call-overload]
    assert in_image | in_compose <= NAMES


def test_the_image_leaves_secrets_and_data_out_and_is_not_root() -> None:
    assert {".env", ".env.*", "instance", ".git"} <= left_out()
    assert re.search(r"^USER balcao$", dockerfile(), re.MULTILINE)


@pytest.mark.slow
def test_the_program_runs_from_what_the_image_holds_in_a_folder_that_it_may_not_write(
    tmp_path: Path,
) -> None:
    image, data = tmp_path / "desk", tmp_path / "data"
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    names = [name for name in tracked.decode().split("\0") if name and name.split("/")[0] not in left_out()]
    assert ".env" not in names
    for name in names:
        (image / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, image / name)
    data.mkdir()
    env = {
        "PATH": os.environ["PATH"],
        "PYTHONDONTWRITEBYTECODE": "1",
        "FLASK_SKIP_DOTENV": "1",
        "APP_ENV": "production",
        "SECRET_KEY": "of this test only, long enough",
        "INSTANCE_DIR": str(data),
    }
    for command in (["cli.py", "init-db"], ["-c", "import main; print(main.app.name)"]):
        done = subprocess.run(
            [sys.executable, *command], cwd=image, env=env, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
    made = {str(path.relative_to(image)) for path in image.rglob("*") if path.is_file()} - set(names)
    assert made == set()
    assert list(data.iterdir())
