"""Events of an XML parser become user records.

Strategy: the documented elements have one place each, so one name says where the parser stands;
no stack is kept for them. The two handlers treat the leaf of a result first, which is nearly every
event; everything else is in the slower methods. Text goes to a list without a Python-level call.

Nothing is lost: an unknown element of a result is kept under its own name, one elsewhere under the
same path in ``extra`` of its user or block. Its value is text, or for an element with attributes
or children a dict with ``@attribute`` and ``#text`` keys; repeated names make a list. An attribute
of a documented leaf is kept beside it as ``url@lang``. Namespace declarations are not data.
"""

from __future__ import annotations

from typing import Any, Final, Protocol, cast
from xml.parsers.expat import XMLParserType

from pipeline.errors import InputError
from pipeline.limits import (
    EXPORT_MAX_DEPTH,
    EXPORT_MAX_ELEMENTS,
    EXPORT_MAX_USER,
    EXPORT_MAX_VALUE,
)
from pipeline.records import Block, UserRecommendations

__all__ = ["UserAssembler", "add_value"]

_SPACE: Final = " \t\r\n"
_CHILDREN: Final[dict[str, frozenset[str]]] = {
    "users": frozenset({"user"}),
    "user": frozenset({"auth_user_id", "data"}),
    "data": frozenset({"_metadata", "recommendations"}),
    "_metadata": frozenset({"updated_at"}),
    "recommendations": frozenset({"recommendation"}),
    "recommendation": frozenset({"recommendation_type", "results"}),
    "results": frozenset({"result"}),
}
_PARENT: Final = {child: parent for parent, children in _CHILDREN.items() for child in children}
_DEPTH: Final = {
    "users": 1,
    "user": 2,
    "data": 3,
    "_metadata": 4,
    "recommendations": 4,
    "recommendation": 5,
    "results": 6,
}
_TEXT_ONLY: Final = frozenset({"auth_user_id", "updated_at", "recommendation_type"})
_RESULT_FIELDS: Final = frozenset({"id", "url", "title", "image_link"})


class _Refusal(Protocol):
    def __call__(
        self, message: str, *, remedy: str = ..., limit: int | None = ..., actual: int | None = ...
    ) -> InputError: ...


class _Node:
    """An unknown element that is being read."""

    __slots__ = ("fields", "name", "parts")

    def __init__(self, name: str, attributes: dict[str, str]) -> None:
        self.name = name
        self.fields: dict[str, Any] = {f"@{key}": value for key, value in attributes.items()}
        self.parts: list[str] = []


def add_value(fields: dict[str, Any], name: str, value: Any) -> None:
    """Put `value` under `name`; a second one of that name makes a list of both."""
    if name not in fields:
        fields[name] = value
    elif isinstance(fields[name], list):
        fields[name].append(value)
    else:
        fields[name] = [fields[name], value]


class UserAssembler:
    """Builds records from events; `take` hands out those that are complete.

    Invariant: `_where` is the innermost documented container that is open ("" before the root);
    `_item` is the open result; `_leaf` is the open element that holds a value, and `_tree` its
    nested elements, outermost first, once it has any.
    """

    __slots__ = (
        "_block_extra",
        "_blocks",
        "_done",
        "_elements",
        "_item",
        "_leaf",
        "_parser",
        "_refusal",
        "_results",
        "_text",
        "_tree",
        "_type",
        "_updated_at",
        "_user_extra",
        "_user_id",
        "_where",
        "ignored_elements",
        "open_since",
        "root_closed",
        "root_seen",
    )

    def __init__(self, parser: XMLParserType, refusal: _Refusal) -> None:
        self._parser = parser
        self._refusal = refusal
        self._done: list[UserRecommendations] = []
        self._elements = 0
        self._where = ""
        self._item: dict[str, Any] | None = None
        self._leaf: str | None = None
        self._tree: list[_Node] = []
        self._text: list[str] = []
        self.root_seen = False
        self.root_closed = False
        self.open_since: int | None = None
        self.ignored_elements = 0
        self._user_id: str | None = None
        self._updated_at: str | None = None
        self._blocks: list[Block] = []
        self._user_extra: dict[str, Any] = {}
        self._type: str | None = None
        self._results: list[dict[str, Any]] = []
        self._block_extra: dict[str, Any] = {}
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text.append

    def take(self) -> list[UserRecommendations]:
        """The users completed since the last call."""
        done = self._done
        self._done = []
        return done

    @property
    def between_users(self) -> bool:
        """Whether the root is open, and nothing in it."""
        inside = self._leaf is not None or self._text or self.root_closed
        return self._where == "users" and not inside

    def check_open_value(self) -> None:
        """Refuse a value that is too long before it ends."""
        size = sum(map(len, self._text))
        if size > EXPORT_MAX_VALUE:
            raise self._too_long(size)

    def check_elements(self) -> None:
        """Refuse a user, or another element below the root, with too many elements."""
        if self._elements > EXPORT_MAX_ELEMENTS:
            message = "one user has too many elements"
            raise self._refusal(message, limit=EXPORT_MAX_ELEMENTS, actual=self._elements)

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._elements += 1 + len(attributes)  # an attribute is kept like an element
        if self._item is None or self._leaf is not None or attributes:
            self._start_other(name, attributes)
            return
        if self._text:
            self._keep_stray_text()
        self._leaf = name

    def _end(self, name: str) -> None:
        if self._leaf is None or self._tree:
            self._end_other()
            return
        text = self._text
        value = text.pop() if len(text) == 1 else self._join(text)
        self._leaf = None
        item = self._item
        if item is None:
            self._keep_leaf(name, value)
        elif name in item:
            add_value(item, name, value)
        else:
            item[name] = value

    def _start_other(self, name: str, attributes: dict[str, str]) -> None:
        """Any start but that of a plain leaf of a result."""
        if self._leaf is not None:
            self._nest(name, attributes)
            return
        if self._text:
            self._keep_stray_text()
        if attributes:
            attributes = {
                key: value
                for key, value in attributes.items()
                if key != "xmlns" and not key.startswith("xmlns:")
            }
        if self._item is not None:
            self._open_leaf(name, attributes, known=name in _RESULT_FIELDS)
        elif name not in _CHILDREN.get(self._where, ()):
            self._open_unknown(name, attributes)
        elif name == "result":
            self._item = {f"@{key}": value for key, value in attributes.items()}
        elif name in _TEXT_ONLY:
            self._open_leaf(name, attributes, known=True)
        else:
            self._open_container(name, attributes)

    def _open_unknown(self, name: str, attributes: dict[str, str]) -> None:
        if self._where == "":
            self._open_root(name)
            return
        if self._where == "users":
            self.open_since = self._parser.CurrentByteIndex
            self.ignored_elements += 1
        self._open_leaf(name, attributes, known=False)

    def _open_root(self, name: str) -> None:
        if name.lower() == "html":
            raise self._refusal(
                "this is an HTML page, not an export",
                remedy="open the address in a browser: it may ask for a login or show an error",
            )
        if name != "users":
            raise self._refusal(
                "the root element is not <users>",
                remedy="check that this is the vendor's export",
            )
        self.root_seen = True
        self._where = name

    def _open_container(self, name: str, attributes: dict[str, str]) -> None:
        self._where = name
        if name == "user":
            self._begin_user()
            self.open_since = self._parser.CurrentByteIndex
        elif name == "recommendation":
            self._begin_block()
        if attributes:
            extra = self._extra()
            for key, value in attributes.items():
                add_value(extra, f"@{key}", value)

    def _open_leaf(self, name: str, attributes: dict[str, str], *, known: bool) -> None:
        self._leaf = name
        if not attributes:
            return
        if known:
            fields = self._extra() if self._item is None else self._item
            for key, value in attributes.items():
                add_value(fields, f"{name}@{key}", value)
        else:
            self._tree.append(_Node(name, attributes))

    def _nest(self, name: str, attributes: dict[str, str]) -> None:
        """An element inside a leaf: the leaf is a tree."""
        leaf = cast("str", self._leaf)
        if not self._tree:
            if self._item is None and leaf in _TEXT_ONLY and leaf in _CHILDREN[self._where]:
                raise self._refusal(f"<{leaf}> holds an element where only text belongs")
            self._tree.append(_Node(leaf, {}))
        depth = _DEPTH[self._where] + (self._item is not None) + 1 + len(self._tree)
        if depth > EXPORT_MAX_DEPTH:
            message = "elements are nested too deeply"
            raise self._refusal(message, limit=EXPORT_MAX_DEPTH, actual=depth)
        self._tree[-1].parts += self._text
        self._text.clear()
        self._tree.append(_Node(name, attributes))

    def _end_other(self) -> None:
        """Any end but that of a plain leaf."""
        if self._tree:
            self._end_node()
            return
        if self._text:
            self._keep_stray_text()
        if self._item is not None:
            self._results.append(self._item)
            self._item = None
            return
        where = self._where
        if where == "user":
            self._end_user()
        elif where == "recommendation":
            self._end_block()
        elif where == "users":
            self.root_closed = True
        self._where = _PARENT.get(where, where)

    def _end_node(self) -> None:
        node = self._tree.pop()
        node.parts += self._text
        self._text.clear()
        value: Any = self._join(node.parts)
        if node.fields:
            has_children = any(key[0] != "@" for key in node.fields)
            if value.strip(_SPACE) if has_children else value:
                node.fields["#text"] = value
            value = node.fields
        if self._tree:
            add_value(self._tree[-1].fields, node.name, value)
            return
        self._leaf = None
        if self._item is not None:
            add_value(self._item, node.name, value)
        else:
            self._keep_leaf(node.name, value)

    def _keep_leaf(self, name: str, value: Any) -> None:
        """Store the value of an element that is in no result."""
        if self._where == "users":
            self._check_user_size()
        elif name == "auth_user_id" and self._where == "user":
            if self._user_id is not None:
                raise self._refusal("a user has two elements <auth_user_id>")
            self._user_id = value
        elif name == "updated_at" and self._where == "_metadata" and self._updated_at is None:
            self._updated_at = value
        elif (
            name == "recommendation_type" and self._where == "recommendation" and self._type is None
        ):
            self._type = value
        else:
            add_value(self._extra(), name, value)

    def _begin_user(self) -> None:
        self._user_id = None
        self._updated_at = None
        self._blocks = []
        self._user_extra = {}

    def _end_user(self) -> None:
        self._check_user_size()
        if self._user_id is None or not self._user_id.strip():
            raise self._refusal("a user has no auth_user_id")
        user: UserRecommendations = {
            "auth_user_id": self._user_id,
            "updated_at": self._updated_at,
            "recommendations": self._blocks,
        }
        if self._user_extra:
            user["extra"] = self._user_extra
        self._done.append(user)

    def _begin_block(self) -> None:
        self._type = None
        self._results = []
        self._block_extra = {}

    def _end_block(self) -> None:
        block: Block = {"recommendation_type": self._type or "", "results": self._results}
        if self._block_extra:
            block["extra"] = self._block_extra
        self._blocks.append(block)

    def _extra(self) -> dict[str, Any]:
        """Where unknown parts of the open container are kept: the same path in `extra`."""
        where = self._where
        if where == "recommendation":
            return self._block_extra
        if where == "results":
            return cast("dict[str, Any]", self._block_extra.setdefault("results", {}))
        extra = self._user_extra
        for step in ("data", where) if where in _CHILDREN["data"] else (where,):
            if step != "user":
                extra = extra.setdefault(step, {})
        return extra

    def _keep_stray_text(self) -> None:
        """Text between elements is layout when blank, and kept when not."""
        value = self._join(self._text)
        if not value.strip(_SPACE):
            return
        if self._item is not None:
            add_value(self._item, "#text", value)
        elif self._where == "users":
            raise self._refusal("there is text between the users")
        else:
            add_value(self._extra(), "#text", value)

    def _join(self, parts: list[str]) -> str:
        value = "".join(parts)
        parts.clear()
        # A character takes at most four bytes, so only long values need counting.
        if len(value) > EXPORT_MAX_VALUE // 4:
            size = len(value.encode())
            if size > EXPORT_MAX_VALUE:
                raise self._too_long(size)
        return value

    def _too_long(self, size: int) -> InputError:
        return self._refusal("a value is too long", limit=EXPORT_MAX_VALUE, actual=size)

    def _check_user_size(self) -> None:
        self.check_elements()
        self._elements = 0
        size = self._parser.CurrentByteIndex - (self.open_since or 0)
        self.open_since = None
        if size > EXPORT_MAX_USER:
            raise self._refusal("one user is too large", limit=EXPORT_MAX_USER, actual=size)
