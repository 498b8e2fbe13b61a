"""The rows that carry one id or come close to it, picked out while a selection is made.

Strategy: `Sightings` looks on at the engine. It decides nothing: every row comes with the rule that
kept or dropped it, every user with the time that counts, and it notes those of one near key.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Final, cast

import polars as pl

from pipeline.audience.id_rules import IdRules
from pipeline.audience.rules import REASONS, RowShape, latest
from pipeline.engine.recency import is_ahead
from pipeline.extract.batch import ExtractBatch
from pipeline.extract.places import Place
from pipeline.records import SeenRow
from pipeline.userlist.encode import ListFormat, encode_ids
from pipeline.userlist.facts import IdFacts
from pipeline.userlist.near import difference, near_key

__all__ = ["KEPT", "LATEST", "NO_EFFECT", "OLDER", "SUPPRESSED", "Rows", "Sightings"]

MOST_ROWS: Final = 1_000
KEPT: Final = "kept"
LATEST: Final = "latest"
OLDER: Final = "older"
SUPPRESSED: Final = "suppressed"
NO_EFFECT: Final = "no effect"
# The words of a refused row, whatever is wrong with it: between the signs of CSV and JSON.
_WORD: Final = r"""[^\s,;|"{}\[\]]+"""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TIME: Final = pl.Datetime("us", "UTC")
_USERS: Final = pl.Schema({"id": pl.String(), "time": _TIME})
_ROW: Final = pl.Schema(
    {
        "row": pl.Int64(),
        "before": pl.String(),
        "difference": pl.String(),
        "time": _TIME,
        "outcome": pl.String(),
    }
)


@dataclass(slots=True)
class Rows:
    """All rows are counted by outcome, the first of them kept."""

    kept: list[SeenRow] = field(default_factory=list)
    outcomes: Counter[str] = field(default_factory=Counter)

    def add(self, place: Place, rows: pl.DataFrame) -> None:
        """Take rows of one batch, in the order of the file."""
        self.outcomes.update(dict(rows["outcome"].value_counts().iter_rows()))
        self.kept += _seen(place, rows.sort("row").head(MOST_ROWS - len(self.kept)))


class Sightings:
    """What is seen of one id; the engine's `Watch`.

    Args:
        user_id: The id as asked for.
        id_rules: The changes to ids of the selection.
        kind: Format of the list.
    """

    def __init__(self, user_id: str, id_rules: list[str], kind: ListFormat) -> None:
        self._rules, self._kind = IdRules(id_rules), kind
        self.listed_id = self._changed(pl.Series([user_id]))[0]
        self._key = near_key(pl.Series([self.listed_id]))[0]
        self.own, self.near = Rows(), Rows()
        self.suppressing, self.not_suppressing = Rows(), Rows()
        self._latest = pl.DataFrame(schema=_USERS)
        self._winner: SeenRow | None = None
        self.last_inactive: datetime | None = None
        self.suppressed = False
        self.users_ahead = self.bytes_ahead = 0

    @property
    def is_candidate(self) -> bool:
        """Whether a row of this user counts."""
        return self._latest.height > 0

    @property
    def latest(self) -> datetime | None:
        """The activity that counts."""
        return cast("datetime | None", self._latest["time"][0]) if self.is_candidate else None

    def own_rows(self) -> tuple[SeenRow, ...]:
        """The rows of this user in file order, the one that counts told from older ones."""
        rows = self.own.kept
        if self._winner is not None and self._winner not in rows:
            rows = [*rows, self._winner]
        return tuple(
            replace(one, outcome=LATEST if one == self._winner else OLDER)
            if one.outcome == KEPT
            else one
            for one in rows
        )

    def own_outcomes(self) -> dict[str, int]:
        """How many rows of this user came to what."""
        outcomes = self.own.outcomes
        latest = {LATEST: 1, OLDER: outcomes[KEPT] - 1} if outcomes[KEPT] else {}
        rest = {name: number for name, number in outcomes.most_common() if name != KEPT}
        return {name: number for name, number in (latest | rest).items() if number}

    def on_suppression(self, batch: ExtractBatch, rows: pl.DataFrame) -> None:
        """Note rows of a suppression list."""
        found = self._found(batch, rows.with_columns(pl.lit(None, _TIME).alias("time")))
        same = pl.col("difference").is_null()
        for rows_of, chosen, outcome in (
            (self.suppressing, same, SUPPRESSED),
            (self.not_suppressing, ~same, NO_EFFECT),
        ):
            rows_of.add(batch.place, found.filter(chosen).with_columns(outcome=pl.lit(outcome)))

    def on_batch(self, batch: ExtractBatch, rows: pl.DataFrame | None) -> None:
        """Note rows of an extract, those refused by the reader among them."""
        frames = [self._refused(batch)] if batch.rejects else []
        found = None if rows is None else self._found(batch, rows)
        if found is not None and found.height:
            names = pl.Series([KEPT, *REASONS[1:]])
            frames.append(found.with_columns(outcome=names.gather(found["reason"])))
        if frames:
            seen = pl.concat([frame.select("id", *_ROW) for frame in frames])
            self._take(batch.place, seen)

    def on_users(self, found: pl.DataFrame, kept: pl.DataFrame) -> None:
        """Note what became of this user, and count those who come before."""
        if not self.is_candidate:
            return
        if (found["id"] == self.listed_id).any():
            self.suppressed = not (kept["id"] == self.listed_id).any()
        time = None if self.latest is None else (self.latest - _EPOCH) // timedelta(microseconds=1)
        ahead = kept.filter(is_ahead(time, self.listed_id))["id"]
        self.users_ahead += ahead.len()
        self.bytes_ahead += len(encode_ids(ahead, self._kind))

    def own_bytes(self) -> int:
        """Size of this user's line."""
        return len(encode_ids(pl.Series([self.listed_id]), self._kind))

    def _changed(self, ids: pl.Series) -> pl.Series:
        frame, _ = self._rules.apply(ids.alias("id").to_frame(), RowShape(), count=False)
        return cast("pl.Series", frame["id"])

    def _is_near(self, ids: pl.Series) -> pl.Series:
        plain = not ids.str.contains(r"[^!-~]").any()
        near: pl.Series = near_key(ids, IdFacts(plain=plain)) == self._key
        return near.fill_null(value=False)

    def _found(self, batch: ExtractBatch, rows: pl.DataFrame) -> pl.DataFrame:
        """The rows of a batch with the near key: as `_ROW` says, but for the outcome."""
        near = self._is_near(rows["id"])
        if not near.any():
            return pl.DataFrame(schema=_ROW)
        at = near.arg_true()
        numbers = batch.first_row + at if batch.rows is None else pl.Series(batch.rows).gather(at)
        return rows.filter(near).with_columns(
            numbers.cast(pl.Int64).alias("row"),
            pl.Series("before", batch.ids.take(at.to_arrow()), pl.String),
            difference(rows["id"].gather(at), self.listed_id),
        )

    def _refused(self, batch: ExtractBatch) -> pl.DataFrame:
        """Rows that the reader refused and whose id, or a word in them, has the near key."""
        rejects = pl.DataFrame(
            [(one.row, one.reason, one.value, one.user_id) for one in batch.rejects],
            schema={"row": pl.Int64, "outcome": pl.String, "value": pl.String, "id": pl.String},
            orient="row",
        )
        unnamed = rejects.filter(pl.col("id").is_null())
        rows = pl.concat(
            [
                rejects.select("row", "outcome", "id"),
                unnamed.select("row", "outcome", id="value"),
                unnamed.select("row", "outcome", id=pl.col("value").str.extract_all(_WORD))
                .explode("id")
                .with_columns(pl.col("id").str.strip_chars(":")),
            ]
        ).drop_nulls("id")
        rows = rows.with_columns(self._changed(rows["id"]), before="id", time=pl.lit(None, _TIME))
        rows = rows.filter(self._is_near(rows["id"]))
        rows = rows.with_columns(difference(rows["id"], self.listed_id))
        nearest = rows.sort("row", "difference", nulls_last=False)
        return nearest.unique("row", keep="first", maintain_order=True)

    def _take(self, place: Place, rows: pl.DataFrame) -> None:
        own = rows.filter(pl.col("difference").is_null())
        self.near.add(place, rows.filter(pl.col("difference").is_not_null()))
        self.own.add(place, own)
        past = own.filter(pl.col("outcome") == "inactive")["time"].max()
        if isinstance(past, datetime):
            self.last_inactive = max(past, self.last_inactive or past)
        self._weigh(place, own.filter(pl.col("outcome") == KEPT))

    def _weigh(self, place: Place, rows: pl.DataFrame) -> None:
        """Which row counts so far, by the rule that holds for all users."""
        if not rows.height:
            return
        before = self._latest
        both = pl.concat([before, rows.select("id", "time")])
        self._latest = latest(both.lazy()).collect().select("id", "time")
        if not self._latest.equals(before):
            counts = pl.col("time").eq_missing(pl.lit(self.latest, _TIME))
            self._winner = _seen(place, rows.filter(counts).sort("row").head(1))[0]


def _seen(place: Place, rows: pl.DataFrame) -> list[SeenRow]:
    columns = rows.select("row", "before", "difference", "time", "outcome")
    return [
        SeenRow(
            source=str(place),
            row=row,
            user_id=before,
            difference=other,
            time=None if time is None else time.isoformat(),
            outcome=outcome,
        )
        for row, before, other, time, outcome in columns.iter_rows()
    ]
