"""The way in, as a person starts it: one program on a free port, one line for each trouble, a clean end."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

ROOT = Path(__file__).resolve().parents[1]
STARTS_WITHIN_SECS = 300
ENDS_WITHIN_SECS = 120
LOOK_EVERY_SECS = 0.1

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.fixture
def start(tmp_path: Path, port: int) -> Iterator[Start]:
    """Start `python main.py` with an instance folder of its own; whatever still runs is ended."""
    started: list[subprocess.Popen[str]] = []

    def begin(**variables: str) -> subprocess.Popen[str]:
        environment = os.environ | {
            "INSTANCE_DIR": str(tmp_path / "instance"),
            "PORT": str(port),
            "DEMO": "0",
            "ADMIN_EMAIL": "ana@example.com",
            "LOG_LEVEL": "WARNING",
            **variables,
        }
        process = subprocess.Popen(
            [sys.executable, "main.py"],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        if process.poll() is None:
            process.kill()
            process.wait()


def wait_until_ready(port: int) -> None:
    """Wait until the pages answer, which is after the welcome was printed."""
    ends = time.monotonic() + STARTS_WITHIN_SECS
    while time.monotonic() < ends:
        try:
            if requests.get(f"http://127.0.0.1:{port}/healthz", timeout=STARTS_WITHIN_SECS).ok:
                return
        except requests.ConnectionError:
            time.sleep(LOOK_EVERY_SECS)
    raise AssertionError("the desk did not start")


def stop(process: subprocess.Popen[str], number: int) -> tuple[str, str]:
    process.send_signal(number)
    return process.communicate(timeout=ENDS_WITHIN_SECS)


def test_the_password_is_shown_at_the_first_start_only(start, port):
    first = start()
    wait_until_ready(port)
    said, _ = stop(first, signal.SIGINT)
    assert f"http://127.0.0.1:{port}\n" in said
    assert f"http://127.0.0.1:{port}/simulator" in said
    assert re.search(r"^with the password \S+  \(shown only now", said, re.MULTILINE)
    assert said.endswith("Stopped.\n")
    assert first.returncode == 0

    second = start()
    wait_until_ready(port)
    said, complaints = stop(second, signal.SIGTERM)
    assert "Sign in as ana@example.com" in said
    assert "password" not in said
    assert said.endswith("Stopped.\n")
    assert second.returncode == 0
    assert "Traceback" not in complaints


def test_a_taken_port_is_one_line_and_nothing_is_prepared(start, port, tmp_path):
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        other.listen()
        process = start()
        said, complaints = process.communicate(timeout=STARTS_WITHIN_SECS)
    assert process.returncode == 1
    assert said == ""
    assert complaints.count("\n") == 1
    assert f"Port {port} is taken" in complaints
    assert not (tmp_path / "instance" / "balcao.db").exists()


def test_an_address_of_another_machine_is_one_line(start):
    process = start(HOST="192.0.2.1")
    _, complaints = process.communicate(timeout=STARTS_WITHIN_SECS)
    assert process.returncode == 1
    assert complaints.count("\n") == 1
    assert "look at HOST and PORT" in complaints


def test_a_password_that_nobody_may_have_is_one_line(start):
    process = start(ADMIN_PASSWORD="12345")
    said, complaints = process.communicate(timeout=STARTS_WITHIN_SECS)
    assert process.returncode == 2
    assert said == ""
    assert complaints.count("\n") == 1
    assert "ADMIN_PASSWORD" in complaints
    assert "12345" not in complaints


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("after_secs", [0.4, 1.5])
def test_a_stop_while_loading_shows_no_traceback(start, number, after_secs):
    process = start()
    time.sleep(after_secs)
    said, complaints = stop(process, number)
    assert process.returncode == 0
    assert said.endswith("Stopped.\n")
    assert "Traceback" not in complaints
