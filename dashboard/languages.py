"""Languages, clock and colours of the pages: Portuguese of Brazil, Spanish, English; the shop's time zone.

Called by the composition root. Texts are written in English in code and templates and translated by the `.po`
files beside this module, which are compiled in memory: nothing is generated and nothing can be stale.
"""

from functools import cache
from io import BytesIO
from pathlib import Path

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations
from flask import Flask, g, request, session
from flask_babel import Babel, Domain, get_locale

from config import Config

PAGE_LANGUAGES = {"pt": "pt_BR", "es": "es", "en": "en"}
LANGUAGE_NAMES = {"pt": "Português", "es": "Español", "en": "English"}
HTML_LANGUAGES = {"pt": "pt-BR", "es": "es", "en": "en"}
SESSION_KEY = "language"
THEMES = ("auto", "light", "dark")
THEME_KEY = "theme"
TRANSLATIONS_DIR = Path(__file__).resolve().parent / "translations"


class PoDomain(Domain):
    """Translations straight from `.po` files."""

    def get_translations(self) -> NullTranslations:
        return _read_translations(str(get_locale() or "en"))


@cache
def _read_translations(locale: str) -> NullTranslations:
    path = TRANSLATIONS_DIR / f"{locale}.po"
    if not path.exists():
        return NullTranslations()
    compiled = BytesIO()
    with path.open("rb") as file:
        write_mo(compiled, read_po(file, locale=locale))
    compiled.seek(0)
    return Translations(compiled)


def install(app: Flask, config: Config) -> None:
    """Give `app` its page languages and its time zone."""
    app.config["BABEL_DEFAULT_LOCALE"] = PAGE_LANGUAGES["pt"]
    app.config["BABEL_DEFAULT_TIMEZONE"] = config.time_zone
    babel = Babel(app, locale_selector=lambda: PAGE_LANGUAGES[page_language()])
    babel.domain_instance = PoDomain()
    app.jinja_env.globals.update(
        page_language=page_language,
        page_theme=page_theme,
        html_language=lambda: HTML_LANGUAGES[page_language()],
        language_names=LANGUAGE_NAMES,
    )


def page_language() -> str:
    """Give this request's language: the page's own, else the person's choice, else the browser's wish."""
    if request.path.startswith("/api/"):
        return "en"  # programs are told in the language of their documents, and have no session
    chosen = g.get("page_language") or session.get(SESSION_KEY)
    if chosen in PAGE_LANGUAGES:
        return str(chosen)
    return request.accept_languages.best_match(list(PAGE_LANGUAGES)) or "pt"


def page_theme() -> str:
    """Give the colours that this browser's person chose: "light", "dark", or "auto" for the device's."""
    chosen = session.get(THEME_KEY)
    return chosen if chosen in THEMES else "auto"
