"""Columns of typed tables: nested ones by dotted name, and those that a folder's name holds."""

from __future__ import annotations

from pathlib import PurePath
from typing import Final
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["decoded", "hive_values", "leaf", "leaf_names", "top_columns"]

_NO_VALUE: Final = "__HIVE_DEFAULT_PARTITION__"


def leaf_names(schema: pa.Schema) -> list[str]:
    """Every column that is no struct, those inside structs as ``outer.inner``."""
    names: list[str] = []

    def walk(prefix: str, field: pa.Field) -> None:
        if pa.types.is_struct(field.type):
            for child in field.type:
                walk(f"{prefix}{field.name}.", child)
        else:
            names.append(prefix + field.name)

    for field in schema:
        walk("", field)
    return names


def top_columns(schema: pa.Schema, names: list[str]) -> list[int]:
    """Positions of the top-level columns that hold `names`, each once."""
    tops = [name if name in schema.names else name.split(".")[0] for name in names]
    return sorted({schema.names.index(top) for top in tops if top in schema.names})


def leaf(batch: pa.RecordBatch, name: str, constants: dict[str, str | None]) -> pa.Array:
    """One column of a batch; `constants` are the columns its folder names."""
    if name in batch.schema.names:
        return batch.column(name)
    top, *path = name.split(".")
    if top in batch.schema.names:
        return pc.struct_field(batch.column(top), path)
    return pa.array([constants[name]] * batch.num_rows, pa.large_string())


def decoded(column: pa.Array) -> pa.Array:
    """The values of a column that is stored as a dictionary or by the ends of runs."""
    while True:
        if pa.types.is_dictionary(column.type):
            values = column.dictionary
            if pa.types.is_string_view(values.type):  # as polars writes its categories
                values = values.cast(pa.large_string())
            column = values.take(column.indices)
        elif pa.types.is_run_end_encoded(column.type):
            column = pc.run_end_decode(column)
        else:
            return column


def hive_values(path: str) -> dict[str, str | None]:
    """Columns in a path such as ``country=CZ/day=2026-11-23/part-0.parquet``."""
    pairs = (part.split("=", 1) for part in PurePath(path).parts[:-1] if "=" in part)
    return {name: None if value == _NO_VALUE else unquote(value) for name, value in pairs if name}
