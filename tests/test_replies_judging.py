"""What no pattern knows: which sentences are in doubt, and what a faithful judge leaves of unseen claims."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

import ai_service
from ai_service import Assistant
from llm import Memory
from llm.base import Endpoint, Model, Models
from llm.memory import Clock
from replies import doubts, guards
from replies.facts import Facts
from tests.fakes.chat_models import Asked, FakeChatModels
from tests.redteam import desk

UNSEEN = tuple(desk.unseen())
IN_WORDS = tuple(desk.in_words())
HONEST = tuple(desk.honest())
# As measured: of the unseen claims the guards alone stop a fifth, and doubt finds most of the others.
STOPPED_AT_LEAST = 0.15
DOUBTED_AT_LEAST = 0.9
# Of true replies in the language of the facts so many may cost a second call; none may be refused.
JUDGED_AT_MOST = 0.1


def is_held(text: str, facts: Facts, language: str) -> bool:
    return bool(guards.check(text, facts, language=language, strategy=None))


def test_most_claims_that_no_pattern_knows_are_stopped_or_doubted():
    stopped = [text for _, language, text in UNSEEN if is_held(text, desk.PLAIN, language)]
    doubted = [text for _, language, text in UNSEEN if doubts.doubtful(text, desk.PLAIN, language=language)]
    assert len(UNSEEN) >= 60
    assert len(stopped) >= STOPPED_AT_LEAST * len(UNSEEN)
    assert len({*stopped, *doubted}) >= DOUBTED_AT_LEAST * len(UNSEEN)


@pytest.mark.parametrize(("kind", "language", "text"), IN_WORDS)
def test_what_is_invented_in_words_is_stopped_without_a_judge(kind: str, language: str, text: str):
    """Of the shop that states nothing of the kind; nothing is left to a judge, who may be down."""
    assert is_held(text, desk.PLAIN, language), kind


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Um dia desses a gente conversa com calma.", "pt"),
        ("Uma hora a dúvida passa. 😊", "pt"),
        ("Você pode estudar um pouco por dia.", "pt"),
        ("Un día de estos hablamos con calma.", "es"),
        ("Have a good day!", "en"),
        ("Take a minute to look at it.", "en"),
        ("Metade do curso é prática.", "pt"),
    ],
)
def test_a_manner_of_speaking_is_no_deadline_and_no_discount(text: str, language: str):
    assert not is_held(text, desk.PLAIN, language)


def test_few_true_replies_in_the_facts_language_cost_a_second_call():
    told = [(text, language) for shop, language, text in HONEST if shop == "told"]
    judged = [
        text for text, language in told if doubts.doubtful(text, desk.TOLD[language], language=language)
    ]
    assert len(told) >= 70
    assert len(judged) <= JUDGED_AT_MOST * len(told), judged


@pytest.mark.parametrize(
    ("text", "is_doubtful"),
    [
        ("O curso custa R$ 197,00. Quer saber mais?", False),
        ("Sobre a garantia, vou confirmar com a equipe.", False),
        ("A equipe garante que você recebe tudo.", True),
        ("O professor mora em Olinda.", True),
    ],
)
def test_a_sentence_is_in_doubt_for_what_stands_nowhere(text: str, is_doubtful: bool):
    assert bool(doubts.doubtful(text, desk.PLAIN, language="pt")) == is_doubtful


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("pt", "Sai quase por nada, é quase nada."),
        ("pt", "Quanto mais você leva, menos paga."),
        ("es", "Es casi nada."),
        ("es", "Si llevas más, pagas menos."),
        ("en", "It's next to nothing."),
        ("en", "The more you take, the less you pay."),
        ("en", "You pay a little and get it all."),
    ],
)
def test_that_little_is_paid_is_in_doubt_in_everyday_words(language: str, text: str):
    assert doubts.doubtful(text, desk.PLAIN, language=language) or is_held(text, desk.PLAIN, language)


@pytest.fixture
def model() -> Iterator[FakeChatModels]:
    with FakeChatModels("own", key=None) as fake:
        yield fake


def obeying_with_a_faithful_judge(text: str, language: str) -> Any:
    """A writer that says what it is told, before a judge that knows the claim for what it is."""
    action = {"name": "none", "sku": None, "quantity": None, "link": None}
    plan: dict[str, Any] = {
        "text": text,
        "language": language,
        "buttons": [],
        "action": action,
        "sources": [],
        "reading": None,
    }

    def answer(asked: Asked) -> dict[str, Any]:
        if '"unsupported"' not in asked.system:
            return plan
        return {"unsupported": [int(number) for number in re.findall(r"^(\d+)\. ", asked.last, re.MULTILINE)]}

    return answer


@pytest.mark.parametrize(("judging", "left_at_most"), [("doubt", 0.1), ("always", 0.0)])
def test_what_an_obeying_model_invents_is_stopped_by_a_faithful_judge(
    model: FakeChatModels, judging: ai_service.Judging, left_at_most: float
):
    models = Models((Model(Endpoint("own", model.url), model.models[0], None, None),))
    assistant = Assistant(models, Memory(), judging)
    left = []
    for _, language, text in UNSEEN:
        model.answer = obeying_with_a_faithful_judge(text, language)
        written = ai_service.write(
            assistant, "oi", strategy="racional", language=language, facts=desk.PLAIN, turns=(), reading=None
        )
        if written.plan is not None:
            left.append(text)
    assert len(left) <= left_at_most * len(UNSEEN), left


@dataclass
class Later:
    """A clock that stands still unless somebody moves it."""

    secs: float = 1_000.0

    def now(self) -> float:
        return self.secs


def test_a_turn_asks_nothing_when_its_time_is_over(model: FakeChatModels):
    """The reply has a breach and took all the time: no second try, and no judge."""
    clock = Later()
    models = Models((Model(Endpoint("own", model.url), model.models[0], None, None),))
    assistant = Assistant(models, Memory(clock=Clock(clock.now)), "always", ends_at=clock.now() + 25)
    plan = obeying_with_a_faithful_judge("Custa R$ 1,00 hoje.", "pt")

    def slowly(asked: Asked) -> dict[str, Any]:
        clock.secs += 24.5
        told: dict[str, Any] = plan(asked)
        return told

    model.answer = slowly
    asked = {"strategy": "racional", "language": "pt", "facts": desk.PLAIN, "turns": (), "reading": None}
    written = ai_service.write(assistant, "oi", **asked)  # type: ignore[arg-type]
    assert (written.plan, len(written.calls)) == (None, 1)
    assert ai_service.write(assistant, "oi", **asked).calls == ()  # type: ignore[arg-type]

    clock.secs -= 24.5
    plan = obeying_with_a_faithful_judge("Temos um jardim bonito.", "pt")
    written = ai_service.write(assistant, "oi", **asked)  # type: ignore[arg-type]
    assert [breach.code for breach in written.breaches] == ["unjudged"]
    assert (written.plan, len(written.calls)) == (None, 1)
