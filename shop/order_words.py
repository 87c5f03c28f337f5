"""What short words say of an order that was placed, beside the lists of flows/words: patterns over words that
were made plain. `understanding` calls; pure.
"""

import re
from typing import Final

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
    r" (?:(?:o|el|la|the|my|meu|mi) )*p ?\d{5,}(?: (?:por favor|please))?"
)


def asks_payment(words: str) -> bool:
    """Tell whether somebody asks how a payment stands: "o pix caiu", "llego mi pago"."""
    return PAYMENT_ASKED.search(words) is not None and len(words.split()) <= PAYMENT_WORDS


def cancels_by_number(words: str) -> bool:
    """Tell whether an order is cancelled by its number alone: "cancelar o p 10017"."""
    return CANCEL_NAMED.fullmatch(words) is not None
