"""What is read equals what lxml finds, for the reference's form, any tree, and any damage."""

from __future__ import annotations

import random
from typing import Any

from export_oracle import RefusedError, read_tree, read_xpath
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from benchmarks.workloads import Export, iter_export
from pipeline.errors import InputError
from pipeline.export.quick_reader import QuickXmlReader
from pipeline.export.xml_reader import XmlExportReader

SLOW = [HealthCheck.too_slow]
NAMES = [
    "user", "auth_user_id", "data", "_metadata", "updated_at", "recommendations", "recommendation",
    "recommendation_type", "results", "result", "id", "url", "title", "image_link", "price", "tag",
]  # fmt: skip
# The documented child of each element, so that random trees come as far as the results.
INNER = dict(zip(["users", *NAMES[:-1]], NAMES, strict=True)) | {
    "user": "data",
    "data": "recommendations",
    "recommendation": "results",
}
TEXTS = ["", "", "a", " ", "\n  ", "x&y<z", "é😀", "]]>", "u1"]


def outcome(reader: Any, data: bytes, size: int) -> Any:
    """The records, or the refusal's words."""
    users: list[Any] = []
    try:
        for start in range(0, len(data), size):
            users += reader.feed(data[start : start + size])
        return users + reader.close()
    except InputError as error:
        return str(error)


def assert_all_agree(data: bytes) -> Any:
    """Both readers, whole and byte by byte, and lxml; the words of a refusal are each one's own."""
    found = outcome(XmlExportReader(), data, len(data) or 1)
    assert found == outcome(QuickXmlReader(piece_bytes=300), data, 97)
    assert found == outcome(QuickXmlReader(), data, 1)
    small = outcome(XmlExportReader(piece_bytes=16), data, 1)
    assert found == small or (isinstance(found, str) and isinstance(small, str))
    expected: Any
    try:
        expected = read_tree(data)
    except RefusedError as error:
        expected = str(error)
    if isinstance(expected, str):
        # Namespaces forbid a colon there, XML does not.
        assert isinstance(found, str) or "colons are forbidden" in expected
    elif isinstance(found, str):
        # libxml2 knows more encodings, and takes "1." for a version.
        assert "encoding" in found or "XML version" in found
    else:
        assert expected == found
    return found


def sample() -> bytes:
    """Two users; in the second a comment, CDATA, an attribute and elements in another order."""
    user = (
        "<user><auth_user_id>u{}</auth_user_id><data><_metadata><updated_at>2024-08-28</updated_at>"
        "</_metadata><recommendations><recommendation><recommendation_type>m</recommendation_type>"
        "<results><result><id>1</id><url>https://s/1?a&amp;b</url><title>ž&#233;</title>"
        "<image_link>i</image_link></result>{}</results></recommendation></recommendations></data>"
        "</user>\n"
    )
    odd = "<result><p c='&lt;'>9<b/></p><id>2</id><t><![CDATA[</user>]]><!-- c --></t></result>"
    users = user.format(0, "") + user.format(1, odd)
    return f"<?xml version='1.0' encoding='UTF-8'?>\n<users>\n{users}</users>\n".encode()


def test_export_in_the_form_of_the_reference_equals_what_xpath_finds() -> None:
    for ugly, seed in ((0.0, 1), (0.4, 2)):
        data = b"".join(iter_export(Export(users=150, blocks=3, items=2, seed=seed, ugly=ugly)))
        expected = read_xpath(data)

        assert 151 == len(expected)
        assert expected == outcome(XmlExportReader(), data, 1000)
        assert expected == outcome(QuickXmlReader(), data, 1000)


def grow(parent: Any, draw: random.Random, name: str, depth: int) -> None:
    """A random element; mostly what belongs there, now and then anything."""
    element = etree.SubElement(parent, name)
    while draw.random() < 0.08:
        element.set(draw.choice(["a", "b", "cur"]), draw.choice(TEXTS))
    if name == "user" and draw.random() < 0.95:
        etree.SubElement(element, "auth_user_id").text = "u1"
    children = draw.choice([0, 1, 1, 2, 3]) if name in INNER and depth < 9 else 0
    if name in NAMES[10:] or name.endswith(("_id", "_at", "_type")):
        children *= draw.random() < 0.05
        element.text = draw.choice(TEXTS)
    elif draw.random() < 0.03:
        element.text = draw.choice(TEXTS)
    for _ in range(children):
        anything = draw.choice([*NAMES, "žluť"])
        grow(element, draw, INNER[name] if draw.random() < 0.6 else anything, depth + 1)
        if draw.random() < 0.03:
            element[-1].tail = draw.choice(TEXTS)


@settings(max_examples=400, deadline=None, suppress_health_check=SLOW)
@given(seed=st.integers(0, 2**32), encoding=st.sampled_from(["UTF-8", "UTF-16", "US-ASCII"]))
def test_any_tree_gives_what_lxml_finds(seed: int, encoding: str) -> None:
    draw = random.Random(seed)
    root = etree.Element("users", nsmap={None: "urn:export"} if draw.random() < 0.2 else None)
    for _ in range(draw.randrange(4)):
        grow(root, draw, "user" if draw.random() < 0.95 else "other", 1)
    if encoding == "US-ASCII" and "žluť" in {element.tag for element in root.iter()}:
        encoding = "UTF-8"

    assert_all_agree(etree.tostring(root, encoding=encoding, xml_declaration=True))


def test_every_single_byte_mutation_is_judged_as_lxml_does() -> None:
    """All 256 bytes at every place were tried by hand; these are some that change a verdict."""
    data = sample()
    others = b"&>x\xc3'\x00"
    refused = 0
    for at in range(len(data)):
        for instead in (b"", b"<", others[at % 6 : at % 6 + 1]):
            found = assert_all_agree(data[:at] + instead + data[at + 1 :])
            refused += isinstance(found, str)

    assert len(data) < refused < 3 * len(data)


def test_every_truncation_is_judged_as_lxml_does() -> None:
    data = sample()
    whole = assert_all_agree(data)

    assert 2 == len(whole)
    for end in range(len(data) - 1):
        assert isinstance(assert_all_agree(data[:end]), str)
