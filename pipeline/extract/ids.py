"""User ids, from whatever column type an extract has, as text that is exactly the stored value."""

from __future__ import annotations

import uuid
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.errors import InputError
from pipeline.extract.batch import INVALID_UTF8, LOSSY_NUMBER

__all__ = ["any_text", "id_text"]

# From here on neighbouring integers share one float: the stored value may not be the original.
_EXACT_BITS: Final = {16: 11, 32: 24, 64: 53}
Marked = tuple[pa.Array, "pa.Array | None", str]


def id_text(column: pa.Array, *, source: object) -> Marked:
    """Ids as text, a mask of rows that have no exact text (None when all have), and the reason.

    Integers keep their digits; floats and decimals must be whole (and floats small enough to
    be the original value); bytes must be UTF-8. Null stays null.

    Raises:
        InputError: the type cannot hold ids (a boolean, a time, a nested value).
    """
    if isinstance(column, pa.ExtensionArray) and column.type.extension_name == "arrow.uuid":
        return _uuids(column.storage)
    column = _plain(column)
    kind = column.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        try:
            column.validate(full=True)  # a file can call any bytes text
        except pa.ArrowInvalid:
            return _utf8(column.cast(pa.large_binary()))
        return column, None, ""
    if _is_bytes(kind):
        return _utf8(column)
    if pa.types.is_integer(kind) or pa.types.is_null(kind):
        return column.cast(pa.string()), None, ""
    if pa.types.is_decimal(kind):
        return _whole_decimals(column)
    if pa.types.is_floating(kind):
        return _whole_floats(column)
    raise InputError(
        f"a column of type {kind} holds no user ids",
        source=source,
        remedy="name another column with --id-column",
    )


def any_text(column: pa.Array, *, source: object) -> Marked:
    """Any column as people write its values, a mask of rows that have no text, and the reason.

    Raises:
        InputError: a list, a struct or the like.
    """
    column = _plain(column)
    kind = column.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or _is_bytes(kind):
        return id_text(column, source=source)
    if pa.types.is_boolean(kind):
        return pc.if_else(column, "true", "false"), None, ""
    try:
        return column.cast(pa.large_string()), None, ""
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise InputError(
            f"a column of type {kind} cannot be read as text",
            source=source,
            remedy="write its values as text",
        ) from error


def _is_bytes(kind: pa.DataType) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _plain(column: pa.Array) -> pa.Array:
    """The same values in the type of their family that every kernel knows."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        return _plain(column.dictionary_decode())
    if isinstance(column, pa.ExtensionArray):
        return _plain(column.storage)
    if pa.types.is_string_view(kind):
        return column.cast(pa.large_string())
    if pa.types.is_binary_view(kind) or pa.types.is_fixed_size_binary(kind):
        return column.cast(pa.large_binary())
    if pa.types.is_decimal(kind) and kind.bit_width < 128:
        return column.cast(pa.decimal128(kind.precision, kind.scale))
    return column


def _utf8(column: pa.Array) -> Marked:
    target = pa.large_string() if pa.types.is_large_binary(column.type) else pa.string()
    try:
        return column.cast(target), None, ""
    except pa.ArrowInvalid:
        pass
    good = [value is None or _decodes(value) for value in column.to_pylist()]
    mask = pa.array([not one for one in good])
    return pc.if_else(mask, None, column).cast(target), mask, INVALID_UTF8


def _decodes(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


def _whole_floats(column: pa.Array) -> Marked:
    limit = 2.0 ** _EXACT_BITS[column.type.bit_width]
    column = column.cast(pa.float64())
    whole = pc.and_(pc.equal(pc.floor(column), column), pc.less(pc.abs(column), limit))
    negative_zero = pc.less(pc.divide(1.0, pc.if_else(pc.equal(column, 0.0), column, 1.0)), 0.0)
    whole = pc.and_(whole, pc.invert(negative_zero))
    lossy = pc.fill_null(pc.invert(whole), False)
    text = pc.if_else(lossy, None, column).cast(pa.int64()).cast(pa.string())
    return text, (lossy if pc.any(lossy).as_py() else None), LOSSY_NUMBER


def _whole_decimals(column: pa.Array) -> Marked:
    kind = column.type
    if kind.scale <= 0:
        whole = column.cast(pa.decimal256(min(kind.precision - kind.scale, 76), 0))
        return whole.cast(pa.string()), None, ""
    lossy = pc.fill_null(pc.not_equal(pc.trunc(column), column), False)
    kept = pc.if_else(lossy, None, column)
    text = kept.cast(pa.decimal256(kind.precision, 0)).cast(pa.string())
    return text, (lossy if pc.any(lossy).as_py() else None), LOSSY_NUMBER


def _uuids(storage: pa.Array) -> Marked:
    values = storage.to_pylist()
    text = [None if value is None else str(uuid.UUID(bytes=value)) for value in values]
    return pa.array(text, pa.string()), None, ""
