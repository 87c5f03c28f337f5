"""Consent: an opt-out word is confirmed once and then there is silence, until she opts in again."""

import pytest

import triage
from models import Contact
from tests.real_door import WalkedDesk


@pytest.mark.parametrize("word", ["STOP", "parar", "Sair!", " pare ", "PARAR.", "baja", "Descadastrar"])
def test_an_opt_out_is_confirmed_once_and_then_there_is_silence(desk: WalkedDesk, word: str) -> None:
    desk.says("hello")
    (confirmation,) = desk.says(word)
    assert confirmation.text
    assert desk.says(word) == []
    assert desk.says("hello") == []
    assert desk.says("1") == []
    assert desk.rows(Contact)[0].opted_out_at is not None


@pytest.mark.parametrize(
    "sentence",
    [
        "please remove me from the list",
        "Stop messaging me, please",
        "don’t contact me again",
        "Oi, quero sair da lista por favor",
        "não me mandem mais mensagens!",
        "no me escriban más, por favor",
        "je ne veux plus recevoir de messages",
        "Bitte schreiben Sie mir nicht mehr",
        "non voglio più ricevere messaggi",
        "لا أريد استلام رسائل",
        "不要再给我发消息",
        "もう連絡しないでください",
        "메시지 보내지 마세요",
    ],
)
def test_a_sentence_that_asks_for_silence_is_an_opt_out(sentence: str) -> None:
    assert triage.is_opt_out_word(sentence)


@pytest.mark.parametrize(
    "sentence",
    ["remover, por favor", "please", "oi, obrigado", "quero parar de fumar", "stop the course please",
     "não me mandaram a fatura", "por favor não esqueçam de me escrever"],
)  # fmt: skip
def test_a_sentence_about_something_else_is_no_opt_out(sentence: str) -> None:
    assert not triage.is_opt_out_word(sentence)


def test_an_opt_out_as_first_word_counts(desk: WalkedDesk) -> None:
    assert len(desk.says("stop")) == 1
    assert desk.says("hello") == []


def test_an_opt_out_counts_while_a_question_is_open(desk: WalkedDesk) -> None:
    desk.says("hello")
    desk.says("3")
    (confirmation,) = desk.says("parar")
    assert "parar" not in confirmation.text.casefold().split()[:1]
    assert desk.rows(Contact)[0].opted_out_at is not None


@pytest.mark.parametrize("word", ["START", "voltar", "alta"])
def test_an_opt_in_brings_the_desk_back(desk: WalkedDesk, word: str) -> None:
    desk.says("hello")
    desk.says("stop")
    sent = desk.says(word)
    assert len(sent) >= 1
    assert desk.rows(Contact)[0].opted_out_at is None
    assert desk.says("menu")


def test_an_opt_out_counts_while_a_person_has_the_conversation(desk: WalkedDesk) -> None:
    desk.says("hello")
    desk.hears(desk.meta.echo("Oi"))
    assert len(desk.says("stop")) == 1
    assert desk.rows(Contact)[0].opted_out_at is not None


def test_an_old_opt_out_counts_too(desk: WalkedDesk) -> None:
    """It waited in the provider's backlog; her wish has no age."""
    desk.says("hello")
    desk.says("stop", at=int(desk.clock().timestamp()) - 7200)
    assert desk.rows(Contact)[0].opted_out_at is not None


def test_words_that_only_contain_an_opt_out_word_do_not_count(desk: WalkedDesk) -> None:
    desk.says("hello")
    for text in ("quero sair do aluguel", "stop motion class?", "não pare de responder"):
        desk.says(text)
    assert desk.rows(Contact)[0].opted_out_at is None


def test_a_marketing_refusal_at_the_provider_does_not_silence_answers(desk: WalkedDesk) -> None:
    preference = {
        "wa_id": "5511987654321", "detail": "User requested to stop marketing messages",
        "category": "marketing_messages", "value": "stop", "timestamp": 1763712036,
    }  # fmt: skip
    value = desk.meta.value(contacts=[{"wa_id": "5511987654321"}], user_preferences=[preference])
    assert desk.hears(desk.meta.sign(desk.meta.envelope([value], field="user_preferences"))) == []
    contact = desk.rows(Contact)[0]
    assert contact.refuses_marketing_at is not None
    assert contact.opted_out_at is None
    assert len(desk.says("hello")) == 1


def test_an_old_wish_for_advertisements_that_comes_late_changes_nothing(desk: WalkedDesk) -> None:
    """The provider repeats what we did not take at once, in any order."""
    preference: dict[str, object] = {"wa_id": "5511987654321", "category": "marketing_messages"}
    for value, at in (("stop", 1763712036), ("resume", 1763712000)):
        preference |= {"value": value, "timestamp": at}
        told = desk.meta.value(contacts=[{"wa_id": "5511987654321"}], user_preferences=[preference])
        desk.hears(desk.meta.sign(desk.meta.envelope([told], field="user_preferences")))
    assert desk.rows(Contact)[0].refuses_marketing_at is not None
    preference |= {"timestamp": 1763712099}
    told = desk.meta.value(contacts=[{"wa_id": "5511987654321"}], user_preferences=[preference])
    desk.hears(desk.meta.sign(desk.meta.envelope([told], field="user_preferences")))
    assert desk.rows(Contact)[0].refuses_marketing_at is None


@pytest.mark.parametrize(
    "word",
    [
        "stop", "STOP!", "Unsubscribe me", "please stop", "sair", "pare.", "Não quero mais receber mensagens",
        "descadastre", "baja", "Quiero darme de baja", "no más mensajes", "désabonner", "Arrêtez!",
        "me désinscrire", "Stopp", "abmelden", "Keine Nachrichten mehr!",
        "disiscrivimi", "Annulla iscrizione",
        "basta messaggi", "توقف", "إلغاء الاشتراك", "أوقف", "退订", "取消訂閱", "停止发送",
        "ストップ", "配信停止。", "退会",
        "수신 거부", "구독취소", "그만 보내세요!",
    ],
)  # fmt: skip
def test_opt_out_words_are_known_in_ten_languages(word: str) -> None:
    assert triage.is_opt_out_word(word)


@pytest.mark.parametrize(
    "word",
    [
        "START", "opt in", "voltar", "Quero receber mensagens", "alta", "suscribirme", "reprendre",
        "s'abonner",
        "anmelden", "iscrivimi", "اشتراك", "订阅", "重新訂閱", "再開", "配信再開", "수신동의", "다시 시작",
    ],
)  # fmt: skip
def test_opt_in_words_are_known_in_ten_languages(word: str) -> None:
    assert triage.is_opt_in_word(word)


@pytest.mark.parametrize(
    "word",
    ["", "stop it now please", "parada", "para quando?", "saída", "cancelar", "cancel", "end", "ストップ高"],
)
def test_other_words_are_no_opt_out(word: str) -> None:
    assert not triage.is_opt_out_word(word)
