"""The XML reader beside an independent serialiser and lxml, for every cut and every damage."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from export_oracle import read_tree
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from lxml import etree

from pipeline.errors import InputError
from pipeline.export.xml_reader import XmlExportReader
from pipeline.records import UserRecommendations

SLOW = [HealthCheck.too_slow]
GOLDEN = Path(__file__).parents[1] / "golden"
ONE_LINE = (GOLDEN / "export_one_line.xml").read_bytes()
PIECES = st.sampled_from([4, 5, 7, 16, 61, 256, 65536])

# What XML 1.0 can carry; a literal CR is a line end there, so a serialiser escapes it.
CHARACTERS = st.sampled_from("\t\n\r") | st.characters(
    min_codepoint=0x20, exclude_categories=["Cs"], exclude_characters="\ufffe\uffff"
)
TEXT = st.text(CHARACTERS, max_size=20) | st.sampled_from(
    [" ", "\n", "]]>", "<&>", "</user>", "😀"]
)
IDS = TEXT.filter(lambda text: bool(text.strip()))
FIELDS = st.dictionaries(
    st.sampled_from(["id", "url", "title", "image_link", "price", "žluť", "a-b.c"]), TEXT
)
BLOCKS = st.builds(
    lambda kind, results: {"recommendation_type": kind, "results": results},
    TEXT,
    st.lists(FIELDS, max_size=4),
)
USERS = st.lists(
    st.builds(
        lambda user_id, updated_at, blocks: {
            "auth_user_id": user_id,
            "updated_at": updated_at,
            "recommendations": blocks,
        },
        IDS,
        st.none() | TEXT,
        st.lists(BLOCKS, max_size=3),
    ),
    max_size=4,
)
ENCODINGS = ["UTF-8", "UTF-16", "US-ASCII", "ISO-8859-2", "windows-1250", "ISO-8859-15"]


def read(data: bytes, *, piece_bytes: int = 65536) -> list[UserRecommendations]:
    reader = XmlExportReader(piece_bytes=piece_bytes)
    return reader.feed(data) + reader.close()


def outcome(data: bytes, *, piece_bytes: int = 65536) -> Any:
    """The records, or the refusal's words and place."""
    try:
        return read(data, piece_bytes=piece_bytes)
    except InputError as error:
        return str(error)


def fed_by(data: bytes, size: int) -> Any:
    """The outcome when the caller feeds `size` bytes at a time."""
    reader = XmlExportReader()
    users = []
    try:
        for start in range(0, len(data), size):
            users += reader.feed(data[start : start + size])
        return users + reader.close()
    except InputError as error:
        return str(error)


def assert_same_verdict(found: Any, other: Any) -> None:
    """Equal records, or both refused; expat's words depend on where its own pieces end."""
    assert found == other or (isinstance(found, str) and isinstance(other, str))


class Serialiser:
    """Builds the export with lxml; every free choice of layout comes from the seed."""

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)

    def choose(self) -> bool:
        return self.draw.random() < 0.5

    def leaf(self, parent: Any, name: str, text: str) -> None:
        element = etree.SubElement(parent, name)
        # libxml2 writes references, which are text there, for what the encoding lacks.
        plain = text.isascii() and "\r" not in text and "]]>" not in text
        if text and plain and self.choose():
            element.text = etree.CDATA(text)
        else:
            element.text = text
            if self.choose():
                element.append(etree.Comment(" </user> "))
                element[-1].tail = ""

    def blank(self, parent: Any) -> None:
        """Layout, comments and instructions between the children of a container."""
        layout = ["", "\n", "\n\t  ", " "]
        if len(parent):
            parent.text = self.draw.choice(layout)
        for child in parent:
            child.tail = self.draw.choice(layout)
        if len(parent) and self.choose():
            parent.insert(0, etree.ProcessingInstruction("p", "<user>"))

    def block(self, parent: Any, block: Any) -> None:
        element = etree.SubElement(parent, "recommendation")
        first = self.choose()
        if first:
            self.leaf(element, "recommendation_type", block["recommendation_type"])
        if block["results"] or self.choose():
            results = etree.SubElement(element, "results")
            for item in block["results"]:
                result = etree.SubElement(results, "result")
                for name, text in item.items():
                    self.leaf(result, name, text)
                self.blank(result)
            self.blank(results)
        if not first:
            self.leaf(element, "recommendation_type", block["recommendation_type"])
        self.blank(element)

    def user(self, parent: Any, user: Any) -> None:
        element = etree.SubElement(parent, "user")
        first = self.choose()
        if first:
            self.leaf(element, "auth_user_id", user["auth_user_id"])
        data = etree.SubElement(element, "data")
        if user["recommendations"] or self.choose():
            holder = etree.SubElement(data, "recommendations")
            for block in user["recommendations"]:
                self.block(holder, block)
            self.blank(holder)
        if user["updated_at"] is not None:
            metadata = etree.SubElement(data, "_metadata")
            self.leaf(metadata, "updated_at", user["updated_at"])
            self.blank(metadata)
        self.blank(data)
        if not first:
            self.leaf(element, "auth_user_id", user["auth_user_id"])
        self.blank(element)

    def serialise(self, users: list[Any]) -> bytes:
        root = etree.Element("users", nsmap={None: "urn:export"} if self.choose() else None)
        for user in users:
            self.user(root, user)
        self.blank(root)
        encoding = self.draw.choice(ENCODINGS)
        names = "".join(element.tag for element in root.iter(etree.Element))
        if not names.isascii() and encoding in ("US-ASCII", "ISO-8859-15"):
            encoding = "UTF-8"
        # The C library drops tag characters on the way to an 8-bit encoding.
        if any("\U000e0000" <= c <= "\U000e007f" for text in root.itertext() for c in text):
            encoding = "UTF-8"
        return bytes(etree.tostring(root, encoding=encoding, xml_declaration=True))


@settings(max_examples=100, deadline=None, suppress_health_check=SLOW)
@given(users=USERS, seed=st.integers(0, 2**32), piece_bytes=PIECES)
def test_records_survive_an_independent_serialiser(
    users: list[Any], seed: int, piece_bytes: int
) -> None:
    data = Serialiser(seed).serialise(users)

    assert users == read(data)
    assert users == read(data, piece_bytes=piece_bytes)


@settings(max_examples=50, deadline=None, suppress_health_check=SLOW)
@given(users=USERS, seed=st.integers(0, 2**32), sizes=st.lists(st.integers(1, 50), min_size=1))
def test_cuts_of_the_caller_change_nothing(users: list[Any], seed: int, sizes: list[int]) -> None:
    data = Serialiser(seed).serialise(users)
    reader = XmlExportReader(piece_bytes=16)
    found = []
    position = turn = 0
    while position < len(data):
        size = sizes[turn % len(sizes)]
        found += reader.feed(data[position : position + size])
        position, turn = position + size, turn + 1
    found += reader.close()

    assert users == found


@settings(max_examples=150, deadline=None)
@given(
    data=st.sampled_from(sorted(GOLDEN.glob("export_*.xml"))).map(Path.read_bytes),
    edits=st.lists(st.tuples(st.integers(0, 2000), st.binary(max_size=3)), max_size=3),
)
@example(data=ONE_LINE, edits=[(213, b""), (1183, b"-\x00")])
def test_damage_gives_what_lxml_finds_or_a_refusal(
    data: bytes, edits: list[tuple[int, bytes]]
) -> None:
    for at, replacement in edits:
        data = data[:at] + replacement + data[at + 1 :]
    found = outcome(data)

    assert found == fed_by(data, 1)
    assert_same_verdict(found, outcome(data, piece_bytes=8))
    if isinstance(found, list):
        assert found == read_tree(data)


def test_every_truncation_is_refused() -> None:
    for path in GOLDEN.glob("export_*.xml"):
        data = path.read_bytes().rstrip()
        for end in range(len(data)):
            assert isinstance(outcome(data[:end]), str), end
