"""Big inputs from a seed: extracts of customers, suppression lists, exports. Never in memory whole.

Strategy: every value is a pure function of (seed, row number) or (seed, user number) through one
64-bit mixing function, computed a column at a time for a chunk of rows. So the content depends on
neither the chunk size, nor the machine, nor the version of any library's own hash or random
generator; and a user's id, names and times agree between the extract, the suppression list and
the export of one seed. E-mail addresses are at example.com only.

    python -m benchmarks.workloads customers --rows 20000000 --format csv -o customers.csv
    python -m benchmarks.workloads suppression --rows 20000000 -o suppressed.csv
    python -m benchmarks.workloads export --megabytes 250 -o export.xml
    python -m benchmarks.workloads sample --rows 20000000 --out bench-data
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import IO, Final, Literal, Protocol, get_args
from xml.sax.saxutils import escape

import orjson
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

__all__ = [
    "ACTIVE_SHARE",
    "AS_OF",
    "CHUNK_ROWS",
    "Customers",
    "Export",
    "iter_customers",
    "iter_export",
    "iter_suppressed",
    "write_customers",
    "write_export",
    "write_sample",
    "write_suppression",
]

AS_OF: Final = datetime(2026, 11, 23, tzinfo=UTC)
"""The date all workloads are made for: pass it as --as-of."""
WINDOW_START: Final = datetime(2026, 5, 23, tzinfo=UTC)
"""Six calendar months before AS_OF."""
ACTIVE_SHARE: Final = 0.7
"""Share of ids whose latest activity lies in the window, both bounds included."""

DEFAULT_ID: Final = "default"
"""The user whose results are the generic set (api.md §1.6)."""

# 500k rows of this table are about 60 MB of columns, 35 MB of CSV: fast, and far below 1 GiB.
CHUNK_ROWS: Final = 500_000
# Row numbers are multiplied by a stride below the number of rows in 64 bits.
MAX_ROWS: Final = 2**32
_DAY_S: Final = 86_400
_FIRST_NAMES: Final = (
    "Jana", "Petr", "Eva", "Jiří", "Žofie", "Łukasz", "Zuzana", "Jürgen", "Marek", "Ľubica",
    "Anna", "Tomáš", "Agnieszka", "Matej", "Katarína", "Björn",
)  # fmt: skip
_COUNTRIES: Final = ("CZ", "CZ", "CZ", "CZ", "SK", "SK", "PL", "PL", "DE", "HU")

CustomersFormat = Literal["csv", "parquet", "jsonl"]
ExportFormat = Literal["xml", "jsonl", "json", "json-mirror"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Customers:
    """An extract of customers: `rows` rows for exactly `ids` distinct ids that are not blank.

    `ugly` is the share of rows that are hard to read: half of it blank ids and blank times, half
    ids with leading zeros, quotes, commas, line ends, spaces, non-ASCII letters or a trailing .0.
    Blanks fall where they change no user's fate: the longer history of a user, or inactive users.
    """

    rows: int
    distinct: int | None = None
    seed: int = 7
    ugly: float = 0.01

    def __post_init__(self) -> None:
        if not 0 <= self.rows <= MAX_ROWS:
            raise ValueError(f"rows must be between 0 and {MAX_ROWS}, not {self.rows}")
        if not 0 <= self.ugly <= 1:
            raise ValueError(f"ugly is a share between 0 and 1, not {self.ugly}")
        if self.distinct is not None and not min(1, self.rows) <= self.distinct <= self.rows:
            raise ValueError(f"distinct must be between 1 and rows, not {self.distinct}")

    @property
    def ids(self) -> int:
        """How many distinct ids there are: `distinct`, or else 0.4 of the rows."""
        return self.distinct if self.distinct is not None else math.ceil(self.rows * 0.4)


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """A vendor's export: stops after `users` users or at `target_bytes`, whichever comes first.

    The users are the first ids of the extract with the same seed and share of ugly ids; the
    generic set under the id ``default`` comes last and is not counted in `users`.
    """

    users: int | None = None
    target_bytes: int | None = None
    blocks: int = 2
    items: int = 6
    seed: int = 7
    ugly: float = 0.01

    def __post_init__(self) -> None:
        if self.users is None and self.target_bytes is None:
            raise ValueError("an export needs users or target_bytes")


def _mix(numbers: pa.Array, *, seed: int, stream: int) -> pa.Array:
    """Splitmix64: a bijection of 64-bit numbers whose output looks random; one per stream."""
    step = (seed * 0x9E3779B97F4A7C15 + stream * 0xD1B54A32D192ED03) % 2**64
    mixed = pc.add(numbers, pa.scalar(step, pa.uint64()))
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB), (31, None)):
        shifted = pc.shift_right(mixed, pa.scalar(shift, pa.uint64()))
        mixed = pc.bit_wise_xor(mixed, shifted)
        if factor is not None:
            mixed = pc.multiply(mixed, pa.scalar(factor, pa.uint64()))
    return mixed


def _series(numbers: pa.Array) -> pl.Series:
    series = pl.from_arrow(numbers)
    assert isinstance(series, pl.Series)
    return series


def _mixed(numbers: pl.Series, *, seed: int, stream: int) -> pl.Series:
    return _series(_mix(numbers.to_arrow(), seed=seed, stream=stream))


def _hex(numbers: pl.Series) -> pl.Series:
    """Sixteen hexadecimal digits each."""
    array = numbers.to_arrow()
    raw = pa.Array.from_buffers(pa.binary(8), len(array), array.buffers(), offset=array.offset)
    return _series(raw.cast(pa.binary())).bin.encode("hex")


def _share(column: str, share: float) -> pl.Expr:
    """True for about `share` of the rows, decided by the low 20 bits of a mixed column."""
    return pl.col(column) % 2**20 < round(share * 2**20)


def _user_id(ugly: float) -> pl.Expr:
    """The id of user number `user`: nine in ten `u000000017`, one in ten sixteen hex digits."""
    plain = pl.col("user").cast(pl.String)
    digits = plain.str.zfill(9)
    kind = pl.col("user_mix") // 2**20 % 7
    ugly_id = (
        pl.when(kind == 0)
        .then("0" + digits)
        .when(kind == 1)
        .then(pl.format('u"{}"', plain))
        .when(kind == 2)
        .then(pl.format("{},a", plain))
        .when(kind == 3)
        .then(pl.format("u{}\nb", plain))
        .when(kind == 4)
        .then(pl.format("zákazník-{}", plain))
        .when(kind == 5)
        .then(pl.format("{}.0", plain))
        .otherwise(pl.format("jana novák {}", plain))
    )
    usual = pl.when(pl.col("user") % 10 == 9).then("hex").otherwise("u" + digits)
    return pl.when(_share("user_mix", ugly / 2)).then(ugly_id).otherwise(usual)


def _users(numbers: pl.Series, *, seed: int) -> pl.DataFrame:
    """Numbers of users with their mixed bits and the hex form some ids take."""
    mixed = _mixed(numbers, seed=seed, stream=1)
    hexed = _hex(_mixed(numbers, seed=seed, stream=3))
    return pl.DataFrame({"user": numbers, "user_mix": mixed, "hex": hexed})


def _stride(rows: int) -> int:
    """A number coprime to `rows` near its golden section: multiples of it visit every row."""
    stride = max(1, round(rows * 0.6180339887))
    while math.gcd(stride, rows) != 1:
        stride += 1
    return stride


def _latest() -> pl.Expr:
    """A user's latest activity, in seconds since the epoch."""
    bits = pl.col("user_mix") // 2**24
    end, start = int(AS_OF.timestamp()), int(WINDOW_START.timestamp())
    inside = end - (bits % (end - start + 1)).cast(pl.Int64)
    outside = start - 1 - (bits % (900 * _DAY_S)).cast(pl.Int64)
    return pl.when("active").then(inside).otherwise(outside)


def _customers_chunk(spec: Customers, start: int, stop: int) -> pl.DataFrame:
    """Rows `start` to `stop` of the extract."""
    row = pl.int_range(start, stop, dtype=pl.UInt64, eager=True)
    # The rows below `ids` in this scattered order introduce one user each; the rest repeat users.
    order = (row * _stride(spec.rows) + spec.seed % spec.rows) % spec.rows
    first = order < spec.ids
    order_mix = _mixed(order, seed=spec.seed, stream=2)
    frame = _users(order.zip_with(first, order_mix % spec.ids), seed=spec.seed).with_columns(
        first=first,
        row_mix=order_mix,
        other_mix=_mixed(order, seed=spec.seed, stream=4),
        active=pl.col("user_mix") // 2**23 % 1000 < round(ACTIVE_SHARE * 1000),
    )
    names, countries = pl.Series(_FIRST_NAMES), pl.Series(_COUNTRIES)
    names_at = frame["user_mix"] // 2**40 % len(names)
    countries_at = frame["user_mix"] // 2**44 % len(countries)
    earlier = (pl.col("other_mix") % (400 * _DAY_S)).cast(pl.Int64)
    blank = _share("row_mix", spec.ugly / 2)
    blank_id = blank & ~pl.col("first") & (pl.col("row_mix") // 2**20 % 2 == 0)
    blank_time = blank & (pl.col("row_mix") // 2**20 % 2 == 1)
    blank_time &= ~pl.col("first") | ~pl.col("active")
    seconds = _latest() - pl.when("first").then(0).otherwise(earlier)
    return frame.select(
        customer_id=pl.when(~blank_id).then(_user_id(spec.ugly)),
        email=pl.format("u{}@example.com", pl.col("user").cast(pl.String).str.zfill(9)),
        first_name=names.gather(names_at),
        last_active=pl.when(~blank_time).then(
            (seconds * 1_000_000).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
        ),
        country=countries.gather(countries_at),
        consent=pl.col("row_mix") // 2**21 % 8 != 0,
        orders=(pl.col("other_mix") // 2**30 % 40).cast(pl.Int32),
    )


def iter_customers(spec: Customers, *, chunk_rows: int = CHUNK_ROWS) -> Iterator[pl.DataFrame]:
    """The extract in chunks of at most `chunk_rows` rows; the content does not depend on it."""
    for start in range(0, spec.rows, chunk_rows):
        yield _customers_chunk(spec, start, min(start + chunk_rows, spec.rows))


_CUSTOMERS_SCHEMA: Final = pa.schema(
    [
        ("customer_id", pa.string()),
        ("email", pa.string()),
        ("first_name", pa.string()),
        ("last_active", pa.timestamp("us", tz="UTC")),
        ("country", pa.string()),
        ("consent", pa.bool_()),
        ("orders", pa.int32()),
    ]
)


def _with_text_times(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(pl.col("last_active").dt.strftime("%Y-%m-%dT%H:%M:%SZ"))


class _Sink(Protocol):
    def write(self, frame: pl.DataFrame) -> None: ...

    def close(self) -> None: ...


class _CsvSink:
    """CSV with a header; blank values are empty fields, times end in Z."""

    def __init__(self, file: IO[bytes], *, quoted: bool = False) -> None:
        self._file = file
        self._quoted = quoted
        header = pl.DataFrame(schema=dict.fromkeys(_CUSTOMERS_SCHEMA.names, pl.String))
        self._write(header, include_header=True)

    def _write(self, frame: pl.DataFrame, *, include_header: bool) -> None:
        style: Literal["always", "necessary"] = "always" if self._quoted else "necessary"
        frame.write_csv(self._file, include_header=include_header, quote_style=style)

    def write(self, frame: pl.DataFrame) -> None:
        self._write(_with_text_times(frame), include_header=False)

    def close(self) -> None:
        self._file.flush()


class _JsonlSink:
    """One object a line; blank values are null, times are text ending in Z."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def write(self, frame: pl.DataFrame) -> None:
        _with_text_times(frame).write_ndjson(self._file)

    def close(self) -> None:
        self._file.flush()


class _ParquetSink:
    """Typed columns, zstd, page checksums; one row group per chunk, blank values are null."""

    def __init__(self, file: IO[bytes]) -> None:
        self._writer = pq.ParquetWriter(
            file, _CUSTOMERS_SCHEMA, compression="zstd", write_page_checksum=True
        )

    def write(self, frame: pl.DataFrame) -> None:
        self._writer.write_table(frame.to_arrow().cast(_CUSTOMERS_SCHEMA))

    def close(self) -> None:
        self._writer.close()


def _sink(file: IO[bytes], fmt: CustomersFormat, *, quoted: bool) -> _Sink:
    if fmt == "parquet":
        return _ParquetSink(file)
    return _JsonlSink(file) if fmt == "jsonl" else _CsvSink(file, quoted=quoted)


@contextmanager
def _whole_file(path: Path) -> Iterator[IO[bytes]]:
    """A file that appears at its name only when complete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("wb") as file:
            yield file
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def write_customers(
    spec: Customers,
    outputs: dict[Path, CustomersFormat],
    *,
    quoted: bool = False,
    chunk_rows: int = CHUNK_ROWS,
) -> None:
    """Write the extract to every output in one pass; `quoted` quotes every CSV field."""
    with ExitStack() as stack:
        sinks = [
            _sink(stack.enter_context(_whole_file(path)), fmt, quoted=quoted)
            for path, fmt in outputs.items()
        ]
        for frame in iter_customers(spec, chunk_rows=chunk_rows):
            for sink in sinks:
                sink.write(frame)
        for sink in sinks:
            sink.close()


def iter_suppressed(
    spec: Customers, *, share: float = 0.02, chunk_rows: int = CHUNK_ROWS
) -> Iterator[pl.DataFrame]:
    """Suppressed ids with reasons: `share` of the extract's ids, and a tenth more never in it."""
    for start in range(0, spec.ids, chunk_rows):
        numbers = pl.int_range(
            start, min(start + chunk_rows, spec.ids), dtype=pl.UInt64, eager=True
        )
        users = _users(numbers, seed=spec.seed).with_columns(
            chance=_mixed(numbers, seed=spec.seed, stream=5)
        )
        erased = pl.col("chance") // 2**20 % 4 == 0
        reason = pl.when(erased).then(pl.lit("erased")).otherwise(pl.lit("unsubscribed"))
        known = users.filter(_share("chance", share)).select(
            customer_id=_user_id(spec.ugly), reason=reason
        )
        unknown = users.filter(_share("chance", share / 10)).select(
            customer_id=pl.format("gone-{}", "user"), reason=pl.lit("erased")
        )
        yield pl.concat([known, unknown])


def write_suppression(spec: Customers, path: Path, *, share: float = 0.02) -> None:
    """Write the suppression list of an extract as CSV with a header."""
    with _whole_file(path) as file:
        file.write(b"customer_id,reason\n")
        for frame in iter_suppressed(spec, share=share):
            frame.write_csv(file, include_header=False)


@dataclass(frozen=True, slots=True)
class _Product:
    """One product, with its XML cut in two where the recommendation id goes."""

    fields: dict[str, str]
    before: str
    after: str


def _products(count: int = 5_000) -> list[_Product]:
    """The shop's products; one in ten carries price and availability, which nobody documents."""
    kinds = ("Dámské tričko", "Běžecké boty", 'Monitor 27"', "Čaj & káva", "Deka <XL>", "Żurawina")
    products = []
    for number in range(count):
        fields = {
            "id": f"product-{number}",
            "url": f"https://shop.example.com/p/{number}?utm_source=mail&recommendation_id=",
            "title": f"{kinds[number % len(kinds)]} {number}",
            "image_link": f"https://cdn.example.com/img/{number}/main.jpg",
        }
        if number % 10 == 0:
            fields |= {"price": f"{199 + number % 800},90 Kč", "availability": "skladem"}
        tags = [f"<{name}>{escape(value)}</{name}>" for name, value in fields.items()]
        before = f"<result>{tags[0]}{tags[1].removesuffix('</url>')}"
        products.append(_Product(fields, before, "</url>" + "".join(tags[2:]) + "</result>"))
    return products


@dataclass(frozen=True, slots=True)
class _User:
    """One user of an export before it has a shape: blocks of (type, recommendation id, items)."""

    user_id: str
    updated_at: str
    blocks: list[tuple[str, str, list[_Product]]]


def _export_ids(spec: Export, chunk_users: int = 20_000) -> Iterator[str]:
    start = 0
    while spec.users is None or start < spec.users:
        stop = start + chunk_users if spec.users is None else min(start + chunk_users, spec.users)
        numbers = pl.int_range(start, stop, dtype=pl.UInt64, eager=True)
        yield from _users(numbers, seed=spec.seed).select(_user_id(spec.ugly)).to_series()
        start = stop


def _export_users(spec: Export) -> Iterator[_User]:
    """The users one by one, then for ever the default set."""
    # Only random() and getrandbits() are used: Python promises the former for a seed, and the
    # latter has not changed since 3.2.
    rng = Random(spec.seed)
    products = _products()
    types = [f"mail-recommender-{number}" for number in range(1, spec.blocks + 1)]
    ids = _export_ids(spec)
    while True:
        blocks = []
        for kind in types:
            number = f"{rng.getrandbits(128):032x}"
            parts = (number[:8], number[8:12], number[12:16], number[16:20], number[20:])
            count = 0 if rng.random() < 0.01 else spec.items
            items = [products[int(rng.random() * len(products))] for _ in range(count)]
            blocks.append((kind, "-".join(parts), items))
        yield _User(next(ids, DEFAULT_ID), "2026-11-22T10:00:00", blocks)


def _user_xml(user: _User) -> str:
    blocks = "".join(
        f"<recommendation><recommendation_type>{kind}</recommendation_type><results>"
        + "".join([item.before + number + item.after for item in items])
        + "</results></recommendation>"
        for kind, number, items in user.blocks
    )
    return (
        f"<user><auth_user_id>{escape(user.user_id)}</auth_user_id><data><_metadata>"
        f"<updated_at>{user.updated_at}</updated_at></_metadata>"
        f"<recommendations>{blocks}</recommendations></data></user>\n"
    )


def _results(number: str, items: Sequence[_Product]) -> list[dict[str, str]]:
    return [item.fields | {"url": item.fields["url"] + number} for item in items]


def _user_object(user: _User) -> bytes:
    """The SmartEmailing shape (api.md §1.6)."""
    data = {kind: _results(number, items) for kind, number, items in user.blocks}
    return orjson.dumps({"id": user.user_id, "data": data})


def _user_mirror(user: _User) -> bytes:
    """The XML's own structure as JSON."""
    blocks = [
        {"recommendation_type": kind, "results": _results(number, items)}
        for kind, number, items in user.blocks
    ]
    data = {"_metadata": {"updated_at": user.updated_at}, "recommendations": blocks}
    return orjson.dumps({"auth_user_id": user.user_id, "data": data})


def _encoded(user: _User, fmt: ExportFormat) -> bytes:
    if fmt == "xml":
        return _user_xml(user).encode()
    if fmt == "jsonl":
        return _user_object(user) + b"\n"
    return _user_object(user) if fmt == "json" else _user_mirror(user)


_FRAME: Final[dict[ExportFormat, tuple[bytes, bytes, bytes]]] = {
    "xml": (b"<?xml version='1.0' encoding='UTF-8'?>\n<users>\n", b"", b"</users>\n"),
    "jsonl": (b"", b"", b""),
    "json": (b"[\n", b",\n", b"\n]\n"),
    "json-mirror": (b'{"users":[\n', b",\n", b"\n]}\n"),
}


def iter_export(spec: Export, fmt: ExportFormat = "xml") -> Iterator[bytes]:
    """The export, a piece per user; together the pieces are one well-formed document."""
    head, between, tail = _FRAME[fmt]
    left = math.inf if spec.target_bytes is None else spec.target_bytes - len(head) - len(tail)
    yield head
    for user in _export_users(spec):
        piece = _encoded(user, fmt) + between
        left -= len(piece)
        if user.user_id == DEFAULT_ID or left < 0:
            yield _encoded(replace(user, user_id=DEFAULT_ID), fmt)
            break
        yield piece
    yield tail


def write_export(spec: Export, path: Path, fmt: ExportFormat = "xml") -> None:
    """Write the export to a file."""
    with _whole_file(path) as file:
        file.writelines(iter_export(spec, fmt))


def write_sample(spec: Customers, folder: Path, *, export_megabytes: int = 250) -> list[Path]:
    """Extract as CSV and Parquet, its suppression list, and an export of its first users."""
    csv, parquet = folder / "customers.csv", folder / "customers.parquet"
    suppressed, export = folder / "suppressed.csv", folder / "export.xml"
    write_customers(spec, {csv: "csv", parquet: "parquet"})
    write_suppression(spec, suppressed)
    target = export_megabytes * 10**6
    write_export(Export(target_bytes=target, seed=spec.seed, ugly=spec.ugly), export)
    return [csv, parquet, suppressed, export]


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.workloads", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    commands = parser.add_subparsers(dest="command", required=True)
    extract = argparse.ArgumentParser(add_help=False)
    extract.add_argument("--rows", type=int, required=True)
    extract.add_argument("--distinct", type=int, help="distinct ids; default 0.4 of the rows")
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--seed", type=int, default=7)
    shared.add_argument("--ugly", type=float, default=0.01, help="share of ugly rows")
    output = argparse.ArgumentParser(add_help=False)
    output.add_argument("-o", "--output", type=Path, required=True)
    customers = commands.add_parser("customers", parents=[extract, shared, output])
    customers.add_argument("--format", choices=get_args(CustomersFormat), default="csv")
    customers.add_argument("--quoted", action="store_true", help="quote every CSV field")
    suppression = commands.add_parser("suppression", parents=[extract, shared, output])
    suppression.add_argument("--share", type=float, default=0.02, help="share of ids suppressed")
    export = commands.add_parser("export", parents=[shared, output])
    export.add_argument("--format", choices=get_args(ExportFormat), default="xml")
    size = export.add_mutually_exclusive_group(required=True)
    size.add_argument("--users", type=int)
    size.add_argument("--megabytes", type=int, help="size in 10**6 bytes")
    export.add_argument("--blocks", type=int, default=2, help="recommendation types a user")
    export.add_argument("--items", type=int, default=6, help="results a block")
    sample = commands.add_parser("sample", parents=[extract, shared])
    sample.add_argument("--out", type=Path, required=True, help="folder")
    sample.add_argument("--export-megabytes", type=int, default=250)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; paths and sizes go to stderr."""
    options = _arguments().parse_args(argv)
    started = time.perf_counter()
    written: list[Path]
    if options.command == "export":
        target = None if options.megabytes is None else options.megabytes * 10**6
        export = Export(
            users=options.users,
            target_bytes=target,
            blocks=options.blocks,
            items=options.items,
            seed=options.seed,
            ugly=options.ugly,
        )
        write_export(export, options.output, options.format)
        written = [options.output]
    else:
        spec = Customers(
            rows=options.rows, distinct=options.distinct, seed=options.seed, ugly=options.ugly
        )
        if options.command == "sample":
            megabytes = options.export_megabytes
            written = write_sample(spec, options.out, export_megabytes=megabytes)
        elif options.command == "customers":
            outputs: dict[Path, CustomersFormat] = {options.output: options.format}
            write_customers(spec, outputs, quoted=options.quoted)
            written = [options.output]
        else:
            write_suppression(spec, options.output, share=options.share)
            written = [options.output]
    for path in written:
        print(f"{path}  {path.stat().st_size / 1e6:,.1f} MB", file=sys.stderr)
    print(f"{time.perf_counter() - started:.1f} s", file=sys.stderr)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
