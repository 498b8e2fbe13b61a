"""E-mail addresses by user id, from a file that never leaves this machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.extract.batch import Wanted
from pipeline.extract.columns import named_column, pick_id_column
from pipeline.extract.places import resolve_places
from pipeline.extract.reader import read_extracts

__all__ = ["Contacts", "read_contacts"]


@dataclass(frozen=True, slots=True)
class Contacts:
    """Addresses by id; of an id that comes twice the first. ``unusable`` counts rows left out."""

    emails: dict[str, str]
    unusable: int


def read_contacts(path: Path, *, id_column: str | None, email_column: str) -> Contacts:
    """Read a CSV, JSONL or Parquet file of contacts; some 200 bytes of memory each.

    Raises:
        ConfigurationError: a column is not there.
        InputError: the file is missing, damaged or malformed.
    """

    def pick(found: Sequence[str], source: object) -> Sequence[str]:
        return [
            pick_id_column(found, id_column, source=source),
            named_column(found, email_column, source=source, option="--contacts-email-column"),
        ]

    wanted = Wanted(id_column=id_column, active="no", pick=pick)
    emails: dict[str, str] = {}
    unusable = 0
    for batch in read_extracts(resolve_places([path]), wanted):
        unusable += len(batch.rejects)
        pairs = zip(batch.ids.to_pylist(), batch.texts[email_column].to_pylist(), strict=True)
        for user_id, email in pairs:
            if user_id and email and email.strip():
                emails.setdefault(user_id, email)
            else:
                unusable += 1
    return Contacts(emails, unusable)
