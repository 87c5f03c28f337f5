"""Rows that tests of the verbs start from: a number of ours, a contact, a conversation, a product."""

from datetime import UTC, datetime

import integrations
from models import Category, Contact, ContactIdentity, Conversation, Integration, Product, db
from tests.fakes.webhooks import ACCESS_TOKEN, BUSINESS_ACCOUNT_ID, PHONE_NUMBER_ID

NOW = datetime(2026, 11, 21, 15, 0, tzinfo=UTC)


def make_conversation(wa_id: str = "5581998765432", name: str = "Ana Lima") -> Conversation:
    """Give a conversation of a new contact with the test's one number. Flushes."""
    number = db.session.query(Integration).first()
    if number is None:
        number = Integration(provider="simulator", shape="meta", name="Loja", number_id="100200300")
        db.session.add(number)
    contact = Contact(name=name, created_at=NOW)
    db.session.add(contact)
    db.session.flush()
    db.session.add(
        ContactIdentity(contact_id=contact.id, account="simulator:100200300", kind="wa_id", value=wa_id)
    )
    conversation = Conversation(integration_id=number.id, contact_id=contact.id, created_at=NOW)
    db.session.add(conversation)
    db.session.flush()
    return conversation


def make_meta_number(app_secret: str = "") -> Integration:
    """Give the number that the fake Graph API knows, as an admin connects it. Flushes."""
    return integrations.create(
        provider="meta",
        number_id=PHONE_NUMBER_ID,
        name="Loja",
        business_id=BUSINESS_ACCOUNT_ID,
        access_token=ACCESS_TOKEN,
        app_secret=app_secret,
    )


def make_product(
    sku: str = "curso-1", price_minor: int = 9700, stock: int | None = None, **fields
) -> Product:
    """Give a product for sale, in the category "Cursos". Flushes."""
    home = db.session.query(Category).filter_by(name="Cursos").first()
    if home is None:
        home = Category(name="Cursos", names={"en": "Courses", "es": "Cursos"})
        db.session.add(home)
        db.session.flush()
    product = Product(
        category_id=home.id,
        sku=sku,
        **{"name": f"Curso {sku}", "names": {"en": f"Course {sku}"}, **fields},
        price_minor=price_minor,
        stock=stock,
    )
    db.session.add(product)
    db.session.flush()
    return product
