"""The command that seals what is stored with SECRET_KEY anew, after a key was replaced."""

from collections.abc import Iterator

from sqlalchemy import Column, Table, select, update

import vault
from commands.making import command, refuse, settings, tell
from models import Base, begin_writing, db


@command("rotate-secret-key")
def rotate_secret_key() -> None:
    """Seal with SECRET_KEY what a key of SECRET_KEY_FALLBACKS had sealed.

    Afterwards the old key may leave SECRET_KEY_FALLBACKS, once the sign-ins, links to files and messages on
    their way that it signed have ended. Running it again changes nothing.
    """
    begin_writing()
    renewed, broken = 0, 0
    for table, column in _sealed_columns():
        for row_id, sealed in db.session.execute(select(table.c.id, column).where(column != "")).all():
            try:
                if vault.is_current(sealed, settings().secret_key):
                    continue
                text = vault.unseal(sealed, settings().secret_key)
            except vault.SealBroken:
                broken += 1
                continue
            anew = vault.seal(text, settings().secret_key)
            db.session.execute(update(table).where(table.c.id == row_id).values({column: anew}))
            renewed += 1
    db.session.commit()
    tell(f"Sealed anew: {renewed}.", renewed=renewed, broken=broken)
    if broken:
        refuse(f"{broken} can be opened by none of the keys; enter these credentials again")


def _sealed_columns() -> Iterator[tuple[Table, Column[str]]]:
    for table in Base.metadata.sorted_tables:
        for column in table.columns:
            if column.info.get("is_sealed"):
                yield table, column
