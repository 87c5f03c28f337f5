"""Talking HTTP to providers: what surely never left, what may have, and connections that are used again."""

import os
import ssl
import threading
from collections.abc import Callable
from typing import Any

import pytest
import requests
import urllib3
from pytest_httpserver import HTTPServer
from requests.adapters import HTTPAdapter

from message_content import Template, Text
from providers import transport
from providers.base import Account, Person, SendError, Sent
from providers.meta import meta
from providers.transport import Answer, Bearer, Failure, NoCredentials
from tests.fakes.graph import FakeGraph
from tests.fakes.webhooks import ACCESS_TOKEN, PHONE_NUMBER_ID


def max_retries(reason: Exception) -> urllib3.exceptions.MaxRetryError:
    pool = urllib3.HTTPSConnectionPool("graph.example")
    return urllib3.exceptions.MaxRetryError(pool, "/", reason)


NEVER_LEFT: list[Exception] = [
    requests.ConnectionError(max_retries(urllib3.exceptions.NewConnectionError(None, "refused"))),  # type: ignore[arg-type]
    requests.exceptions.ConnectTimeout(max_retries(urllib3.exceptions.ConnectTimeoutError())),
    requests.exceptions.SSLError(
        max_retries(urllib3.exceptions.SSLError(ssl.SSLCertVerificationError("expired")))
    ),
    requests.exceptions.ProxyError(max_retries(urllib3.exceptions.ProxyError("no proxy", OSError()))),
]
MAY_HAVE_LEFT: list[Exception] = [
    requests.exceptions.ReadTimeout("slow"),
    requests.ConnectionError(urllib3.exceptions.ProtocolError("Connection aborted.", ConnectionResetError())),
    requests.exceptions.ChunkedEncodingError(urllib3.exceptions.IncompleteRead(1, 2)),
    requests.exceptions.SSLError(
        max_retries(urllib3.exceptions.SSLError(ssl.SSLEOFError("EOF in violation")))
    ),
    OSError("the line broke"),
]


def failing_with(error: Exception, monkeypatch: pytest.MonkeyPatch) -> Any:
    def fail(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(HTTPAdapter, "send", fail)
    return transport.exchange("GET", "https://graph.example/x", NoCredentials(), timeout_secs=1)


@pytest.mark.parametrize("error", NEVER_LEFT, ids=lambda error: type(error).__name__)
def test_what_ended_before_its_first_byte_was_surely_not_sent(error, monkeypatch):
    failure = failing_with(error, monkeypatch)
    assert failure.kind == "not_sent"
    assert transport.send_error(failure).outcome == "retry"


@pytest.mark.parametrize("error", MAY_HAVE_LEFT, ids=lambda error: type(error).__name__)
def test_what_ended_later_may_have_been_sent(error, monkeypatch):
    failure = failing_with(error, monkeypatch)
    assert failure.kind == "cut"
    assert transport.send_error(failure).outcome == "uncertain"


def test_content_that_is_no_json_is_final_and_not_an_exception():
    template = Template("x", "pt", ({"type": "body", "n": float("nan")},))
    account = Account(1, "meta", "1", access_token="t", base_url="http://127.0.0.1:9")
    refused = meta.send(account, Person("5511987654321"), template, reference="1")
    assert isinstance(refused, SendError)
    assert refused.outcome == "final"


def test_an_answer_is_read_to_its_cap_and_redirects_are_not_followed(httpserver: HTTPServer):
    httpserver.expect_request("/long").respond_with_data(b"x" * 300_000)
    httpserver.expect_request("/away").respond_with_data(b"", 302, {"Location": "/long"})
    answer = transport.exchange(
        "GET", httpserver.url_for("/long"), NoCredentials(), timeout_secs=5, max_bytes=1000
    )
    assert isinstance(answer, Answer)
    assert (len(answer.content), answer.is_cut) == (1000, True)
    answer = transport.exchange("GET", httpserver.url_for("/away"), NoCredentials(), timeout_secs=5)
    assert isinstance(answer, Answer)
    assert answer.status == 302


def test_a_netrc_on_the_machine_replaces_no_credentials(httpserver: HTTPServer, tmp_path, monkeypatch):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine localhost login thief password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    httpserver.expect_request("/x").respond_with_data(b"ok")
    for auth in (Bearer("ours"), NoCredentials()):
        transport.exchange("GET", httpserver.url_for("/x"), auth, timeout_secs=5)
    assert [request.headers.get("Authorization") for request, _ in httpserver.log] == ["Bearer ours", None]


def counting(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    connects: list[int] = []
    connect: Callable[[Any], Any] = urllib3.connection.HTTPConnection.connect

    def counted(self: Any) -> Any:
        connects.append(1)
        return connect(self)

    monkeypatch.setattr(urllib3.connection.HTTPConnection, "connect", counted)
    return connects


def test_a_connection_is_used_again_also_by_another_thread(monkeypatch):
    connects = counting(monkeypatch)
    with FakeGraph() as graph:
        account = Account(1, "meta", PHONE_NUMBER_ID, access_token=ACCESS_TOKEN, base_url=graph.url)
        answers: list[Any] = []

        def send() -> None:
            answers.append(meta.send(account, Person("5511987654321"), Text("oi"), reference="1"))

        for _ in range(5):
            send()
            thread = threading.Thread(target=send)
            thread.start()
            thread.join()
    assert all(isinstance(answer, Sent) for answer in answers)
    assert len(answers) == 10
    assert len(connects) == 1


def test_many_threads_send_each_its_own(monkeypatch):
    with FakeGraph() as graph:
        account = Account(1, "meta", PHONE_NUMBER_ID, access_token=ACCESS_TOKEN, base_url=graph.url)
        ids: dict[str, str] = {}

        def send(worker: int) -> None:
            for index in range(10):
                reference = f"{worker}-{index}"
                answer = meta.send(account, Person("5511987654321"), Text("oi"), reference=reference)
                ids[reference] = answer.external_id if isinstance(answer, Sent) else answer.operator_message

        threads = [threading.Thread(target=send, args=(worker,)) for worker in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert {message.reference: message.id for message in graph.sent} == ids


def test_a_forked_child_opens_connections_of_its_own(httpserver: HTTPServer):
    httpserver.expect_request("/x").respond_with_data(b"ok")
    transport.exchange("GET", httpserver.url_for("/x"), NoCredentials(), timeout_secs=5)
    before = transport._pool.adapter
    child = os.fork()
    if child == 0:
        os._exit(0 if transport._pool.adapter is not before else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert transport._pool.adapter is before


def test_a_failure_is_told_in_words():
    for failure in (Failure("not_sent", "X"), Failure("cut", "X"), Failure("impossible", "X")):
        assert "X" in transport.send_error(failure).operator_message
