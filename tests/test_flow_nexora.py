"""The flow of Nexora Investments: the business's exact English words, and every road in three languages."""

import pytest

from menu_flows import chooses, shipped
from message_content import LinkButton, Media, Menu, Text
from tests.walking import CONTEXT, PROGRAMS, Customer, menu_of, words_of

MAIN_MENU = """👋 Welcome to Nexora Investments!

Please choose an option:

1️⃣ Explore Residency Programs
2️⃣ Check Eligibility
3️⃣ Talk to Consultant
4️⃣ Job Search Assistance
5️⃣ Book Consultation
6️⃣ Download Brochure

Reply with a number."""
CATEGORIES = """🌍 Top Residency Categories:
A. Europe Golden Visa
B. Caribbean Citizenship
C. USA EB-5
D. UAE Residency
Reply with A, B, C, or D"""
EUROPE = """🏆 Top 3 Europe Golden Visa Programs:

1. Portugal Golden Residency Program
   Investment: $280,000
   Link: https://nexorainvestments.com/portugal-golden-visa

2. Greece Golden Visa - Real Estate
   Investment: $250,000
   Link: https://nexorainvestments.com/greece-golden-visa

3. Spain Golden Visa Program
   Investment: $500,000
   Link: https://nexorainvestments.com/spain-golden-visa

Reply 'back' to return to main menu."""
LANGUAGES = ("pt", "es", "en")
BACK = {"pt": "voltar", "es": "volver", "en": "back"}


def nexora(language: str = "en", **options) -> Customer:
    return Customer("nexora", language, **options)


def test_the_english_menu_is_exact_to_the_letter():
    menu = menu_of(nexora().says("hi"))
    assert menu.body == MAIN_MENU
    assert menu.options_in_body


def test_the_english_categories_are_exact_to_the_letter():
    assert menu_of(nexora().says("hi", "1")).body == CATEGORIES


def test_the_english_programmes_are_exact_to_the_letter():
    assert menu_of(nexora().says("hi", "1", "A")).body == EUROPE


@pytest.mark.parametrize("text", ["hi", "hello", "oi", "hola", "menu", "back", "start", "what?", "", "👋"])
def test_whatever_comes_first_the_menu_is_shown(text: str):
    assert menu_of(nexora().says(text)).body == MAIN_MENU


@pytest.mark.parametrize(
    ("language", "opening", "ending"),
    [
        ("pt", "👋 Boas-vindas à Nexora Investments!", "Responda com um número."),
        ("es", "👋 ¡Te damos la bienvenida a Nexora Investments!", "Responde con un número."),
        ("fr", "👋 Welcome to Nexora Investments!", "Reply with a number."),
        ("pt-BR", "👋 Boas-vindas à Nexora Investments!", "Responda com um número."),
    ],
)
def test_the_menu_speaks_the_customers_language(language: str, opening: str, ending: str):
    body = menu_of(nexora(language).says("hi")).body
    assert body.startswith(opening)
    assert body.endswith(ending)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_menu_has_six_keys_and_titles_that_fit_a_list(language: str):
    choices = menu_of(nexora(language).says("hi")).choices
    assert [choice.key for choice in choices] == ["1", "2", "3", "4", "5", "6"]
    assert all(len(choice.title) <= 24 for choice in choices)


@pytest.mark.parametrize(
    ("text", "step"),
    [
        ("1", "categories"), ("1️⃣", "categories"), ("１", "categories"), ("one", "categories"),
        ("uno", "categories"),
        ("Explore Residency Programs", "categories"), ("explore residency programs", "categories"),
        ("Residency Programs", "categories"), ("Conhecer programas de residência", "categories"),
        ("golden visa", "categories"),
        ("2", "budget"), ("2.", "budget"), ("check eligibility", "budget"), ("eligibility", "budget"),
        ("verificar elegibilidade", "budget"), ("3", "consultant_name"),
        ("Talk to Consultant", "consultant_name"),
        ("talk to a consultant", "consultant_name"), ("consultant", "consultant_name"),
        ("consultor", "consultant_name"),
        ("4", "job_country"), ("job search", "job_country"), ("empregos", "job_country"),
        ("٤", "job_country"),
    ],
)  # fmt: skip
def test_every_way_to_choose_leads_on(text: str, step: str):
    assert nexora().says("hi", text).step == step


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("key", "category", "interest"),
    [
        ("A", "Europe", "Europe Golden Visa"),
        ("b", "Caribbean", "Caribbean Citizenship"),
        ("C.", "USA", "USA EB-5"),
        ("d)", "UAE", "UAE Residency"),
    ],
)
def test_a_category_asks_for_its_top_three(language: str, key: str, category: str, interest: str):
    customer = nexora(language)
    customer.says("hi", "1", key)
    assert customer.asked[-1].name == "list_programs"
    assert customer.asked[-1].args == {"category": category, "limit": 3}
    assert customer.data["interest"] == interest


@pytest.mark.parametrize(
    ("text", "category"),
    [
        ("europe", "Europe"),
        ("Caribe", "Caribbean"),
        ("EB5", "USA"),
        ("eb-5", "USA"),
        ("Dubai", "UAE"),
        ("EUA", "USA"),
    ],
)
def test_a_category_is_chosen_by_name(text: str, category: str):
    customer = nexora("pt")
    customer.says("hi", "1", text)
    assert customer.data["category"] == category


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_category_without_programmes_offers_a_consultant(language: str):
    customer = nexora(language, outcomes={"list_programs": "none"})
    turn = customer.says("hi", "1", "B")
    assert [c.id.rpartition(":")[2] for c in menu_of(turn).choices] == ["consultant", "eligibility", "menu"]
    assert customer.presses(turn, "consultant").step == "consultant_name"


@pytest.mark.parametrize("language", LANGUAGES)
def test_back_after_the_programmes_shows_the_main_menu(language: str):
    customer = nexora(language)
    customer.says("hi", "1", "A")
    assert customer.says(BACK[language]).step == "menu"


def test_a_typed_number_after_the_list_means_that_programme():
    customer = nexora()
    turn = customer.says("hi", "1", "A", "2")
    assert customer.step == "consultant_name"
    assert customer.data["interest"] == PROGRAMS[1]["name"]
    assert str(PROGRAMS[1]["name"]) in words_of(turn)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    "text", ["150000", "$150,000", "150k", "150 mil", "US$ 150.000", "150.000", "I have 150k", "１５００００"]
)
def test_a_budget_is_understood_however_it_is_written(language: str, text: str):
    customer = nexora(language)
    customer.says("hi", "2", text)
    assert customer.asked[-1].args == {"budget": 150000}
    assert customer.step == "eligibility.found"


def test_matching_programmes_are_told_with_investment_and_link():
    words = words_of(nexora().says("hi", "2", "300k"))
    assert words.startswith("✅ Good news! With $300,000 you may qualify for:")
    assert "1. Portugal Golden Residency Program\n   Investment: $280,000\n   Link: https://" in words


@pytest.mark.parametrize(
    ("language", "amount"), [("pt", "US$ 300.000"), ("es", "US$ 300.000"), ("en", "$300,000")]
)
def test_money_is_written_as_the_reader_writes_it(language: str, amount: str):
    assert amount in words_of(nexora(language).says("hi", "2", "300k"))


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_small_budget_is_answered_kindly(language: str):
    customer = nexora(language, outcomes={"check_eligibility": "none"})
    turn = customer.says("hi", "2", "5000")
    assert "100" in words_of(turn)
    assert customer.presses(turn, "again").step == "budget"
    assert customer.says("300000").step == "eligibility.none"


def test_no_programme_at_all_is_told_without_an_amount():
    customer = nexora(
        outcomes={"check_eligibility": "none"}, facts={"check_eligibility": {"minimum_investment": None}}
    )
    assert words_of(customer.says("hi", "2", "5000")).startswith("We have no matching program today.")


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_lead_is_made_of_name_and_email(language: str):
    customer = nexora(language)
    turn = customer.says("hi", "3", "Ana Souza", "ana@exemplo.com")
    assert turn.is_done
    assert turn.step is None
    assert [(call.name, call.outcome) for call in turn.applies] == [("create_lead", "created")]
    assert turn.applies[0].args == {
        "name": "Ana Souza",
        "email": "ana@exemplo.com",
        "interest": None,
        "budget": None,
        "country": None,
        "source": "nexora",
    }
    assert "ana@exemplo.com" in words_of(turn)
    assert "Ana" in words_of(turn)


def test_a_lead_keeps_what_was_told_before():
    customer = nexora()
    customer.says(
        "hi", "1", "A", "back", "2", "300k", "back", "4", "Germany", "menu", "3", "Ana Souza", "ana@x.com"
    )
    args = customer.asked[-1].args
    assert (args["interest"], args["budget"], args["country"]) == ("Europe Golden Visa", 300000, "DE")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("email", ["ana", "ana@", "ana@x", "@x.com", "ana x.com", "sim"])
def test_a_bad_email_is_asked_again_kindly(language: str, email: str):
    customer = nexora(language)
    turn = customer.says("hi", "3", "Ana Souza", email)
    assert customer.step == "consultant_email"
    assert not turn.is_understood
    assert "@" in words_of(turn)
    assert customer.says("ana@exemplo.com").is_done


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("country", "code"),
    [("Alemanha", "DE"), ("Germany", "DE"), ("Alemania", "DE"), ("🇵🇹", "PT"), ("uk", "GB")],
)
def test_jobs_of_a_country_are_listed(language: str, country: str, code: str):
    customer = nexora(language)
    turn = customer.says("hi", "4", country)
    assert customer.asked[-1].args == {"country": code, "keywords": None}
    assert "1. Nurse\n   Klinik, Berlin\n   https://jobs.example/1" in words_of(turn)


@pytest.mark.parametrize("language", LANGUAGES)
def test_jobs_can_be_searched_by_keywords(language: str):
    customer = nexora(language)
    turn = customer.says("hi", "4", "Germany")
    customer.presses(turn, "keywords")
    customer.says("nurse")
    assert customer.asked[-1].args == {"country": "DE", "keywords": "nurse"}
    customer.says("menu", "4", "France")
    assert customer.asked[-1].args == {"country": "FR", "keywords": None}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("yes", ["1", "Talk to Consultant", "sim", "yes", "sí", "Si"])
def test_without_a_job_search_a_consultant_is_offered(language: str, yes: str):
    customer = nexora(language, outcomes={"search_jobs": "unavailable"})
    turn = customer.says("hi", "4", "Germany")
    assert [c.id.rpartition(":")[2] for c in menu_of(turn).choices] == ["consultant", "menu"]
    assert customer.says(yes).step == "consultant_name"
    customer.says("Ana Souza", "ana@x.com")
    assert customer.asked[-1].args["interest"] == "Job search"
    assert customer.asked[-1].args["country"] == "DE"


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_jobs_found_is_told(language: str):
    turn = nexora(language, outcomes={"search_jobs": "none"}).says("hi", "4", "Germany")
    assert turn.awaits == "choice"
    assert len(turn.say) == 1


@pytest.mark.parametrize("language", LANGUAGES)
def test_booking_sends_the_link_as_a_button(language: str):
    turn = nexora(language).says("hi", "5")
    assert turn.is_done
    (content,) = turn.say
    assert isinstance(content, LinkButton)
    assert content.url == CONTEXT["booking_url"]
    assert content.body.startswith("📅")


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_brochure_is_sent_as_a_document(language: str):
    turn = nexora(language).says("hi", "6")
    (content,) = turn.say
    assert isinstance(content, Media)
    assert (content.media_kind, content.link) == ("document", CONTEXT["brochure_url"])
    assert content.filename.endswith(".pdf")
    assert content.caption.startswith("📄")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("key", ["5", "6"])
@pytest.mark.parametrize("url", ["", None, "javascript:x", "nexora.example"])
def test_without_an_address_a_consultant_arranges_it(language: str, key: str, url: object):
    context = {**CONTEXT, "booking_url": url, "brochure_url": url}
    turn = nexora(language, context=context).says("hi", key)
    assert turn.step == "consultant_name"
    assert [type(content) for content in turn.say] == [Text, Text]


def test_a_brochure_without_https_goes_as_text():
    context = {**CONTEXT, "brochure_url": "http://127.0.0.1:5000/brochure.pdf"}
    (content,) = nexora(context=context).says("hi", "6").say
    assert isinstance(content, Text)
    assert content.body.endswith("http://127.0.0.1:5000/brochure.pdf")


def test_an_option_works_after_the_flow_has_ended():
    customer = nexora()
    assert customer.says("hi", "5").is_done
    assert customer.says("6").is_done
    assert customer.says("2").step == "budget"


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_choice_of_the_menu_can_be_pressed(language: str):
    for choice, step in (
        ("programs", "categories"),
        ("eligibility", "budget"),
        ("consultant", "consultant_name"),
        ("jobs", "job_country"),
        ("booking", None),
        ("brochure", None),
    ):
        customer = nexora(language)
        assert customer.presses(customer.says("hi"), choice).step == step


def test_an_old_button_still_means_what_it_says():
    customer = nexora()
    first = customer.says("hi")
    customer.says("3", "Ana Souza")
    assert customer.presses(first, "eligibility").step == "budget"


def test_a_question_beside_the_flow_chooses_nothing():
    flow = shipped()["nexora"]
    for text in ("how much does the Europe Golden Visa cost?", "is it safe?", "7", "E", "ok", "150000"):
        assert not chooses(flow, "menu", {}, text, None, "en")
        assert not chooses(flow, None, {}, text, None, "en")


def test_menus_carry_their_words_once():
    turn = nexora().says("hi", "1", "A")
    assert [type(content) for content in turn.say] == [Menu]
