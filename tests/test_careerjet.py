"""Careerjet's wire against a stub: what is asked, what is read, and every way in which it can fail."""

import json
import time

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from wires.careerjet import (
    LOCALES,
    MAX_FIELD_CHARS,
    Job,
    JobQuestion,
    JobSearchError,
    JobsFound,
    search,
)

JOB = {
    "title": "<b>Nurse</b> &amp; carer",
    "company": "Klinik am See",
    "locations": "Berlin",
    "url": "https://jobviewtrack.com/en-gb/job-1.html",
    "date": "Mon, 16 Nov 2026 07:00:00 GMT",
    "salary": "€ 3,000",
    "description": "...",
    "site": "klinik.example",
}
ANSWER = {"type": "JOBS", "hits": 120, "pages": 24, "response_time": 0.04, "jobs": [JOB]}


def ask(server: HTTPServer, question: JobQuestion | None = None, **options):
    options = {"affiliate_id": "abc", "base_url": server.url_for(""), "timeout_secs": 2.0, **options}
    return search(question or JobQuestion("DE", "nurse"), **options)


def test_a_question_carries_every_documented_parameter(httpserver: HTTPServer):
    seen: list[Request] = []

    def handler(request: Request) -> Response:
        seen.append(request)
        return Response(json.dumps(ANSWER), content_type="application/json")

    httpserver.expect_request("/search", method="GET").respond_with_handler(handler)
    question = JobQuestion(
        "DE", "nurse", "Berlin", max_jobs=3, user_ip="203.0.113.9", page_url="https://x.test/"
    )
    ask(httpserver, question)
    assert dict(seen[0].args) == {
        "locale_code": "de_DE",
        "keywords": "nurse",
        "location": "Berlin",
        "affid": "abc",
        "user_ip": "203.0.113.9",
        "user_agent": question.user_agent,
        "url": "https://x.test/",
        "pagesize": "3",
        "page": "1",
        "sort": "relevance",
    }
    assert seen[0].headers["Referer"] == "https://x.test/"


def test_jobs_are_read_as_plain_text(httpserver: HTTPServer):
    httpserver.expect_request("/search").respond_with_json(ANSWER)
    assert ask(httpserver) == JobsFound(
        (
            Job(
                "Nurse & carer",
                "Klinik am See",
                "Berlin",
                "https://jobviewtrack.com/en-gb/job-1.html",
                "Mon, 16 Nov 2026 07:00:00 GMT",
                "€ 3,000",
            ),
        ),
        120,
    )


def test_never_more_jobs_than_asked(httpserver: HTTPServer):
    httpserver.expect_request("/search").respond_with_json({**ANSWER, "jobs": [JOB] * 50})
    found = ask(httpserver, JobQuestion("DE", max_jobs=3))
    assert isinstance(found, JobsFound)
    assert len(found.jobs) == 3


def test_an_unclear_place_is_no_jobs(httpserver: HTTPServer):
    httpserver.expect_request("/search").respond_with_json(
        {"type": "LOCATIONS", "solveLocations": [{"name": "Berlin"}]}
    )
    assert ask(httpserver) == JobsFound((), 0)


def test_no_jobs_is_an_answer(httpserver: HTTPServer):
    httpserver.expect_request("/search").respond_with_json({"type": "JOBS", "hits": 0, "jobs": []})
    assert ask(httpserver) == JobsFound((), 0)


@pytest.mark.parametrize(
    "job",
    [
        {},
        {"title": "x"},
        {"title": "x", "url": "javascript:alert(1)"},
        {"title": "x", "url": "https://a b"},
        {"title": None, "url": "https://a.test"},
        {"title": "x", "url": 5},
        {"title": "x", "url": "https://a.test/" + "x" * 2000},
        "text",
        None,
        [],
    ],
)
def test_a_job_without_title_or_link_is_left_out(httpserver: HTTPServer, job: object):
    httpserver.expect_request("/search").respond_with_json({"type": "JOBS", "hits": 2, "jobs": [job, JOB]})
    found = ask(httpserver)
    assert isinstance(found, JobsFound)
    assert [one.title for one in found.jobs] == ["Nurse & carer"]


def test_long_fields_are_cut(httpserver: HTTPServer):
    httpserver.expect_request("/search").respond_with_json(
        {"type": "JOBS", "jobs": [{**JOB, "title": "x" * 999}]}
    )
    found = ask(httpserver)
    assert isinstance(found, JobsFound)
    assert len(found.jobs[0].title) == MAX_FIELD_CHARS
    assert found.total == 1


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (200, b"<html>", "unreadable"),
        (200, b"", "unreadable"),
        (200, b"[]", "unreadable"),
        (200, b"null", "unreadable"),
        (200, b"\xff\xfe\x00", "unreadable"),
        (200, b"[" * 100_000, "unreadable"),
        (200, b'{"type":"SOMETHING"}', "unreadable"),
        (200, b'{"type":"ERROR","error":"affid is invalid"}', "refused"),
        (200, b'{"type":"ERROR"}', "refused"),
        (301, b"", "refused"),
        (400, b"", "refused"),
        (403, b"", "refused"),
        (404, b"", "refused"),
        (429, b"", "busy"),
        (500, b"", "busy"),
        (503, b"", "busy"),
    ],
)
def test_every_bad_answer_is_an_error_value(httpserver: HTTPServer, status: int, body: bytes, code: str):
    httpserver.expect_request("/search").respond_with_data(body, status=status)
    answer = ask(httpserver)
    assert isinstance(answer, JobSearchError)
    assert answer.code == code


def test_an_error_is_told_in_careerjets_words(httpserver: HTTPServer):
    httpserver.expect_request("/search").respond_with_json({"type": "ERROR", "error": "affid is invalid"})
    assert ask(httpserver) == JobSearchError("refused", "Careerjet says: affid is invalid")


def test_a_slow_service_is_a_timeout(httpserver: HTTPServer):
    def slow(_request: Request) -> Response:
        def drip():
            for _ in range(100):
                yield b" "
                time.sleep(0.02)

        return Response(drip(), content_type="application/json")

    httpserver.expect_request("/search").respond_with_handler(slow)
    answer = ask(httpserver, timeout_secs=0.15)
    assert isinstance(answer, JobSearchError)
    assert answer.code == "timeout"


def test_a_too_long_answer_is_not_read(httpserver: HTTPServer):
    httpserver.expect_request("/search").respond_with_data(b" " * (3 * 1024**2))
    answer = ask(httpserver)
    assert isinstance(answer, JobSearchError)
    assert answer.code == "unreachable"


def test_nobody_there_is_unreachable():
    answer = search(JobQuestion("DE"), affiliate_id="abc", base_url="http://127.0.0.1:9", timeout_secs=1)
    assert isinstance(answer, JobSearchError)
    assert answer.code == "unreachable"


@pytest.mark.parametrize("base_url", ["", "not a url", "ftp://x.test", "http://"])
def test_a_bad_base_url_is_unreachable(base_url: str):
    answer = search(JobQuestion("DE"), affiliate_id="abc", base_url=base_url)
    assert isinstance(answer, JobSearchError)
    assert answer.code == "unreachable"


def test_without_an_affiliate_id_nothing_is_asked():
    answer = search(JobQuestion("DE"), affiliate_id="")
    assert isinstance(answer, JobSearchError)
    assert answer.code == "not_configured"


@pytest.mark.parametrize("country", ["", "XX", "Germany", "AQ"])
def test_a_country_without_a_site_is_told(country: str):
    answer = search(JobQuestion(country), affiliate_id="abc")
    assert isinstance(answer, JobSearchError)
    assert answer.code == "country_not_served"


@pytest.mark.parametrize(
    ("country", "language", "locale"),
    [
        ("DE", "", "de_DE"),
        ("de", "pt", "de_DE"),
        ("BR", "", "pt_BR"),
        ("PT", "en", "pt_PT"),
        ("US", "", "en_US"),
        ("GB", "", "en_GB"),
        ("AE", "pt", "en_AE"),
        ("CA", "en", "en_CA"),
        ("CA", "fr", "fr_CA"),
        ("CH", "fr", "fr_CH"),
        ("BE", "", "fr_BE"),
        ("CN", "en", "en_CN"),
    ],
)
def test_the_site_follows_country_and_language(
    httpserver: HTTPServer, country: str, language: str, locale: str
):
    httpserver.expect_request("/search").respond_with_json(ANSWER)
    ask(httpserver, JobQuestion(country, language=language))
    assert httpserver.log[0][0].args["locale_code"] == locale


def test_every_site_belongs_to_its_country():
    assert all(locale.endswith(f"_{country}") for country, locale in LOCALES.items())
