"""User ids to the bytes of a list, exactly; vectorised."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Final, Literal

import polars as pl

__all__ = ["FORMATS", "ListFormat", "encode_ids"]

FormatName = Literal["jsonl", "csv"]


@dataclass(frozen=True, slots=True)
class ListFormat:
    """One of the two accepted formats (api.md §1.3); `overhead` is the bytes of a line beside
    the id's own, at least: escaping can only add to it."""

    name: FormatName
    overhead: int


FORMATS: Final[dict[str, ListFormat]] = {
    "jsonl": ListFormat("jsonl", len('{"auth_user_id":""}\n')),
    "csv": ListFormat("csv", len('""\n')),
}


def encode_ids(ids: pl.Series, kind: ListFormat) -> memoryview:
    r"""Lines of `ids` (no nulls): ``{"auth_user_id":"u123"}\n`` or ``"u123"\n``."""
    buffer = io.BytesIO()
    frame = ids.alias("auth_user_id").to_frame()
    if kind.name == "jsonl":
        frame.write_ndjson(buffer)
    else:
        frame.write_csv(buffer, include_header=False, quote_style="always")
    return buffer.getbuffer()
