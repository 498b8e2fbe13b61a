"""The quick XML reader beside the reference: equal for every layout, cut and damage."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.errors import InputError
from pipeline.export.plain_users import parse_plain
from pipeline.export.quick_reader import QuickXmlReader
from pipeline.export.xml_reader import XmlExportReader

SLOW = [HealthCheck.too_slow]
GOLDEN = Path(__file__).parents[1] / "golden"
HEAD = b"<?xml version='1.0' encoding='UTF-8'?>\n<users>\n"

# What a value can look like in the file, plain or not.
GOOD = [
    "a", "ž😀", "&amp;", "&lt;", "&gt;", "&quot;", "&apos;", "&#38;", "&#xd;", "&#60;", '"', "\\",
    ">", "]]", " ", "\n", "\t", "\u0085", "\ue000", "\x7f",
]  # fmt: skip
BAD = [
    "&#0;", "&#xFFFE;", "&nbsp;", "&", "]]>", "<b>x</b>", "<!--</user>-->", "<![CDATA[</user>]]>",
    "<?p </user>?>", "<b/>", "\ufffe", "\x01", "&#xD800;", "&#x110000;", "</title>", "\r",
]  # fmt: skip
VALUES = st.lists(st.sampled_from(GOOD) | st.sampled_from(BAD), max_size=3).map("".join)
TIDY = st.text("ab&ž", max_size=3).map(lambda text: text.replace("&", "&amp;"))
VALUE = st.one_of(TIDY, TIDY, TIDY, VALUES)


class Writer:
    """Writes users from a seed: mostly as the reference has them, here and there otherwise."""

    def __init__(self, seed: int, odd: float, values: list[str]) -> None:
        self.draw = random.Random(seed)
        self.odd = odd
        self.values = values
        self.blank = self.draw.choice(["", "\n", "\n  ", " \t"])

    def chance(self) -> bool:
        return self.draw.random() < self.odd

    def leaf(self, name: str) -> str:
        value = self.draw.choice(self.values)
        if self.chance():
            return self.draw.choice([f"<{name}/>", f"<{name} a='1'>{value}</{name}>", ""])
        if not value:
            return self.draw.choice([f"<{name}></{name}>", f"<{name}/>", f"<{name} />"])
        return f"<{name}>{value}</{name}>"

    def gap(self) -> str:
        return self.draw.choice(["\r\n", "x", "<!-- c -->", "  "]) if self.chance() else self.blank

    def wrap(self, name: str, *parts: str) -> str:
        parts = tuple(part for part in parts if part)
        if self.chance():
            parts = tuple(self.draw.sample(parts, len(parts)))
        inner = "".join(self.gap() + part for part in parts) + self.gap()
        return f"<{name}>{inner}</{name}>"

    def result(self) -> str:
        names = ["id", "url", "title", "image_link"]
        names += self.draw.choices(["price", "a-b", "id"], k=self.draw.choice([0, 0, 1, 2]))
        return self.wrap("result", *map(self.leaf, names))

    def block(self) -> str:
        results = [self.result() for _ in range(self.draw.choice([0, 1, 2]))]
        empty = self.draw.choice(["<results></results>", "<results/>", "<results />"])
        body = self.wrap("results", *results) if results or self.chance() else empty
        return self.wrap("recommendation", self.leaf("recommendation_type"), body)

    def user(self) -> str:
        metadata = (
            self.wrap("_metadata", self.leaf("updated_at")) if self.draw.random() < 0.7 else ""
        )
        blocks = [self.block() for _ in range(self.draw.choice([0, 1, 2]))]
        user_id = (
            "<auth_user_id>u1</auth_user_id>" if not self.chance() else self.leaf("auth_user_id")
        )
        data = self.wrap("data", metadata, self.wrap("recommendations", *blocks))
        return self.wrap("user", user_id, data)


def outcome(reader: Any, data: bytes, size: int) -> Any:
    """The records, or the refusal as a whole."""
    users = []
    try:
        for start in range(0, len(data), size):
            users += reader.feed(data[start : start + size])
        users += reader.close()
    except InputError as error:
        return error.as_dict()
    return [list(walk(user)) for user in users], reader.ignored_elements


def walk(value: Any) -> Any:
    """The value with the order of its keys."""
    if isinstance(value, dict):
        yield [(key, list(walk(inner))) for key, inner in value.items()]
    elif isinstance(value, list):
        yield [list(walk(inner)) for inner in value]
    else:
        yield value


def assert_equal(data: bytes, *, piece_bytes: int = 65536) -> None:
    reference = outcome(XmlExportReader(), data, len(data) or 1)
    quick = outcome(QuickXmlReader(piece_bytes=piece_bytes), data, 1000)
    assert reference == quick


@settings(max_examples=300, deadline=None, suppress_health_check=SLOW)
@given(
    seed=st.integers(0, 2**32),
    users=st.integers(0, 6),
    odd=st.sampled_from([0, 0, 0.02, 0.2]),
    values=st.lists(VALUE, min_size=1, max_size=6),
    piece_bytes=st.sampled_from([16, 200, 500, 65536]),
    end=st.sampled_from(["</users>", "</users>\n", "</users>", "", "<note/></users>", "</users>x"]),
)
def test_random_exports_give_what_the_reference_gives(
    seed: int, users: int, odd: float, values: list[str], piece_bytes: int, end: str
) -> None:
    writer = Writer(seed, odd, values)
    text = "".join(writer.user() + writer.gap() for _ in range(users)) + end

    assert_equal(HEAD + text.encode(), piece_bytes=piece_bytes)


def sample() -> bytes:
    """Some plain users around one that is not."""
    user = (
        "<user><auth_user_id>u{}</auth_user_id><data><_metadata><updated_at>2024-08-28</updated_at>"
        "</_metadata><recommendations><recommendation><recommendation_type>m</recommendation_type>"
        "<results><result><id>1</id><url>https://s/1?a&amp;b</url><title>ž&#233;</title>"
        "<image_link>i</image_link>{}</result></results></recommendation></recommendations></data>"
        "</user>\n"
    )
    odd = "<price>9</price><t><![CDATA[</user>]]></t>"
    parts = [user.format(n, odd if n == 1 else "") for n in range(3)]
    return HEAD + "".join(parts).encode() + b"</users>\n"


def test_plain_users_are_read_the_short_way() -> None:
    for data in (
        sample(),
        (GOLDEN / "export_one_line.xml").read_bytes(),
        (GOLDEN / "export_pretty.xml").read_bytes(),
    ):
        reader = QuickXmlReader(piece_bytes=300)
        reader.feed(data)
        reader.close()
        assert reader.plain_bytes > len(data) // 3


def test_closed_root_is_never_stepped_over() -> None:
    user = sample()[len(HEAD) :].split(b"\n")[0]
    for start in (b"<users/>", b"<users></users>", b"<users><!-- ", b"<users><![CDATA["):
        for piece_bytes in (8, 64, 65536):
            assert_equal(start + user * 3, piece_bytes=piece_bytes)


def test_refusal_after_skipped_users_names_the_place_in_the_whole() -> None:
    data = sample().replace(b"</users>", b"\xc5\xbe</users>")
    reference = outcome(XmlExportReader(), data, len(data))
    assert reference["position"].startswith("line 6, ")
    assert_equal(data, piece_bytes=300)
    assert_equal(data.replace(b"\n", b" "), piece_bytes=300)


def test_names_are_counted_in_plain_users_too() -> None:
    user = sample()[len(HEAD) :].split(b"\n")[0].replace(b"</result>", b"%s</result>")
    data = HEAD + b"".join(user % (b"<n%d>1</n%d>" % (n, n)) for n in range(5000)) + b"</users>"
    found = outcome(QuickXmlReader(), data, 65536)
    assert 4096 == found["limit"]
    assert found["message"] == outcome(XmlExportReader(), data, 65536)["message"]


@settings(max_examples=200, deadline=None)
@given(text=VALUES)
def test_value_is_read_as_the_reference_does_or_not_at_all(text: str) -> None:
    user = sample()[len(HEAD) :].split(b"\n")[0].replace(b"<title>", b"<title>" + text.encode())
    plain = parse_plain(user, set())
    if plain is not None:
        reader = XmlExportReader()
        assert reader.feed(b"<users>" + user + b"</users>") + reader.close() == plain
