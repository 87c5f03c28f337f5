"""The model wire against two services over real HTTP: one that behaves, and one on a bad day.

Waits go by a clock that skips them; only answers that are really slow take their time.
"""

import json
import logging
import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import FrozenInstanceError, dataclass, field, replace
from decimal import Decimal
from typing import Any, Literal, get_args

import pytest
from pydantic import BaseModel, Field

import llm
from config import Config
from llm import Answered, Clock, Failed, File, Memory, Message, Models, ask
from llm.base import FailureCode
from llm.form import MAX_CANDIDATES, Misread, read, strict_schema
from llm.line import MAX_ANSWER_BYTES
from llm.memory import FAILURES_TO_OPEN, MAX_OPEN_SECS, OPEN_SECS, Habits
from llm.refusals import from_error
from llm.settings import ANTHROPIC_URL, OPENAI_URL, OPENROUTER_URL
from llm.trying import FIRST_WAIT_SECS, MAX_TRIES
from tests.fakes.chat_models import KEY, MODEL, FakeChatModels, Flavour, RudeChatModels

OTHER = "fake/model-large"
FLAVOURS: tuple[Flavour, ...] = ("openrouter", "openai", "anthropic", "own")
KEY_VARIABLES: dict[Flavour, str] = {
    "openrouter": "OPENROUTER_API_KEY",
    "openai": "OPENAI_API_KEY",
    "anthropic": "ANTHROPIC_API_KEY",
    "own": "AI_API_KEY",
}
QUESTION = [Message("system", "Be brief."), Message("user", "Oi, tudo bem?")]
PNG = File(b"\x89PNG fake", "image/png", "photo.png")
PDF = File(b"%PDF-1.7 fake", "application/pdf", "contract.pdf")
VOICE = File(b"OggS fake", "audio/ogg; codecs=opus", "voice")

Load = Callable[..., Config]


class Action(BaseModel):
    kind: Literal["buy", "ask"]
    count: int = Field(default=1, ge=1, le=9)


class Plan(BaseModel):
    """What to say and do."""

    text: str = Field(max_length=200)
    action: Action | None = None
    title: str = ""


GOOD = {"text": "Oi!", "action": {"kind": "buy", "count": 2}, "title": "t"}


@dataclass
class Skipping:
    """A clock whose sleeps are skipped and kept."""

    skipped: float = 0.0
    slept: list[float] = field(default_factory=list)

    def now(self) -> float:
        return time.monotonic() + self.skipped

    def sleep(self, secs: float) -> None:
        self.slept.append(secs)
        self.skipped += secs


@pytest.fixture
def skipping() -> Skipping:
    return Skipping()


@pytest.fixture
def memory(skipping: Skipping) -> Memory:
    return Memory(Clock(skipping.now, skipping.sleep), random.Random(7))


@pytest.fixture
def fake() -> Iterator[FakeChatModels]:
    with FakeChatModels(models=(MODEL, OTHER)) as running:
        yield running


@pytest.fixture
def rude() -> Iterator[RudeChatModels]:
    with RudeChatModels(models=(MODEL, OTHER)) as running:
        yield running


@pytest.fixture
def at(load_config: Load) -> Callable[..., Models]:
    """Give a function that makes the models of these settings, all of them at one fake."""

    def make(service: FakeChatModels, **environ: str) -> Models:
        environ = {"AI_MODEL": MODEL, **environ}
        if service.flavour == "own":
            environ["AI_BASE_URL"] = service.url
        if service.key:
            environ.setdefault(KEY_VARIABLES[service.flavour], service.key)
        models = models_of(load_config(**environ))

        def there(model: Any) -> Any:
            return model and replace(model, endpoint=replace(model.endpoint, base_url=service.url))

        return Models(tuple(map(there, models.chat)), there(models.vision), there(models.transcription))

    return make


At = Callable[..., Models]


def models_of(config: Config) -> Models:
    models = llm.models_of(config)
    assert models is not None
    return models


def answered(outcome: Answered | Failed) -> Answered:
    assert isinstance(outcome, Answered), outcome
    return outcome


def failed(outcome: Answered | Failed) -> Failed:
    assert isinstance(outcome, Failed), outcome
    return outcome


# --- Which service ------------------------------------------------------------------------------------------


def test_without_a_key_there_are_no_models(load_config: Load):
    assert llm.models_of(load_config()) is None


@pytest.mark.parametrize(
    ("environ", "url", "name"),
    [
        ({"OPENROUTER_API_KEY": "k"}, OPENROUTER_URL, "meta-llama/llama-3.1-8b-instruct:free"),
        ({"OPENROUTER_API_KEY": "k", "OPENAI_API_KEY": "k", "AI_MODEL": "a/b"}, OPENROUTER_URL, "a/b"),
        ({"OPENAI_API_KEY": "k"}, OPENAI_URL, "gpt-4o-mini"),
        ({"OPENAI_API_KEY": "k", "ANTHROPIC_API_KEY": "k"}, OPENAI_URL, "gpt-4o-mini"),
        ({"ANTHROPIC_API_KEY": "k"}, ANTHROPIC_URL, "claude-haiku-4-5"),
        ({"AI_BASE_URL": "http://127.0.0.1:8080"}, "http://127.0.0.1:8080/v1", ""),
        ({"AI_BASE_URL": "http://h:11434/v1", "AI_MODEL": "llama3.1:8b"}, "http://h:11434/v1", "llama3.1:8b"),
        ({"AI_BASE_URL": "https://h/api/chat/completions", "OPENAI_API_KEY": "k"}, "https://h/api", ""),
    ],
)
def test_the_service_follows_from_what_is_set(load_config: Load, environ, url, name):
    models = models_of(load_config(**environ))
    assert (models.chat[0].endpoint.base_url, models.chat[0].name) == (url, name)


def test_no_key_travels_to_another_address(load_config: Load):
    models = llm.models_of(
        load_config(AI_BASE_URL="http://h/v1", OPENAI_API_KEY="k", OPENROUTER_API_KEY="k", AI_API_KEY="own")
    )
    assert models.chat[0].endpoint.key == "own"
    assert models_of(load_config(AI_BASE_URL="http://h/v1", OPENAI_API_KEY="k")).chat[0].endpoint.key == ""


def test_a_prefix_chooses_among_several_services(load_config: Load):
    models = llm.models_of(
        load_config(
            OPENROUTER_API_KEY="r",
            OPENAI_API_KEY="o",
            AI_FALLBACK_MODELS="openai:gpt-x,anthropic:claude",
            AI_TRANSCRIPTION_MODEL="openai:whisper-1",
        )
    )
    assert [model.label for model in models.chat] == [
        "openrouter:meta-llama/llama-3.1-8b-instruct:free",
        "openai:gpt-x",
        "openrouter:anthropic:claude",  # no such key is set
    ]
    assert models.transcription.label == "openai:whisper-1"
    assert models.vision is None


def test_a_free_model_is_known_as_free(load_config: Load):
    def is_free(**environ: str) -> bool:
        return models_of(load_config(**environ)).chat[0].is_free

    assert is_free(OPENROUTER_API_KEY="k")
    assert not is_free(OPENROUTER_API_KEY="k", AI_MODEL="a/b")
    assert not is_free(OPENAI_API_KEY="k", AI_MODEL="a:free")
    assert is_free(OPENAI_API_KEY="k", AI_PRICE_IN="0", AI_PRICE_OUT="0")
    assert is_free(AI_BASE_URL="http://h")
    assert not is_free(AI_BASE_URL="http://h", AI_API_KEY="k")
    assert not is_free(AI_BASE_URL="http://h", AI_PRICE_IN="1", AI_PRICE_OUT="1")


def test_only_free_models_remain_when_nothing_may_be_spent(load_config: Load):
    models = models_of(load_config(OPENROUTER_API_KEY="k", AI_FALLBACK_MODELS="a/b", AI_VISION_MODEL="c"))
    free = models.only_free()
    assert free is not None
    assert ([model.name for model in free.chat], free.vision) == ([models.chat[0].name], None)
    assert models_of(load_config(OPENAI_API_KEY="k")).only_free() is None
    assert failed(ask(replace(free, chat=()), QUESTION, memory=Memory())).code == "over_budget"


def test_no_key_is_shown_and_nothing_can_be_changed(load_config: Load):
    models = llm.models_of(
        load_config(OPENAI_API_KEY="hunter2", AI_API_KEY="hunter2", AI_BASE_URL="http://u:hunter2@h")
    )
    assert "hunter2" not in repr(models)
    with pytest.raises(FrozenInstanceError):
        models.chat = ()  # type: ignore[misc]


# --- A service that behaves ---------------------------------------------------------------------------------


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_every_service_answers(flavour: Flavour, at: At, memory: Memory):
    with FakeChatModels(flavour) as service:
        outcome = answered(ask(at(service), QUESTION, memory=memory))
        assert (outcome.text, outcome.parsed, outcome.tries) == ("Olá! Como posso ajudar?", None, 1)
        assert outcome.model == f"{flavour}:{MODEL}"
        assert outcome.usage.prompt_tokens > 0
        assert outcome.usage.completion_tokens == 6
        assert service.asked[0].system == "Be brief."
        assert service.asked[0].last == "Oi, tudo bem?"


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_every_service_keeps_to_a_form(flavour: Flavour, at: At, memory: Memory):
    with FakeChatModels(flavour, answer=GOOD) as service:
        outcome = answered(ask(at(service), QUESTION, schema=Plan, memory=memory))
        assert outcome.parsed == Plan(text="Oi!", action=Action(kind="buy", count=2), title="t")
        assert (outcome.tries, outcome.was_repaired) == (1, False)
        # Told in words as well, wherever a service might let it fall.
        assert ("JSON schema" in service.asked[0].system) == (flavour in ("openrouter", "own"))


def test_openrouter_is_told_who_asks(fake: FakeChatModels, at: At, memory: Memory):
    ask(at(fake, PUBLIC_BASE_URL="https://desk.example.com"), QUESTION, memory=memory)
    headers = fake.asked[0].headers
    assert (headers["http-referer"], headers["x-title"]) == ("https://desk.example.com", "Balcao")


def test_settings_of_a_question_reach_the_model(fake: FakeChatModels, at: At, memory: Memory):
    ask(at(fake), QUESTION, max_tokens=77, temperature=0.2, memory=memory)
    ask(at(fake), QUESTION, temperature=None, memory=memory)
    assert (fake.asked[0].body["max_tokens"], fake.asked[0].body["temperature"]) == (77, 0.2)
    assert "temperature" not in fake.asked[1].body


def test_openai_counts_its_tokens_under_another_name(at: At, memory: Memory):
    with FakeChatModels("openai") as service:
        ask(at(service), QUESTION, max_tokens=77, memory=memory)
        assert service.asked[0].body["max_completion_tokens"] == 77


def test_a_server_with_one_model_needs_no_name_and_no_key(at: At, memory: Memory):
    with FakeChatModels("own", key=None) as service:
        outcome = answered(ask(at(service, AI_MODEL=""), QUESTION, memory=memory))
        assert "model" not in service.asked[0].body
        assert "authorization" not in service.asked[0].headers
        assert (outcome.model, outcome.usage.is_cost_known) == ("own:default", True)


def test_neighbours_of_one_role_are_joined(fake: FakeChatModels, at: At, memory: Memory):
    burst = [
        *QUESTION,
        Message("user", "Quanto custa?"),
        Message("assistant", "R$ 97"),
        Message("user", "Ok"),
    ]
    ask(at(fake), burst, memory=memory)
    assert [message["role"] for message in fake.asked[0].messages] == ["system", "user", "assistant", "user"]
    assert fake.asked[0].messages[1]["content"] == "Oi, tudo bem?\n\nQuanto custa?"


def test_a_conversation_that_we_began_is_taken_by_anthropic(at: At, memory: Memory):
    with FakeChatModels("anthropic") as service:
        began = [Message("system", "s"), Message("assistant", "Olá!"), Message("user", "Oi")]
        assert answered(ask(at(service), began, memory=memory))
        assert [message["role"] for message in service.asked[0].messages] == ["user", "assistant", "user"]


def test_connections_are_used_again(fake: FakeChatModels, at: At, memory: Memory):
    for _ in range(3):
        answered(ask(at(fake), QUESTION, memory=memory))
    assert len(fake._server._connections) == 1


# --- Cost ---------------------------------------------------------------------------------------------------


def test_openrouter_tells_the_cost(fake: FakeChatModels, at: At, memory: Memory):
    fake.dollars_per_call = 0.0001234
    usage = answered(ask(at(fake), QUESTION, memory=memory)).usage
    assert (usage.cost_microusd, usage.is_cost_known) == (124, True)  # rounded up


def test_prices_make_the_cost_where_the_service_tells_none(at: At, memory: Memory):
    with FakeChatModels("openai") as service:
        models = at(service, AI_PRICE_IN="0.15", AI_PRICE_OUT="$0.60")
        usage = answered(ask(models, QUESTION, memory=memory)).usage
    expected = Decimal("0.15") * usage.prompt_tokens + Decimal("0.60") * usage.completion_tokens
    assert expected <= usage.cost_microusd < expected + 1


def test_a_free_model_costs_nothing_unless_the_service_says_so(at: At, memory: Memory):
    with FakeChatModels("openrouter", models=("a:free",)) as service:
        service.dollars_per_call = None  # type: ignore[assignment]
        models = at(service, AI_MODEL="a:free")
        assert answered(ask(models, QUESTION, memory=memory)).usage.is_cost_known
        service.dollars_per_call = 0.5
        assert answered(ask(models, QUESTION, memory=memory)).usage.cost_microusd == 500_000


def test_an_unknown_cost_counts_as_nothing_and_says_so(at: At, memory: Memory):
    with FakeChatModels("anthropic") as service:
        usage = answered(ask(at(service), QUESTION, memory=memory)).usage
    assert (usage.cost_microusd, usage.is_cost_known) == (0, False)


@pytest.mark.parametrize("cost", [-1, True, "1", None, [1]])
def test_a_senseless_cost_is_not_believed(fake: FakeChatModels, at: At, memory: Memory, cost):
    fake.dollars_per_call = cost
    usage = answered(ask(at(fake), QUESTION, memory=memory)).usage
    assert (usage.cost_microusd, usage.is_cost_known) == (0, False)


def test_all_tries_are_paid_for(rude: RudeChatModels, at: At, memory: Memory):
    rude.dollars_per_call = 0.001
    rude.script("no form", GOOD)
    outcome = answered(ask(at(rude), QUESTION, schema=Plan, memory=memory))
    assert (outcome.usage.cost_microusd, outcome.tries) == (2000, 2)


# --- The form of an answer ----------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["prose", "fence", "thinking"])
@pytest.mark.parametrize("flavour", ["openrouter", "anthropic"])
def test_json_is_found_in_whatever_surrounds_it(command: str, flavour: Flavour, at: At, memory: Memory):
    with RudeChatModels(flavour, answer=GOOD) as service:
        service.misbehave(command)
        outcome = answered(ask(at(service), QUESTION, schema=Plan, memory=memory))
        assert (outcome.parsed, outcome.tries) == (Plan.model_validate(GOOD), 1)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"kind": "buy"}', Action(kind="buy")),
        ('noise {"kind": "sell"} then {"kind": "ask", "count": 3}', Action(kind="ask", count=3)),
        ('{not json} {"kind": "ask"}', Action(kind="ask")),
        ('{"kind": "buy", "count": "2"}', Action(kind="buy", count=2)),
        ("[1, 2]", Misread("There was no JSON object in it.")),
        ('{"kind": "buy", "count": 99}', Misread("- count: Input should be less than or equal to 9")),
        ("{" * 5000, Misread("There was no JSON object in it.")),
        ("{" * MAX_CANDIDATES + '{"kind": "buy"}', Misread("There was no JSON object in it.")),
        ('{"a":' * 20000, Misread("There was no JSON object in it.")),
    ],
)
def test_an_answer_is_read_tolerantly_but_checked(text: str, expected):
    assert read(text, Action) == expected


def test_a_schema_is_cut_to_what_strict_modes_take():
    schema = strict_schema(Plan)
    assert schema["required"] == ["text", "action", "title"]
    assert schema["additionalProperties"] is False
    assert schema["properties"]["title"] == {"type": "string"}  # a property of that name is no title
    assert schema["$defs"]["Action"]["properties"]["count"] == {"type": "integer"}
    assert schema["$defs"]["Action"]["properties"]["kind"]["enum"] == ["buy", "ask"]


@pytest.mark.parametrize("command", ["wrong_json", "half_json", "length"])
def test_a_wrong_form_is_repaired_once(command: str, rude: RudeChatModels, at: At, memory: Memory):
    rude.answer = GOOD
    rude.misbehave(command)
    outcome = answered(ask(at(rude), QUESTION, schema=Plan, memory=memory))
    assert (outcome.parsed, outcome.tries, outcome.was_repaired) == (Plan.model_validate(GOOD), 2, True)
    repair = rude.asked[1]
    assert [message["role"] for message in repair.messages[-2:]] == ["assistant", "user"]
    assert ("text: Field required" if command == "wrong_json" else "no JSON object") in repair.last
    assert '"maxLength":200' in repair.last


def test_a_form_that_stays_wrong_is_a_bad_answer(rude: RudeChatModels, at: At, memory: Memory):
    rude.always = "wrong_json"
    outcome = failed(ask(at(rude), QUESTION, schema=Plan, memory=memory))
    assert (outcome.code, outcome.tries) == ("bad_answer", 2)


def test_an_answer_cut_twice_is_too_long(rude: RudeChatModels, at: At, memory: Memory):
    rude.answer = GOOD
    rude.always = "length"
    assert failed(ask(at(rude), QUESTION, schema=Plan, memory=memory)).code == "too_long"


def test_a_text_that_was_cut_says_so(rude: RudeChatModels, at: At, memory: Memory):
    rude.misbehave("length", "fine")
    assert answered(ask(at(rude), QUESTION, memory=memory)).is_cut
    assert not answered(ask(at(rude), QUESTION, memory=memory)).is_cut


@pytest.mark.parametrize(
    ("flavour", "takes", "mode", "tries"),
    [
        ("own", {"json_object"}, "object", 2),
        ("own", set(), "plain", 3),
        ("openai", {"json_object"}, "object", 2),
        ("anthropic", set(), "plain", 2),
    ],
)
def test_a_refused_schema_is_asked_for_humbly_and_remembered(
    flavour, takes, mode, tries, at: At, memory: Memory
):
    with FakeChatModels(flavour, answer=GOOD) as service:
        service.takes = takes
        models = at(service)
        first = answered(ask(models, QUESTION, schema=Plan, memory=memory))
        assert (first.parsed, first.tries) == (Plan.model_validate(GOOD), tries)
        assert "JSON schema" in service.asked[0].system
        assert answered(ask(models, QUESTION, schema=Plan, memory=memory)).tries == 1
        assert memory.habits(models.chat[0].label) == Habits(json_mode=mode)


def test_a_refused_temperature_is_left_out_and_remembered(fake: FakeChatModels, at: At, memory: Memory):
    fake.takes_temperature = False
    assert answered(ask(at(fake), QUESTION, memory=memory)).tries == 2
    assert answered(ask(at(fake), QUESTION, memory=memory)).tries == 1
    fake.script(GOOD)
    assert answered(ask(at(fake), QUESTION, schema=Plan, memory=memory)).tries == 1


def test_a_wrong_request_teaches_no_habit(fake: FakeChatModels, at: At, memory: Memory):
    models = at(fake, AI_MODEL="no/such-model")
    assert failed(ask(models, QUESTION, schema=Plan, memory=memory)).code == "refused_request"
    assert memory.habits(models.chat[0].label) == Habits()


# --- A service on a bad day ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "code", "tries"),
    [
        (400, "refused_request", 1),
        (401, "refused_key", 1),
        (402, "over_budget", 1),
        (403, "refused_key", 1),
        (404, "refused_request", 1),
        (413, "too_long", 1),
        (429, "rate_limited", MAX_TRIES),
        (500, "overloaded", MAX_TRIES),
        (503, "overloaded", MAX_TRIES),
        (529, "overloaded", MAX_TRIES),
        ("error_in_200", "overloaded", MAX_TRIES),
        ("html", "bad_answer", MAX_TRIES),
        ("not_an_object", "bad_answer", MAX_TRIES),
        ("no_choices", "bad_answer", MAX_TRIES),
        ("empty", "bad_answer", MAX_TRIES),
        ("huge", "bad_answer", 1),
        ("redirect", "refused_request", 1),
        ("refusal", "content_filtered", 1),
        ("cut", "unreachable", MAX_TRIES),
        ("half", "unreachable", MAX_TRIES),
    ],
)
def test_every_failure_has_its_code(command, code, tries, rude: RudeChatModels, at: At, memory: Memory):
    rude.always = command
    outcome = failed(ask(at(rude), QUESTION, memory=memory))
    assert (outcome.code, outcome.tries, len(rude.seen)) == (code, tries, tries)
    assert outcome.what_to_do
    assert KEY not in outcome.detail


@pytest.mark.parametrize("flavour", ["openai", "anthropic", "own"])
@pytest.mark.parametrize(
    ("command", "code"),
    [
        (401, "refused_key"),
        (402, "over_budget"),
        (429, "rate_limited"),
        (500, "overloaded"),
        ("refusal", "content_filtered"),
    ],
)
def test_the_other_services_fail_alike(command, code, flavour: Flavour, at: At, memory: Memory):
    with RudeChatModels(flavour) as service:
        service.always = command
        assert failed(ask(at(service), QUESTION, memory=memory)).code == code


@pytest.mark.parametrize(
    "command", [429, 500, 503, "cut", "half", "html", "empty", "no_choices", "error_in_200"]
)
def test_what_passes_is_tried_again(command, rude: RudeChatModels, at: At, memory: Memory):
    rude.misbehave(command, "fine")
    outcome = answered(ask(at(rude), QUESTION, memory=memory))
    assert (outcome.text, outcome.tries) == ("Olá! Como posso ajudar?", 2)


def test_waits_grow_and_are_spread(rude: RudeChatModels, at: At, memory: Memory, skipping: Skipping):
    rude.always = 500
    ask(at(rude), QUESTION, memory=memory)
    first, second = skipping.slept
    assert FIRST_WAIT_SECS / 2 <= first <= FIRST_WAIT_SECS <= second <= 2 * FIRST_WAIT_SECS
    assert len({first, second, FIRST_WAIT_SECS}) == 3


def test_retry_after_is_obeyed_within_the_deadline(
    rude: RudeChatModels, at: At, memory: Memory, skipping: Skipping
):
    rude.retry_after = "7"
    rude.misbehave(429, "fine")
    assert answered(ask(at(rude), QUESTION, deadline_secs=20, memory=memory)).tries == 2
    assert skipping.slept == [7]


def test_a_wait_beyond_the_deadline_is_not_begun(
    rude: RudeChatModels, at: At, memory: Memory, skipping: Skipping
):
    rude.retry_after = "60"
    rude.misbehave(429)
    models = at(rude)
    outcome = failed(ask(models, QUESTION, deadline_secs=20, memory=memory))
    assert (outcome.code, outcome.tries, skipping.slept) == ("rate_limited", 1, [])
    assert failed(ask(models, QUESTION, memory=memory)).code == "circuit_open"  # it wished to be left alone
    skipping.sleep(60)
    assert answered(ask(models, QUESTION, memory=memory))


def test_retry_after_may_be_a_date(rude: RudeChatModels, at: At, memory: Memory, skipping: Skipping):
    rude.retry_after = "Sat, 21 Nov 2026 12:00:09 GMT\r\nDate: Sat, 21 Nov 2026 12:00:00 GMT"
    rude.misbehave(503, "fine")
    assert answered(ask(at(rude), QUESTION, memory=memory)).tries == 2
    assert skipping.slept == [9]


@pytest.mark.parametrize("command", ["never", "slow", "drip", "drip_head"])
def test_the_deadline_holds(command: str, rude: RudeChatModels, at: At, memory: Memory):
    rude.always = command
    rude.slow_secs = 5.0
    started = time.monotonic()
    outcome = failed(ask(at(rude), QUESTION, deadline_secs=0.3, memory=memory))
    assert outcome.code == "timeout"
    assert 0.25 < time.monotonic() - started < 0.6
    assert not outcome.usage.is_cost_known  # nobody heard what it costs


def test_a_call_that_was_cut_off_leaves_no_thread(rude: RudeChatModels, at: At, memory: Memory):
    rude.misbehave("never", "drip", "drip_head")
    for _ in range(3):
        ask(at(rude), QUESTION, deadline_secs=0.1, memory=memory)
    for thread in [thread for thread in threading.enumerate() if thread.name == "model-call"]:
        thread.join(2)
        assert not thread.is_alive()


def test_a_slow_answer_in_time_is_taken(rude: RudeChatModels, at: At, memory: Memory):
    rude.misbehave("slow")
    assert answered(ask(at(rude), QUESTION, deadline_secs=2, memory=memory)).took_ms >= 200


def test_retries_end_with_the_deadline(rude: RudeChatModels, at: At, memory: Memory, skipping: Skipping):
    rude.always = 500
    outcome = failed(ask(at(rude), QUESTION, deadline_secs=0.2, memory=memory))
    assert (outcome.code, outcome.tries, skipping.slept) == ("overloaded", 1, [])


def test_a_server_that_is_away_is_unreachable(at: At, memory: Memory, fake: FakeChatModels):
    models = at(fake)
    fake.stop()
    outcome = failed(ask(models, QUESTION, memory=memory))
    assert (outcome.code, outcome.status) == ("unreachable", 0)


@pytest.mark.parametrize("url", ["http://no-such-host.invalid/v1", "http://127.0.0.1:9/v1"])
def test_an_address_that_leads_nowhere_is_unreachable(url: str, load_config: Load, memory: Memory):
    models = models_of(load_config(AI_BASE_URL=url))
    assert failed(ask(models, QUESTION, deadline_secs=5, memory=memory)).code == "unreachable"


def test_a_malformed_key_is_refused_before_it_leaves(fake: FakeChatModels, at: At, memory: Memory):
    outcome = failed(ask(at(fake, OPENROUTER_API_KEY="clé"), QUESTION, memory=memory))
    assert (outcome.code, fake.seen) == ("refused_request", [])


def test_a_conversation_that_is_too_long_says_so(fake: FakeChatModels, at: At, memory: Memory):
    fake.context_tokens = 10
    long = [Message("user", "x" * 100)]
    assert failed(ask(at(fake), long, schema=Plan, memory=memory)).code == "too_long"
    assert len(fake.seen) == 1  # and no other form is tried for it


def test_an_answer_larger_than_the_limit_is_not_read(rude: RudeChatModels, at: At, memory: Memory):
    rude.misbehave("huge")
    outcome = failed(ask(at(rude), QUESTION, memory=memory))
    assert (outcome.code, outcome.detail) == ("bad_answer", "answer too large")
    assert MAX_ANSWER_BYTES < 3 * 1024**2


def test_a_redirect_is_not_followed(rude: RudeChatModels, at: At, memory: Memory):
    rude.misbehave("redirect")
    assert failed(ask(at(rude), QUESTION, memory=memory)).status == 302
    assert len(rude.seen) == 1


def test_keys_and_words_stay_out_of_logs_and_failures(
    rude: RudeChatModels,
    at: At,
    memory: Memory,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture,
):
    caplog.set_level(logging.DEBUG)
    rude.misbehave(401, 500, "cut", "html", 400)
    models = at(rude)
    outcomes = [ask(models, QUESTION, deadline_secs=0.3, memory=memory) for _ in range(5)]
    written = caplog.text + "".join(capfd.readouterr()) + "".join(map(repr, outcomes))
    assert KEY not in written
    assert KEY not in "".join(failed(outcome).detail for outcome in outcomes)
    assert "tudo bem" not in written


@pytest.mark.parametrize(
    ("status", "error", "code"),
    [
        (429, {"type": "insufficient_quota", "code": "insufficient_quota"}, "over_budget"),
        (400, {"type": "invalid_request_error", "message": "Your credit balance is too low"}, "over_budget"),
        (400, {"type": "invalid_request_error", "message": "prompt is too long: 9 > 8"}, "too_long"),
        (400, {"code": "context_length_exceeded"}, "too_long"),
        (400, {"code": "content_filter", "message": "The response was filtered"}, "content_filtered"),
        (403, {"code": 403, "message": "flagged", "metadata": {"reasons": ["x"]}}, "content_filtered"),
        (403, {"type": "permission_error"}, "refused_key"),
        (200, {"code": 429, "message": "Rate limited upstream"}, "rate_limited"),
        (200, {"type": "overloaded_error"}, "overloaded"),
        (529, {"type": "overloaded_error", "message": "Overloaded"}, "overloaded"),
        (500, {"message": "context window moderation"}, "overloaded"),
        (418, {}, "refused_request"),
    ],
)
def test_a_services_own_words_are_understood(status: int, error: dict[str, Any], code: str):
    assert from_error(status, error, "k").code == code


def test_a_key_is_taken_out_of_a_services_words():
    error = {"message": "Bad keys hunter2hunter2 and sk-proj-abcdef**** here"}
    assert from_error(401, error, "hunter2hunter2").detail == "Bad keys … and … here"


def test_every_failure_says_what_to_do():
    assert set(llm.WHAT_TO_DO) == set(get_args(FailureCode))


# --- Fallbacks and circuits ---------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [400, 401, 402, 413, 429, 500, "cut", "html"])
def test_another_model_answers_when_the_first_fails(command, rude: RudeChatModels, at: At, memory: Memory):
    models = at(rude, AI_FALLBACK_MODELS=OTHER)
    rude.retry_after = "30"
    rude.misbehave(*[command] * (MAX_TRIES if command in (500, "cut", "html") else 1))
    outcome = answered(ask(models, QUESTION, memory=memory))
    assert outcome.model == f"openrouter:{OTHER}"
    assert rude.asked[-1].model == OTHER


def test_a_filtered_question_is_shown_to_no_other_model(rude: RudeChatModels, at: At, memory: Memory):
    rude.always = "refusal"
    failed(ask(at(rude, AI_FALLBACK_MODELS=OTHER), QUESTION, memory=memory))
    assert [asked.model for asked in rude.seen] == [MODEL]


def test_another_model_is_not_kept_waiting(rude: RudeChatModels, at: At, memory: Memory, skipping: Skipping):
    rude.retry_after = "3"
    rude.misbehave(429, "fine")
    outcome = answered(ask(at(rude, AI_FALLBACK_MODELS=OTHER), QUESTION, deadline_secs=20, memory=memory))
    assert (outcome.model, skipping.slept) == (f"openrouter:{OTHER}", [])


def test_a_failure_tells_more_than_an_open_circuit(rude: RudeChatModels, at: At, memory: Memory):
    models = at(rude, AI_FALLBACK_MODELS=OTHER)
    memory.note_failure(models.chat[0].label, wait_secs=60)
    rude.misbehave(402)
    assert failed(ask(models, QUESTION, memory=memory)).model == f"openrouter:{OTHER}"


def test_a_hanging_model_leaves_time_for_the_next(rude: RudeChatModels, at: At, memory: Memory):
    rude.misbehave("never", "fine")
    outcome = answered(ask(at(rude, AI_FALLBACK_MODELS=OTHER), QUESTION, deadline_secs=0.6, memory=memory))
    assert outcome.model == f"openrouter:{OTHER}"
    assert 250 <= outcome.took_ms <= 600


def test_the_first_failure_is_told_when_all_fail(rude: RudeChatModels, at: At, memory: Memory):
    rude.misbehave(402, 404)
    outcome = failed(ask(at(rude, AI_FALLBACK_MODELS=OTHER), QUESTION, memory=memory))
    assert (outcome.code, outcome.model, outcome.tries) == ("over_budget", f"openrouter:{MODEL}", 2)


def test_a_model_that_keeps_failing_is_left_alone_and_tried_later(
    rude: RudeChatModels, at: At, memory: Memory, skipping: Skipping
):
    rude.always = 401
    models = at(rude)
    for _ in range(FAILURES_TO_OPEN):
        assert failed(ask(models, QUESTION, memory=memory)).code == "refused_key"
    assert failed(ask(models, QUESTION, memory=memory)).code == "circuit_open"
    assert len(rude.seen) == FAILURES_TO_OPEN
    skipping.sleep(OPEN_SECS)
    assert failed(ask(models, QUESTION, memory=memory)).code == "refused_key"  # the trial
    skipping.sleep(OPEN_SECS)
    assert failed(ask(models, QUESTION, memory=memory)).code == "circuit_open"  # now twice as long
    skipping.sleep(OPEN_SECS)
    rude.always = "fine"
    assert answered(ask(models, QUESTION, memory=memory))
    rude.misbehave(401)
    assert failed(ask(models, QUESTION, memory=memory)).code == "refused_key"
    assert answered(ask(models, QUESTION, memory=memory))  # it counts anew


def test_a_model_that_hangs_is_left_alone_after_two_calls(
    rude: RudeChatModels, at: At, memory: Memory, skipping: Skipping
):
    rude.always = "never"
    models = at(rude)
    for _ in range(2):
        assert failed(ask(models, QUESTION, memory=memory, deadline_secs=0.3)).code == "timeout"
    seen = len(rude.seen)
    assert failed(ask(models, QUESTION, memory=memory, deadline_secs=0.3)).code == "circuit_open"
    assert len(rude.seen) == seen


def test_an_open_circuit_is_stepped_over(rude: RudeChatModels, at: At, memory: Memory):
    models = at(rude, AI_FALLBACK_MODELS=OTHER)
    for _ in range(FAILURES_TO_OPEN):
        memory.note_failure(models.chat[0].label)
    outcome = answered(ask(models, QUESTION, memory=memory))
    assert (outcome.model, outcome.tries) == (f"openrouter:{OTHER}", 1)


def test_only_one_trial_is_made_at_a_time(memory: Memory, skipping: Skipping):
    for _ in range(FAILURES_TO_OPEN):
        memory.note_failure("m")
    skipping.sleep(OPEN_SECS)
    assert [memory.may_ask("m"), memory.may_ask("m")] == [True, False]


def test_a_circuit_never_stays_open_for_longer_than_its_limit(memory: Memory, skipping: Skipping):
    for _ in range(50):
        memory.note_failure("m", wait_secs=10_000)
    skipping.sleep(MAX_OPEN_SECS)
    assert memory.may_ask("m")


def test_an_answer_without_the_form_opens_no_circuit(rude: RudeChatModels, at: At, memory: Memory):
    rude.always = "wrong_json"
    for _ in range(FAILURES_TO_OPEN + 1):
        assert failed(ask(at(rude), QUESTION, schema=Plan, memory=memory)).code == "bad_answer"


# --- What customers send ------------------------------------------------------------------------------------


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_a_picture_is_shown_to_the_model_that_sees(flavour: Flavour, at: At, memory: Memory):
    with FakeChatModels(flavour, models=(MODEL, OTHER), answer="Um sapato azul.") as service:
        models = at(service, AI_VISION_MODEL=OTHER)
        outcome = answered(llm.describe_image(models, PNG, "Descreva.", memory=memory))
        assert (outcome.text, service.asked[0].model) == ("Um sapato azul.", OTHER)
        parts = service.asked[0].messages[0]["content"]
        kinds = {"anthropic": ["image", "text"]}.get(flavour, ["text", "image_url"])
        assert [part["type"] for part in parts] == kinds
        assert "iVBORyBmYWtl" not in service.asked[0].text
        assert "iVBORyBmYWtl"[-6:] in json.dumps(parts)


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_a_pdf_is_shown_as_a_file(flavour: Flavour, at: At, memory: Memory):
    with FakeChatModels(flavour, models=(MODEL, OTHER), answer="Um contrato.") as service:
        models = at(service, AI_VISION_MODEL=OTHER)
        assert answered(llm.read_document(models, PDF, "Resuma.", memory=memory)).text == "Um contrato."
        kinds = {part["type"] for part in service.asked[0].messages[0]["content"]}
        assert kinds == {"text", "document" if flavour == "anthropic" else "file"}


@pytest.mark.parametrize("content", ["Endereço: Rua A, 5".encode(), "Endereço: Rua A, 5".encode("cp1252")])
def test_a_text_document_is_read_by_the_chat_model(
    content: bytes, fake: FakeChatModels, at: At, memory: Memory
):
    document = File(content, "text/plain", "notes.txt")
    answered(llm.read_document(at(fake), document, "Resuma.", memory=memory))
    assert (fake.asked[0].system, fake.asked[0].last) == ("Resuma.", "Endereço: Rua A, 5")


@pytest.mark.parametrize(
    "document",
    [PDF, File(b"PK", "application/zip"), File(b"a\0b", "text/plain")],
    ids=["pdf", "zip", "binary"],
)
def test_a_document_that_no_model_reads_is_not_configured(
    document: File, fake: FakeChatModels, at: At, memory: Memory
):
    assert failed(llm.read_document(at(fake), document, "Resuma.", memory=memory)).code == "not_configured"
    assert failed(llm.describe_image(at(fake), PNG, "?", memory=memory)).code == "not_configured"
    assert failed(llm.transcribe(at(fake), VOICE, memory=memory)).code == "not_configured"
    assert fake.seen == []


@pytest.mark.parametrize("flavour", ["openrouter", "openai", "own"])
def test_a_voice_note_is_written_down(flavour: Flavour, at: At, memory: Memory):
    with FakeChatModels(flavour, models=(MODEL, "whisper"), answer=" Quero dois. ") as service:
        models = at(service, AI_TRANSCRIPTION_MODEL="whisper")
        outcome = answered(llm.transcribe(models, VOICE, language="pt", memory=memory))
        asked = service.asked[0]
        assert (outcome.text, asked.model, asked.body["language"]) == ("Quero dois.", "whisper", "pt")
        if flavour == "openrouter":
            assert asked.body["input_audio"]["format"] == "ogg"
        else:
            assert asked.files == {"recording.ogg": VOICE.content}
        assert outcome.usage.is_cost_known == (flavour == "openrouter")


def test_anthropic_hears_nothing(at: At, memory: Memory):
    with FakeChatModels("anthropic") as service:
        models = at(service, AI_TRANSCRIPTION_MODEL=MODEL)
        assert failed(llm.transcribe(models, VOICE, memory=memory)).code == "not_configured"


def test_a_transcription_that_fails_has_the_same_codes(fake: FakeChatModels, at: At, memory: Memory):
    models = at(fake, AI_TRANSCRIPTION_MODEL="no-such-model")
    assert failed(llm.transcribe(models, VOICE, memory=memory)).code == "refused_request"
    fake.key = "another"
    assert failed(llm.transcribe(models, VOICE, memory=memory)).code == "refused_key"


# --- Several at once ----------------------------------------------------------------------------------------


def test_many_threads_may_ask_with_one_memory(rude: RudeChatModels, at: At):
    memory = Memory(Clock(sleep=lambda _: None))
    rude.misbehave(500, "cut")  # two: also when one thread meets both, its third try is good
    models = at(rude)
    outcomes: list[Answered | Failed] = []
    threads = [
        threading.Thread(target=lambda: outcomes.append(ask(models, QUESTION, memory=memory)))
        for _ in range(16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len([outcome for outcome in outcomes if isinstance(outcome, Answered)]) == 16
