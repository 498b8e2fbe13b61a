"""Make the committed samples again, byte for byte: ``python sample_data/make_samples.py [FOLDER]``.

One e-shop's customers with the ugliness of real dumps, a suppression list, exports, and inputs
that are broken in one named way each. Everything follows from SEED; addresses are at example.com.
"""

from __future__ import annotations

import io
import struct
import sys
import unicodedata
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, Final, TypeVar
from xml.sax.saxutils import escape

import pyarrow as pa
import pyarrow.parquet as pq

SEED: Final = 20261123
AS_OF: Final = datetime(2026, 11, 23, tzinfo=UTC)
WINDOW_START: Final = datetime(2026, 5, 23, tzinfo=UTC)
USERS: Final = 2_500
BLANK_IDS: Final = 30

# (names, surnames, cities with their country): the four languages of the shop.
PEOPLE: Final = (
    (("Jana", "Petr", "Žofie", "Jiří", "Eva", "Tomáš"),
     ("Nováková", "Dvořák", "Říhová", "Šťastný", "Černá", "Kučera"),
     ("Praha", "Brno", "Plzeň", "České Budějovice"), "CZ"),
    (("Zuzana", "Ľubica", "Matej", "Katarína"), ("Kováčová", "Ďurica", "Horváth", "Šoltésová"),
     ("Bratislava", "Košice", "Žilina"), "SK"),
    (("Agnieszka", "Łukasz", "Małgorzata", "Paweł"), ("Wójcik", "Żak", "Gołąb", "Nowak"),
     ("Kraków", "Łódź", "Wrocław"), "PL"),
    (("Jürgen", "Björn", "Käthe", "Heike"), ("Müller", "Groß", "Schäfer", "Weiß"),
     ("München", "Köln", "Görlitz"), "DE"),
)  # fmt: skip
NOTES: Final = (
    'Volat po 17. hodině, zvonek "Dvořák"',
    "Doručit na recepci,\n2. patro, č. dveří 214",
    "Zákazník si přeje fakturu na firmu: Pekárna „U Anny“, s.r.o.",
    'Lieferung an "Packstation 145", Postnummer folgt',
    "Paczkomat KRA012,\r\nproszę o SMS",
    "VIP; sleva 10 %",
    "O'Brien & Sons",
)
# Ids that tools like to change, by what makes them hard; the rest is made by `_ids`.
HARD_IDS: Final = (
    "00123", "123", "123.0", "0123", "1e5", "1E+05", "100000", "-0", "9007199254740993", "0x1F",
    "NaN5", "true1", "ABC-1", "abc-1", "Dvořák, Jan", 'pan "Pepa"', "O'Neill", "A&B-7", "<b>7",
    "jana novak", "jana  novak", "back\\slash", "žofie", "Łukasz_9", "größe-5", "ŠŤASTNÝ",
    "用户-88", "user😀1", "=1+1", "@handle",
)  # fmt: skip
COLUMNS: Final = (
    "customer_id", "email", "first_name", "last_name", "last_active", "country", "city",
    "consent", "orders", "note",
)  # fmt: skip
ITEM_KINDS: Final = (
    "Dámské tričko", "Běžecké boty", 'Monitor 27"', "Čaj & káva", "Deka <XL>", "Żurawina suszona",
    "Kuchyňský robot", "Wanderstöcke",
)  # fmt: skip

T = TypeVar("T")


@dataclass(frozen=True)
class Row:
    """One row of the extract; a blank id is "" (quoted in CSV) or None, a blank time None."""

    customer_id: str | None
    email: str
    first_name: str
    last_name: str
    last_active: datetime | None
    country: str
    city: str
    consent: bool
    orders: int
    note: str | None


def _random(stream: int) -> Random:
    return Random(SEED + stream)


def _below(rng: Random, limit: int) -> int:
    """A whole number below `limit`; random() is the one method whose results Python promises."""
    return int(rng.random() * limit)


def _pick(rng: Random, values: Sequence[T]) -> T:
    return values[_below(rng, len(values))]


def _shuffle(rng: Random, values: list[T]) -> None:
    for last in range(len(values) - 1, 0, -1):
        other = _below(rng, last + 1)
        values[last], values[other] = values[other], values[last]


# --- customers ------------------------------------------------------------------------------


def _ids() -> list[str]:
    """Distinct ids: the hard ones, some families of hard ones, and mostly plain ones."""
    ids = list(HARD_IDS)
    ids += [f"{number:05d}" for number in range(200, 280)]
    ids += [f"zákazník-{number}" for number in range(40)]
    ids += [f"jan novák {number}" for number in range(15)]
    ids += [f"{number}.0" for number in range(500, 510)]
    ids += [f"u{number}" for number in range(10_001, 10_001 + USERS - len(ids))]
    return ids


def _latest(rng: Random, number: int) -> datetime | None:
    """A user's latest activity: seven in ten within the window, a few never active."""
    if number < len(HARD_IDS):
        return AS_OF - timedelta(days=number, seconds=30 * number)
    if number % 50 == 7:
        return None
    if number % 100 == 13:  # the same second for many: the order among them is by id
        return datetime(2026, 9, 1, 12, 0, 0, tzinfo=UTC)
    if rng.random() < 0.7:
        return AS_OF - timedelta(seconds=_below(rng, 184 * 86_400))
    return WINDOW_START - timedelta(seconds=1 + _below(rng, 900 * 86_400))


# The bounds of six months before AS_OF, both inclusive, and the second before.
EDGES: Final = {
    "edge-window-start": WINDOW_START,
    "edge-before-window": WINDOW_START - timedelta(seconds=1),
    "edge-as-of": AS_OF,
}


def _person(rng: Random, user_id: str | None, email: str) -> Row:
    names, surnames, cities, country = _pick(rng, PEOPLE)
    return Row(
        customer_id=user_id,
        email=email,
        first_name=_pick(rng, names),
        last_name=_pick(rng, surnames),
        last_active=None,
        country=country,
        city=_pick(rng, cities),
        consent=rng.random() < 0.9,
        orders=_below(rng, 30),
        note=_pick(rng, NOTES) if rng.random() < 0.15 else None,
    )


def _with(row: Row, **changes: Any) -> Row:
    return Row(**(row.__dict__ | changes))


def make_customers(rng: Random) -> list[Row]:
    """The rows of the extract in the order of the dump, which is none."""
    rows = []
    latest_of: dict[str, datetime | None] = {
        user_id: _latest(rng, number) for number, user_id in enumerate(_ids())
    }
    latest_of |= EDGES
    for number, (user_id, latest) in enumerate(latest_of.items()):
        person = _person(rng, user_id, f"kunde{number}@example.com")
        rows.append(_with(person, last_active=latest))
        repeats = (0, 0, 0, 0, 1, 1, 1, 1, 2)[_below(rng, 9)] if user_id not in EDGES else 0
        for _ in range(repeats):
            earlier = latest and latest - timedelta(seconds=1 + _below(rng, 500 * 86_400))
            if rng.random() < 0.1:
                earlier = None
            orders = max(0, person.orders - 1 - _below(rng, 3))
            rows.append(_with(person, last_active=earlier, orders=orders))
    for number in range(BLANK_IDS):
        blank = "" if number % 2 else None
        person = _person(rng, blank, f"guest{number}@example.com")
        rows.append(_with(person, last_active=AS_OF - timedelta(days=1 + number)))
    _shuffle(rng, rows)
    return rows


def _time_text(moment: datetime | None) -> str:
    return "" if moment is None else moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _csv_field(value: str | None, *, always: bool = False) -> str:
    if value is None:
        return ""
    if always or not value or any(letter in value for letter in ',"\r\n'):
        return '"' + value.replace('"', '""') + '"'
    return value


def csv_line(row: Row) -> str:
    """One row as the dump writes it: notes and cities always quoted, a missing value unquoted."""
    fields = [
        _csv_field(row.customer_id),
        _csv_field(row.email),
        _csv_field(row.first_name),
        _csv_field(row.last_name),
        _time_text(row.last_active),
        row.country,
        _csv_field(row.city, always=True),
        "t" if row.consent else "f",
        str(row.orders),
        _csv_field(row.note, always=True),
    ]
    return ",".join(fields) + "\n"


HEADER: Final = ",".join(COLUMNS) + "\n"


def customers_csv(rows: Sequence[Row]) -> bytes:
    """The extract as CSV."""
    return (HEADER + "".join(map(csv_line, rows))).encode()


PARQUET_SCHEMA: Final = pa.schema(
    [
        ("customer_id", pa.string()),
        ("email", pa.string()),
        ("first_name", pa.string()),
        ("last_name", pa.string()),
        ("last_active", pa.timestamp("us", tz="UTC")),
        ("country", pa.string()),
        ("city", pa.string()),
        ("consent", pa.bool_()),
        ("orders", pa.int32()),
        ("note", pa.string()),
    ]
)


def customers_parquet(rows: Sequence[Row], **options: Any) -> bytes:
    """The extract as Parquet with typed columns, several row groups and page checksums."""
    # A blank id is empty text here, as in the CSV: both are refused for the same reason.
    records = [row.__dict__ | {"customer_id": row.customer_id or ""} for row in rows]
    table = pa.Table.from_pylist(records, schema=PARQUET_SCHEMA)
    buffer = io.BytesIO()
    options = {"compression": "zstd", "row_group_size": 1_000} | options
    pq.write_table(table, buffer, write_page_checksum=True, **options)
    return buffer.getvalue()


def suppressed_csv(rng: Random) -> bytes:
    """Unsubscribed and erased customers; every sixth was never in the extract."""
    lines = ["customer_id,reason,since\n"]
    known = [user_id for user_id in _ids() if rng.random() < 0.03]
    known += ["00123", "Dvořák, Jan", "žofie"]
    for number, user_id in enumerate(dict.fromkeys(known)):
        reason = ("unsubscribed", "unsubscribed", "erased")[number % 3]
        day = (AS_OF - timedelta(days=_below(rng, 400))).date()
        lines.append(f"{_csv_field(user_id)},{reason},{day}\n")
        if number % 5 == 4:
            lines.append(f"gone-{number},erased,{day}\n")
    return "".join(lines).encode()


# (first names, surnames): in Czech and Slovak a surname tells whose it is.
RECIPIENTS: Final = (
    (("Jana", "Žofie", "Zuzana", "Ľubica", "Eva", "Katarína", "Tereza", "Božena"),
     ("Nováková", "Říhová", "Kováčová", "Ďuricová", "Černá", "Šoltésová", "Vlčková")),
    (("Petr", "Jiří", "Tomáš", "Matej", "Ľuboš", "Ondřej", "Štefan", "Marek"),
     ("Dvořák", "Šťastný", "Kučera", "Horváth", "Ďurica", "Říha", "Žák")),
)  # fmt: skip
TOWNS: Final = ("Praha", "Brno", "Plzeň", "České Budějovice", "Bratislava", "Košice", "Žilina")
CONTACTS: Final = 600
NEWCOMERS: Final = 45


def _address(first: str, last: str, number: int) -> str:
    """jana.novakova7@example.com: names lose their accents, as people write them."""
    plain = unicodedata.normalize("NFKD", f"{first}.{last}")
    letters = plain.encode("ascii", "ignore").decode().lower()
    return f"{letters}{number}@example.com"


def contacts_csv(rng: Random) -> bytes:
    """Whom the mail goes to: Czechs and Slovaks, some twice, some not reachable, some brand new."""
    header = "customer_id,email,first_name,last_name,city,unsubscribe_url\n"
    ids = [user_id for user_id in _ids() if rng.random() < 0.25][:CONTACTS]
    ids += [f"new-{number}" for number in range(NEWCOMERS)]
    _shuffle(rng, ids)
    lines = []
    for number, user_id in enumerate(ids):
        names, surnames = _pick(rng, RECIPIENTS)
        first, last = _pick(rng, names), _pick(rng, surnames)
        address = _address(first, last, number)
        if number in (100, 300):
            address = ("neuvedeno", "jana@example.com, petr@example.com")[number // 300]
        token = f"{_below(rng, 2**32):08x}"
        line = ",".join([
            _csv_field(user_id), _csv_field(address), first, last, _pick(rng, TOWNS),
            f"https://shop.example.com/unsubscribe?token={token}",
        ]) + "\n"  # fmt: skip
        lines += [line] * (2 if number % 90 == 40 else 1)
    return (header + "".join(lines)).encode()


# --- exports --------------------------------------------------------------------------------


def _result(rng: Random, recommendation_id: str) -> list[tuple[str, str]]:
    """The elements of one result; a fifth have two that nobody documents."""
    number = _below(rng, 400)
    url = f"https://shop.example.com/p/{number}?utm_source=mail&recommendation_id="
    fields = [
        ("id", f"product-{number}"),
        ("url", url + recommendation_id),
        ("title", f"{ITEM_KINDS[number % len(ITEM_KINDS)]} {number}"),
        ("image_link", f"https://cdn.example.com/img/{number}.jpg"),
    ]
    if number % 5 == 0:
        fields += [("price", f"{99 + number},90 Kč"), ("availability", "skladem")]
    return fields


def _block(rng: Random, kind: str, count: int) -> str:
    digits = f"{_below(rng, 2**32):08x}-{_below(rng, 2**16):04x}-4{_below(rng, 2**12):03x}"
    recommendation_id = f"{digits}-a{_below(rng, 2**12):03x}-{_below(rng, 2**48):012x}"
    results = []
    for _ in range(count):
        fields = _result(rng, recommendation_id)
        elements = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in fields)
        results.append(f"<result>{elements}</result>")
    return (
        f"<recommendation><recommendation_type>{kind}</recommendation_type>"
        f"<results>{''.join(results)}</results></recommendation>"
    )


def _export_user(user_id: str, blocks: Sequence[str]) -> str:
    return (
        f"<user><auth_user_id>{escape(user_id)}</auth_user_id><data><_metadata>"
        f"<updated_at>2026-11-22T02:15:00</updated_at></_metadata>"
        f"<recommendations>{''.join(blocks)}</recommendations></data></user>\n"
    )


XML_HEAD: Final = "<?xml version='1.0' encoding='UTF-8'?>\n<users>\n"


def export_xml(rng: Random, rows: Sequence[Row]) -> bytes:
    """The reference's shape: declaration, one user a line, metadata, several types, default."""
    active = {
        row.customer_id
        for row in rows
        if row.customer_id and row.last_active is not None and row.last_active >= WINDOW_START
    }
    chosen: list[str] = [user_id for user_id in HARD_IDS if user_id in active]
    chosen += [user_id for user_id in _ids() if user_id in active and rng.random() < 0.11]
    lines = []
    for number, user_id in enumerate(dict.fromkeys(chosen)):
        empty = number == 4
        blocks = [
            _block(rng, "mail-recommender-1", 0 if empty else 3),
            _block(rng, "mail-recommender-2", 2),
        ]
        if number % 9 == 0:
            blocks.append(_block(rng, "mail-last-seen", 1))
        lines.append(_export_user(user_id, blocks))
    lines.append(_export_user("default", [_block(rng, "mail-recommender-1", 4)]))
    return (XML_HEAD + "".join(lines) + "</users>\n").encode()


def export_pretty_xml(rng: Random) -> bytes:
    """The quickstart's shape: indented, neither declaration nor metadata."""
    lines = ["<users>"]
    for user_id in ("u10001", "00123", "žofie", "default"):
        lines += ["  <user>", f"    <auth_user_id>{user_id}</auth_user_id>", "    <data>"]
        lines += ["      <recommendations>", "        <recommendation>"]
        kind = "mail-recommender-1"
        lines.append(f"          <recommendation_type>{kind}</recommendation_type>")
        lines.append("          <results>")
        for _ in range(2):
            lines.append("            <result>")
            for name, value in _result(rng, "abcd1234"):
                lines.append(f"              <{name}>{escape(value)}</{name}>")
            lines.append("            </result>")
        lines += ["          </results>", "        </recommendation>", "      </recommendations>"]
        lines += ["    </data>", "  </user>"]
    return ("\n".join([*lines, "</users>"]) + "\n").encode()


# --- broken inputs --------------------------------------------------------------------------


def _gzip(data: bytes) -> bytes:
    """A gzip file of one stored block: the same bytes with every version of zlib."""
    size = struct.pack("<HH", len(data), len(data) ^ 0xFFFF)
    trailer = struct.pack("<II", zlib.crc32(data), len(data))
    return b"\x1f\x8b\x08\x00\0\0\0\0\x00\xff" + b"\x01" + size + data + trailer


def _plain(rows: Sequence[Row], count: int) -> list[str]:
    """Lines of good rows without quotes, to be broken."""
    plain = [row for row in rows if row.customer_id and row.customer_id.startswith("u1")]
    return [csv_line(_with(row, note=None)) for row in plain[:count]]


def _csv(lines: Sequence[str], header: str = HEADER) -> bytes:
    return (header + "".join(lines)).encode()


def _ragged(rows: Sequence[Row]) -> bytes:
    lines = _plain(rows, 12)
    lines[3] = lines[3].removesuffix("\n") + ",surplus\n"
    lines[7] = lines[7].rpartition(",")[0] + "\n"
    return _csv(lines)


def _open_quote(rows: Sequence[Row]) -> bytes:
    lines = [line.replace('"', "") for line in _plain(rows, 12)]
    lines[4] = lines[4].removesuffix("\n") + '"this quote is never closed\n'
    return _csv(lines)


def _bad_utf8_csv(rows: Sequence[Row]) -> bytes:
    lines = _csv(_plain(rows, 12)).splitlines(keepends=True)
    lines[5] = b"z\xe1kazn\xedk-9" + lines[5][lines[5].index(b",") :]
    return b"".join(lines)


def _corrupt_page(rows: Sequence[Row]) -> bytes:
    """One letter of an id changed in an uncompressed page: only the checksum can tell."""
    plain = [row for row in rows if row.customer_id and row.customer_id.startswith("u1")][:200]
    data = customers_parquet(plain, compression="none", use_dictionary=False)
    victim = str(plain[100].customer_id).encode()
    at = data.index(struct.pack("<I", len(victim)) + victim) + 4 + len(victim) - 1
    return data[:at] + (b"7" if data[at : at + 1] != b"7" else b"8") + data[at + 1 :]


def _users_xml(rng: Random, count: int = 3) -> str:
    blocks = [
        [_block(rng, "mail-recommender-1", 2), _block(rng, "mail-recommender-2", 1)]
        for _ in range(count)
    ]
    return "".join(_export_user(f"u{10_001 + n}", some) for n, some in enumerate(blocks))


PAGE: Final = b"""<!doctype html>
<html lang="cs">
<head><meta charset="utf-8"><title>P\xc5\x99ihl\xc3\xa1\xc5\xa1en\xc3\xad</title></head>
<body>
<form method="post" action="/login">
<p>Va\xc5\xa1e relace vypr\xc5\xa1ela.<br>Log in to go on &nbsp;
<input name="email" type="email"><input name="password" type="password"><button>OK</button>
</form>
</body>
</html>
"""
BOMB: Final = (
    "<?xml version='1.0' encoding='UTF-8'?>\n<!DOCTYPE users [\n<!ENTITY a \"recommended \">\n"
    + "".join(
        f'<!ENTITY {name} "{f"&{below};" * 10}">\n'
        for below, name in zip("abcdefgh", "bcdefghi", strict=True)
    )
    + "]>\n<users>\n<user><auth_user_id>u10001</auth_user_id><data><recommendations>"
    "<recommendation><recommendation_type>&i;</recommendation_type><results></results>"
    "</recommendation></recommendations></data></user>\n</users>\n"
)


@dataclass(frozen=True)
class Broken:
    """One broken input: what is wrong, what batchpub must exit with, how it is made."""

    name: str
    wrong: str
    exit_code: int
    make: Callable[[Random, Sequence[Row]], bytes]


def _whole_xml(rng: Random) -> str:
    return XML_HEAD + _users_xml(rng) + "</users>\n"


BROKEN: Final = (
    Broken("empty.csv", "no bytes at all", 3, lambda _rng, _rows: b""),
    Broken(
        "header-only.csv",
        "a header and no row: the list would be empty",
        4,
        lambda _rng, _rows: HEADER.encode(),
    ),
    Broken(
        "no-id-column.csv",
        "no column that could be the id; the error lists the columns found",
        2,
        lambda _rng, rows: _csv(_plain(rows, 12), HEADER.replace("customer_id", "klient")),
    ),
    Broken(
        "ragged.csv",
        "row 5 has a field too many, row 9 one too few",
        3,
        lambda _rng, rows: _ragged(rows),
    ),
    Broken(
        "open-quote.csv",
        "a quote opened in the last column of row 6 swallows the rest of the file",
        3,
        lambda _rng, rows: _open_quote(rows),
    ),
    Broken(
        "bad-utf8.csv",
        "the id of row 6 is Latin-1, not UTF-8",
        3,
        lambda _rng, rows: _bad_utf8_csv(rows),
    ),
    Broken(
        "duplicate-header.csv",
        "two columns are called customer_id",
        3,
        lambda _rng, rows: _csv(_plain(rows, 12), HEADER.replace("city", "customer_id")),
    ),
    Broken(
        "binary.csv",
        "random bytes under the name of a CSV file",
        3,
        lambda rng, _rows: bytes(_below(rng, 256) for _ in range(4_096)),
    ),
    Broken(
        "truncated.csv.gz",
        "gzip cut off in the middle",
        3,
        lambda _rng, rows: _gzip(_csv(_plain(rows, 200)))[:12_000],
    ),
    Broken(
        "customers-cut.parquet",
        "the second half and with it the footer is missing",
        3,
        lambda _rng, rows: (whole := customers_parquet(rows[:200]))[: len(whole) // 2],
    ),
    Broken(
        "corrupt-page.parquet",
        "one letter of one id was changed; only the page checksum can tell",
        3,
        lambda _rng, rows: _corrupt_page(rows),
    ),
    Broken("page.html", "a login page instead of the export", 3, lambda _rng, _rows: PAGE),
    Broken(
        "truncated.xml",
        "the export ends within the last user",
        3,
        lambda rng, _rows: _whole_xml(rng).encode()[:-300],
    ),
    Broken(
        "trailing-garbage.xml",
        "a whole export, then a line of an error page",
        3,
        lambda rng, _rows: (_whole_xml(rng) + "<p>504 Gateway Time-out</p>\n").encode(),
    ),
    Broken("doctype.xml", "a DOCTYPE with an entity bomb", 3, lambda _rng, _rows: BOMB.encode()),
    Broken(
        "wrong-root.xml",
        "well-formed, but the root is items, not users",
        3,
        lambda rng, _rows: _whole_xml(rng).replace("users>", "items>").encode(),
    ),
    Broken(
        "missing-id.xml",
        "the second user has no auth_user_id",
        3,
        lambda rng, _rows: (
            _whole_xml(rng).replace("<auth_user_id>u10002</auth_user_id>", "").encode()
        ),
    ),
    Broken(
        "bad-utf8.xml",
        "a Latin-1 letter in a title of a file declared UTF-8",
        3,
        lambda rng, _rows: _whole_xml(rng).encode().replace(b"<title>", b"<title>\xe1 ", 1),
    ),
)


def broken_readme() -> bytes:
    """What is wrong with each, and what batchpub must say."""
    lines = [
        "# Broken inputs\n",
        "\n",
        "Each ends in one error line that names the file and the place, and in this exit code;\n",
        "nothing appears at the output's name. The header is row 1.\n",
        "`.csv`, `.gz` and `.parquet` are for `batchpub prepare`, the rest for `batchpub parse`.\n",
        "\n",
        "| file | what is wrong | exit code |\n",
        "|---|---|---|\n",
    ]
    lines += [f"| `{one.name}` | {one.wrong} | {one.exit_code} |\n" for one in BROKEN]
    return "".join(lines).encode()


# --- all ------------------------------------------------------------------------------------


def make_files() -> dict[str, bytes]:
    """Every generated file by its path under the folder; each has a random stream of its own."""
    rows = make_customers(_random(0))
    files = {
        "customers.csv": customers_csv(rows),
        "customers.parquet": customers_parquet(rows),
        "suppressed.csv": suppressed_csv(_random(1)),
        "contacts.csv": contacts_csv(_random(4)),
        "export.xml": export_xml(_random(2), rows),
        "export-pretty.xml": export_pretty_xml(_random(3)),
        "broken/README.md": broken_readme(),
    }
    for number, one in enumerate(BROKEN):
        files[f"broken/{one.name}"] = one.make(_random(100 + number), rows)
    return files


def main(argv: Sequence[str]) -> int:
    """Write the files into the folder named, or else beside this script."""
    folder = Path(argv[0]) if argv else Path(__file__).parent
    for name, content in make_files().items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
