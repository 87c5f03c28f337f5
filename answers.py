"""Reads one typed answer: a menu word, a number on a keypad of any script, a name, e-mail, amount, country or date.

Flows call it with the kind that they await; triage calls `is_menu_word`. Pure: `now` is an argument, nothing is remembered,
and what cannot be read is None, never an exception. Reading free sentences for meaning is the analysis rooms' work.
"""

import re
import unicodedata
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel import Locale
from email_validator import EmailNotValidError, validate_email

from analysis.money import read_amount

MIN_NAME_CHARS = 2
MAX_NAME_CHARS = 80
MAX_NAME_WORDS = 8
MAX_TEXT_CHARS = 4000
MAX_MONEY = 10**12
# "150 mil" is also written by people who chose English.
MONEY_LANGUAGES = ("pt", "es", "en")
COUNTRY_LANGUAGES = ("en", "pt", "es", "de", "fr", "it")

MENU_WORDS = (
    "menu|menú|menu principal|main menu|menú principal|ver menu|ver o menu|ver menú|ver el menú|show menu|options|opções|opciones"
    "|start|restart|start over|home|inicio|início|iniciar|começar|recomeçar|começar de novo|comenzar|empezar|volver al inicio"
    "|voltar ao início|voltar ao menu|voltar ao menu principal|volver al menú|volver al menú principal|back to menu"
    "|back to main menu|return to main menu|accueil|menu principal|démarrer|commencer|hauptmenü|menü|anfang|menu principale"
    "|inizia|inizio|القائمة|قائمة|ابدأ|菜单|主菜单|开始|選單|メニュー|スタート|はじめ|메뉴|시작"
)
BACK_WORDS = (
    "back|go back|return|previous|voltar|volta|anterior|retornar|volver|vuelve|atrás|regresar|retroceder|retour|précédent"
    "|revenir|zurück|indietro|torna indietro|رجوع|عودة|العودة|返回|上一步|後退|戻る|もどる|뒤로|이전"
)
GREETINGS = (
    "oi|olá|oie|opa|e aí|eai|alô|bom dia|boa tarde|boa noite|salve|hi|hello|hey|heya|hiya|good morning|good afternoon"
    "|good evening|greetings|howdy|hola|buenas|buenos días|buen día|buenas tardes|buenas noches|qué tal|bonjour|bonsoir|salut"
    "|coucou|allô|hallo|guten tag|guten morgen|guten abend|moin|servus|grüß gott|ciao|salve|buongiorno|buonasera"
    "|مرحبا|أهلا|اهلا|السلام عليكم|سلام|صباح الخير|مساء الخير|你好|您好|嗨|早上好|こんにちは|こんばんは|おはよう"
    "|おはようございます|もしもし|안녕하세요|안녕|여보세요"
)
# Said with a greeting, they add nothing to it.
GREETING_FILLERS = (
    "tudo bem|tudo bom|tudo certo|como vai|como está|td bem|there|everyone|how are you|cómo estás|cómo está|todo bien|a todos|pessoal"
    "|gente|amigo|amiga|ça va|wie gehts|come stai|sir|madam"
)
GREETING_SIGNS = frozenset("👋🙋🤝")
SKIP_WORDS = (
    "skip|pular|pula|omitir|saltar|pasar|passer|überspringen|salta|no tengo|não tenho|nao tenho|não|no|none|nenhum|nenhuma|ninguno"
    "|ninguna|n/a|next|próximo|siguiente"
)
NUMBER_WORDS: tuple[str, ...] = (
    "zero|cero|null",
    "um|uma|one|uno|una|un|eins|une|primeiro|primeira|primero|primera|first|1st|1º|1ª",
    "dois|duas|two|dos|deux|zwei|due|segundo|segunda|second|2nd|2º|2ª",
    "três|tres|three|trois|drei|tre|terceiro|terceira|tercero|tercera|third|3rd|3º|3ª",
    "quatro|four|cuatro|quatre|vier|quattro|quarto|quarta|cuarto|cuarta|fourth|4th|4º|4ª",
    "cinco|five|cinq|fünf|cinque|quinto|quinta|fifth|5th|5º|5ª",
    "seis|six|sechs|sei|sexto|sexta|sixth|6th|6º|6ª",
    "sete|seven|siete|sept|sieben|sette|sétimo|sétima|séptimo|seventh|7th",
    "oito|eight|ocho|huit|acht|otto|oitavo|oitava|octavo|eighth|8th",
    "nove|nine|nueve|neuf|neun|nono|nona|noveno|ninth|9th",
    "dez|ten|diez|dix|zehn|dieci|décimo|décima|tenth|10th",
)
CHOICE_PREFIX = re.compile(
    r"^(?:(?:quero|queria|i want|i choose|quiero|elijo|escolho|a|o|la|el|the|opcao|opcion|option|op|numero|number|num|nr|letra"
    r"|letter|item|alternativa|choice)\s+)+(?=\S)"
)
NAME_PREFIX = re.compile(
    r"^(?:(?:ol[aá]|oi|hi|hello|hola|hey)[,!.\s]+)?"
    r"(?:o\s+meu\s+nome\s+[eé]|meu\s+nome\s+[eé]|me\s+chamo|eu\s+sou(?:\s+[oa])?|sou(?:\s+[oa])?|aqui\s+[eé]\s+[oa]"
    r"|my\s+name\s+is|my\s+name['’]s|this\s+is|i\s+am|i['’]m|mi\s+nombre\s+es|me\s+llamo|soy|je\s+m['’]appelle|ich\s+hei(?:ß|ss)e"
    r"|mi\s+chiamo|nome|name|nombre)\s*[:,]?\s+",
    re.IGNORECASE,
)
NAME_PARTICLES = frozenset("da de do das dos e del la las los y van von der di".split())
NAME_PUNCTUATION = frozenset(" '’`´-.·,")
EMAIL_LIKE = re.compile(r"[^\s<>()\[\],;:\"]+@[^\s<>()\[\],;:\"]+")
COUNTRY_PREFIX = re.compile(
    r"^(?:(?:in|to|for|em|na|no|nos|nas|para|pra|en|a|o|os|as|la|el|los|las|the|i want to work in|quero trabalhar"
    r"|quero ir|quiero trabajar|quiero ir|pais|country)\s+)+"
)
COUNTRY_SUFFIX = re.compile(r"\s+(?:please|por favor|pf|pls)$")
# Small words that are also country codes; only their capitals are taken for a code.
WORDS_LIKE_CODES = frozenset(
    "ad ai al am an ao as at au ba be by ca cd ci co de do ee eh es eu fm ga go ha hi id ie il im in is it la ma me mi my na ne "
    "ni no nu om pa pm sa se si so st su ta te to tu un va ve vi ye".split()
)
NOT_COUNTRIES = frozenset({"EU", "EZ", "UN", "QO", "XA", "XB", "ZZ"})
COUNTRY_NICKNAMES: Mapping[str, str] = {
    "US": "usa|u s a|u s|eua|eeuu|ee uu|e u a|estados unidos da america|estados unidos de america|united states of america|america|states",
    "GB": "uk|u k|inglaterra|england|gra bretanha|gran bretana|great britain|britain|escocia|scotland|wales|pais de gales",
    "AE": "uae|u a e|emirados|emirados arabes|emiratos|emirates|dubai|abu dhabi|eau",
    "NL": "holanda|holland|paises baixos|paises bajos",
    "CZ": "republica tcheca|republica checa|czech republic",
    "KR": "coreia|coreia do sul|corea|corea del sur|south korea|korea",
    "KP": "coreia do norte|corea del norte|north korea",
    "RU": "russia|rusia",
    "TR": "turquia|turkey",
    "VN": "vietna|vietnam|vietname",
    "KN": "st kitts|saint kitts|sao cristovao|saint kitts and nevis|st kitts and nevis|sao cristovao e nevis|san cristobal y nieves",
    "LC": "saint lucia|st lucia|santa lucia",
    "AG": "antigua|antigua and barbuda|antigua e barbuda|antigua y barbuda",
    "HK": "hong kong",
    "MO": "macau|macao",
    "CV": "cabo verde|cape verde",
    "SA": "arabia saudita|saudi|saudi arabia",
    "CH": "suica|suiza|switzerland",
    "CN": "china",
    "IR": "iran",
    "PS": "palestina|palestine",
}
TODAY_WORDS = "hoje|today|hoy|heute|oggi|aujourdhui|aujourd hui"
TOMORROW_WORDS = "amanhã|amanha|tomorrow|mañana|manana|morgen|domani|demain"
OVERMORROW_WORDS = "depois de amanhã|depois de amanha|day after tomorrow|the day after tomorrow|pasado mañana|übermorgen|dopodomani|après demain"
WEEKDAY_WORDS: tuple[str, ...] = (
    "segunda|segunda feira|lunes|monday|mon",
    "terça|terça feira|martes|tuesday|tue",
    "quarta|quarta feira|miércoles|wednesday|wed",
    "quinta|quinta feira|jueves|thursday|thu",
    "sexta|sexta feira|viernes|friday|fri",
    "sábado|saturday|sat",
    "domingo|sunday|sun",
)
ISO_DATE = re.compile(r"\b(\d{4})-(\d{1,2})-(\d{1,2})\b")
SHORT_DATE = re.compile(r"(?<!\d)(\d{1,2})[/.-](\d{1,2})(?:[/.-](\d{4}|\d{2}))?(?!\d)")

MenuWord = Literal["menu", "back", "greeting"]
Answer = str | int | float


def is_menu_word(text: str) -> MenuWord | None:
    """Name what a short message asks of any menu, in ten languages; case, accents, punctuation and "oiii" do not matter."""
    words = _squeezed(plain(text))
    if not words:
        return "greeting" if any(sign in text for sign in GREETING_SIGNS) else None
    if words in _phrases(MENU_WORDS):
        return "menu"
    if words in _phrases(BACK_WORDS):
        return "back"
    return "greeting" if _is_greeting(words) else None


def is_skip_word(text: str) -> bool:
    """Tell whether the customer leaves out an answer that is optional."""
    return text.strip() in {"-", "--", "—", "."} or _squeezed(plain(text)) in _phrases(SKIP_WORDS)


def plain(text: str) -> str:
    """Give `text` lower-case, without accents, signs and emoji, with digits of every script as 0-9, words apart by one space."""
    composed = unicodedata.normalize("NFKC", text.replace("🔟", "10"))
    bare = (c for c in unicodedata.normalize("NFKD", composed.casefold()) if not unicodedata.combining(c))
    return " ".join("".join(_plain_char(c) for c in bare).split())


def read_choice_key(text: str) -> str | None:
    """Give the one digit or letter that a person typed to choose ("2", "2️⃣", "opção 2", "dois", "b)"); None for other text."""
    words = plain(text)
    stripped = CHOICE_PREFIX.sub("", words)
    for candidate in (words, stripped):
        if candidate.isascii() and candidate.isdigit() and len(candidate) <= 4:
            return str(int(candidate))
        if len(candidate) == 1 and candidate.isalpha():
            return candidate
        number = _number_words().get(candidate)
        if number is not None:
            return str(number)
    return None


def read_answer(
    kind: str,
    text: str,
    *,
    language: str,
    now: datetime,
    region: str | None = None,
    time_zone: str | None = None,
    minimum: float | None = None,
    maximum: float | None = None,
) -> Answer | None:
    """Read `text` as the awaited `kind`; None when it is not one.

    Names, texts and e-mails are strings, countries ISO codes, dates ISO dates; numbers are int, money int or float.
    """
    if is_menu_word(text) is not None and kind != "free":
        return None
    if kind in ("text", "free"):
        return read_text(text, needs_letters=kind == "text")
    if kind == "name":
        return read_name(text)
    if kind == "email":
        return read_email(text)
    if kind == "country":
        return read_country(text)
    if kind == "date":
        return read_date(text, language=language, now=now, region=region, time_zone=time_zone)
    number: int | float | None
    number = read_number(text) if kind == "number" else read_money(text, language=language, region=region)
    return _within(number, minimum, maximum)


def read_text(text: str, *, needs_letters: bool) -> str | None:
    """Give what was written, at most MAX_TEXT_CHARS; with `needs_letters` there must be two letters or digits."""
    cleaned = text.replace("\0", "").strip()[:MAX_TEXT_CHARS]
    enough = sum(c.isalnum() for c in cleaned) >= 2 if needs_letters else bool(cleaned)
    return cleaned if enough else None


def read_name(text: str) -> str | None:
    """Read a person's name of 2 to 80 characters in any script, also out of "my name is ..."."""
    wanted = (
        c
        for c in unicodedata.normalize("NFC", text)
        if unicodedata.category(c) not in ("So", "Sk", "Cf", "Mn")
    )
    name = " ".join(NAME_PREFIX.sub("", " ".join("".join(wanted).split())).split()).strip(".,-'’` ")
    if not MIN_NAME_CHARS <= len(name) <= MAX_NAME_CHARS or len(name.split()) > MAX_NAME_WORDS:
        return None
    if not all(c.isalpha() or unicodedata.category(c) in ("Mc", "Mn") or c in NAME_PUNCTUATION for c in name):
        return None
    if sum(c.isalpha() for c in name) < MIN_NAME_CHARS or is_menu_word(name):
        return None
    return _capitalised(name) if name.islower() else name


def read_email(text: str) -> str | None:
    """Read the first e-mail address in `text`, normalised; deliverability is not asked of the network."""
    for found in EMAIL_LIKE.finditer(unicodedata.normalize("NFKC", text)):
        try:
            return validate_email(found.group().strip(".!?'’*_"), check_deliverability=False).normalized
        except EmailNotValidError:
            continue
    return None


def read_money(text: str, *, language: str, region: str | None) -> int | float | None:
    """Read an amount of money that is more than nothing; whole amounts are int."""
    readings = (read_amount(text, region=region, language=tongue) for tongue in (language, *MONEY_LANGUAGES))
    amount = next((reading for reading in readings if reading is not None), None)
    if amount is None or not 0 < amount <= MAX_MONEY:
        return None
    return int(amount) if amount == amount.to_integral_value() else float(amount)


def read_number(text: str) -> int | None:
    """Read a whole number in digits of any script, or a word from zero to ten, also beside one unit ("2 unidades")."""
    words = plain(text).split()
    numbers = [int(w) for w in words if w.isascii() and w.isdigit() and len(w) <= 9]
    if not numbers and len(words) <= 3:
        numbers = [n for n in (_number_words().get(w) for w in words) if n is not None]
    return numbers[0] if len(numbers) == 1 else None


def read_country(text: str) -> str | None:
    """Read a country as its ISO 3166 two-letter code: from a name in six languages, a code or a flag."""
    flag = [chr(ord(c) - 0x1F1E6 + ord("A")) for c in text if "\U0001f1e6" <= c <= "\U0001f1ff"]
    typed = text.strip().strip(".!")
    code = "".join(flag) if len(flag) == 2 else typed.upper()
    if code in _country_codes() and (flag or typed.isupper() or typed.lower() not in WORDS_LIKE_CODES):
        return code
    words = COUNTRY_SUFFIX.sub("", plain(text))
    return _countries().get(words) or _countries().get(COUNTRY_PREFIX.sub("", words))


def read_date(
    text: str, *, language: str, now: datetime, region: str | None = None, time_zone: str | None = None
) -> str | None:
    """Read a day as an ISO date: 2026-11-30, 30/11, 30/11/2026, today, tomorrow, a weekday (the next one)."""
    today = now.astimezone(_zone(time_zone)).date()
    if iso := ISO_DATE.search(text):
        return _iso(int(iso[1]), int(iso[2]), int(iso[3]))
    if short := SHORT_DATE.search(text):
        return _short_date(short, today, month_first=language == "en" and region in (None, "US"))
    words = f" {plain(text)} "
    for day_words, distance in ((OVERMORROW_WORDS, 2), (TOMORROW_WORDS, 1), (TODAY_WORDS, 0)):
        if any(f" {plain(word)} " in words for word in day_words.split("|")):
            return (today + timedelta(days=distance)).isoformat()
    for weekday, names in enumerate(WEEKDAY_WORDS):
        if any(f" {plain(name)} " in words for name in names.split("|")):
            return (today + timedelta(days=(weekday - today.weekday() - 1) % 7 + 1)).isoformat()
    return None


def _is_greeting(words: str) -> bool:
    greetings, fillers = _phrases(GREETINGS), _phrases(GREETING_FILLERS)
    tokens, has_greeted = words.split(), False
    while tokens:
        taken = next((n for n in (4, 3, 2, 1) if " ".join(tokens[:n]) in greetings | fillers), 0)
        if not taken:
            return False
        has_greeted = has_greeted or " ".join(tokens[:taken]) in greetings
        tokens = tokens[taken:]
    return has_greeted


@lru_cache(maxsize=64)
def _phrases(written: str) -> frozenset[str]:
    return frozenset(_squeezed(plain(phrase)) for phrase in written.split("|"))


def _squeezed(words: str) -> str:
    """Make "oiii" and "hellooo" equal to "oi" and "hello"; digits keep their repeats."""
    return re.sub(r"([^\W\d])\1+", r"\1", words)


def _plain_char(char: str) -> str:
    digit = unicodedata.digit(char, None)
    if digit is not None:
        return str(digit)
    return char if char.isalnum() else " " if not _is_silent(char) else ""


def _is_silent(char: str) -> bool:
    return unicodedata.category(char) in ("Cf", "Me", "Mn") or char in "'’`"


@lru_cache(maxsize=1)
def _number_words() -> dict[str, int]:
    return {plain(word): n for n, words in enumerate(NUMBER_WORDS) for word in words.split("|")}


@lru_cache(maxsize=1)
def _country_codes() -> frozenset[str]:
    codes = Locale("en").territories
    return frozenset(c for c in codes if len(c) == 2 and c.isalpha() and c not in NOT_COUNTRIES)


@lru_cache(maxsize=1)
def _countries() -> dict[str, str]:
    names: dict[str, str] = {}
    for language in COUNTRY_LANGUAGES:
        territories: Mapping[str, Any] = Locale(language).territories
        for code in _country_codes():
            names.setdefault(plain(str(territories.get(code, code))), code)
    names.update({nick: code for code, nicks in COUNTRY_NICKNAMES.items() for nick in nicks.split("|")})
    return {name: code for name, code in names.items() if len(name) > 2 or name == "uk"}


def _capitalised(name: str) -> str:
    words = name.split()
    return " ".join(w if i and w in NAME_PARTICLES else w[:1].upper() + w[1:] for i, w in enumerate(words))


def _within(number: int | float | None, minimum: float | None, maximum: float | None) -> int | float | None:
    if number is None or (minimum is not None and number < minimum):
        return None
    return None if maximum is not None and number > maximum else number


def _zone(name: str | None) -> ZoneInfo:
    try:
        return ZoneInfo(name or "UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")


def _short_date(found: re.Match[str], today: date, *, month_first: bool) -> str | None:
    first, second, year = int(found[1]), int(found[2]), found[3]
    day, month = (second, first) if month_first and first <= 12 else (first, second)
    if year:
        return _iso(int(year) + (2000 if len(year) == 2 else 0), month, day)
    this_year = _iso(today.year, month, day)
    return this_year if this_year and this_year >= today.isoformat() else _iso(today.year + 1, month, day)


def _iso(year: int, month: int, day: int) -> str | None:
    try:
        return date(year, month, day).isoformat()
    except ValueError:
        return None
