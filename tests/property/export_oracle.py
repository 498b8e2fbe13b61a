"""What an XML export holds, by lxml: a second way to the same records, written from the format.

lxml builds the whole tree; this walks it. `read_tree` keeps unknown parts as `pipeline.export`
documents it. `read_xpath` is what a stranger would write for the reference's form and nothing else.
"""

from __future__ import annotations

from typing import Any

from lxml import etree

CONTAINERS = {
    "users": {"user"},
    "user": {"auth_user_id", "data"},
    "data": {"_metadata", "recommendations"},
    "_metadata": {"updated_at"},
    "recommendations": {"recommendation"},
    "recommendation": {"recommendation_type", "results"},
    "results": {"result"},
}
TEXT_ONLY = {"auth_user_id", "updated_at", "recommendation_type"}
FIELDS = {"id", "url", "title", "image_link"}
BLANKS = " \t\r\n"
MAX_DEPTH = 32


class RefusedError(Exception):
    """lxml does not read it, or it is no export."""


def parse(data: bytes) -> Any:
    """The root, comments and instructions taken out."""
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, remove_comments=True, remove_pis=True,
        huge_tree=True,
    )  # fmt: skip
    try:
        root = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise RefusedError(str(error)) from error
    if root.getroottree().docinfo.doctype or _name(root) != "users":
        raise RefusedError("DOCTYPE or another root")
    return root


def read_xpath(data: bytes) -> list[Any]:
    """The users of an export in the reference's form, by XPath alone."""
    return [
        {
            "auth_user_id": user.xpath("string(auth_user_id)"),
            "updated_at": user.xpath("string(data/_metadata/updated_at)") or None,
            "recommendations": [
                {
                    "recommendation_type": block.xpath("string(recommendation_type)"),
                    "results": [
                        {element.tag: element.xpath("string()") for element in result.xpath("*")}
                        for result in block.xpath("results/result")
                    ],
                }
                for block in user.xpath("data/recommendations/recommendation")
            ],
        }
        for user in parse(data).xpath("/users/user")
    ]


def read_tree(data: bytes) -> list[Any]:
    """The users of any well-formed export."""
    root = parse(data)
    if any(text.strip(BLANKS) for text in _texts(root)):
        raise RefusedError("text between users")
    for element in root.iter():
        if sum(1 for _ in element.iterancestors()) >= MAX_DEPTH:
            raise RefusedError("too deep")
    return [_user(element) for element in root if _name(element) == "user"]


def _user(element: Any) -> dict[str, Any]:
    found: dict[str, Any] = {"auth_user_id": None, "updated_at": None, "recommendations": []}
    extra: dict[str, Any] = {}
    _container(element, "user", found, extra, ())
    if not (found["auth_user_id"] or "").strip():
        raise RefusedError("no id")
    return found | ({"extra": extra} if extra else {})


def _container(
    element: Any, where: str, found: dict[str, Any], extra: dict[str, Any], path: tuple[str, ...]
) -> None:
    """Walk a documented container; `extra` is that of its user or block, `path` the way there."""

    def keep(name: str, value: Any) -> None:
        fields = extra
        for step in path:
            fields = fields.setdefault(step, {})
        _add(fields, name, value)

    for key, value in _attributes(element):
        keep(f"@{key}", value)
    _keep_stray(element.text, keep)
    for child in element:
        name = _name(child)
        if name not in CONTAINERS[where]:
            keep(name, _value(child))
        elif name == "result":
            found["results"].append(_result(child))
        elif name in TEXT_ONLY:
            _text_only(child, name, found, keep)
        elif name == "recommendation":
            block: dict[str, Any] = {"recommendation_type": None, "results": []}
            block_extra: dict[str, Any] = {}
            _container(child, name, block, block_extra, ())
            block["recommendation_type"] = block["recommendation_type"] or ""
            found["recommendations"].append(block | ({"extra": block_extra} if block_extra else {}))
        else:
            _container(child, name, found, extra, (*path, name))
        _keep_stray(child.tail, keep)


def _text_only(child: Any, name: str, found: dict[str, Any], keep: Any) -> None:
    if len(child):
        raise RefusedError(f"an element in {name}")
    for key, value in _attributes(child):
        keep(f"{name}@{key}", value)
    if found[name] is None:
        found[name] = child.text or ""
    elif name == "auth_user_id":
        raise RefusedError("two ids")
    else:
        keep(name, child.text or "")


def _result(element: Any) -> dict[str, Any]:
    item: dict[str, Any] = {f"@{key}": value for key, value in _attributes(element)}
    _keep_stray(element.text, lambda name, value: _add(item, name, value))
    for child in element:
        name = _name(child)
        if name in FIELDS:
            for key, value in _attributes(child):
                _add(item, f"{name}@{key}", value)
            _add(item, name, _value(child, attributes=False))
        else:
            _add(item, name, _value(child))
        _keep_stray(child.tail, lambda name, value: _add(item, name, value))
    return item


def _value(element: Any, *, attributes: bool = True) -> Any:
    fields = {f"@{key}": value for key, value in _attributes(element)} if attributes else {}
    for child in element:
        _add(fields, _name(child), _value(child))
    text = "".join(_texts(element))
    if not fields:
        return text
    if text.strip(BLANKS) if len(element) else text:
        fields["#text"] = text
    return fields


def _texts(element: Any) -> list[str]:
    """Text directly in an element, piece by piece."""
    return [element.text or "", *(child.tail or "" for child in element)]


def _keep_stray(text: str | None, keep: Any) -> None:
    if text and text.strip(BLANKS):
        keep("#text", text)


def _add(fields: dict[str, Any], name: str, value: Any) -> None:
    if name not in fields:
        fields[name] = value
    elif isinstance(fields[name], list):
        fields[name].append(value)
    else:
        fields[name] = [fields[name], value]


def _name(element: Any) -> str:
    local = str(etree.QName(element).localname)
    return f"{element.prefix}:{local}" if element.prefix else local


def _attributes(element: Any) -> list[tuple[str, str]]:
    """Names as they are written, with their prefix."""
    prefixes = {uri: prefix for prefix, uri in element.nsmap.items() if prefix}
    prefixes["http://www.w3.org/XML/1998/namespace"] = "xml"
    found = []
    for key, value in element.attrib.items():
        name = etree.QName(key)
        prefix = f"{prefixes[name.namespace]}:" if name.namespace else ""
        found.append((prefix + name.localname, value))
    return found
