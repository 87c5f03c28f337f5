"""Who answers a message (menu, shop, AI, a person, nobody) and why. Pure; `pipeline` calls it with all that
it knows.

The rules stand in order in `decide`; the first that fits wins, and its reason is stored on the turn and
shown.
"""

import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

OPT_OUT_WORDS: Final = (
    "stop|stop all|stopall|unsubscribe|opt out|optout|sair|parar|pare|para|descadastrar|descadastre|remover|"
    "me tire da lista|baja|dar de baja|darme de baja|cancelar suscripcion|no mas mensajes|arret|arreter|"
    "desabonner|me desabonner|stopp|abmelden|abbestellen|annulla iscrizione|cancellami|disiscrivimi|"
    "ايقاف|إيقاف|توقف|الغاء الاشتراك|إلغاء الاشتراك"
    "|退订|退訂|取消订阅|停止|配信停止|配信解除|수신거부|수신 거부|중지"
)
OPT_IN_WORDS: Final = (
    "start|unstop|subscribe|voltar|iniciar|comecar|quero receber|alta|suscribir|suscribirme|empezar|"
    "commencer|reprendre|anmelden|starten|inizia|iscrivimi|ابدأ|ابدا|اشتراك|订阅|开始|開始|再開|수신동의|시작"
)
SHOP_WORDS: Final = (
    "comprar|quero comprar|produtos|produto|catalogo|loja|ver produtos|ver catalogo|carrinho|meu carrinho|"
    "tienda|productos|producto|catalogo|quiero comprar|ver productos|carrito|mi carrito|"
    "shop|store|products|product|catalog|catalogue|buy|i want to buy|cart|my cart|show products|"
    "checkout|check out|finalizar|finalizar compra|finalizar pedido|fechar pedido|fechar compra"
)
# Kinds that say something to answer; the rest (reactions, edits, ...) are stored and shown.
SPOKEN_KINDS: Final = frozenset({"text", "button", "interactive", "order", "welcome"})
MEDIA_KINDS: Final = frozenset({"image", "video", "audio", "document", "sticker", "location", "contacts"})
# The words of these are names of places and people, and nothing that the customer wrote.
NAMED_KINDS: Final = frozenset({"location", "contacts"})
CLEAR_ALARM: Final = 0.7
MAX_WORD_CHARS: Final = 200  # no word that is looked up here is so long
CLEAR_INTENT: Final = 0.6
CLEAR_SPAM: Final = 0.9
NO_OPTION: Final = "does not name an option"
# An answer of these kinds either can be read or is none; any words may be a text.
READABLE_ANSWERS: Final = frozenset({"number", "money", "email", "country", "date"})
TEXT_ANSWERS: Final = frozenset({"text", "free"})

Responder = Literal["menu", "shop", "ai", "human", "nobody"]
Effect = Literal["opt_out", "opt_in", "hand_over", "cannot_read", "courtesy"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """All that decides who answers.

    `awaits` is what the open step expects (None: no open step), `is_answer` whether the words can be read as
    that. `entry_flow` is the flow that has a step for this intent.
    """

    kind: str = "text"
    text: str = ""
    is_group: bool = False
    is_too_old: bool = False
    is_first_contact: bool = False
    has_opted_out: bool = False
    is_with_person: bool = False
    awaits: str | None = None
    is_answer: bool = True
    names_choice: bool = False
    is_pressed: bool = False
    menu_word: str | None = None
    courtesy: str | None = None
    wants_person: bool = False
    wants_only_person: bool = False
    entry_flow: str | None = None
    intent: str = "other"
    intent_confidence: float = 0.0
    sentiment: str = "neutral"
    sentiment_confidence: float = 1.0
    urgency: str = "low"
    urgency_confidence: float = 1.0


@dataclass(frozen=True, slots=True)
class Decision:
    """Who answers and the reason in plain words.

    `flow` where a flow begins anew, at its `entry` when one is named; `effect` what it sets in motion.
    """

    responder: Responder
    reason: str
    flow: str | None = None
    effect: Effect | None = None
    entry: str | None = None

    @property
    def waits_for_more(self) -> bool:
        """Free text for the AI may be one of several fragments; everything else is answered at once."""
        return self.responder == "ai" and self.effect is None


def decide(situation: Situation) -> Decision:
    """Give the responder and the reason. Total: every situation has an answer."""
    for rule in (_silence, _consent, _person, _menu, _courtesy, _answer, _shop, _meaning):
        decision = rule(situation)
        if decision is not None:
            return decision
    return Decision("ai", "free text")


def is_opt_out_word(text: str) -> bool:
    return _plain(text) in _phrases(OPT_OUT_WORDS)


def is_opt_in_word(text: str) -> bool:
    return _plain(text) in _phrases(OPT_IN_WORDS)


def _silence(s: Situation) -> Decision | None:
    if s.is_group:
        return Decision("nobody", "groups are never answered")
    if s.kind not in SPOKEN_KINDS and s.kind not in MEDIA_KINDS and s.kind != "unsupported":
        return Decision("nobody", f"{s.kind} needs no answer")
    return None


def _consent(s: Situation) -> Decision | None:
    if s.has_opted_out:
        if is_opt_in_word(s.text) and s.is_with_person:
            return Decision("human", "opted in again, a person has the conversation", effect="opt_in")
        if is_opt_in_word(s.text):
            return Decision("menu", "opted in again", effect="opt_in")
        return Decision("nobody", "opted out")
    if s.kind in SPOKEN_KINDS and is_opt_out_word(s.text):
        return Decision("menu", "opt-out word", effect="opt_out")
    if s.is_too_old:
        return Decision("nobody", "too old to answer")
    return None


def _person(s: Situation) -> Decision | None:
    if s.is_with_person:
        return Decision("human", "a person has the conversation")
    if _is_alarmed(s):
        return Decision("human", "angry and critical", effect="hand_over")
    if s.kind in NAMED_KINDS or (s.kind in MEDIA_KINDS and not s.text):
        return Decision("ai", f"{s.kind} received", effect="cannot_read")
    if s.kind == "unsupported":
        return Decision("ai", "cannot be read", effect="cannot_read")
    is_wish = s.wants_only_person if s.awaits in TEXT_ANSWERS else s.wants_person
    if is_wish and not s.names_choice:
        return Decision("human", "asked for a person", effect="hand_over")
    return None


def _menu(s: Situation) -> Decision | None:
    if s.kind == "order":
        return Decision("shop", "catalogue order", flow="shop")
    if s.names_choice and (s.is_pressed or s.courtesy != "thanks"):
        return Decision("menu", "chose an option")
    if s.menu_word in ("menu", "back"):
        return Decision("menu", f"the word for {s.menu_word}")
    is_asked = s.awaits not in (None, "choice") or s.kind in MEDIA_KINDS
    if not is_asked and (s.menu_word == "greeting" or s.kind == "welcome"):
        return Decision("menu", "greeting")
    return None


def _courtesy(s: Situation) -> Decision | None:
    if s.courtesy is None or s.is_first_contact or s.awaits not in (None, "choice"):
        return None
    return Decision("ai", f"said {s.courtesy}", effect="courtesy")


def _answer(s: Situation) -> Decision | None:
    """An open question keeps its answer, unless it is none and plainly means something else."""
    if s.awaits in (None, "choice") or s.kind in MEDIA_KINDS:
        return None
    if s.awaits in READABLE_ANSWERS and not s.is_answer and s.entry_flow and _is_clear(s):
        return None
    return Decision("menu", f"answers the question for {s.awaits}")


def _shop(s: Situation) -> Decision | None:
    if _plain(s.text) in _phrases(SHOP_WORDS):
        return Decision("shop", "shop word", flow="shop")
    return None


def _meaning(s: Situation) -> Decision | None:
    if s.intent == "spam" and s.intent_confidence >= CLEAR_SPAM:
        return Decision("nobody", "spam")
    if _is_clear(s):
        entry = s.intent if s.entry_flow else None
        return Decision("ai", f"clear intent: {s.intent}", flow=s.entry_flow, entry=entry)
    if s.awaits == "choice":
        return Decision("menu", NO_OPTION)
    if s.is_first_contact:
        return Decision("menu", "first contact without a clear wish")
    return None


def _is_alarmed(s: Situation) -> bool:
    is_sure = min(s.sentiment_confidence, s.urgency_confidence) >= CLEAR_ALARM
    return s.sentiment == "angry" and s.urgency == "critical" and is_sure


def _is_clear(s: Situation) -> bool:
    return s.intent not in ("other", "spam") and s.intent_confidence >= CLEAR_INTENT


@lru_cache(maxsize=8)
def _phrases(written: str) -> frozenset[str]:
    return frozenset(_plain(phrase) for phrase in written.split("|"))


def _plain(text: str) -> str:
    """Fold case, accents and outer punctuation, so that "PARAR!" and "parar" are one word."""
    folded = unicodedata.normalize("NFKD", text[:MAX_WORD_CHARS].casefold())
    kept = "".join(c for c in folded if not unicodedata.combining(c))
    return " ".join(kept.strip(" \t\r\n.!?¡¿。！？\"'*_~").split())
