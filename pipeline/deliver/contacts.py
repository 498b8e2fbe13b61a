"""Contacts: which columns are read, who gets a message, and their rows in the order of the file.

Strategy: the contacts are read twice. First only id and address, for all at once: rows that
cannot be used, suppression, repeats. Then again with the columns the template shows, block by
block. Both readings pick the same columns, so they refuse the same rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl

from pipeline.deliver.contact_rows import ContactRows, contact_problems
from pipeline.deliver.inert import inert
from pipeline.deliver.recipients import Recipients, id_keys, mailbox_keys
from pipeline.errors import ConfigurationError, InputError
from pipeline.extract.batch import ExtractBatch, Reject, Wanted
from pipeline.extract.columns import listed
from pipeline.extract.places import STDIN, Place, resolve_places
from pipeline.extract.reader import read_extracts

__all__ = ["Contact", "ContactFile"]

AT_ONCE: Final = 512
"""Recipients whose columns and items are in memory together."""


@dataclass(frozen=True, slots=True)
class Contact:
    """One recipient; `columns` are those the template shows."""

    place: Place
    row: int
    id: str
    address: str
    columns: dict[str, str]


class ContactFile:
    """The contacts of a run, read twice.

    Args:
        named: A file, a folder or a glob.
        columns: What the template shows, with the file and line that say so.
        optional: What it shows where it is there.
    """

    def __init__(
        self,
        named: str,
        *,
        id_column: str | None,
        email_column: str | None,
        columns: Mapping[str, tuple[str, int]],
        optional: Collection[str],
        delimiter: str | None,
        encoding: str | None,
    ) -> None:
        self.places = resolve_places([named])
        if any(place.path == STDIN or place.size is None for place in self.places):
            raise ConfigurationError(
                "contacts are read twice, so they cannot come through a pipe",
                source=named,
                remedy="write them to a file first",
            )
        self.rows = 0
        self.rejects: Counter[str] = Counter()
        self.first_reject: tuple[Place, int] | None = None
        self._contact_rows = ContactRows(id_column, email_column)
        self._columns, self._optional = columns, optional
        self._delimiter = (delimiter or "").replace("\\t", "\t") or None
        self._encoding = encoding

    def judge(self) -> Iterator[tuple[Place, list[Reject], pl.DataFrame, int]]:
        """First reading, block by block: rows refused, and the keys of id and mailbox.

        Rows that are not good keep their place, so that the second reading finds each again.
        """
        for batch in self._read():
            ids = pl.Series(batch.ids, dtype=pl.String)
            mails = self._contact_rows.addresses(batch)
            problems = contact_problems(ids, mails)
            rejects = list(batch.rejects)
            rejects += [
                Reject(batch.row_number(at), reason)
                for at, reason in enumerate(problems)
                if reason is not None
            ]
            self.rows += len(ids) + len(batch.rejects)
            self.rejects.update(one.reason for one in rejects)
            if rejects and self.first_reject is None:
                self.first_reject = batch.place, min(one.row for one in rejects)
            good = pl.Series([one is None for one in problems], dtype=pl.Boolean)
            frame = pl.DataFrame(
                {
                    "good": good,
                    "id": id_keys(ids),
                    "mailbox": mailbox_keys(mails.fill_null("")),
                }
            )
            yield batch.place, rejects, frame, batch.bytes_read

    def read(self, recipients: Recipients) -> Iterator[list[Contact]]:
        """Second reading: the recipients in the order of the file, `AT_ONCE` at a time.

        Raises:
            InputError: the file changed since the first reading.
        """
        self._refuse_changes()
        at = 0
        for batch in self._read():
            chosen = recipients.chosen.slice(at, len(batch.ids))
            at += len(batch.ids)
            where = chosen.arg_true().to_list()
            for start in range(0, len(where), AT_ONCE):
                yield self._contacts(batch, where[start : start + AT_ONCE])
        if at != len(recipients.chosen):
            raise _changed(self.places[0])
        self._refuse_changes()

    def _contacts(self, batch: ExtractBatch, where: list[int]) -> list[Contact]:
        """The rows of a batch at these places."""
        ids = batch.ids.take(where).to_pylist()
        mails = self._contact_rows.addresses(batch).gather(where).to_list()
        columns: list[dict[str, str]] = [{} for _ in where]
        for name in {*self._columns, *self._optional}:
            values = batch.ids if name == batch.id_column else batch.texts.get(name)
            if values is not None:
                for shown, value in zip(columns, values.take(where).to_pylist(), strict=True):
                    shown[name] = inert(value or "")
        return [
            Contact(batch.place, batch.row_number(at), id_, mail, shown)
            for at, id_, mail, shown in zip(where, ids, mails, columns, strict=True)
        ]

    def _shown(self, found: Sequence[str], names: list[str]) -> list[str]:
        for column, (source, line) in self._columns.items():
            if column not in found:
                variable = source.rpartition(" (")[2] if source.endswith(")") else None
                raise ConfigurationError(
                    f"the contacts have no column {column!r}; the columns are {listed(found)}",
                    source=source,
                    position=f"line {line}",
                    remedy=f'write contact.{column}|default("") if it may lack'
                    if variable is None
                    else f"give --variable {variable[:-1]}=…",
                )
        optional = [name for name in sorted(self._optional) if name in found]
        return list(dict.fromkeys([*names, *self._columns, *optional]))

    def _read(self) -> Iterator[ExtractBatch]:
        def pick(found: Sequence[str], source: object) -> list[str]:
            return self._shown(found, self._contact_rows.pick(found, source=source))

        wanted = Wanted(
            id_column=None,
            active="no",
            pick=pick,
            delimiter=self._delimiter,
            encoding=self._encoding,
        )
        return read_extracts(self.places, wanted)

    def _refuse_changes(self) -> None:
        now = resolve_places([place.path for place in self.places])
        for before, after in zip(self.places, now, strict=True):
            if before != after:
                raise _changed(before)


def _changed(place: Place) -> InputError:
    return InputError(
        "the contacts changed while they were read", source=place, remedy="run the command again"
    )
