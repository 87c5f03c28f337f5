import pytest

from dashboard import arguments


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("?q=violão", "violão"),
        ("?q=%00vio%00lão%00", "violão"),
        ("?q=%20%20duas%20palavras%20", "duas palavras"),
        ("?q=" + "a" * 200, "a" * 80),
        ("", ""),
    ],
)
def test_words_to_search_for_hold_nothing_that_a_database_refuses(app, typed, read):
    with app.test_request_context(f"/products{typed}"):
        assert arguments.words() == read


@pytest.mark.parametrize(
    ("typed", "read"),
    [("?page=3", 3), ("?page=0", 1), ("?page=-7", 1), ("?page=x", 1), ("?page=1" + "0" * 30, 10_000)],
)
def test_a_page_that_no_list_has_is_the_nearest(app, typed, read):
    with app.test_request_context(f"/products{typed}"):
        assert arguments.page_number() == read


@pytest.mark.parametrize(
    ("typed", "is_kept"), [("abc-1", True), ("", False), ("a\0b", False), ("x" * 65, False)]
)
def test_a_forms_token_is_one_that_a_database_keeps(app, typed, is_kept):
    with app.test_request_context("/inbox/1/notes", method="POST", data={"client_token": typed}):
        given = arguments.form_token()
    assert (given == typed) == is_kept
    assert 1 <= len(given) <= arguments.TOKEN_MAX_CHARS
    assert "\0" not in given
