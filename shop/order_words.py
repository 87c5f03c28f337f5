"""What short words say of an order that was placed, beside the lists of flows/words: patterns over words that
were made plain. `understanding` calls; pure.
"""

import re
from typing import Final, Literal

PAYMENT_WORDS: Final = 8
PAYMENT_ASKED: Final = re.compile(
    r"(?<!nao )(?<!no )\b(?:caiu|entrou|chegou|compensou|confirmou|confirmaram|receberam|viram"
    r"|llego|entro|se confirmo|recibieron)"
    r" (?:o |el |mi |meu )*(?:pagamento|pix|dinheiro|pago|dinero|transferencia)\b"
    r"|\b(?:pagamento|pix|pago|transferencia) (?:ja |ya )?(?:caiu|entrou|chegou|compensou"
    r"|llego|entro|se confirmo|(?:foi|esta|ta|fue) (?:confirmad|aprovad|aprobad)[oa])\b"
    r"|\b(?:has|did|is|was|have) (?:you )?(?:get |got |receive |received |see )?(?:my|the) "
    r"(?:payment|pix|transfer|money)"
    r"(?: gone through| go through| come through| arrived| arrive| confirmed| received| cleared|$)"
)
CANCEL_NAMED: Final = re.compile(
    r"(?:(?:quero|queria|quiero|please|i want to|por favor) )*(?:cancel|cancela|cancelar|cancele|cancelen)"
    r" (?:(?:o|el|la|the|my|meu|mi) )*p ?\d{3,}(?: (?:por favor|please))?"
)
# "Reembolso do pedido P-10017" names no verb, and is a wish all the same.
REFUND_NAMED: Final = re.compile(
    r"(?:(?:ola|oi|hola|hi|hello|quero|queria|preciso|preciso de|gostaria de|quiero|quisiera|necesito"
    r"|i want|i need|id like|please|por favor|o|um|el|un|a|the|solicito|pedido de|solicitud de) )*"
    r"(?:reembols(?:o|ar|em|e|a|en)|devolucao|estorn(?:o|ar|em|e|a)|devolucion|refund|money back)"
    r"(?: (?:do|da|de|del|of|for|on|from|o|a|el|la|the|my|meu|minha|mi))*"
    r"(?: (?:pedido|compra|order|orden|purchase)(?: (?:n|no|nro|num|numero|number))?(?: p)?(?: ?\d{3,})?"
    r"| p ?\d{3,})"
    r"(?: (?:por favor|please|pf|pfv))?"
)


def asks_payment(words: str) -> bool:
    """Tell whether somebody asks how a payment stands: "o pix caiu", "llego mi pago"."""
    return PAYMENT_ASKED.search(words) is not None and len(words.split()) <= PAYMENT_WORDS


def wish_of(words: str) -> Literal["cancel", "refund"] | None:
    """Name what is wanted of an order by its number alone, or without a verb: "cancelar o p 10017",
    "reembolso do pedido p 10017".
    """
    if CANCEL_NAMED.fullmatch(words):
        return "cancel"
    return "refund" if REFUND_NAMED.fullmatch(words) else None
