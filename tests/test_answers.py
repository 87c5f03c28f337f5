"""Reading one typed answer: tables of what people write, and that nothing ever raises."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from answers import (
    MAX_NAME_CHARS,
    asks_cheapest,
    asks_price,
    courtesy_of,
    holds_number,
    is_cancel_word,
    is_menu_word,
    is_skip_word,
    plain,
    read_answer,
    read_choice_key,
    read_country,
    read_date,
    read_email,
    read_name,
    read_number,
    search_words,
    wants_person,
)
from flow_files import EXPECTATIONS

NOW = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)  # a Friday


@pytest.mark.parametrize(
    "text",
    [
        "menu", "Menu", "MENU!", " menu ", "menú", "Menú.", "/menu", "*menu*", "menuuu", "ver menu",
        "main menu",
        "menu principal", "Menú principal", "start", "START", "início", "inicio", "Iniciar", "começar",
        "comenzar",
        "empezar", "voltar ao menu", "volver al menú", "back to main menu", "options", "opções",
        "opciones", "home",
        "restart", "accueil", "commencer", "Hauptmenü", "menü", "inizio", "قائمة", "القائمة", "菜单",
        "主菜单",
        "メニュー", "메뉴", "시작",
    ],
)  # fmt: skip
def test_menu_words_are_known_in_ten_languages(text: str):
    assert is_menu_word(text) == "menu"


@pytest.mark.parametrize(
    "text",
    [
        "back", "Back", "'back'", "go back", "voltar", "Voltar", "volta", "volver", "Volver!", "atrás",
        "atras",
        "regresar", "anterior", "previous", "retour", "zurück", "Zurueck".replace("ue", "ü"), "indietro",
        "رجوع",
        "返回", "戻る", "뒤로",
    ],
)  # fmt: skip
def test_back_words_are_known_in_ten_languages(text: str):
    assert is_menu_word(text) == "back"


@pytest.mark.parametrize(
    "text",
    [
        "oi", "Oi", "OI!", "oiii", "oie", "olá", "ola", "Olá!", "Olá, tudo bem?", "oi tudo bem",
        "oi, bom dia", "bom dia",
        "Boa tarde!", "boa noite", "e aí", "opa", "hi", "Hi there", "hello", "helloooo", "Hello!!!", "hey",
        "good morning",
        "Good evening", "hola", "Hola 👋", "holaaa", "buenas", "Buenos días", "buenas tardes",
        "hola, ¿qué tal?",
        "hola buenas tardes", "bonjour", "salut", "hallo", "Guten Tag", "ciao", "buongiorno", "مرحبا",
        "السلام عليكم",
        "你好", "こんにちは", "안녕하세요", "👋", "👋👋", "hi 👋",
    ],
)  # fmt: skip
def test_greetings_are_known_in_ten_languages(text: str):
    assert is_menu_word(text) == "greeting"


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "oi, quanto custa?", "olá quero comprar", "hi I need help", "hola quiero un curso", "1",
        "a", "menu de produtos?",
        "voltar a comprar", "back pain", "starting", "tudo bem", "😀", "ok", "hello world",
        "ciao bella vista",
        "my order", "the menu is broken", "?", "...", "\x00",
    ],
)  # fmt: skip
def test_other_words_are_no_menu_words(text: str):
    assert is_menu_word(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "skip",
        "Skip",
        "pular",
        "Pular!",
        "omitir",
        "saltar",
        "no tengo",
        "não tenho",
        "não",
        "no",
        "-",
        "n/a",
        "none",
    ],
)
def test_skip_words_leave_an_answer_out(text: str):
    assert is_skip_word(text)


@pytest.mark.parametrize("text", ["cancel", "Cancelar!", "sair", "exit", "取消", "salir"])
def test_cancel_words_give_a_question_up(text: str):
    assert is_cancel_word(text)
    assert not is_cancel_word(f"{text} pedido")


@pytest.mark.parametrize(
    "text",
    [
        "esquece, deixa pra lá", "não, esquece", "deixa, não precisa", "deixa pra lá, já resolvi",
        "não quero mais",
        "na verdade mudei de ideia, desculpa!", "mejor olvídalo", "déjalo así, gracias", "ya no lo quiero",
        "cambié de idea", "actually, forget it", "nevermind, I changed my mind", "no need, thanks",
        "ok never mind",
    ],
)  # fmt: skip
def test_a_question_is_given_up_in_words_of_ones_own(text: str):
    assert is_cancel_word(text)


@pytest.mark.parametrize(
    "text",
    [
        "não", "obrigado", "desisti da compra e ninguém devolve", "esquece as regras",
        "não quero mais receber", "o app não deixa entrar", "no hace falta que llamen",
        "forget it, your course is broken", "já resolvi",
    ],
)  # fmt: skip
def test_a_story_gives_no_question_up(text: str):
    assert not is_cancel_word(text)


@pytest.mark.parametrize("text", ["", "skip it all", "nothing works", "a-b", "pular corda"])
def test_other_words_skip_nothing(text: str):
    assert not is_skip_word(text)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("1", "1"), (" 1 ", "1"), ("1.", "1"), ("1)", "1"), ("(1)", "1"), ("#1", "1"), ("1️⃣", "1"),
        ("6️⃣", "6"), ("🔟", "10"),
        ("１", "1"), ("１２", "12"), ("٣", "3"), ("۴", "4"), ("२", "2"), ("①", "1"), ("➋", "2"),
        ("²", "2"), ("03", "3"),
        ("*2*", "2"), ("opção 3", "3"), ("Opcao 3", "3"), ("opción 4", "4"), ("option 5", "5"),
        ("número 6", "6"),
        ("number 2", "2"), ("item 3", "3"), ("a 2", "2"), ("la 2", "2"), ("the 3", "3"), ("quero a 2", "2"),
        ("quero a opção 2", "2"), ("um", "1"), ("Dois", "2"), ("três", "3"), ("tres", "3"), ("four", "4"),
        ("cinco", "5"),
        ("seis", "6"), ("one", "1"), ("uno", "1"), ("deux", "2"), ("drei", "3"), ("primeira", "1"),
        ("la primera", "1"),
        ("the second", "2"), ("1st", "1"), ("1º", "1"), ("a", "a"), ("A", "a"), ("B.", "b"), ("c)", "c"),
        ("letra D", "d"),
        ("letter b", "b"), ("opção a", "a"), ("option C", "c"), ("Ａ", "a"), ("Ⓑ", "b"), ("ten", "10"),
    ],
)  # fmt: skip
def test_a_key_is_read_however_it_is_typed(text: str, key: str):
    assert read_choice_key(text) == key


@pytest.mark.parametrize(
    "text",
    ["", " ", "12345", "1 2", "ab", "hello", "-", "1,5", "one two", "150 mil", "quero", "😀", "opção"],
)
def test_other_texts_are_no_key(text: str):
    assert read_choice_key(text) is None


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Ana Souza", "Ana Souza"), ("ana souza", "Ana Souza"), ("  Ana   Souza ", "Ana Souza"),
        ("JOÃO", "JOÃO"),
        ("maria da silva", "Maria da Silva"), ("Meu nome é Ana", "Ana"),
        ("meu nome e joão silva", "João Silva"),
        ("me chamo Pedro", "Pedro"), ("Eu sou a Carla", "Carla"), ("sou o Bruno", "Bruno"),
        ("aqui é a Lu Reis", "Lu Reis"),
        ("Olá, meu nome é Ana", "Ana"), ("My name is John O'Neil", "John O'Neil"),
        ("I'm Bob Stone", "Bob Stone"),
        ("this is Kate", "Kate"), ("Me llamo José Pérez", "José Pérez"), ("mi nombre es Luz", "Luz"),
        ("soy Marta", "Marta"),
        ("Nome: Ana", "Ana"), ("Jean-Luc Picard", "Jean-Luc Picard"), ("Dr. Ana", "Dr. Ana"), ("Li", "Li"),
        ("王伟", "王伟"),
        ("محمد علي", "محمد علي"), ("김민수", "김민수"), ("Ana 😀", "Ana"), ("Ana ❤️", "Ana"),
        ("Ana.", "Ana"),
        ("Zoë", "Zoë"), ("Zoe\u0308", "Zoë"), ("राम", "राम"),
    ],
)  # fmt: skip
def test_a_name_is_read(text: str, name: str):
    assert read_name(text) == name


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "A", "1", "Ana 1", "ana@x.com", "https://x.com", "😀😀", "--", "oi", "hello", "menu",
        "voltar", "x" * 81,
        "one two three four five six seven eight nine", "ok", "Sim", "não", "no", "quero falar com alguém",
        "I need help", "obrigado", "cancelar", "quanto custa", "R$ 10", "Ana; DROP TABLE", "<b>Ana</b>",
        "{{ 7 }}", "\x00\x00",
    ],
)  # fmt: skip
def test_what_is_no_name_is_not_taken(text: str):
    assert read_name(text) is None


@pytest.mark.parametrize(
    ("text", "email"),
    [
        ("ana@exemplo.com", "ana@exemplo.com"), (" Ana@Exemplo.COM ", "Ana@exemplo.com"),
        ("meu email é ana@exemplo.com", "ana@exemplo.com"), ("ana@exemplo.com.", "ana@exemplo.com"),
        ("<ana@exemplo.com>", "ana@exemplo.com"), ("mailto:ana@exemplo.com", "ana@exemplo.com"),
        ("ana+promo@mail.exemplo.com.br", "ana+promo@mail.exemplo.com.br"),
        ("it's ana@exemplo.com!", "ana@exemplo.com"),
        ("josé@exemplo.com", "josé@exemplo.com"), ("ana＠exemplo.com", "ana@exemplo.com"),
        ("*ana@exemplo.com*", "ana@exemplo.com"),
        ("x@@y ana@exemplo.com", "ana@exemplo.com"),
    ],
)  # fmt: skip
def test_an_email_is_found_in_the_answer(text: str, email: str):
    assert read_email(text) == email


@pytest.mark.parametrize(
    "text",
    ["", "ana", "ana@", "@x.com", "ana@x", "ana@@x.com", "ana at x.com", "ana@.com", "ana@x..com", "a b@c"],
)
def test_a_broken_email_is_not_taken(text: str):
    assert read_email(text) is None


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Portugal", "PT"), ("portugal", "PT"), ("PT", "PT"), ("pt", "PT"), ("Alemanha", "DE"),
        ("Germany", "DE"),
        ("Alemania", "DE"), ("Deutschland", "DE"), ("Allemagne", "DE"), ("Germania", "DE"), ("🇩🇪", "DE"),
        ("DE", "DE"),
        ("EUA", "US"), ("eeuu", "US"), ("EE. UU.", "US"), ("USA", "US"), ("u.s.a.", "US"), ("us", "US"),
        ("Estados Unidos", "US"),
        ("United States", "US"), ("the United States", "US"), ("uk", "GB"), ("UK", "GB"),
        ("Inglaterra", "GB"),
        ("Reino Unido", "GB"), ("Emirados Árabes Unidos", "AE"), ("emirados", "AE"), ("Dubai", "AE"),
        ("UAE", "AE"),
        ("Brasil", "BR"), ("brazil", "BR"), ("Espanha", "ES"), ("España", "ES"), ("spain please", "ES"),
        ("na Itália", "IT"),
        ("em Portugal", "PT"), ("in Canada", "CA"), ("Quero trabalhar na Irlanda", "IE"),
        ("no Canadá", "CA"),
        ("Japão", "JP"), ("Japón", "JP"), ("Suíça", "CH"), ("Suiza", "CH"), ("Holanda", "NL"),
        ("Países Bajos", "NL"),
        ("Coreia do Sul", "KR"), ("South Korea", "KR"), ("México", "MX"), ("Índia", "IN"), ("IN", "IN"),
        ("NO", "NO"),
        ("Noruega", "NO"), ("Dinamarca por favor", "DK"), ("Grécia", "GR"), ("New Zealand", "NZ"),
        ("Nova Zelândia", "NZ"),
    ],
)  # fmt: skip
def test_a_country_is_read_by_name_code_or_flag(text: str, code: str):
    assert read_country(text) == code


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no",
        "me",
        "in",
        "Atlantis",
        "Europa",
        "EU",
        "ZZ",
        "UN",
        "🇪🇺",
        "Berlin",
        "x",
        "12",
        "to",
        "so",
        "Portugal Spain",
        "🇩",
        "🇩🇪🇫🇷",
    ],
)
def test_what_is_no_country_is_not_taken(text: str):
    assert read_country(text) is None


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1", 1), ("12", 12), ("２", 2), ("٣", 3), ("3️⃣", 3), ("2 unidades", 2), ("quero 4", 4),
        ("dois", 2), ("just one", 1),
        ("three", 3), ("x5", None), ("", None), ("1 ou 2", None), ("muitos", None), ("99999999999", None),
        ("dez", 10),
        ("-1", None), ("\u22122", None), ("me and one friend of mine", None),
    ],
)  # fmt: skip
def test_a_number_is_read(text: str, number: int | None):
    assert read_number(text) == number


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("150000", 150000), ("$150,000", 150000), ("150k", 150000), ("150 mil", 150000),
        ("US$ 150.000", 150000),
        ("150.000", 150000), ("1 million", 1000000), ("I have 200,000 dollars", 200000), ("abc", None),
        ("", None), ("0", None),
    ],
)  # fmt: skip
@pytest.mark.parametrize("language", ["pt", "es", "en"])
def test_a_budget_is_read_in_every_language(language: str, text: str, amount: int | None):
    assert read_answer("money", text, language=language, now=NOW) == amount


@pytest.mark.parametrize(
    ("text", "language", "day"),
    [
        ("2026-12-01", "pt", "2026-12-01"), ("25/12", "pt", "2026-12-25"),
        ("25/12/2026", "pt", "2026-12-25"),
        ("25.12.26", "pt", "2026-12-25"), ("01/02", "pt", "2027-02-01"), ("12/25", "en", "2026-12-25"),
        ("hoje", "pt", "2026-11-20"), ("amanhã", "pt", "2026-11-21"), ("Amanhã às 15h", "pt", "2026-11-21"),
        ("depois de amanhã", "pt", "2026-11-22"), ("hoy", "es", "2026-11-20"),
        ("mañana", "es", "2026-11-21"),
        ("pasado mañana", "es", "2026-11-22"), ("today", "en", "2026-11-20"),
        ("tomorrow", "en", "2026-11-21"),
        ("the day after tomorrow", "en", "2026-11-22"), ("segunda-feira", "pt", "2026-11-23"),
        ("monday", "en", "2026-11-23"),
        ("viernes", "es", "2026-11-27"), ("sábado", "pt", "2026-11-21"), ("31/02", "pt", None),
        ("2026-13-01", "pt", None),
        ("sometime", "en", None), ("", "pt", None), ("99/99/9999", "pt", None),
    ],
)  # fmt: skip
def test_a_day_is_read(text: str, language: str, day: str | None):
    assert read_date(text, language=language, now=NOW) == day


def test_today_is_the_customers_today():
    late = datetime(2026, 11, 21, 1, 0, tzinfo=UTC)
    assert read_date("hoje", language="pt", now=late, time_zone="America/Sao_Paulo") == "2026-11-20"
    assert read_date("hoje", language="pt", now=late, time_zone="Not/AZone") == "2026-11-21"


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("2", 2), ("dois", 2), ("quero 2", 2), ("2 unidades", 2), ("two please", 2), ("me vê 3 por favor", 3),
        ("quiero dos", 2), ("2 cursos", 2), ("I'd like 2 of those", 2), ("vou querer 2 então", 2),
        ("fechar", 1),
        ("só 1 mesmo", 1), ("ok, 2", 2), ("dame 4", 4), ("cierra", 1), ("checkout", 1),
        ("me lo dejas en 20?", None), ("me lo dejas en 20", None), ("faz por 15?", None),
        ("faz por 15", None),
        ("can I have it for 10?", None), ("I'll give you 10", None), ("te doy 20", None), ("20 reais", None),
        ("R$ 20", None), ("$20", None), ("2?", None), ("parcela em 2 vezes", None), ("chega em 2 dias", None),
        ("my 2 kids would both love to learn that", None), ("deixa por 30 pra mim", None),
        ("would you take 10", None), ("faz por dez", None), ("não quero 2", None), ("tira 1", None),
    ],
)  # fmt: skip
def test_a_count_is_bare_and_no_bargain(text: str, count: int | None):
    assert read_answer("number", text, language="pt", now=NOW, minimum=1, maximum=99) == count


def test_numbers_keep_to_their_range():
    def read(text: str):
        return read_answer("number", text, language="pt", now=NOW, minimum=1, maximum=99)

    assert [read(text) for text in ("0", "1", "99", "100")] == [None, 1, 99, None]


@pytest.mark.parametrize("kind", ["name", "text", "country", "date", "number", "money", "email"])
@pytest.mark.parametrize("word", ["oi", "menu", "back", "hola", "hello"])
def test_a_menu_word_is_never_taken_for_an_answer(kind: str, word: str):
    assert read_answer(kind, word, language="pt", now=NOW) is None


@pytest.mark.parametrize(
    ("kind", "text", "answer"),
    [
        ("text", "Não abre", "Não abre"), ("text", "x", None), ("text", "??", None), ("text", "", None),
        ("free", "👍", "👍"),
        ("free", "", None), ("free", " \x00 ", None), ("text", "a\x00b", "ab"),
    ],
)  # fmt: skip
def test_texts_are_taken_as_they_are(kind: str, text: str, answer: str | None):
    assert read_answer(kind, text, language="pt", now=NOW) == answer


@settings(max_examples=300)
@given(
    st.sampled_from([kind for kind in EXPECTATIONS if kind != "choice"]),
    st.text(max_size=200),
    st.sampled_from(["pt", "es", "en", "fr", "ar", "zh"]),
)
def test_no_answer_ever_raises(kind: str, text: str, language: str):
    answer = read_answer(kind, text, language=language, now=NOW)
    assert answer is None or isinstance(answer, str | int | float)
    is_menu_word(text)
    is_skip_word(text)
    read_choice_key(text)


@settings(max_examples=200)
@given(st.text(max_size=100))
def test_plain_words_stay_plain(text: str):
    assert plain(plain(text)) == plain(text)


@settings(max_examples=200)
@given(st.text(max_size=200))
def test_a_name_keeps_its_limits(text: str):
    name = read_name(text)
    assert name is None or 2 <= len(name) <= MAX_NAME_CHARS


@pytest.mark.parametrize(
    "text",
    [
        "atendente", "Human!", "quero falar com um atendente", "I WANT TO TALK TO A HUMAN NOW",
        "quiero hablar con una persona", "preciso falar com alguém da equipe",
        "can i speak to a real person please",
        "me passa para um atendente", "necesito un asesor", "quero um humano", "conseiller", "Mitarbeiter",
        "ich möchte mit einem Menschen sprechen", "operatore", "je veux parler à quelqu'un",
        "موظف", "人工客服",
        "オペレーター", "상담원", "voglio parlare con un operatore",
    ],
)  # fmt: skip
def test_a_wish_for_a_person_is_known(text: str):
    assert wants_person(text)


@pytest.mark.parametrize(
    "text",
    [
        "não quero falar com ninguém", "I don't want to talk to a human",
        "nadie quiere hablar con una persona",
        "quero comprar um curso", "oi", "", "Maria Pessoa", "falar com meu banco sobre o boleto de ontem",
        "consultor", "vou falar com a minha esposa",
    ],
)  # fmt: skip
def test_other_words_are_no_wish_for_a_person(text: str):
    assert not wants_person(text)


def test_a_story_that_names_a_person_is_no_call_for_one():
    story = "ontem tentei falar com um atendente da loja e o curso de violão continuou sem abrir no celular"
    assert wants_person(story)
    assert not wants_person(story, only=True)
    assert wants_person("quero falar com um humano", only=True)


@pytest.mark.parametrize(
    ("text", "courtesy"),
    [
        ("obrigado", "thanks"), ("Muito obrigada pela ajuda!", "thanks"), ("valeu!!", "thanks"),
        ("gracias", "thanks"), ("ok, thanks", "thanks"), ("👍", "thanks"), ("🙏🏽", "thanks"), ("ok", "okay"),
        ("beleza então", "okay"), ("tchau", "bye"), ("hasta luego", "bye"), ("merci beaucoup", "thanks"),
        ("谢谢", "thanks"), ("ありがとう", "thanks"), ("감사합니다", "thanks"), ("danke schön", "thanks"),
        ("obrigado, mas não chegou", None), ("oi", None), ("2", None), ("", None),
        ("que curso legal é esse", None),
        ("bom dia", None),
    ],
)  # fmt: skip
def test_thanks_and_farewells_are_known(text: str, courtesy: str | None):
    assert courtesy_of(text) == courtesy


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("quanto custa o curso de violão?", ("curso", "violao")),
        ("how much is the course", ("course",)),
        ("cuánto cuesta la visa de Portugal?", ("visa", "portugal")),
        ("What is the cheapest golden visa?", ("golden", "visa")),
        ("fotografia", ("fotografia",)),
        ("quero comprar", ()),
    ],
)
def test_a_search_keeps_the_words_that_may_name_something(text: str, words: tuple[str, ...]):
    assert search_words(text) == words


def test_a_question_for_a_price_is_known():
    assert asks_price("Quanto custa?")
    assert asks_price("What is the cheapest one?")
    assert asks_cheapest("cuál es la más barata")
    assert not asks_price("onde está meu pedido")


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("tenho uns 300 mil reais", None), ("R$ 1.500.000,00", None), ("200 mil euros", None),
        ("€ 200.000", None),
        ("100 mil pesos", None), ("300 mil dólares", 300000), ("US$ 150.000", 150000), ("$150,000", 150000),
        ("150k", 150000), ("150000 usd", 150000), ("150 mil", 150000),
    ],
)  # fmt: skip
@pytest.mark.parametrize("language", ["pt", "es", "en"])
def test_money_of_another_currency_is_not_taken(language: str, text: str, amount: int | None):
    assert read_answer("money", text, language=language, now=NOW, region="BR", currency="USD") == amount


@pytest.mark.parametrize(
    ("text", "language", "holds"),
    [
        ("1e6", "pt", True),
        ("R$1M", "en", True),
        ("duzentos mil", "pt", True),
        ("doscientos mil", "es", True),
        ("a quarter million", "en", True),
        ("３００", "pt", True),
        ("٣٠٠", "ar", True),
        ("quanto custa um curso?", "pt", False),
        ("¿tienes una oferta?", "es", False),
        ("do you have an offer", "en", False),
        ("", "en", False),
    ],
)
def test_digits_and_number_words_are_noticed_and_articles_are_not(text: str, language: str, holds: bool):
    assert holds_number(text, language) is holds
