"""The catalogue, carts and orders, and the investment programmes."""

from datetime import timedelta
from decimal import Decimal

import pytest

import providers.base
from models import Category, Order, OrderItem, Product, db
from shop import catalog, orders, programs
from shop.stock import OutOfStock
from tests.records import NOW, make_conversation, make_product


@pytest.fixture
def conversation(app):
    with app.app_context():
        yield make_conversation()


def add(conversation, product, quantity=1):
    return orders.add_to_cart(conversation.id, conversation.contact_id, product, quantity, now=NOW)


# --- the catalogue ------------------------------------------------------------------------------------------


def test_only_active_categories_with_something_to_sell_are_shown(conversation):
    product = make_product()
    db.session.add(Category(name="Vazia"))
    db.session.flush()
    assert [c.name for c in catalog.categories()] == ["Cursos"]
    product.is_active = False
    db.session.flush()
    assert catalog.categories() == []
    assert catalog.product(product.id) is None
    assert catalog.product_by_sku(product.sku) is None


def test_names_follow_the_language_and_fall_back(conversation):
    product = make_product(name="Curso", names={"en": "Course"})
    assert [catalog.shown_name(product, lang) for lang in ("pt", "en", "es")] == ["Curso", "Course", "Curso"]


def test_benefits_may_differ_by_language(conversation):
    assert catalog.shown_benefits(make_product("a", benefits=["um", "dois"]), "en") == ("um", "dois")
    product = make_product("b", benefits={"": ["um"], "en": ["one"]})
    assert catalog.shown_benefits(product, "en") == ("one",)
    assert catalog.shown_benefits(product, "es") == ("um",)


@pytest.mark.parametrize(
    ("minor", "currency", "language", "text"),
    [
        (149700, "BRL", "pt", "R$ 1.497,00"),
        (149700, "BRL", "en", "R$1,497.00"),
        (149700, "BRL", "es", "R$ 1.497,00"),
        (149700, "BRL", "zz", "R$1,497.00"),
        (5000, "JPY", "en", "¥5,000"),
        (5, "USD", "en", "$0.05"),
    ],
)
def test_prices_are_written_as_the_reader_writes_them(minor, currency, language, text):
    assert catalog.price_text(minor, currency, language) == text


def test_the_product_of_the_environment_is_created_then_changed(conversation, load_config):
    given = {"PRODUCT_NAME": "Curso", "PRODUCT_PRICE": "97,00", "PRODUCT_BENEFITS": "rápido;fácil"}
    first = catalog.save_environment_product(load_config(**given))
    second = catalog.save_environment_product(load_config(**{**given, "PRODUCT_PRICE": "R$ 1.497,00"}))
    assert first is not None
    assert second is not None
    assert first.id == second.id
    assert (second.price_minor, second.currency, second.benefits) == (149700, "BRL", ["rápido", "fácil"])
    assert catalog.save_environment_product(load_config(PRODUCT_NAME="Curso")) is None


def test_a_price_below_nothing_is_refused(conversation):
    home = catalog.save_category("Cursos")
    with pytest.raises(ValueError):
        catalog.save_product(home.id, catalog.ProductSheet(sku="x", name="x", price_minor=-1))


def test_minor_units_round_half_up():
    assert catalog.minor_units(Decimal("0.005"), "BRL") == 1
    assert catalog.minor_units(Decimal("1500"), "JPY") == 1500


def test_products_are_found_by_words_without_accents(conversation):
    make_product("a", name="Fotografia com celular")
    make_product("b", name="Gestão de tempo")
    assert [p.sku for p in catalog.find_products("GESTAO tempo", "pt")] == ["b"]
    assert catalog.find_products("  ", "pt") == []


# --- carts --------------------------------------------------------------------------------------------------


def test_a_conversation_has_one_cart_and_one_line_per_product(conversation):
    product, other = make_product("a"), make_product("b", price_minor=500)
    add(conversation, product)
    add(conversation, other, 2)
    cart = add(conversation, product, 3)
    assert db.session.query(Order).count() == 1
    assert [(item.product_id, item.quantity) for item in cart.items] == [(product.id, 4), (other.id, 2)]
    assert cart.total_minor == 4 * 9700 + 2 * 500


def test_the_cart_counts_what_it_holds_against_the_stock(conversation):
    product = make_product(stock=3)
    add(conversation, product, 2)
    with pytest.raises(OutOfStock) as refusal:
        add(conversation, product, 2)
    assert refusal.value.shortages == (catalog.Shortage(product.id, product.name, 4, 3),)
    assert orders.cart_of(conversation.id).items[0].quantity == 2


def test_a_refused_first_product_opens_no_cart(conversation):
    with pytest.raises(OutOfStock):
        add(conversation, make_product(stock=0))
    with pytest.raises(orders.NotForSale):
        add(conversation, None)
    with pytest.raises(ValueError):
        add(conversation, make_product("b"), 0)
    assert orders.cart_of(conversation.id) is None


def test_one_order_has_one_currency(conversation):
    cart = add(conversation, make_product("a"))
    with pytest.raises(orders.OtherCurrency):
        add(conversation, make_product("b", currency="USD"))
    assert len(cart.items) == 1


def test_taking_the_last_line_out_ends_the_cart(conversation):
    product = make_product()
    cart = add(conversation, product, 2)
    assert orders.set_quantity(cart, product.id, 1, now=NOW).total_minor == 9700
    assert orders.set_quantity(cart, product.id, 0, now=NOW) is None
    assert db.session.query(Order).count() == 0
    assert db.session.query(OrderItem).count() == 0


# --- orders -------------------------------------------------------------------------------------------------


def test_placing_fixes_the_prices_takes_stock_and_gives_a_number(conversation):
    product = make_product(stock=5, price_minor=10_000)
    cart = add(conversation, product, 2)
    order = orders.place(cart, now=NOW)
    product.price_minor = 1
    db.session.flush()
    assert order.number.startswith("P-")
    assert (order.status, order.total_minor, order.placed_at) == ("placed", 20_000, NOW)
    assert product.stock == 3
    assert orders.cart_of(conversation.id) is None
    assert orders.place(order, now=NOW) is order
    assert product.stock == 3


def test_placing_checks_the_stock_again(conversation):
    product = make_product(stock=2)
    cart = add(conversation, product, 2)
    product.stock = 1
    with pytest.raises(OutOfStock):
        orders.place(cart, now=NOW)
    assert (cart.status, product.stock) == ("cart", 1)
    product.stock, product.is_active = 2, False
    with pytest.raises(orders.NotForSale):
        orders.place(cart, now=NOW)


def test_a_price_that_nobody_was_shown_is_not_billed(conversation):
    product = make_product(stock=5)
    cart = add(conversation, product, 2)
    product.price_minor = 10_000
    with pytest.raises(orders.PriceChanged):
        orders.place(cart, now=NOW)
    assert (cart.status, cart.total_minor, product.stock) == ("cart", 19_400, 5)
    assert orders.reprice(cart, now=NOW) == []
    assert orders.place(cart, now=NOW).total_minor == 20_000


def test_what_is_sold_in_another_currency_now_goes_out_of_the_cart(conversation):
    stays, goes = make_product("a"), make_product("b")
    cart = add(conversation, stays)
    add(conversation, goes)
    goes.currency = "USD"
    with pytest.raises(orders.OtherCurrency):
        orders.place(cart, now=NOW)
    assert orders.reprice(cart, now=NOW) == [goes]
    assert ([item.product_id for item in cart.items], cart.total_minor) == ([stays.id], stays.price_minor)
    stays.currency = "USD"
    orders.reprice(cart, now=NOW)
    assert orders.cart_of(conversation.id) is None


def test_two_buyers_cannot_both_have_the_last_one(conversation):
    product = make_product(stock=1)
    neighbour = make_conversation("34600111222", "Luis")
    carts = [add(conversation, product), add(neighbour, product)]
    orders.place(carts[0], now=NOW)
    with pytest.raises(OutOfStock):
        orders.place(carts[1], now=NOW)


def test_cancelling_gives_the_stock_back_once(conversation):
    product = make_product(stock=5)
    order = orders.place(add(conversation, product, 2), now=NOW)
    assert orders.cancel(order, now=NOW)
    assert not orders.cancel(order, now=NOW)
    assert product.stock == 5


def test_a_paid_order_is_not_cancelled(conversation):
    order = orders.place(add(conversation, make_product()), now=NOW)
    order.payment_status = "paid"
    assert not orders.cancel(order, now=NOW)


def test_a_contact_finds_only_its_own_orders(conversation):
    order = orders.place(add(conversation, make_product()), now=NOW)
    stranger = make_conversation("34600111222", "Luis")
    assert orders.order_of(conversation.contact_id, f"cadê meu {order.number.lower()}?") is order
    assert orders.order_of(stranger.contact_id, order.number or "") is None
    assert orders.order_of(conversation.contact_id, "cadê meu pedido?") is None
    assert orders.orders_of(conversation.contact_id) == [order]


def test_an_order_was_just_placed_for_ten_minutes(conversation):
    order = orders.place(add(conversation, make_product()), now=NOW)
    assert orders.just_placed(conversation.id, NOW + timedelta(minutes=9)) is order
    assert orders.just_placed(conversation.id, NOW + timedelta(minutes=11)) is None


def test_a_catalogue_order_becomes_the_cart_at_our_prices(conversation):
    product, scarce = make_product("a"), make_product("b", stock=1)
    add(conversation, scarce)
    items = [
        providers.base.OrderItem("a", 2, 1, "BRL"),
        providers.base.OrderItem("b", 4, 1, "BRL"),
        providers.base.OrderItem("nobody-knows", 1, 1, "BRL"),
    ]
    taken = orders.fill_from_catalog(conversation.id, conversation.contact_id, items, now=NOW)
    assert taken.cart.total_minor == 2 * product.price_minor
    assert taken.unknown_skus == ("nobody-knows",)
    assert [s.left for s in taken.shortages] == [1]
    again = orders.fill_from_catalog(conversation.id, conversation.contact_id, items, now=NOW)
    assert again.cart.total_minor == 2 * product.price_minor
    assert db.session.query(Order).count() == 1


def test_a_catalogue_order_of_which_nothing_fits_leaves_the_cart_alone(conversation):
    cart = add(conversation, make_product("a"), 2)
    make_product("b", stock=1)
    items = [providers.base.OrderItem("b", 4, 1, "BRL"), providers.base.OrderItem("x", 1, 1, "BRL")]
    taken = orders.fill_from_catalog(conversation.id, conversation.contact_id, items, now=NOW)
    assert (taken.is_kept, taken.cart, [item.quantity for item in cart.items]) == (True, cart, [2])
    assert ([s.left for s in taken.shortages], taken.unknown_skus) == ([1], ("x",))


def test_a_catalogue_order_of_unknown_things_opens_no_cart(conversation):
    items = [providers.base.OrderItem("x", -3, 1, "BRL")]
    taken = orders.fill_from_catalog(conversation.id, conversation.contact_id, items, now=NOW)
    assert (taken.cart, taken.unknown_skus) == (None, ("x",))


# --- investment programmes ----------------------------------------------------------------------------------


def test_the_programmes_of_the_document_are_seeded_once(conversation):
    assert programs.seed_programs(now=NOW) == len(programs.SEEDED)
    assert programs.seed_programs(now=NOW) == 0
    top = programs.top_programs("europe")
    assert [(p.name, p.minimum_investment, p.link) for p in top] == [
        ("Portugal Golden Residency Program", 280_000, "https://nexorainvestments.com/portugal-golden-visa"),
        ("Greece Golden Visa - Real Estate", 250_000, "https://nexorainvestments.com/greece-golden-visa"),
        ("Spain Golden Visa Program", 500_000, "https://nexorainvestments.com/spain-golden-visa"),
    ]
    assert all(programs.top_programs(category) for category in programs.CATEGORIES)


def test_a_budget_finds_what_it_pays_for(conversation):
    assert programs.lowest_minimum() is None
    programs.seed_programs(now=NOW)
    assert programs.lowest_minimum() == 200_000
    assert programs.affordable_programs(150_000) == []
    assert all(p.minimum_investment <= 260_000 for p in programs.affordable_programs(260_000))
    assert len(programs.affordable_programs(10**15)) == programs.ELIGIBLE_COUNT


def test_a_product_is_not_lost_from_placed_orders(conversation):
    product = make_product()
    order = orders.place(add(conversation, product), now=NOW)
    product.name, product.is_active = "Renamed", False
    db.session.flush()
    assert order.items[0].name != "Renamed"
    assert db.session.get(Product, product.id) is not None
