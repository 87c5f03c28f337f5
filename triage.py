"""Who answers a message (menu, shop, AI, a person, nobody) and why. Pure; `pipeline` calls it with all that
it knows.

The rules stand in order in `decide`; the first that fits wins, and its reason is stored on the turn and
shown.
"""

import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

# Whole messages, in ten languages. Of Twilio's own words, END, QUIT and CANCEL say something else in a chat:
# who types "cancel" gives up a question.
OPT_OUT_WORDS: Final = (
    "stop|stop all|stopall|please stop|stop please|stop messages|stop messaging me|stop texting me|"
    "unsubscribe|unsubscribe me|opt out|optout|opt me out|revoke|remove me|no more messages|"
    "sair|parar|pare|para|pare por favor|parar mensagens|parar de receber|descadastrar|descadastre|"
    "me descadastre|descadastrar me|remover|me tire da lista|nao quero receber mensagens|"
    "nao quero mais receber mensagens|nao quero mais mensagens|cancelar inscricao|chega de mensagens|"
    "baja|dar de baja|darme de baja|dame de baja|quiero darme de baja|cancelar suscripcion|no mas mensajes|"
    "no quiero recibir mensajes|no quiero mas mensajes|no quiero recibir mas mensajes|dejen de escribirme|"
    "arret|arreter|arretez|desabonner|me desabonner|desabonnez moi|se desinscrire|me desinscrire|"
    "desinscription|plus de messages|"
    "stopp|abmelden|mich abmelden|abbestellen|austragen|keine nachrichten mehr|"
    "annulla iscrizione|cancella iscrizione|cancellami|disiscrivimi|disiscriviti|disiscrizione|"
    "basta messaggi|niente piu messaggi|"
    "ايقاف|إيقاف|توقف|أوقف|قف|الغاء الاشتراك|إلغاء الاشتراك|"
    "ايقاف الرسائل|إيقاف الرسائل|لا اريد رسائل|لا أريد رسائل|"
    "退订|退訂|取消订阅|取消訂閱|停止|停止发送|停止發送|不要再发|不要再發|别再发了|拒收|"
    "ストップ|配信停止|配信解除|停止してください|配信を停止|登録解除|退会|もう送らないで|"
    "수신거부|수신 거부|중지|정지|구독취소|구독 취소|구독해지|그만 보내세요|그만보내세요|스톱|"
    # The same wish as a sentence: whoever asks so plainly is not to be asked for a magic word.
    "sair por favor|parar por favor|baja por favor|"
    "remove me from the list|remove me from your list|take me off the list|take me off your list|"
    "stop sending me messages|stop contacting me|stop writing to me|stop writing me|do not contact me again|"
    "don't contact me again|do not message me again|don't message me again|don't text me again|"
    "do not write to me again|i want to unsubscribe|i want to opt out|i don't want any more messages|"
    "quero sair da lista|sair da lista|me tira da lista|me tire dessa lista|me tirem da lista|"
    "me remova da lista|me remove da lista|quero me descadastrar|nao me mande mais mensagens|"
    "nao me mandem mais mensagens|nao me envie mais mensagens|nao me enviem mais mensagens|"
    "nao me mande mais nada|nao me envie mais nada|nao quero receber mais mensagens|"
    "nao quero receber mais nada|nao quero mais receber nada|para de me mandar mensagem|"
    "pare de me mandar mensagens|parem de me mandar mensagens|parem de me mandar mensagem|"
    "no me escriban mas|no me escribas mas|no me envien mas mensajes|no me manden mas mensajes|"
    "no me manden mas nada|dejen de mandarme mensajes|dejen de enviarme mensajes|deja de escribirme|"
    "quiero salir de la lista|sacame de la lista|saquenme de la lista|quitame de la lista|"
    "quitenme de la lista|borrenme de la lista|no quiero recibir nada mas|"
    "ne m'ecrivez plus|ne m'envoyez plus de messages|je ne veux plus recevoir de messages|"
    "je ne veux plus de messages|retirez moi de la liste|arretez de m'ecrire|"
    "schreiben sie mir nicht mehr|schreibt mir nicht mehr|ich will keine nachrichten mehr|"
    "ich mochte keine nachrichten mehr|keine weiteren nachrichten|nehmen sie mich von der liste|"
    "non scrivetemi piu|non mandatemi piu messaggi|non voglio piu messaggi|"
    "non voglio piu ricevere messaggi|toglietemi dalla lista|rimuovetemi dalla lista|"
    "لا ترسلوا لي رسائل|لا ترسل لي رسائل|لا أريد استلام رسائل|أوقفوا الرسائل|احذفني من القائمة|"
    "不要再给我发消息|不要给我发消息|别再给我发消息|把我从名单中删除|"
    "もう連絡しないでください|もう送らないでください|メッセージを送らないでください|"
    "메시지 보내지 마세요|더 이상 보내지 마세요|연락하지 마세요"
)
# What goes before and after such a wish without changing it.
POLITE: Final = ("por favor", "please", "pf", "pfv", "bitte", "per favore", "per piacere", "s'il vous plait",
    "svp", "porfa", "请", "من فضلك", "obrigado", "obrigada", "gracias", "thanks", "thank you", "merci",
    "danke", "grazie", "oi", "ola", "hola", "hi", "hello")  # fmt: skip
OPT_IN_WORDS: Final = (
    "start|unstop|subscribe|resubscribe|opt in|optin|opt me in|"
    "voltar|iniciar|comecar|quero receber|quero receber mensagens|voltar a receber|reativar|"
    "alta|suscribir|suscribirme|quiero recibir mensajes|empezar|reactivar|"
    "commencer|reprendre|m'abonner|s'abonner|abonner|reactiver|"
    "anmelden|starten|abonnieren|wieder anmelden|"
    "inizia|iscrivimi|iscriviti|ricomincia|riattiva|"
    "ابدأ|ابدا|اشتراك|اشترك|استئناف|"
    "订阅|訂閱|重新订阅|重新訂閱|开始|開始|恢复|恢復|"
    "再開|スタート|配信再開|登録|"
    "수신동의|수신 동의|시작|구독|다시 시작"
)
SHOP_WORDS: Final = (
    "comprar|quero comprar|produtos|produto|catalogo|loja|ver produtos|ver catalogo|carrinho|meu carrinho|"
    "tienda|productos|producto|catalogo|quiero comprar|ver productos|carrito|mi carrito|"
    "shop|store|products|product|catalog|catalogue|buy|i want to buy|cart|my cart|show products|"
    "total|checkout|check out|finalizar|finalizar compra|finalizar pedido|fechar pedido|fechar compra"
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
MIN_SPAM_CHARS: Final = 15  # no advert is shorter, and silence towards a customer costs more
CLEAR_DOUBT: Final = 0.8
DOUBTING_INTENTS: Final = frozenset({"feedback", "lead_inquiry", "other"})
SHOP_WORD: Final = "shop word"
CHOSEN: Final = "chose an option"
ALARMED: Final = "angry and critical"
IN_DANGER: Final = "somebody may be in danger"
UNSURE: Final = "not read surely enough"
NO_OPTION: Final = "does not name an option"
NO_SUCH_NUMBER: Final = "no option has this number"
FIRST_WORDS: Final = "first contact without a clear wish"
# Said while a typed answer is awaited, these are none: a word is said back, the question stays open.
SAID_ASIDE: Final = frozenset(
    {"thanks", "bye", "insult", "robot", "explain", "wait", "laugh", "hello_back", "sorry", "warm"}
)
# What somebody may begin with and mean; thanks and the like are no beginning.
BEGINNINGS: Final = frozenset({"robot", "insult", "explain"})
# An answer of these kinds either can be read or is none; any words may be a text.
READABLE_ANSWERS: Final = frozenset({"number", "money", "email", "country", "date"})
# A figure that cannot be read ("1e6", "R$ 1 milhão" where dollars are asked) is still an answer to these.
FIGURE_ANSWERS: Final = frozenset({"number", "money", "date"})
# Someone who is being asked leaves the question only with a sentence that plainly means something else.
CLEAR_DEPARTURE: Final = 0.8
MIN_DEPARTURE_WORDS: Final = 3
# What is plainly no report: a wish of these, nearly sure, from somebody who is not cross.
WISHES: Final = frozenset({"lead_inquiry", "appointment_request"})
CLEAR_WISH: Final = 0.85
CALM: Final = frozenset({"neutral", "positive", "excited"})
TEXT_ANSWERS: Final = frozenset({"text", "free"})

Responder = Literal["menu", "shop", "ai", "human", "nobody"]
Effect = Literal["opt_out", "opt_in", "hand_over", "cannot_read", "courtesy"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """All that decides who answers.

    `awaits` is what the open step expects (None: no open step), `is_answer` whether the words can be read as
    that, `holds_number` whether a digit or a number word is among them. `entry_flow` is the flow that has a
    step for this intent; `sought` are the words without articles, "show me" and the like.
    """

    kind: str = "text"
    text: str = ""
    is_group: bool = False
    is_too_old: bool = False
    is_first_contact: bool = False
    has_opted_out: bool = False
    is_with_person: bool = False
    is_in_danger: bool = False  # her life, or somebody's beside her
    awaits: str | None = None
    is_answer: bool = True
    holds_number: bool = False
    is_report: bool = False  # what went wrong is asked for
    is_trouble: bool = False  # and the words speak of something that fails
    names_choice: bool = False
    is_pressed: bool = False
    answers_desk: bool = False  # pressed an answer to what the desk asked by itself
    menu_word: str | None = None
    courtesy: str | None = None
    sought: tuple[str, ...] = ()
    wants_person: bool = False
    wants_only_person: bool = False
    entry_flow: str | None = None
    intent: str = "other"
    intent_confidence: float = 0.0
    sentiment: str = "neutral"
    sentiment_confidence: float = 1.0
    urgency: str = "low"
    urgency_confidence: float = 1.0
    buying_signal: str | None = None
    buying_signal_confidence: float = 0.0
    person_below: float = 0.0  # less sure of the intent than this, a person is asked


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
        """Free text may be one of several fragments, in a menu too; everything else is answered at once."""
        is_free = self.responder == "ai" or self.reason in (NO_OPTION, FIRST_WORDS)
        return is_free and self.effect is None


def decide(situation: Situation) -> Decision:
    """Give the responder and the reason. Total: every situation has an answer."""
    for rule in (_silence, _consent, _person, _menu, _courtesy, _answer, _shop, _unsure, _meaning):
        decision = rule(situation)
        if decision is not None:
            return decision
    return Decision("ai", "free text")


def is_opt_out_word(text: str) -> bool:
    """Tell whether a whole message asks for silence, however politely."""
    said, phrases = _plain(text), _phrases(OPT_OUT_WORDS)
    bare = _without_politeness(said)
    # A single word is taken as it stands: "remover, por favor" is said of a cart.
    return said in phrases or (" " in bare and bare in phrases)


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
    if s.is_in_danger and s.kind in SPOKEN_KINDS:
        return Decision("human", IN_DANGER, effect=None if s.is_with_person else "hand_over")
    if s.is_with_person and not s.answers_desk:
        return Decision("human", "a person has the conversation")
    if _is_alarmed(s):
        return Decision("human", ALARMED, effect="hand_over")
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
        return Decision("menu", CHOSEN)
    if s.menu_word in ("menu", "back"):
        return Decision("menu", f"the word for {s.menu_word}")
    is_asked = s.awaits not in (None, "choice") or s.kind in MEDIA_KINDS
    if not is_asked and (s.menu_word == "greeting" or s.kind == "welcome"):
        return Decision("menu", "greeting")
    return None


def _courtesy(s: Situation) -> Decision | None:
    """Thanks and small talk are answered in a word; "thanks" is no date, but may be a remark on a score."""
    if s.courtesy is None or (s.is_first_contact and s.courtesy not in BEGINNINGS):
        return None
    is_aside = s.courtesy in SAID_ASIDE and s.awaits != "free"
    if s.awaits not in (None, "choice") and not is_aside:
        return None
    return Decision("ai", f"said {s.courtesy}", effect="courtesy")


def _answer(s: Situation) -> Decision | None:
    """An open question keeps its answer, unless it is none and plainly means something else."""
    if s.awaits in (None, "choice") or s.kind in MEDIA_KINDS:
        return None
    if s.is_report and _is_other_wish(s):
        return None
    if s.awaits in READABLE_ANSWERS and not s.is_answer and s.entry_flow and _is_departure(s):
        return None
    return Decision("menu", f"answers the question for {s.awaits}")


def _shop(s: Situation) -> Decision | None:
    if not {_plain(s.text), " ".join(s.sought)}.isdisjoint(_phrases(SHOP_WORDS)):
        return Decision("shop", SHOP_WORD, flow="shop")
    return None


def _unsure(s: Situation) -> Decision | None:
    """Where the shop wishes so, a person answers what was not read surely enough; a menu's own words are."""
    is_free = bool(s.text) and s.awaits is None and not s.is_first_contact
    if is_free and s.intent_confidence < s.person_below:
        return Decision("human", UNSURE, effect="hand_over")
    return None


def _meaning(s: Situation) -> Decision | None:
    if s.intent == "spam" and s.intent_confidence >= CLEAR_SPAM and len(s.text) >= MIN_SPAM_CHARS:
        return Decision("nobody", "spam")
    if _is_doubt(s):
        return Decision("ai", "doubts what is offered")
    if _is_clear(s):
        entry = s.intent if s.entry_flow else None
        return Decision("ai", f"clear intent: {s.intent}", flow=s.entry_flow, entry=entry)
    if s.awaits == "choice":
        return Decision("menu", NO_SUCH_NUMBER if _plain(s.text).isdigit() else NO_OPTION)
    if s.is_first_contact and s.kind not in MEDIA_KINDS:  # a file that was made out says what it is about
        return Decision("menu", FIRST_WORDS)
    return None


def _is_alarmed(s: Situation) -> bool:
    is_sure = min(s.sentiment_confidence, s.urgency_confidence) >= CLEAR_ALARM
    return s.sentiment == "angry" and s.urgency == "critical" and is_sure


def _is_doubt(s: Situation) -> bool:
    """ "Too expensive" is said to whoever sells: no opinion to be rated, and no option that was missed."""
    is_sure = s.buying_signal == "objection" and s.buying_signal_confidence >= CLEAR_DOUBT
    return is_sure and s.intent in DOUBTING_INTENTS and not s.is_first_contact


def _is_clear(s: Situation) -> bool:
    return s.intent not in ("other", "spam") and s.intent_confidence >= CLEAR_INTENT


def _is_other_wish(s: Situation) -> bool:
    """Who is asked what went wrong and wants to buy or to book means that, and reports nothing."""
    if _shop(s) is not None:
        return True
    is_sure = s.intent in WISHES and s.intent_confidence >= CLEAR_WISH and s.entry_flow is not None
    is_calm = s.sentiment in CALM or s.sentiment_confidence < CLEAR_INTENT
    is_wish = "?" not in s.text and len(s.text.split()) >= MIN_DEPARTURE_WORDS  # a question is answered aside
    return is_sure and is_calm and is_wish and not s.is_trouble


def _is_departure(s: Situation) -> bool:
    if s.awaits in FIGURE_ANSWERS and s.holds_number:
        return False
    is_sentence = len(s.text.split()) >= MIN_DEPARTURE_WORDS
    return is_sentence and _is_clear(s) and s.intent_confidence >= CLEAR_DEPARTURE


def _without_politeness(said: str) -> str:
    """Take greetings and "please" off both ends."""
    said = " ".join(said.replace(",", " ").replace("’", "'").replace("，", " ").split())
    while True:
        shorter = said
        for word in POLITE:
            shorter = shorter.removeprefix(f"{word} ").removesuffix(f" {word}")
        if shorter == said:
            return said
        said = shorter


@lru_cache(maxsize=8)
def _phrases(written: str) -> frozenset[str]:
    return frozenset(_plain(phrase) for phrase in written.split("|"))


def _plain(text: str) -> str:
    """Fold case, accents and outer punctuation, so that "PARAR!" and "parar" are one word."""
    folded = unicodedata.normalize("NFKD", text[:MAX_WORD_CHARS].casefold())
    kept = "".join(c for c in folded if not unicodedata.combining(c))
    return " ".join(kept.strip(" \t\r\n.!?¡¿。！？\"'*_~").split())
