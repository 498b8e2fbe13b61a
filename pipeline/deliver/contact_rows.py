"""What every delivery means by a contact: the columns, the address, and why a row is none. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import polars as pl

from pipeline.audience.rules import REASONS, AudienceRules, classify
from pipeline.deliver.mailbox import address_problem
from pipeline.errors import ConfigurationError
from pipeline.extract.batch import ExtractBatch
from pipeline.extract.columns import listed, named_column, pick_id_column
from pipeline.records import RESERVED_ID

__all__ = ["ContactRows", "contact_problems", "email_columns"]

RESERVED: Final = "reserved id"
_EMAIL_COLUMNS: Final = ("email", "e_mail", "e-mail", "email_address", "emailaddress", "mail")
_UNUSUAL: Final = ("control character in id", "id too long")
_RULES: Final = AudienceRules(window=None)


def email_columns(found: Sequence[str]) -> list[str]:
    """Those of the columns that go by a usual name of addresses, in upper or lower case."""
    return [name for name in found if name.lower() in _EMAIL_COLUMNS]


class ContactRows:
    """Picks the columns of contacts, then reads the batches of the file they were picked for.

    Args:
        id_column: Column with the user id; None for the usual names.
        email_column: Column with the address; None for the usual names.
    """

    def __init__(self, id_column: str | None, email_column: str | None) -> None:
        self._id_column, self._email_column = id_column, email_column
        self._email = ""

    def pick(self, found: Sequence[str], *, source: object) -> list[str]:
        """The columns named, or the only ones with usual names; several are refused, never guessed.

        Raises:
            ConfigurationError: a column is not there, or cannot be told.
        """
        id_column = pick_id_column(found, self._id_column, source=source)
        self._email = self._pick_email(found, source)
        return list(dict.fromkeys([id_column, self._email]))

    def _pick_email(self, found: Sequence[str], source: object) -> str:
        if self._email_column is not None:
            return named_column(found, self._email_column, source=source, option="--email-column")
        candidates = email_columns(found)
        if len(candidates) == 1:
            return candidates[0]
        what = "several columns could hold" if candidates else "no column with"
        raise ConfigurationError(
            f"{what} the e-mail address; the columns are {listed(candidates or found)}",
            source=source,
            remedy="name it with --email-column",
        )

    def addresses(self, batch: ExtractBatch) -> pl.Series:
        """The addresses of a batch; spaces around one do not count."""
        column = batch.ids if self._email == batch.id_column else batch.texts[self._email]
        return pl.Series(column, dtype=pl.String).str.strip_chars()


def contact_problems(
    ids: pl.Series, addresses: pl.Series, *, unusual_ids: bool = False
) -> list[str | None]:
    """Why each row cannot be used; None where it can.

    Args:
        ids: The user ids.
        addresses: Their addresses.
        unusual_ids: Whether ids are good that `prepare` would not upload: a mailing service holds
            what others wrote there, and it is only looked up.
    """
    frame = pl.DataFrame(
        {"id": ids, "time": pl.Series([None] * len(ids), dtype=pl.Datetime("us", "UTC"))}
    )
    good = {"candidate", *(_UNUSUAL if unusual_ids else ())}
    reasons = [REASONS[code] for code in classify(frame, _RULES)["reason"]]
    return [
        reason
        if reason not in good
        else RESERVED
        if id_ == RESERVED_ID
        else address_problem(address)
        for reason, id_, address in zip(reasons, ids, addresses, strict=True)
    ]
