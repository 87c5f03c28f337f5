"""The files by which the desk is put on a server agree with each other and with the program."""

import os
import re
import shutil
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

import pytest
import yaml
from flask.testing import FlaskClient

from cli import COMMANDS
from config import VARIABLES

ROOT = Path(__file__).resolve().parent.parent
OURS_NOT = {"PATH", "PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE"}
NAMES = {name for variable in VARIABLES for name in (variable.name, *variable.aliases)}


def is_left_out(name: str) -> bool:
    """Whether `.dockerignore` keeps this file out: a name of the top, or one at any depth behind **/."""
    parts = name.split("/")
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        if line and not line.startswith("#"):
            pattern = line.removeprefix("**/")
            if any(fnmatch(part, pattern) for part in (parts if pattern != line else parts[:1])):
                return True
    return False


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
    secret = (".env", ".env.old", "shop/.env", ".git/config", "instance/desk.db", "desk.zip", "old/desk.dump")
    assert [name for name in secret if not is_left_out(name)] == []
    assert is_left_out("shop/__pycache__/orders.cpython-313.pyc")
    assert not is_left_out("demo/history.jsonl.gz")
    assert re.search(r"^USER balcao$", dockerfile(), re.MULTILINE)
    assert not re.search(r"^VOLUME", dockerfile(), re.MULTILINE)  # Railway refuses such a file


def test_a_host_asks_whether_the_process_answers_not_whether_a_worker_lives(client: FlaskClient) -> None:
    """Without a worker the web process must go on storing messages, so nobody may take it out of service."""
    asked = re.search(r"HEALTHCHECK.*\n.*\}(/\w+)'", dockerfile())
    assert asked is not None
    assert client.get(asked[1]).status_code == 200
    assert client.get("/readyz").status_code == 503


def test_a_host_waits_longer_than_the_processes_need_to_stop(composed: dict[str, dict[str, object]]) -> None:
    limit = re.search(r"^graceful_timeout = (\d+)$", (ROOT / "gunicorn.conf.py").read_text(), re.MULTILINE)
    assert limit is not None
    for name in ("web", "worker"):
        assert int(str(composed[name]["stop_grace_period"]).removesuffix("s")) > int(limit[1])


def test_the_settings_and_commands_of_the_guide_are_those_of_the_desk() -> None:
    guide = (ROOT / "docs" / "deploy.md").read_text()
    blocks = re.findall(r"```sh\n(.*?)```", guide, re.DOTALL)
    named = {name for block in blocks for name in re.findall(r"^([A-Z_]+)=", block, re.MULTILINE)}
    assert len(named) > 5
    assert named - NAMES == {"POSTGRES_PASSWORD"}
    called = set(re.findall(r"cli\.py ([a-z-]+)", guide))
    assert called <= {command.name for command in COMMANDS}
    for process in procfile().values():
        assert process in guide


@pytest.mark.slow
def test_the_program_runs_from_what_the_image_holds_in_a_folder_that_it_may_not_write(
    tmp_path: Path,
) -> None:
    image, data = tmp_path / "desk", tmp_path / "data"
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    names = [name for name in tracked.decode().split("\0") if name and not is_left_out(name)]
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
