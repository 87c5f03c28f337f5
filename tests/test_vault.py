"""What is sealed and signed with SECRET_KEY, and what becomes of it when the key is replaced."""

from collections.abc import Callable

import pytest
from flask.testing import FlaskCliRunner
from sqlalchemy import select

import integrations
import vault
from app import create_app
from config import Config
from models import Base, Integration, Operator, db
from operators import create_operator

OLD, NEW, OLDER = "the-old-key-which-is-long", "the-new-key-which-is-long", "the-oldest-key-which-is-long"
Load = Callable[..., Config]


def test_a_key_opens_what_the_keys_before_it_sealed() -> None:
    sealed = vault.seal("token", OLD)
    assert vault.unseal(sealed, vault.Key(NEW, (OLD,))) == "token"
    assert vault.unseal(sealed, vault.Key(NEW, (OLDER, OLD))) == "token"


def test_a_key_alone_opens_nothing_that_another_sealed() -> None:
    with pytest.raises(vault.SealBroken):
        vault.unseal(vault.seal("token", OLD), vault.Key(NEW))


def test_nothing_new_is_sealed_or_signed_with_a_key_before() -> None:
    both = vault.Key(NEW, (OLD,))
    assert vault.unseal(vault.seal("token", both), NEW) == "token"
    assert vault.sign("7", both) == vault.sign("7", NEW)


def test_signatures_of_a_key_before_still_hold_and_of_a_stranger_do_not() -> None:
    both = vault.Key(NEW, (OLD,))
    assert vault.signed_text(vault.sign("7", OLD), both) == "7"
    assert vault.signed_text(vault.sign("7", OLDER), both) is None
    assert vault.signed_text(vault.sign("7", OLD), NEW) is None


def test_it_is_told_which_key_sealed() -> None:
    both = vault.Key(NEW, (OLD,))
    assert vault.is_current(vault.seal("token", NEW), both)
    assert not vault.is_current(vault.seal("token", OLD), both)
    with pytest.raises(vault.SealBroken):
        vault.is_current(vault.seal("token", OLDER), both)


@pytest.fixture
def rotated(load_config: Load, sqlite_url: str) -> Callable[[Config], FlaskCliRunner]:
    """Give a function that opens the desk, which the old key has filled, by other settings."""
    before = create_app(load_config(DATABASE_URL=sqlite_url, SECRET_KEY=OLD))
    with before.app_context():
        db.create_all()
        integrations.create(
            provider="meta", number_id="1", name="Loja", access_token="a token", app_secret="a secret"
        )
        operator = create_operator("ana@example.com", "Ana", "a quite long password", "admin")
        operator.totp_secret = vault.seal("second factor", OLD)
        db.session.commit()
        db.engine.dispose()

    def open_desk(config: Config) -> FlaskCliRunner:
        return create_app(config).test_cli_runner()

    return open_desk


def test_a_desk_reads_on_with_a_new_key_and_seals_all_anew(
    rotated: Callable[[Config], FlaskCliRunner], load_config: Load, sqlite_url: str
) -> None:
    both = load_config(DATABASE_URL=sqlite_url, SECRET_KEY=NEW, SECRET_KEY_FALLBACKS=OLD)
    runner = rotated(both)
    with runner.app.app_context():
        (row,) = db.session.execute(select(Integration)).scalars()
        assert integrations.account(row).access_token == "a token"
    first = runner.invoke(args=["rotate-secret-key"])
    assert (first.exit_code, first.output.strip()) == (0, "Sealed anew: 3.")
    assert runner.invoke(args=["rotate-secret-key"]).output.strip() == "Sealed anew: 0."
    alone = create_app(load_config(DATABASE_URL=sqlite_url, SECRET_KEY=NEW))
    with alone.app_context():
        (row,) = db.session.execute(select(Integration)).scalars()
        assert integrations.account(row).app_secret == "a secret"
        (operator,) = db.session.execute(select(Operator)).scalars()
        assert vault.unseal(operator.totp_secret, NEW) == "second factor"


def test_what_no_key_opens_is_counted_and_left_as_it_is(
    rotated: Callable[[Config], FlaskCliRunner], load_config: Load, sqlite_url: str
) -> None:
    runner = rotated(load_config(DATABASE_URL=sqlite_url, SECRET_KEY=NEW, SECRET_KEY_FALLBACKS=OLDER))
    done = runner.invoke(args=["rotate-secret-key"])
    assert done.exit_code == 1
    assert "3 can be opened by none of the keys" in done.output
    with runner.app.app_context():
        (operator,) = db.session.execute(select(Operator)).scalars()
        assert vault.unseal(operator.totp_secret, OLD) == "second factor"


def test_every_column_named_a_secret_or_a_key_to_elsewhere_is_sealed() -> None:
    named = {
        f"{table.name}.{column.name}": bool(column.info.get("is_sealed"))
        for table in Base.metadata.sorted_tables
        for column in table.columns
        if column.name.endswith(("secret", "access_token", "verify_token"))
    }
    assert len(named) >= 7
    assert all(named.values()), named
