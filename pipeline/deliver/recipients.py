"""Who gets a message: one per user and mailbox, nobody who has opted out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import polars as pl

from pipeline.deliver.contact_rows import email_columns
from pipeline.deliver.mailbox import same_mailbox
from pipeline.extract.batch import Wanted
from pipeline.extract.columns import ID_COLUMNS, pick_id_column
from pipeline.extract.places import Place
from pipeline.extract.reader import read_extracts

__all__ = ["OptOuts", "Recipients", "choose", "id_keys", "mailbox_keys"]

_BLANK: Final = r"^[\s\u{200b}\u{2060}\u{feff}]*$"
_WORD: Final = pl.lit(2**32, dtype=pl.UInt128)


def id_keys(values: pl.Series) -> pl.Series:
    """128-bit keys of texts: two texts share one with a chance of 10**-20 in a billion."""
    column = pl.col("value")
    high, low = column.hash(0x5EED).cast(pl.UInt128), column.hash(0xD15C).cast(pl.UInt128)
    return values.alias("value").to_frame().select(high * _WORD * _WORD + low).to_series()


def mailbox_keys(values: pl.Series) -> pl.Series:
    """Keys of addresses; spellings of one mailbox share theirs."""
    return id_keys(pl.Series([same_mailbox(one) for one in values], dtype=pl.String))


@dataclass(slots=True)
class OptOuts:
    """Ids and addresses that must not get mail, from suppression files."""

    ids: list[pl.Series] = field(default_factory=list)
    mailboxes: list[pl.Series] = field(default_factory=list)

    def add(self, place: Place, *, column: str | None) -> tuple[Counter[str], int]:
        """Read one file: user ids, addresses, or both; the rows lost, and the opt-outs found."""

        def pick(found: Sequence[str], source: object) -> list[str]:
            addresses = email_columns(found)[:1]
            if column is None and addresses and not any(one in found for one in ID_COLUMNS):
                return addresses
            return [pick_id_column(found, column, source=source), *addresses]

        lost: Counter[str] = Counter()
        known = 0
        for batch in read_extracts([place], Wanted(id_column=None, active="no", pick=pick)):
            lost.update(reject.reason for reject in batch.rejects)
            by_address = email_columns([batch.id_column]) and not batch.texts
            ids = _said(pl.Series(batch.ids, dtype=pl.String))
            if by_address:
                self.mailboxes.append(mailbox_keys(ids))
            else:
                self.ids.append(id_keys(ids))
            known += len(ids)
            for text in batch.texts.values():
                addresses = _said(pl.Series(text, dtype=pl.String))
                self.mailboxes.append(mailbox_keys(addresses))
                known += len(addresses)
        return lost, known


def _said(values: pl.Series) -> pl.Series:
    return values.drop_nulls().unique().to_frame("v").filter(
        ~pl.col("v").str.contains(_BLANK)
    ).to_series()  # fmt: skip


@dataclass(frozen=True, slots=True)
class Recipients:
    """Which of the good rows get a message, and the sorted keys of their ids."""

    chosen: pl.Series
    keys: pl.Series
    suppressed: int
    duplicates: int


def choose(frames: Sequence[pl.DataFrame], opt_outs: OptOuts) -> Recipients:
    """One message per id and per mailbox, none for who has opted out.

    Any opt-out wins: also that of another row with the same id or the same mailbox. Of rows that
    share an id the first counts, then of rows that share a mailbox.
    """
    rows = pl.concat(frames) if frames else pl.DataFrame(schema=_SCHEMA)
    good = rows.filter(pl.col("good")).with_columns(out=pl.lit(value=False))
    if opt_outs.ids or opt_outs.mailboxes:
        good = good.with_columns(
            out=_any_of("id", opt_outs.ids) | _any_of("mailbox", opt_outs.mailboxes)
        )
        spread, before = int(good["out"].sum()), -1
        while spread != before:
            gone = good.filter(pl.col("out"))
            good = good.with_columns(
                out=_any_of("id", [gone["id"]]) | _any_of("mailbox", [gone["mailbox"]])
            )
            before, spread = spread, int(good["out"].sum())
    suppressed = int(good["out"].sum())
    good = good.with_columns(kept=~pl.col("out"))
    for name in ("id", "mailbox"):
        first = pl.when("kept").then(pl.col(name)).is_first_distinct()
        good = good.with_columns(kept=pl.col("kept") & first)
    # Rows that are not good count too: the second reading gives them again.
    kept = good["kept"]
    positions = rows["good"].arg_true().filter(kept)
    mask = pl.repeat(value=False, n=rows.height, dtype=pl.Boolean, eager=True)
    if len(positions):
        mask = mask.scatter(positions, True)
    return Recipients(
        chosen=mask,
        keys=good.filter(pl.col("kept"))["id"].sort(),
        suppressed=suppressed,
        duplicates=good.height - suppressed - int(kept.sum()),
    )


_SCHEMA: Final = {"good": pl.Boolean, "id": pl.UInt128, "mailbox": pl.UInt128}


def _any_of(name: str, keys: Sequence[pl.Series]) -> pl.Expr:
    if not keys:
        return pl.lit(value=False)
    return pl.col(name).is_in(pl.concat(keys).implode())
