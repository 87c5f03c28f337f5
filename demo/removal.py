"""The demo goes: its numbers with everybody who wrote to them, what was learnt from them, its goods and
articles. `remove_demo` is `demo`'s; here is what it takes apart. Flushes.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import delete, func, select, update

import analytics
import history
import integrations
import knowledge
import privacy
from models import (
    Arm,
    Campaign,
    CampaignRecipient,
    Category,
    Contact,
    Conversation,
    Decision,
    Integration,
    LicenceKey,
    MessageTemplate,
    Offer,
    OrderItem,
    Outcome,
    PaymentSettings,
    PolicyState,
    Product,
    Rehearsal,
    Sale,
    TemplateUse,
    WebhookEvent,
    db,
)
from shop import till
from statements import changed_rows

# A deletion looks for every name of every person in every raw webhook: a few hundred names at a time.
PEOPLE_PER_DELETE: Final = 200


@dataclass(frozen=True, slots=True)
class Removed:
    """What `remove_demo` took away; `media_paths` are files that the caller removes after its commit."""

    numbers: int
    products: int
    contacts: int
    messages: int
    media_paths: tuple[str, ...] = ()


def remove(number_ids: Sequence[int]) -> Removed:
    """Delete these simulated numbers and everything that came through them, and what is marked as demo.

    A product that a real order holds is only taken off sale. Idempotent.
    """
    wrote = select(Conversation.contact_id).where(Conversation.integration_id.in_(number_ids))
    changed_rows(delete(WebhookEvent).where(WebhookEvent.integration_id.in_(number_ids)))
    changed_rows(delete(Sale).where(Sale.is_demo, Sale.contact_id.in_(wrote)))
    deleted = [
        privacy.delete_person(people)
        for people in _chunks(
            db.session.scalars(select(Contact).where(Contact.id.in_(wrote)).order_by(Contact.id)).all()
        )
    ]
    _remove_templates(number_ids)
    _forget_decisions()
    products = _remove_products()
    knowledge.remove_demo_articles()
    _remove_pix()
    changed_rows(delete(Rehearsal))
    changed_rows(delete(Integration).where(Integration.id.in_(number_ids)))
    analytics.forget()  # the demo counted in every day
    db.session.flush()
    db.session.expire_all()
    integrations.forget()
    return Removed(
        len(number_ids),
        products,
        sum(one.contacts for one in deleted),
        sum(one.messages for one in deleted),
        tuple(path for one in deleted for path in one.media_paths),
    )


def _chunks(people: Sequence[Contact]) -> Iterable[Sequence[Contact]]:
    ids = [person.id for person in people]
    for start in range(0, len(ids), PEOPLE_PER_DELETE):
        yield db.session.scalars(
            select(Contact).where(Contact.id.in_(ids[start : start + PEOPLE_PER_DELETE]))
        ).all()


def _remove_templates(number_ids: Sequence[int]) -> None:
    """Delete what the simulated numbers sent of their own accord."""
    campaigns = select(Campaign.id).where(Campaign.integration_id.in_(number_ids))
    templates = select(MessageTemplate.id).where(MessageTemplate.integration_id.in_(number_ids))
    history.forget("campaign", db.session.scalars(campaigns).all())
    history.forget("template", db.session.scalars(templates).all())
    changed_rows(delete(CampaignRecipient).where(CampaignRecipient.campaign_id.in_(campaigns)))
    changed_rows(delete(Campaign).where(Campaign.integration_id.in_(number_ids)))
    changed_rows(delete(TemplateUse).where(TemplateUse.template_id.in_(templates)))
    changed_rows(delete(MessageTemplate).where(MessageTemplate.integration_id.in_(number_ids)))


def _remove_pix() -> None:
    """Delete the demo's Pix key; what an admin wrote beside it stays."""
    of_demo = PaymentSettings.pix_key == till.DEMO_PIX_KEY
    changed_rows(delete(PaymentSettings).where(of_demo, PaymentSettings.manual_text == ""))
    changed_rows(update(PaymentSettings).where(of_demo).values(pix_key="", pix_name="", pix_city=""))


def _forget_decisions() -> None:
    """Delete what deleted simulated people taught: unlike a customer's, it says nothing of this shop."""
    gone = (Decision.is_demo, Decision.contact_id.is_(None))
    changed_rows(delete(Outcome).where(Outcome.decision_id.in_(select(Decision.id).where(*gone))))
    changed_rows(delete(Decision).where(*gone))
    if db.session.scalar(select(Decision.id).limit(1)) is None:
        untouched = delete(PolicyState).where(PolicyState.is_frozen.is_(False), PolicyState.is_off.is_(False))
        changed_rows(untouched)
        _forget_versions()


def _forget_versions() -> None:
    """Delete the versions of shipped strategies and of prices that no decision speaks of; what an admin
    wrote, paused or pinned stays.
    """
    noticed = (Arm.base == "", Arm.reason == "", Arm.is_paused.is_(False), Arm.is_pinned.is_(False))
    changed_rows(delete(Arm).where(*noticed, Arm.retired_at.is_(None)))
    changed_rows(delete(Offer))


def _remove_products() -> int:
    is_held = select(OrderItem.id).where(OrderItem.product_id == Product.id).exists()
    changed_rows(update(Product).where(Product.is_demo, is_held).values(is_active=False))
    free = list(db.session.scalars(select(Product.id).where(Product.is_demo, ~is_held)))
    homes = list(db.session.scalars(select(Product.category_id).where(Product.is_demo).distinct()))
    changed_rows(delete(LicenceKey).where(LicenceKey.product_id.in_(free)))
    changed_rows(delete(Product).where(Product.id.in_(free)))
    for home in homes:
        if not db.session.scalar(select(func.count(Product.id)).where(Product.category_id == home)):
            changed_rows(delete(Category).where(Category.id == home))
    return len(free)
