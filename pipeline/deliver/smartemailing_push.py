"""Importing values into a custom field, batch by batch, and accounting for every contact.

An import is an update: the same batch twice leaves the same values. So a batch whose outcome is
uncertain is simply sent again, by the next run too, and what must not happen is only that a
contact is forgotten or counted twice.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pipeline.deliver.halving import Halving
from pipeline.deliver.journal import Journal
from pipeline.deliver.smartemailing_api import Refused, SmartEmailing, import_body
from pipeline.errors import RemoteError, UncertainError

__all__ = ["Outcome", "Push", "Row", "iter_batches"]

REFUSED: Final = "refused by the service"
UNCONFIRMED: Final = "not confirmed by the service"
# So many contacts, and none of them taken: something other than their addresses is wrong.
_HOPELESS: Final = 20


@dataclass(frozen=True, slots=True)
class Row:
    """One contact to import; ``row`` is its place in the file of contacts."""

    row: int
    email: str
    value: str


@dataclass(slots=True)
class Outcome:
    """Where every contact went: ``sent`` is the sum of accepted, refused and unknown."""

    accepted: int = 0
    refused: int = 0
    unknown: int = 0
    resumed: int = 0

    @property
    def sent(self) -> int:
        """Contacts that were handed over to the service, by this run or the one it goes on with."""
        return self.accepted + self.refused + self.unknown


class Push:
    """One push. Give it every batch with `settle`.

    Args:
        service: The account.
        journal: What earlier runs did, and what this one does.
        outcome: Where the contacts went is counted here, and true at any moment.
        field_id: The custom field.
        on_problem: Told about each contact that the service does not take or confirm, and why.
    """

    def __init__(
        self,
        service: SmartEmailing,
        journal: Journal,
        outcome: Outcome,
        *,
        field_id: int,
        on_problem: Callable[[Row, str], None],
    ) -> None:
        self._service, self._journal = service, journal
        self._field_id = field_id
        self._on_problem = on_problem
        self.outcome = outcome

    async def settle(self, batch: Sequence[Row]) -> None:
        """Import a batch, unless an earlier run did.

        Raises:
            RemoteError: the service refused all of it, or does not answer as it should.
            TryLaterError, UncertainError: no answer in time; the next run sends the batch again.
            MachineError: the disk refused.
        """
        body = import_body([(one.email, one.value) for one in batch], field=self._field_id)
        key = hashlib.sha256(body).hexdigest()
        known = self._journal.known(key)
        if known is not None and known.event == "settled" and known.facts is not None:
            refused: dict[int, str] = dict(known.facts["refused"])
            self.outcome.resumed += len(batch)
            self.outcome.accepted += len(batch) - len(refused)
            self._refuse(batch, refused)
            return
        unknown = self.outcome.unknown
        refused = await self._import(batch)
        self._refuse(batch, refused)
        if len(refused) == len(batch) >= _HOPELESS:
            said = refused[len(batch) - 1]
            raise RemoteError(
                f"the service took none of {len(batch):,} contacts, each tried by itself"
                + (f'; it said "{said}"' if said else ""),
                source="SmartEmailing",
                remedy="check --field and one of the contacts by hand",
            )
        if self.outcome.unknown == unknown:
            facts: dict[str, Any] = {"refused": sorted(refused.items())}
            self._journal.note(key, "settled", facts=facts)

    async def _import(self, batch: Sequence[Row]) -> dict[int, str]:
        """Import by halves; what was refused, by its place in the batch, and what was said."""
        halving = Halving(len(batch))
        refused: dict[int, str] = {}
        while (span := halving.next_range()) is not None:
            start, end = span
            rows = batch[start:end]
            try:
                answer = await self._service.import_contacts(
                    [(one.email, one.value) for one in rows], field=self._field_id
                )
            except UncertainError:
                self._refuse(batch, refused)
                self._leave_unknown(rows)
                raise
            if isinstance(answer, Refused):
                halving.refuse()
                if len(rows) == 1:
                    refused[start] = answer.said
                continue
            halving.accept()
            missing: list[Row] = []
            if len(answer) < len(rows):  # it may spell addresses in a way of its own
                taken = set(answer)
                missing = [one for one in rows if one.email.lower() not in taken]
            self.outcome.accepted += len(rows) - len(missing)
            self._leave_unknown(missing)
        return refused

    def _refuse(self, batch: Sequence[Row], refused: dict[int, str]) -> None:
        self.outcome.refused += len(refused)
        for place, said in refused.items():
            self._on_problem(batch[place], f"{REFUSED}: {said}" if said else REFUSED)

    def _leave_unknown(self, rows: Sequence[Row]) -> None:
        self.outcome.unknown += len(rows)
        for row in rows:
            self._on_problem(row, UNCONFIRMED)


def iter_batches(rows: Iterable[Row], size: int) -> Iterator[list[Row]]:
    """The rows in lists of `size`, the last one perhaps shorter."""
    batch: list[Row] = []
    for row in rows:
        batch.append(row)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
