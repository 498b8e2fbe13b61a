"""Which columns of contacts hold the user id and the e-mail address. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pipeline.errors import ConfigurationError
from pipeline.extract.columns import listed, named_column, pick_id_column

__all__ = ["email_columns", "pick_contact_columns"]

_EMAIL_COLUMNS: Final = ("email", "e_mail", "e-mail", "email_address", "emailaddress", "mail")


def email_columns(found: Sequence[str]) -> list[str]:
    """Those of the columns that go by a usual name of addresses, in upper or lower case."""
    return [name for name in found if name.lower() in _EMAIL_COLUMNS]


def pick_contact_columns(
    found: Sequence[str], id_column: str | None, email_column: str | None, *, source: object
) -> tuple[str, str]:
    """The columns named, or the only ones with usual names; several are refused, never guessed.

    Raises:
        ConfigurationError: a column is not there, or cannot be told.
    """
    id_column = pick_id_column(found, id_column, source=source)
    if email_column is not None:
        named_column(found, email_column, source=source, option="--email-column")
        return id_column, email_column
    candidates = email_columns(found)
    if len(candidates) == 1:
        return id_column, candidates[0]
    what = "several columns could hold" if candidates else "no column with"
    raise ConfigurationError(
        f"{what} the e-mail address; the columns are {listed(candidates or found)}",
        source=source,
        remedy="name it with --email-column",
    )
