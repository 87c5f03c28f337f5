"""The operators' pages in a real browser: live threads, phones, the keyboard, and nothing to complain of.

Accessibility is judged by axe-core (deque.com/axe), which a pinned package brings.
"""

import re
from datetime import timedelta

from axe_playwright_python.sync_playwright import Axe
from flask import Flask
from playwright.sync_api import Browser, expect

import integrations
from dashboard.changes import Watcher
from demo import templates
from models import Conversation, Message, Turn, db, utc_now
from teamwork import keeping
from tests import page_rows
from tests.browsing import AS_BROWSER, sign_in
from tests.e2e.conftest import DESKTOP, Browsing
from tests.page_rows import ADMIN_EMAIL, PASSWORD, Desk, message
from tests.test_roles import address_of, methods_of, rules

LIVE_WITHIN_MS = 45_000  # a busy machine; a quiet one needs a second
AXE_RULES = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"],
    "resultTypes": ["violations"],
}
SIGNS_OUT = ("sign_in.logout",)
# What a rule asks for that is no number.
NAMED = {"<service>": "hubspot", "<flow>": "desk", "<kind>": "leads"}


def pages_of(app: Flask) -> list[str]:
    """Give the address of every whole page, each record by its first row: a new page takes part by itself."""
    with app.test_client() as client:
        assert sign_in(client, ADMIN_EMAIL).status_code == 302
        found = []
        for rule in rules(app):
            if "GET" not in methods_of(rule) or rule.endpoint in SIGNS_OUT:
                continue
            path = address_of(rule, NAMED)
            answer = client.get(path, headers=AS_BROWSER)
            is_whole = answer.mimetype == "text/html" and "<html" in answer.text
            if answer.status_code == 200 and is_whole:
                found.append(path)
            answer.close()
    return found


def test_no_page_scrolls_sideways_complains_or_shuts_anybody_out(
    app: Flask, every_look: Browsing, desk: Desk
) -> None:
    threads = (f"/inbox/{desk.waiting_id}", f"/inbox/{desk.waiting_id}?person=1", f"/inbox/{desk.closed_id}")
    with app.app_context():
        page_rows.house()
    faults = []
    pages = pages_of(app)
    assert {"/", "/inbox/1", "/records/leads/1", "/campaigns/1"} <= set(pages)
    for path in (*pages, *threads):
        page = every_look.open(path)
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= page.viewport_size["width"], path  # type: ignore[index]
        if path == threads[0]:
            # In one step: the head is swapped when the thread has been read.
            height = page.evaluate("document.querySelector('#chat-head h1').getBoundingClientRect().height")
            assert height < 50, "the person's name is squeezed"
        found = Axe().run(page, options=AXE_RULES).response["violations"]
        faults += [f"{path}: {one['id']}: {node['html'][:160]}" for one in found for node in one["nodes"]]
    assert not faults, "\n".join(faults)
    assert every_look.complaints == []


def test_the_keyboard_shows_where_it_is(browsing: Browsing) -> None:
    page = browsing.open("/inbox")
    for _ in range(4):
        page.keyboard.press("Tab")
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline != "none", page.evaluate("document.activeElement.outerHTML.slice(0, 200)")


def test_new_messages_appear_while_one_writes(app: Flask, browsing: Browsing, desk: Desk) -> None:
    page = browsing.open(f"/inbox/{desk.bot_id}")
    page.locator("#assign-to").select_option(label="Beto")
    chosen = page.locator("#assign-to").input_value()
    page.fill("#body", "estou escrevendo")
    with app.app_context():
        message_id = message(db.session.get_one(Conversation, desk.bot_id), "chegou agora", status="sent").id
        db.session.commit()
    expect(page.get_by_text("chegou agora")).to_be_in_viewport(timeout=LIVE_WITHIN_MS)
    expect(page.locator("#body")).to_have_value("estou escrevendo")
    with app.app_context():
        answer = db.session.get_one(Message, message_id)
        answer.direction, answer.sender, answer.status = "out", "bot", "read"
        db.session.commit()
    expect(page.locator(f"#m{message_id} .tick-read")).to_be_visible(timeout=LIVE_WITHIN_MS)
    expect(page.locator("#assign-to")).to_have_value(chosen)
    assert browsing.complaints == []


def test_the_overview_hears_of_what_happens(app: Flask, browsing: Browsing, desk: Desk) -> None:
    page = browsing.open("/")
    with app.app_context():
        of = db.session.get_one(Conversation, desk.bot_id)
        message(of, "acabei de chegar")
        of.last_message_at = utc_now()
        db.session.commit()
    expect(page.locator("#now-activity")).to_contain_text("acabei de chegar", timeout=LIVE_WITHIN_MS)
    assert browsing.complaints == []


def test_the_composer_locks_itself_when_the_person_opts_out(
    app: Flask, browsing: Browsing, desk: Desk
) -> None:
    page = browsing.open(f"/inbox/{desk.bot_id}")
    expect(page.locator("#body")).to_be_visible()
    with app.app_context():
        of = db.session.get_one(Conversation, desk.bot_id)
        contact = page_rows.contact_of(of)
        contact.opted_out_at = utc_now()
        db.session.commit()
    expect(page.locator(".composer-lock")).to_be_visible(timeout=LIVE_WITHIN_MS)


def test_half_written_words_outlive_the_window_and_a_template_goes_instead(
    app: Flask, browsing: Browsing, desk: Desk
) -> None:
    with app.app_context():
        integrations.forget()
        templates.seed(integrations.numbers()[0], utc_now())
        db.session.commit()
    page = browsing.open(f"/inbox/{desk.bot_id}")
    page.locator(".note-form summary").click()
    page.fill("#note", "prometi o link")
    page.fill("#body", "já te mando o link")
    with app.app_context():
        of = db.session.get_one(Conversation, desk.bot_id)
        of.last_inbound_at = utc_now() - timedelta(days=2)
        message(of, "outra coisa", direction="out", sender="bot", status="sent")  # the page looks anew
        db.session.commit()
    expect(page.locator("#unsent")).to_have_value("já te mando o link", timeout=LIVE_WITHIN_MS)
    expect(page.locator("#note")).to_have_value("prometi o link")
    page.keyboard.press("r")
    page.keyboard.press("Enter")
    expect(page.locator("#picker summary").first).to_be_focused()
    page.keyboard.press("Enter")
    page.locator("details[open] input.form-control").first.fill("Carla")
    expect(page.locator("details[open] .picker-preview")).to_contain_text("Carla")
    assert Axe().run(page, options=AXE_RULES).response["violations"] == []
    assert browsing.complaints == []


def test_enter_sends_once_and_the_message_is_there(app: Flask, browsing: Browsing, desk: Desk) -> None:
    page = browsing.open(f"/inbox/{desk.bot_id}")
    page.locator("#file").evaluate("field => { field.dataset.most = 4 }")
    page.set_input_files("#file", {"name": "a.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-"})
    expect(page.locator("#attached")).to_contain_text("grande demais")
    page.fill("#body", "Bom dia, Carla!")
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    expect(page.locator(".bubble-operator").get_by_text("Bom dia, Carla!")).to_be_in_viewport()
    with app.app_context():
        sent = db.session.query(Message).filter_by(body="Bom dia, Carla!").count()
    assert sent == 1
    expect(page.locator("#chat-head").get_by_text("Ana Ribeiro")).to_be_visible()


def test_opening_a_conversation_marks_it_read(app: Flask, browsing: Browsing, desk: Desk) -> None:
    page = browsing.open(f"/inbox/{desk.waiting_id}")
    expect(page.locator('#chat-head[data-unread="0"]')).to_be_attached(timeout=LIVE_WITHIN_MS)


def test_a_phone_shows_one_column_at_a_time(phone: Browsing, desk: Desk) -> None:
    page = phone.open("/inbox")
    expect(page.locator("#room-list")).to_be_visible()
    page.locator("#lines a.line", has_text="Mariana Alves").click()
    expect(page.locator("#thread")).to_be_visible()
    expect(page.locator("#room-list")).to_be_hidden()
    expect(page.locator("#person")).to_be_hidden()
    page.locator(".to-person").click()
    expect(page.locator("#person")).to_be_visible()
    expect(page.locator("#thread")).to_be_hidden()
    page.locator(".person-back").click()
    expect(page.locator("#thread")).to_be_visible()
    page.locator(".chat-head .back").click()
    expect(page.locator("#room-list")).to_be_visible()
    assert phone.complaints == []


def test_the_list_hears_of_a_new_message_and_keeps_what_is_ticked(
    app: Flask, browsing: Browsing, desk: Desk
) -> None:
    page = browsing.open("/inbox")
    page.locator(f'#lines input[value="{desk.closed_id}"]').check(force=True)
    expect(page.locator(".bulk")).to_be_visible()
    with app.app_context():
        of = db.session.get_one(Conversation, desk.closed_id)
        of.last_message_at, of.last_preview = utc_now(), "cheguei agora"
        db.session.commit()
    first = page.locator("#lines .pick").first
    expect(first).to_contain_text("cheguei agora", timeout=LIVE_WITHIN_MS)
    expect(first.locator("input")).to_be_checked()
    assert browsing.complaints == []


def test_several_conversations_are_closed_and_the_undo_brings_them_back(
    browsing: Browsing, desk: Desk
) -> None:
    page = browsing.open("/inbox")
    for conversation_id in (desk.waiting_id, desk.closed_id):
        page.locator(f'#lines input[value="{conversation_id}"]').check(force=True)
    page.select_option("#bulk-do", "close:")
    page.locator(".bulk button").click()
    expect(page.locator("#lines .pick")).to_have_count(1)
    page.locator("#undo").click()
    expect(page.locator("#lines .pick")).to_have_count(3)


def test_keys_go_through_the_room(browsing: Browsing, desk: Desk) -> None:
    page = browsing.open("/inbox")
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#keys")).to_be_hidden()
    page.keyboard.press("j")
    expect(page).to_have_url(re.compile(rf"/inbox/{desk.waiting_id}$"))
    page.keyboard.press("j")
    expect(page).to_have_url(re.compile(rf"/inbox/{desk.bot_id}$"))
    page.keyboard.press("k")
    expect(page).to_have_url(re.compile(rf"/inbox/{desk.waiting_id}$"))
    page.keyboard.press("n")
    expect(page.locator("#note")).to_be_focused()
    page.keyboard.type("liga às 15h")
    page.locator(".note-form button").click()
    expect(page.locator(".bubble-note")).to_contain_text("liga às 15h")
    page.keyboard.press("/")
    expect(page.locator("#search")).to_be_focused()


def test_a_is_taking_over_and_e_is_closing(app: Flask, browsing: Browsing, desk: Desk) -> None:
    page = browsing.open(f"/inbox/{desk.bot_id}")
    page.keyboard.press("a")
    expect(page.locator("#chat-head .tag-person")).to_contain_text("Ana Ribeiro")
    page.keyboard.press("e")
    expect(page.locator("#undo")).to_be_visible()
    with app.app_context():
        found = db.session.get_one(Conversation, desk.bot_id)
        assert (found.is_closed, found.handler) == (True, "bot")


def test_a_slash_calls_a_canned_reply(app: Flask, browsing: Browsing, desk: Desk) -> None:
    with app.app_context():
        for shortcut, body in (("frete", "O frete é grátis."), ("troca", "A troca leva três dias.")):
            keeping.keep_reply(shortcut, body, now=utc_now())
        db.session.commit()
    page = browsing.open(f"/inbox/{desk.bot_id}")
    page.locator("#body").press_sequentially("/tro")
    expect(page.locator('[data-shortcut="troca"]')).to_be_visible()
    expect(page.locator('[data-shortcut="frete"]')).to_be_hidden()
    page.keyboard.press("Enter")
    expect(page.locator("#body")).to_have_value("A troca leva três dias.")
    with app.app_context():
        assert db.session.query(Message).filter_by(conversation_id=desk.bot_id).count() == 0


def test_without_a_stream_the_page_asks_by_itself(app: Flask, browsing: Browsing, desk: Desk) -> None:
    app.extensions["balcao_changes"] = Watcher(app, 0)
    page = browsing.open(f"/inbox/{desk.bot_id}")
    with app.app_context():
        message(db.session.get_one(Conversation, desk.bot_id), "sem correnteza", status="sent")
        db.session.commit()
    expect(page.locator("#thread").get_by_text("sem correnteza")).to_be_visible(timeout=LIVE_WITHIN_MS)
    assert browsing.complaints == []


def test_a_wrong_label_is_corrected_with_one_click(app: Flask, browsing: Browsing, desk: Desk) -> None:
    with app.app_context():
        of = db.session.get_one(Conversation, desk.bot_id)
        said = message(of, "meu curso não abre", intent="feedback", sentiment="neutral", urgency="low")
        message_id = said.id
        db.session.commit()
    page = browsing.open(f"/inbox/{desk.bot_id}")
    page.locator(f"#m{message_id} .reading summary").click()
    page.select_option(f"#m{message_id}-sentiment", "frustrated")
    page.locator(f'#m{message_id} button[value="correct"]').click()
    expect(page.locator(f"#m{message_id} .is-corrected")).to_be_visible()
    with app.app_context():
        assert db.session.get_one(Message, message_id).sentiment == "frustrated"
        assert db.session.get_one(Conversation, desk.bot_id).sentiment == "frustrated"


def test_one_click_behind_an_answer_corrects_its_reading_and_one_undoes_it(
    app: Flask, browsing: Browsing, desk: Desk
) -> None:
    with app.app_context():
        of = db.session.get_one(Conversation, desk.bot_id)
        turn = Turn(conversation_id=of.id, responder="ai", reason="free text")
        db.session.add(turn)
        db.session.flush()
        said = message(of, "não abre", turn_id=turn.id, intent="feedback", sentiment="neutral", urgency="low")
        answer = message(of, "Já vejo!", direction="out", sender="bot", status="sent", turn_id=turn.id)
        said_id, answer_id = said.id, answer.id
        db.session.commit()
    page = browsing.open(f"/inbox/{desk.bot_id}")
    page.locator(f"#m{answer_id} .why summary").click()
    page.locator(f'#m{answer_id} button[value="intent:support_ticket"]').click()
    expect(page.locator(f"#m{said_id} .is-corrected")).to_be_visible()
    page.locator(f"#m{answer_id} .why summary").click()
    page.locator(f'#m{answer_id} button[value="undo"]').click()
    expect(page.locator(f"#m{said_id} .is-corrected")).to_have_count(0)
    with app.app_context():
        assert db.session.get_one(Message, said_id).intent == "feedback"
    assert browsing.complaints == []


def test_the_room_works_without_script(browser: Browser, origin: str, desk: Desk) -> None:
    context = browser.new_context(viewport=DESKTOP, locale="pt-BR", java_script_enabled=False)
    page = context.new_page()
    page.goto(origin + "/login")
    page.fill("#email", ADMIN_EMAIL)
    page.fill("#password", PASSWORD)
    page.locator("form .btn-accent").click()
    page.goto(origin + "/inbox?show=waiting")
    page.locator("#lines a.line").click()
    expect(page.locator("#chat-head")).to_contain_text("Mariana Alves")
    expect(page.locator("#lines .pick")).to_have_count(1)
    page.locator("#close-it").click()
    expect(page.locator("#undo")).to_be_visible()
    context.close()


def test_the_focus_stays_where_it_is_when_the_thread_is_drawn_anew(
    app: Flask, browsing: Browsing, desk: Desk
) -> None:
    with app.app_context():
        of = db.session.get_one(Conversation, desk.bot_id)
        said_id = message(of, "não abre", intent="feedback", sentiment="neutral", urgency="low").id
        db.session.commit()
    page = browsing.open(f"/inbox/{desk.bot_id}")
    stop = page.locator(f"#m{said_id} .reading summary")
    stop.focus()
    with app.app_context():
        message(db.session.get_one(Conversation, desk.bot_id), "e agora?", status="sent")
        db.session.commit()
    expect(page.locator("#thread").get_by_text("e agora?")).to_be_visible(timeout=LIVE_WITHIN_MS)
    expect(stop).to_be_focused()
    page.locator("#body").fill("Bom dia")
    page.keyboard.press("Home")
    with app.app_context():
        of = db.session.get_one(Conversation, desk.bot_id)
        of.handler, of.last_inbound_at = "human", utc_now()
        db.session.commit()
    expect(page.locator("#chat-head .tag-person")).to_be_visible(timeout=LIVE_WITHIN_MS)
    page.keyboard.type("Oi! ")
    expect(page.locator("#body")).to_have_value("Oi! Bom dia")
    assert browsing.complaints == []


def test_a_page_is_not_fetched_again_before_something_has_changed(
    app: Flask, browsing: Browsing, desk: Desk
) -> None:
    watcher = app.extensions["balcao_changes"] = Watcher(app, 4)
    last = watcher.join()  # somebody else looks, too
    assert last is not None
    assert watcher.wait(last, LIVE_WITHIN_MS / 1000).conversations
    asked: list[str] = []
    browsing.page.on("request", lambda request: asked.append(request.url))
    page = browsing.open(f"/inbox/{desk.bot_id}")
    page.wait_for_function("document.documentElement.dataset.live === 'stream'")
    page.wait_for_timeout(1500)  # longer than a look takes
    assert [url for url in asked if "/inbox/list" in url or "/thread" in url] == []
    with app.app_context():
        message(db.session.get_one(Conversation, desk.bot_id), "agora sim", status="sent")
        db.session.commit()
    expect(page.locator("#thread").get_by_text("agora sim")).to_be_visible(timeout=LIVE_WITHIN_MS)
    watcher.leave()
