"""What every reader of extracts gives: ids and times of good rows, and the rows it refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    import pyarrow as pa

    from pipeline.extract.places import Place

# Reasons for which a reader refuses a row; the audience rules add theirs.
WRONG_FIELD_COUNT: Final = "wrong field count"
UNBALANCED_QUOTE: Final = "unbalanced quote"
INVALID_UTF8: Final = "invalid UTF-8"
NOT_JSON: Final = "not a JSON object"
REPEATED_KEY: Final = "a key twice in one object"
LONE_SURROGATE: Final = "lone surrogate"
NOT_AN_ID: Final = "not a string or 64-bit integer"
LOSSY_NUMBER: Final = "lossy number"
UNREADABLE_TIME: Final = "unparseable time"
NESTED_VALUE: Final = "a nested value where text is wanted"


@dataclass(frozen=True, slots=True)
class Reject:
    """One refused row, by its number in the file; the texts only for those who ask for them.

    value: what was refused: an id, a time, or the whole row
    user_id: the row's id, where something else of it was refused
    """

    row: int
    reason: str
    value: str | None = None
    user_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What to take out of an extract, and how to read it.

    id_column: None lets the reader pick one
    active: whether times are needed, welcome for the order of the list, or not wanted
    when: a column and its values that make a row active (``--active-when``)
    keep_values: whether rejects carry the refused value and the row's id
    pick: (columns found, source) -> the columns wanted, the id first and all others as text; it
        stands in for ``id_column`` and ``active``
    """

    id_column: str | None
    active: Literal["required", "optional", "no"]
    when: tuple[str, frozenset[str]] | None = None
    keep_values: bool = False
    active_column: str | None = None
    timezone: str = "UTC"
    time_unit: Literal["s", "ms", "us", "ns"] | None = None
    delimiter: str | None = None
    quote: str = '"'
    encoding: str | None = None
    columns: tuple[str, ...] = ()
    allow_truncated: bool = False
    input_format: Literal["csv", "jsonl", "parquet", "arrow"] | None = None
    now_us: int = 0
    pick: Callable[[Sequence[str], object], Sequence[str]] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractBatch:
    """Good rows of one place, in file order, and the rows refused between them.

    ids: string or large_string, no nulls turned into text, any content
    times: timestamp[us, UTC], null where blank; None where there is no time
    flags: boolean, whether the row says the user is active; None where nobody asked
    rows: int64 row numbers, or None when they run on from `first_row`
    texts: the further columns of `Wanted.pick`, string or large_string, null where there is none
    """

    place: Place
    id_column: str
    active_column: str | None = None
    ids: pa.Array
    times: pa.Array | None
    flags: pa.Array | None = None
    first_row: int
    rows: pa.Array | None = None
    rejects: Sequence[Reject] = field(default=())
    bytes_read: int = 0
    texts: Mapping[str, pa.Array] = field(default_factory=dict)

    def row_number(self, at: int) -> int:
        """Where in its file the good row at `at` stands."""
        return self.first_row + at if self.rows is None else int(self.rows[at].as_py())
