"""The closed list of actions that a flow may ask for: their arguments, outcomes and facts.

`flow_actions` does them, `menu_flows` asks for them, flow files are checked against them. Nothing is done
here.

An action that reads or asks the network is gathered before the flow goes on; one that writes (`applies_on`)
is done inside the turn's write transaction, and the flow goes on with what it gave. `done_by_flow` actions
have no hands: the engine turns them into messages itself. Any action may also end in an outcome that is not
listed (`failed`): the customer gets an apology and the way to the menu, and no flow need speak of it.
`docs/flows.md` shows the list as a table.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

ArgumentType = Literal["text", "whole", "number"]


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument: `whole` is int, `number` int or float, `text` str; None when not given nor required."""

    type: ArgumentType = "text"
    is_required: bool = False


@dataclass(frozen=True, slots=True)
class Action:
    """What an action takes, how it may end, and which facts each ending gives to the words that follow."""

    summary: str
    arguments: Mapping[str, Argument]
    outcomes: Mapping[str, tuple[str, ...]]
    applies_on: frozenset[str] = frozenset()
    done_by_flow: bool = False


REQUIRED = Argument(is_required=True)
OPTIONAL = Argument()

ACTIONS: Mapping[str, Action] = {
    "list_programs": Action(
        "The best ranked investment programmes of a category (Europe, Caribbean, USA, UAE). "
        "programs: [{name, country, category, minimum_investment (whole USD), link, processing_time}]",
        {"category": REQUIRED, "limit": Argument("whole")},
        {"found": ("programs",), "none": ()},
    ),
    "check_eligibility": Action(
        "The programmes that a budget in whole USD pays for, the best ranked first, at most five, and "
        "how many more there are (more_count); `none` tells the cheapest programme's minimum_investment "
        "(None when there is no programme)",
        {"budget": Argument("whole", is_required=True)},
        {"found": ("programs", "more_count"), "none": ("minimum_investment",)},
    ),
    "find_programs": Action(
        "The programmes that a question names by country, category or name, the best match first, at most "
        "three; the cheapest when it asks for that. programs: as list_programs",
        {"words": OPTIONAL},
        {"found": ("programs",), "none": ()},
    ),
    "known_lead": Action(
        "Name and e-mail address that this contact left with an earlier lead. lead: {name, email}",
        {},
        {"found": ("lead",), "none": ()},
    ),
    "create_lead": Action(
        "A lead of this contact, or its open one brought up to date; the admins are told. country: ISO code",
        {
            "name": OPTIONAL,
            "email": OPTIONAL,
            "interest": OPTIONAL,
            "budget": Argument("whole"),
            "country": OPTIONAL,
            "source": OPTIONAL,
        },
        {"created": ()},
        frozenset({"created"}),
    ),
    "search_jobs": Action(
        "Vacancies of a country (ISO code), at most five. jobs: [{title, company, location, url}]. "
        "`unavailable`: no affiliate id, no answer in time, or an answer that cannot be read",
        {"country": REQUIRED, "keywords": OPTIONAL},
        {"found": ("jobs",), "none": (), "unavailable": ()},
    ),
    "show_categories": Action(
        "The active categories that hold an active product, in the shop's order. "
        "categories: [{id, name, description?}]",
        {},
        {"found": ("categories",), "none": ()},
    ),
    "show_products": Action(
        "The active products of a category, in the shop's order. "
        "products: [{id, name, price_text, in_stock (bool)}]",
        {"category_id": REQUIRED},
        {"found": ("products",), "none": ()},
    ),
    "find_products": Action(
        "The products that a question names, the best match first, at most nine. `one`: exactly one. "
        "best: {id, name}; products: as show_products",
        {"words": OPTIONAL},
        {"one": ("best",), "found": ("products",), "none": ()},
    ),
    "show_product": Action(
        "One product. product: {id, name, description, benefits (list or lines), price_text, "
        "stock_text, in_stock (bool)}",
        {"product_id": REQUIRED},
        {"found": ("product",), "none": ()},
    ),
    "add_to_cart": Action(
        "Puts a quantity into the contact's open cart. product: {id, name}; available: how many there are",
        {"product_id": REQUIRED, "quantity": Argument("whole", is_required=True)},
        {"ok": ("product", "quantity", "total_text"), "out_of_stock": ("product", "available"), "none": ()},
        frozenset({"ok"}),
    ),
    "show_cart": Action(
        "The open cart. lines: [{name, quantity, total_text}]; is_free: it costs nothing",
        {},
        {"found": ("lines", "total_text", "is_free"), "empty": ()},
    ),
    "remove_from_cart": Action(
        "Takes what the words name out of the open cart, or its only line where they name nothing. "
        "`fewer`: they say how many, and this quantity stays; `which`: they name none of its lines, or "
        "several. product: {id, name}; lines: as show_cart",
        {"words": OPTIONAL},
        {
            "ok": ("product", "lines", "total_text"),
            "fewer": ("product", "quantity", "lines", "total_text"),
            "emptied": ("product",),
            "which": ("lines", "total_text"),
            "empty": (),
        },
        frozenset({"ok", "fewer", "emptied"}),
    ),
    "price_of": Action(
        "What so many of a product cost. product: as show_products; available: how many there are",
        {"product_id": REQUIRED, "quantity": Argument("whole")},
        {
            "found": ("product", "quantity", "total_text"),
            "out_of_stock": ("product", "quantity", "available"),
            "none": (),
        },
    ),
    "change_cart": Action(
        "Changes how many of a line the open cart holds: of product_id, else of what the words name. change: "
        "set (count is the new quantity, also of what is not in it yet), more or fewer. `gone`: none is left "
        "of it, `emptied`: of anything; `which`: no line or several are meant. product: {id, name}; lines: "
        "as show_cart",
        {
            "product_id": Argument("whole"),
            "words": OPTIONAL,
            "change": OPTIONAL,
            "count": Argument("whole", is_required=True),
        },
        {
            "ok": ("product", "quantity", "total_text"),
            "gone": ("product", "total_text"),
            "emptied": ("product",),
            "out_of_stock": ("product", "available"),
            "which": ("lines", "total_text"),
            "none": (),
            "empty": (),
        },
        frozenset({"ok", "gone", "emptied"}),
    ),
    "empty_cart": Action(
        "Takes everything out of the open cart. held: what refill_cart needs to put it back",
        {},
        {"ok": ("held",), "empty": ()},
        frozenset({"ok"}),
    ),
    "refill_cart": Action(
        "Puts what empty_cart took out back into the cart. left_out: the names of what is sold no more",
        {"held": OPTIONAL},
        {"ok": ("lines", "total_text", "left_out"), "empty": ()},
        frozenset({"ok"}),
    ),
    "checkout": Action(
        "Records the open cart as an order. `changed`: prices changed, ask again; `left_out`: sold in "
        "another currency now, taken out. order: {number, total_text}; product: {name} of what ran out or "
        "went out",
        {},
        {
            "created": ("order",),
            "empty": (),
            "out_of_stock": ("product",),
            "changed": ("total_text", "is_free"),
            "left_out": ("product",),
        },
        frozenset({"created"}),
    ),
    "order_status": Action(
        "The contact's latest orders, at most three, the newest first; with `number` only that one. "
        "orders: [{number, status_text, total_text}]",
        {"number": OPTIONAL},
        {"found": ("orders",), "none": ()},
    ),
    "which_order": Action(
        "The contact's latest orders, where she named one by a number that none of hers has. `one`: the only "
        "one there is. order, orders: as order_status",
        {},
        {"one": ("order",), "several": ("orders",), "none": ()},
    ),
    "payment_status": Action(
        "What was paid and what is open of the contact's latest orders. "
        "orders: [{number, status_text (of the payment), total_text}]",
        {"number": OPTIONAL},
        {"found": ("orders",), "none": ()},
    ),
    "start_payment": Action(
        "Opens the payment of the contact's newest unpaid order (or that of `number`), by `method` or the "
        "only way there is; with `again: yes` by the way that was chosen before. `choose`: "
        "several ways, methods: [{id, name}]; `pix`: code to copy and picture "
        "(a file's id for send_picture); `awaited`: a link follows by itself; `by_hand`: no way is set up, "
        "people are told; `free`: it costs nothing and is delivered. order: {number, total_text}",
        {"method": OPTIONAL, "number": OPTIONAL, "again": OPTIONAL},
        {
            "choose": ("order", "methods"),
            "pix": ("order", "code", "picture"),
            "link": ("order", "link"),
            "manual": ("order", "instructions"),
            "awaited": ("order",),
            "by_hand": ("order",),
            "free": ("order",),
            "none": (),
        },
        frozenset({"pix", "link", "manual", "awaited", "by_hand", "free"}),
    ),
    "claim_payment": Action(
        "The customer says that the newest unpaid order (or that of `number`) is paid; people are asked to "
        "look. With `receipt: yes` the message is kept as the receipt. `paid`: it is known already. "
        "order: {number, total_text}",
        {"receipt": OPTIONAL, "number": OPTIONAL},
        {"claimed": ("order",), "paid": ("order",), "none": ()},
        frozenset({"claimed"}),
    ),
    "send_goods_again": Action(
        "Sends the goods of the newest paid order (or that of `number`) once more. `just_sent`: they left a "
        "moment ago; `waiting`: people have to hand them over, and are told; `unpaid`: the newest order is "
        "not paid. order: {number, total_text}",
        {"number": OPTIONAL},
        {
            "sent": ("order",),
            "just_sent": ("order",),
            "waiting": ("order",),
            "unpaid": ("order",),
            "none": (),
        },
        frozenset({"sent", "waiting"}),
    ),
    "open_order": Action(
        "The contact's unpaid order: that of `number`, else the only one. `several`: there are more, at most "
        "nine; `paid`: only a paid one is left. order: {number, total_text}; orders: [order]",
        {"number": OPTIONAL},
        {"found": ("order",), "several": ("orders",), "paid": ("order",), "none": ()},
    ),
    "cancel_order": Action(
        "Cancels the contact's newest unpaid order (or that of `number`). `paid`: only a paid one is left. "
        "order: {number, total_text}",
        {"number": OPTIONAL},
        {"cancelled": ("order",), "paid": ("order",), "none": ()},
        frozenset({"cancelled"}),
    ),
    "request_refund": Action(
        "A ticket for paying the newest paid order (or that of `number`) back; people are told. `unpaid`: "
        "there is only one that nobody paid. order: {number, total_text}; ticket: {number}",
        {"reason": OPTIONAL, "number": OPTIONAL},
        {"created": ("order", "ticket"), "unpaid": ("order",), "none": ()},
        frozenset({"created"}),
    ),
    "open_ticket": Action(
        "A support ticket. ticket: {number}",
        {"subject": REQUIRED, "description": REQUIRED},
        {"created": ("ticket",)},
        frozenset({"created"}),
    ),
    "add_to_ticket": Action(
        "Links this message to the conversation's open ticket of the last day. `solved`: there is none, but "
        "one that was solved within it. ticket: {number, subject}",
        {},
        {"added": ("ticket",), "solved": ("ticket",), "none": ()},
        frozenset({"added"}),
    ),
    "reopen_ticket": Action(
        "The ticket that was solved within the last day is open again. ticket: {number, subject}",
        {"words": OPTIONAL},
        {"reopened": ("ticket",), "none": ()},
        frozenset({"reopened"}),
    ),
    "ticket_status": Action(
        "The contact's latest tickets, at most three, the newest first; with `number` only that one. "
        "tickets: [{number, subject, status_text}]",
        {"number": OPTIONAL},
        {"found": ("tickets",), "none": ()},
    ),
    "open_complaint": Action(
        "A complaint of high priority, brought to a manager. complaint: {number}",
        {"description": REQUIRED},
        {"created": ("complaint",)},
        frozenset({"created"}),
    ),
    "add_to_complaint": Action(
        "Links this message to the conversation's open complaint of the last day. complaint: {number}",
        {},
        {"added": ("complaint",), "none": ()},
        frozenset({"added"}),
    ),
    "accept_solution": Action(
        "The customer says that the complaint which was asked about is solved: it is closed. "
        "complaint: {number}",
        {},
        {"closed": ("complaint",), "none": ()},
        frozenset({"closed"}),
    ),
    "reject_solution": Action(
        "The customer says that it is not solved: it is open again, and escalated. complaint: {number}",
        {},
        {"reopened": ("complaint",), "none": ()},
        frozenset({"reopened"}),
    ),
    "follow_up": Action(
        "A task for a person of ours, with owner and due time; one per kind and conversation. kind: "
        "order_inquiry or payment_inquiry (finance's)",
        {"kind": REQUIRED, "words": OPTIONAL},
        {"created": ()},
        frozenset({"created"}),
    ),
    "request_appointment": Action(
        "A wish for an appointment, to be confirmed by a person. `wish` is the customer's own words, "
        "`day` an ISO date when one was read. appointment: {number, day_text}",
        {"wish": REQUIRED, "topic": OPTIONAL, "day": OPTIONAL},
        {"created": ("appointment",)},
        frozenset({"created"}),
    ),
    "upcoming_appointment": Action(
        "The contact's next booked appointment. appointment: {number, when_text, topic}",
        {},
        {"found": ("appointment",), "none": ()},
    ),
    "free_slots": Action(
        "Free times of the scheduling team, at most eight, those of the wished day and part of the day "
        "first. `wish` is the customer's own words. slots: [{id, name}]; is_full: nothing is free on the "
        "wished day",
        {"wish": OPTIONAL},
        {"found": ("slots", "is_full"), "none": ()},
    ),
    "book_appointment": Action(
        "Books a free time; with `moving` the contact's next appointment is moved there. `no_address`: "
        "booked, and an invitation could go by e-mail if one were known; `taken`: somebody was quicker. "
        "appointment: as upcoming_appointment",
        {"slot": REQUIRED, "topic": OPTIONAL, "wish": OPTIONAL, "moving": OPTIONAL},
        {"booked": ("appointment",), "no_address": ("appointment",), "taken": ()},
        frozenset({"booked", "no_address"}),
    ),
    "cancel_appointment": Action(
        "Cancels the contact's next appointment and frees its time. appointment: as upcoming_appointment",
        {},
        {"cancelled": ("appointment",), "none": ()},
        frozenset({"cancelled"}),
    ),
    "record_feedback": Action(
        "A score from 1 (bad) to 5 (very good), or the words to the score that was just given",
        {"text": OPTIONAL, "score": Argument("whole")},
        {"created": ()},
        frozenset({"created"}),
    ),
    "hand_over": Action(
        "A person of a team takes the conversation; the bot is silent until it is handed back. `team` is a "
        "duty: support (the usual), escalation, finance, scheduling, sales",
        {"reason": REQUIRED, "team": OPTIONAL},
        {"done": ()},
        frozenset({"done"}),
    ),
    "send_link": Action(
        "A message with one button that opens a web address; `none` when the address is not set",
        {"url": OPTIONAL, "title": REQUIRED, "body": REQUIRED},
        {"sent": (), "none": ()},
        done_by_flow=True,
    ),
    "send_picture": Action(
        "A picture of our own (a payment's code) with words under it; `none` when there is none",
        {"picture": Argument("whole"), "caption": OPTIONAL},
        {"sent": (), "none": ()},
        done_by_flow=True,
    ),
    "send_document": Action(
        "A document by public https link (as text when the link is not https); `none` when it is not set",
        {"url": OPTIONAL, "filename": REQUIRED, "caption": OPTIONAL},
        {"sent": (), "none": ()},
        done_by_flow=True,
    ),
}
