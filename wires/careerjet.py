"""Careerjet's public job search (GET {base}/search, JSON): one question, the vacancies of a country.

`flow_actions` asks it outside any transaction. It keeps nothing, never retries and never raises for what the
service does: a failure is a JobSearchError. Parameters, sites and answer types are those of Careerjet's own
published client (careerjet/careerjet-api-client-python): `affid`, `user_ip`, `user_agent` and `url` (sent as
the Referer) are mandatory; the answer's `type` is JOBS, LOCATIONS (the place was not clear) or ERROR.
"""

import html
import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import requests

BASE_URL = "http://public.api.careerjet.net"
CONNECT_TIMEOUT_SECS = 3.0
READ_TIMEOUT_SECS = 8.0
MAX_ANSWER_BYTES = 2 * 1024**2
CHUNK_BYTES = 64 * 1024
MAX_JOBS = 20
MAX_FIELD_CHARS = 200
MAX_URL_CHARS = 1000
MAX_QUERY_CHARS = 120
USER_AGENT = "Mozilla/5.0 (compatible; Balcao WhatsApp desk)"

# Careerjet's national sites by country: `locale_code` chooses the site, and with it the country.
LOCALES: Mapping[str, str] = {
    "AE": "en_AE",
    "AR": "es_AR",
    "AT": "de_AT",
    "AU": "en_AU",
    "BD": "en_BD",
    "BE": "fr_BE",
    "BO": "es_BO",
    "BR": "pt_BR",
    "CA": "en_CA",
    "CH": "de_CH",
    "CL": "es_CL",
    "CN": "zh_CN",
    "CO": "es_CO",
    "CR": "es_CR",
    "CZ": "cs_CZ",
    "DE": "de_DE",
    "DK": "da_DK",
    "DO": "es_DO",
    "EC": "es_EC",
    "ES": "es_ES",
    "FI": "fi_FI",
    "FR": "fr_FR",
    "GB": "en_GB",
    "GT": "es_GT",
    "HK": "en_HK",
    "HU": "hu_HU",
    "IE": "en_IE",
    "IN": "en_IN",
    "IT": "it_IT",
    "JP": "ja_JP",
    "KR": "ko_KR",
    "KW": "en_KW",
    "LU": "fr_LU",
    "MA": "fr_MA",
    "MX": "es_MX",
    "MY": "en_MY",
    "NL": "nl_NL",
    "NO": "no_NO",
    "NZ": "en_NZ",
    "OM": "en_OM",
    "PA": "es_PA",
    "PE": "es_PE",
    "PH": "en_PH",
    "PK": "en_PK",
    "PL": "pl_PL",
    "PR": "es_PR",
    "PT": "pt_PT",
    "PY": "es_PY",
    "QA": "en_QA",
    "RU": "ru_RU",
    "SA": "en_SA",
    "SE": "sv_SE",
    "SG": "en_SG",
    "SK": "sk_SK",
    "TR": "tr_TR",
    "TW": "en_TW",
    "UA": "uk_UA",
    "US": "en_US",
    "UY": "es_UY",
    "VE": "es_VE",
    "VN": "vi_VN",
    "ZA": "en_ZA",
}
# Countries whose site speaks more languages.
OTHER_LOCALES = frozenset({"en_CN", "en_VN", "fr_CA", "fr_CH", "nl_BE", "ru_UA"})


@dataclass(frozen=True, slots=True)
class JobQuestion:
    """What to look for. `country` is an ISO code; `user_ip` the asker's address (ours, for WhatsApp)."""

    country: str
    keywords: str = ""
    location: str = ""
    language: str = ""
    max_jobs: int = 5
    user_ip: str = "127.0.0.1"
    user_agent: str = USER_AGENT
    page_url: str = "https://wa.me/"


@dataclass(frozen=True, slots=True)
class Job:
    """One vacancy, as plain text; `url` is Careerjet's counted link and must be shown as it is."""

    title: str
    company: str
    location: str
    url: str
    date: str = ""
    salary: str = ""


@dataclass(frozen=True, slots=True)
class JobsFound:
    """The vacancies, best first; none is an answer too. `total` is how many Careerjet knows."""

    jobs: tuple[Job, ...]
    total: int


@dataclass(frozen=True, slots=True)
class JobSearchError:
    """Why there is no answer. `timeout`, `unreachable` and `busy` may pass; the others need a person."""

    code: Literal[
        "not_configured", "country_not_served", "timeout", "unreachable", "busy", "refused", "unreadable"
    ]
    operator_message: str


def search(
    question: JobQuestion,
    *,
    affiliate_id: str,
    base_url: str = BASE_URL,
    timeout_secs: float = READ_TIMEOUT_SECS,
) -> JobsFound | JobSearchError:
    """Ask Careerjet once. Never raises."""
    if not affiliate_id:
        return JobSearchError("not_configured", "CAREERJET_AFFILIATE_ID is not set.")
    locale = _locale(question)
    if locale is None:
        return JobSearchError("country_not_served", f"Careerjet has no site for {question.country[:10]!r}.")
    parameters = _parameters(question, locale, affiliate_id)
    try:
        status, body = _get(base_url.rstrip("/") + "/search", parameters, question, timeout_secs)
    except requests.Timeout:
        return JobSearchError("timeout", f"Careerjet did not answer in {timeout_secs:g} seconds.")
    except (requests.RequestException, ValueError) as error:
        return JobSearchError("unreachable", f"Careerjet cannot be reached ({type(error).__name__}).")
    return _answer(status, body, question.max_jobs)


def _locale(question: JobQuestion) -> str | None:
    country = question.country.upper()
    wanted = f"{question.language}_{country}"
    return wanted if wanted in OTHER_LOCALES else LOCALES.get(country)


def _parameters(question: JobQuestion, locale: str, affiliate_id: str) -> dict[str, str | int]:
    return {
        "locale_code": locale,
        "keywords": question.keywords[:MAX_QUERY_CHARS],
        "location": question.location[:MAX_QUERY_CHARS],
        "affid": affiliate_id,
        "user_ip": question.user_ip,
        "user_agent": question.user_agent,
        "url": question.page_url,
        "pagesize": _asked(question.max_jobs),
        "page": 1,
        "sort": "relevance",
    }


def _asked(max_jobs: int) -> int:
    return min(max(max_jobs, 1), MAX_JOBS)


def _get(
    url: str, parameters: Mapping[str, str | int], question: JobQuestion, timeout_secs: float
) -> tuple[int, bytes]:
    """Read at most MAX_ANSWER_BYTES before the deadline; follow no redirect. Careerjet wants a Referer."""
    deadline = time.monotonic() + timeout_secs
    with requests.get(
        url,
        params=parameters,
        headers={"Referer": question.page_url, "User-Agent": question.user_agent},
        timeout=(CONNECT_TIMEOUT_SECS, timeout_secs),
        allow_redirects=False,
        stream=True,
    ) as response:
        body = b"".join(_chunks(response, deadline))
        return response.status_code, body


def _chunks(response: requests.Response, deadline: float) -> list[bytes]:
    chunks: list[bytes] = []
    for chunk in response.iter_content(CHUNK_BYTES):
        chunks.append(chunk)
        if sum(map(len, chunks)) > MAX_ANSWER_BYTES:
            raise ValueError("the answer is too long")
        if time.monotonic() > deadline:
            raise requests.Timeout
    return chunks


def _answer(status: int, body: bytes, max_jobs: int) -> JobsFound | JobSearchError:
    if status == 429 or status >= 500:
        return JobSearchError("busy", f"Careerjet answered with status {status}.")
    if status != 200:
        return JobSearchError("refused", f"Careerjet refused the request with status {status}.")
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return JobSearchError("unreadable", "Careerjet's answer is not JSON.")
    kind = answer.get("type") if isinstance(answer, dict) else None
    if kind == "JOBS":
        return _found(answer, max_jobs)
    if kind == "LOCATIONS":
        # The place was not clear and several were offered: nothing was searched.
        return JobsFound((), 0)
    if kind == "ERROR":
        return JobSearchError("refused", f"Careerjet says: {_plain(answer.get('error'))}")
    return JobSearchError("unreadable", "Careerjet's answer has no type that is known.")


def _found(answer: Mapping[str, Any], max_jobs: int) -> JobsFound:
    listed = answer.get("jobs")
    jobs = [_job(one) for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    usable = tuple(job for job in jobs if job.title and job.url)[: _asked(max_jobs)]
    hits = answer.get("hits")
    total = int(hits) if isinstance(hits, int | str) and str(hits).isdecimal() else len(usable)
    return JobsFound(usable, total)


def _job(one: Mapping[str, Any]) -> Job:
    url = one.get("url")
    is_link = isinstance(url, str) and len(url) <= MAX_URL_CHARS and re.match(r"https?://\S+$", url)
    return Job(
        title=_plain(one.get("title")),
        company=_plain(one.get("company")),
        location=_plain(one.get("locations")),
        url=str(url) if is_link else "",
        date=_plain(one.get("date")),
        salary=_plain(one.get("salary")),
    )


def _plain(written: object) -> str:
    """Careerjet marks search words in HTML; a chat shows plain text."""
    if not isinstance(written, str):
        return ""
    return " ".join(html.unescape(re.sub(r"<[^<>]*>", "", written)).split())[:MAX_FIELD_CHARS]
