"""`check` equals a short pure-Python model on random lists; the upload reads lists alike."""

from __future__ import annotations

import csv
import json
import re
import unicodedata
from collections import Counter, defaultdict
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings
from test_explain_model import cases, prepared

import pipeline
from pipeline import flows
from pipeline.errors import InputError
from pipeline.records import CheckSummary
from pipeline.settings import PrepareSettings
from pipeline.userlist import id_parts, read
from pipeline.userlist.receipt import make_receipt

NEAR = [
    *("u1", "U1", " u1", "u1 ", "u\u200b1", "u\u00a01", "u 1", "é", "e\u0301", "É", "E\u0301"),
    *(
        "1",
        "01",
        "001",
        "1.0",
        "1.00",
        "0",
        "00",
        "0.0",
        "\uff11",
        "1.5",
        "1e5",
        "1.23E+05",
        "-0",
        "x.0",
    ),
    *(
        "default",
        "NULL",
        "nan",
        "user_id",
        "ID",
        "a@b.cz",
        "'u1'",
        '"u1"',
        "a,b",
        "a\\b",
        "x" * 513,
    ),
    *("a\u2028b", "a\x7fb", "u\u20031", "\u00adu1"),
]
LATIN = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x17F), min_size=1, max_size=6)
IDS = st.one_of(st.sampled_from(NEAR), LATIN)
LISTS = st.lists(IDS, max_size=30)
BLANK = re.compile(r"[\s\u200b\u2060\ufeff]*")


def near_key(text: str) -> str:
    compose = unicodedata.normalize
    text = compose("NFKC", compose("NFKC", text).lower())
    text = re.sub("[\u00ad\u200b\u200c\u200d\u2060\ufeff]", "", text)
    text = re.sub(r"^\s+|\s+$", "", re.sub("[\u00a0\u2007\u202f]", " ", text))
    if re.fullmatch(r"[0-9]+(\.0+)?", text):
        text = text.partition(".")[0].lstrip("0") or "0"
    return text


def near_ids(ids: set[str]) -> int:
    groups = defaultdict(set)
    for one in ids:
        groups[near_key(one)].add(one)
    return sum(len(group) for group in groups.values() if len(group) > 1)


SUSPICIONS = {
    "outer spaces": r"(?s)[\s\u200b\u2060\ufeff].*|.*[\s\u200b\u2060\ufeff]",
    "no-break or invisible": r"(?s).*[\u00a0\u00ad\u2007\u200b-\u200f\u202f\u2060\ufeff].*",
    "control characters": r"(?s).*[\x00-\x1f\x7f-\x9f\u2028\u2029].*",
    "float-looking": r"[+-]?([0-9]+\.[0-9]+|[0-9]+(\.[0-9]+)?[eE][+-]?[0-9]+)",
    "e-mail addresses": r"[^@\s]+@[^@\s]+\.[^@\s]+",
    "quotes around the id": r"\".*\"|'.*'",
    "words of a header": r"(?i)auth_user_id|customer_id|user_id|id|userid|uid|customer|customerid"
    "|user|email",
    "the reserved id": "default",
    "more than 512 characters": ".{513,}",
}


def suspicions(ids: list[str]) -> dict[str, int]:
    return {
        name: number
        for name, pattern in SUSPICIONS.items()
        if (number := sum(re.fullmatch(pattern, one) is not None for one in ids))
    }


def write(path: Path, ids: list[str], kind: str, *, ascii_only: bool = False) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        if kind == "jsonl":
            for one in ids:
                file.write(json.dumps({"auth_user_id": one}, ensure_ascii=ascii_only) + "\n")
        else:
            csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(
                [one] for one in ids
            )


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of a few lines, and parts on disk, as with large lists."""
    monkeypatch.setattr(read, "BLOCK", 100)
    monkeypatch.setattr(id_parts, "PENDING_BYTES", 600)


anew = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@anew
@given(LISTS, st.sampled_from(["jsonl", "escaped", "csv"]))
def test_a_list_of_valid_lines_is_counted_as_the_model_counts(
    tmp_path: Path, ids: list[str], kind: str
) -> None:
    ids = [one for one in ids if not BLANK.fullmatch(one)]
    if kind == "csv" and ids and ids[0].lower() in {"user_id", "id"}:
        ids = ids[1:]
    if kind == "csv" and ids and ids[0].strip('" \t').lower() in {"user_id", "id"}:
        ids = []
    path = tmp_path / "users"
    write(path, ids, "csv" if kind == "csv" else "jsonl", ascii_only=kind == "escaped")
    found = pipeline.check(path)

    assert {} == found.problems
    assert (len(ids), len(set(ids))) == (found.users, found.distinct_users)
    assert len(ids) - len(set(ids)) == found.duplicates.count
    assert near_ids(set(ids)) == sum(one.count for one in found.near_duplicates.values())
    counts = {name: one.count for name, one in found.suspicions.items() if name != "null words"}
    assert suspicions(ids) == counts
    assert (0 if ids else 4) == found.exit_code


RAW = st.one_of(
    st.binary(max_size=12).map(lambda data: data + b"\n"),
    IDS.map(lambda one: json.dumps({"auth_user_id": one}).encode() + b"\n"),
    IDS.map(lambda one: b'"' + one.replace('"', '""').encode() + b'"\n'),
    st.sampled_from([b"u1\r\n", b"\n", b'{"user_id":7}\n', b"{}\n", b"\xef\xbb\xbfu1\n", b"id\n"]),
)


@anew
@given(st.lists(RAW, max_size=12).map(b"".join), st.booleans())
def test_the_upload_makes_a_receipt_of_exactly_the_lists_that_check_finds_valid(
    tmp_path: Path, data: bytes, cut: bool
) -> None:
    path = tmp_path / "users"
    path.write_bytes(data[:-1] if cut else data)
    try:
        found: CheckSummary | None = pipeline.check(path)
    except InputError:
        found = None
    try:
        receipt = make_receipt(path)
    except InputError:
        assert found is None or found.problems
    else:
        assert found is not None
        assert {} == found.problems
        said = (receipt.bytes, receipt.users, receipt.sha256)
        assert said == (found.bytes, found.users, found.sha256)


@anew
@given(LISTS, st.sampled_from(["jsonl", "csv"]))
def test_check_finds_nothing_wrong_with_a_list_that_prepare_wrote(
    tmp_path: Path, ids: list[str], kind: str
) -> None:
    extract, output = tmp_path / "extract.csv", tmp_path / f"users.{kind}"
    with extract.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "last_active"])
        writer.writerows([one, "2026-11-01"] for one in ["sure", *ids])
    wanted = PrepareSettings(
        as_of="2026-11-23", max_rejects="100%", format="csv" if kind == "csv" else "jsonl"
    )
    flows.prepare([str(extract)], output, wanted)
    found = pipeline.check(output, against=output)

    assert found.error is None
    assert ("true", {}, 0) == (found.receipt, found.problems, found.duplicates.count)
    assert found.against is not None
    assert (0, 0) == (found.against.added, found.against.removed)


@anew
@given(st.data())
def test_check_finds_nothing_wrong_with_a_list_of_any_extracts_and_options(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("lists")
    case = data.draw(cases(folder))
    listed = prepared(case, folder / "list")
    if not listed:
        return
    found = pipeline.check(folder / "list", max_bytes=case.options["max_bytes"])

    assert (None, "true", {}) == (found.error, found.receipt, found.problems)
    assert (len(listed), len(listed)) == (found.users, found.distinct_users)
    assert (0, 0) == (found.duplicates.count, found.legacy_lines)


@anew
@given(LISTS, LISTS, st.randoms(use_true_random=False))
def test_known_ids_are_matched_as_the_model_matches(
    tmp_path: Path, listed: list[str], known: list[str], random: object
) -> None:
    listed, known = ([one for one in ids if not BLANK.fullmatch(one)] for ids in (listed, known))
    listed, known = ["u1", *listed], ["u1", *known]
    users, ids, unmatched = tmp_path / "users", tmp_path / "known.csv", tmp_path / "unmatched"
    write(users, listed, "jsonl")
    write(ids, ["id", *known], "csv")
    found = pipeline.check(users, known_ids=ids, unmatched=unmatched, min_match="60%")
    lacking = set(listed) - set(known)
    keys = {near_key(one) for one in known}

    assert found.known is not None
    assert len(set(known)) == found.known.known
    assert len(set(listed) & set(known)) == found.known.matched
    assert len(lacking) == found.known.unmatched
    assert sum(near_key(one) in keys for one in lacking) == found.known.near
    written = [
        json.loads(line)["auth_user_id"] for line in unmatched.read_text("utf-8").split("\n")[:-1]
    ]
    assert Counter(lacking) == Counter(written)
    enough = (len(set(listed)) - len(lacking)) * 100 >= 60 * len(set(listed))
    assert (0 if enough else 4) == found.exit_code
