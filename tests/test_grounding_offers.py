"""What the shop has set as a deadline is a fact that a reply may state, and only while it is true."""

from datetime import UTC, date, datetime, timedelta

import pytest

import conversations
import grounding
import integrations
from models import db
from providers.base import Person
from tests.records import NOW, make_conversation, make_product


@pytest.mark.parametrize(
    ("ends_at", "last_day"),
    [
        (datetime(2026, 12, 24, 3, 0, tzinfo=UTC), date(2026, 12, 23)),  # midnight in São Paulo
        (datetime(2026, 12, 24, 21, 30, tzinfo=UTC), date(2026, 12, 24)),
        (NOW - timedelta(seconds=1), None),
        (None, None),
    ],
)
def test_a_deadline_is_told_until_it_is_over(app, ends_at, last_day):
    with app.app_context():
        make_conversation()
        make_product(name="Curso de Violão", offer_ends_at=ends_at)
        db.session.commit()
        integrations.forget()
        (number,) = integrations.numbers()
        thread = conversations.find_thread(number, Person(wa_id="5581998765432"))
        assert thread is not None
        ground = grounding.ground(
            app.config["BALCAO"], thread, number, "quanto custa o curso de violão?", language="pt", now=NOW
        )
        (product,) = ground.facts.products
        assert (product.offer_ends, ground.facts.is_scarce) == (last_day, last_day is not None)
