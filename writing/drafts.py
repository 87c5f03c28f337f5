"""What a written reply is: words that may leave, what they set in motion, and the desk's own buttons."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import flow_versions
import menu_flows
import texts
from analysis import Reading
from grounding import Ground
from learning import Drawn
from menu_flows import MENU, PERSON
from message_content import Choice, Content
from replies.plan import Action
from understanding import Understanding

OWN_CHOICES: Final[Mapping[str, str]] = {"menu": MENU, "person": PERSON}
# What the buttons and actions of a plan press in the shipped flows: flow/position:choice.
PRESSES: Final[Mapping[str, str]] = {
    "show_products": "shop/menu:catalog",
    "add_to_cart": "shop/product.found:buy",
    "check_out": "shop/menu:cart",
    "book": "desk/menu:appointment",
}
TITLES: Final[Mapping[str, str]] = {
    "show_products": "title_products",
    "add_to_cart": "title_buy",
    "check_out": "title_cart",
    "book": "title_book",
    "link": "title_link",
    "menu": "title_menu",
    "person": "title_person",
}


@dataclass(frozen=True, slots=True)
class Step:
    """Where a reply goes on after its words: a choice of a flow is pressed, or an entry is taken."""

    flow: str
    choice_id: str | None = None
    entry: str | None = None


@dataclass(frozen=True, slots=True)
class Draft:
    """Words that may leave, what they set in motion, and how they came about.

    `data` is for the flow to remember (what the buttons are about); `trace` is for the x-ray.
    """

    contents: tuple[Content, ...] = ()
    source: str = ""
    step: Step | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    trace: Mapping[str, Any] = field(default_factory=dict)
    reading: Reading | None = None  # the local reading and the model's together, where both were made
    drawn: Drawn | None = None  # the strategy that it is written in; kept with the turn


def focus_data(action: Action, ground: Ground) -> dict[str, Any]:
    """Give the flow what its product step knows: the product that was decided on, else the one in focus.

    Nothing is in focus where nothing was named: the shop's first product is not what somebody meant.
    """
    focus = ground.facts.focus if ground.is_named else None
    product = ground.facts.product(action.sku) if action.sku else focus
    if product is None or product.sku not in ground.product_ids:
        return {}
    data = {"product": str(ground.product_ids[product.sku]), "product_name": product.name}
    return data | ({"quantity": action.quantity} if action.quantity else {})


def choice_of(name: str, understood: Understanding) -> Choice | None:
    """Make one of the desk's own buttons; None where no flow has what it presses."""
    choice_id = choice_id_of(name, understood)
    return Choice(choice_id, texts.text(TITLES[name], understood.language)) if choice_id else None


def choice_id_of(name: str, understood: Understanding) -> str | None:
    if name in OWN_CHOICES:
        return f"{understood.number.start_flow}/{OWN_CHOICES[name]}"
    choice_id = PRESSES.get(name, "")
    flow = flow_versions.flows().get(choice_id.partition("/")[0])
    is_known = flow is not None and menu_flows.chooses(flow, None, {}, "", choice_id, understood.language)
    return choice_id if is_known else None


def choices_of(names: Sequence[str], understood: Understanding) -> tuple[Choice, ...]:
    made = (choice_of(name, understood) for name in names)
    return tuple(choice for choice in made if choice is not None)
