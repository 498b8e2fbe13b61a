"""The profiles of the Klaviyo stand-in: kept, found, filtered, ordered, paged."""

from __future__ import annotations

import base64
import binascii
import bisect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import orjson

__all__ = ["PROFILE_FIELDS", "InvalidQueryError", "Page", "Profile", "ProfileStore", "iso"]

PROFILE_FIELDS: Final = frozenset(
    {"email", "phone_number", "external_id", "first_name", "last_name", "organization", "locale",
     "title", "image", "created", "updated", "last_event_date", "location", "properties",
     "joined_group_at"}
)  # fmt: skip
_IDENTIFIERS: Final = ("external_id", "email", "phone_number")
_CALL: Final = re.compile(
    r'\s*([a-z-]+)\(([a-z_.]+),\s*("(?:[^"\\]|\\.)*"|\[[^\]]*\]|[0-9T:.Z+-]+)\)\s*(?:,|$)'
)
_FILTERS: Final = {
    "profiles": {
        "id": {"equals", "any"},
        "email": {"equals", "any"},
        "phone_number": {"equals", "any"},
        "external_id": {"equals", "any"},
        "created": {"greater-than", "less-than"},
        "updated": {"greater-than", "less-than"},
    },
    "members": {
        "email": {"equals", "any"},
        "phone_number": {"equals", "any"},
        "joined_group_at": {"greater-than", "less-than", "greater-or-equal", "less-or-equal"},
    },
}
_SORTS: Final = {
    "profiles": ("id", "created", "updated", "email"),
    "members": ("joined_group_at",),
}


class InvalidQueryError(Exception):
    """A parameter that the service refuses: its name and what is wrong."""

    def __init__(self, parameter: str, detail: str) -> None:
        super().__init__(detail)
        self.parameter, self.detail = parameter, detail


@dataclass(slots=True, kw_only=True)
class Profile:
    """One profile; ``groups`` are the lists and segments it is in, and since when."""

    id: str
    attributes: dict[str, Any]
    groups: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Page:
    """Some profiles, and the cursor of what follows, None at the end."""

    profiles: list[Profile]
    cursor: str | None


class ProfileStore:
    """All profiles by id; touched by the event loop only."""

    def __init__(self) -> None:
        self.profiles: dict[str, Profile] = {}
        self.groups: set[str] = set()
        self._by: dict[str, dict[str, str]] = {name: {} for name in _IDENTIFIERS}
        self._orders: dict[tuple[str, ...], list[tuple[str, str]]] = {}

    def upsert(
        self, attributes: Mapping[str, Any], groups: Mapping[str, str], *, now: str
    ) -> str | None:
        """Create or update the profile that `attributes` identify; None, or why not.

        As the real service: properties are merged one by one, and null changes nothing.
        """
        given = {name: attributes[name] for name in _IDENTIFIERS if attributes.get(name)}
        found = self.identified(attributes)
        if len(found) > 1:
            return "the identifiers belong to different profiles"
        number = len(self.profiles)
        profile_id = found.pop() if found else f"01SANDBOX{number:017d}"
        profile = self.profiles.get(profile_id)
        if profile is None:
            kept: dict[str, Any] = {"created": now, "properties": {}}
            profile = self.profiles[profile_id] = Profile(id=profile_id, attributes=kept)
        for name, value in attributes.items():
            if name == "properties" and isinstance(value, Mapping):
                old = profile.attributes.get("properties") or {}
                profile.attributes["properties"] = old | {
                    key: one for key, one in value.items() if one is not None
                }
            elif name != "id" and value is not None:
                profile.attributes[name] = value
        profile.attributes["updated"] = attributes.get("updated") or now
        for name, value in given.items():
            self._by[name][value] = profile_id
        profile.groups.update(groups)
        self.groups.update(groups)
        self._orders.clear()
        return None

    def identified(self, attributes: Mapping[str, Any]) -> set[str]:
        """The ids of the profiles that these attributes identify."""
        found = {
            self._by[name][attributes[name]]
            for name in _IDENTIFIERS
            if attributes.get(name) in self._by[name]
        }
        return found | ({str(attributes["id"])} if attributes.get("id") else set())

    def page(
        self, query: Mapping[str, str], *, group: str | None, size: int, cursor: str | None
    ) -> Page:
        """The profiles behind `cursor`.

        Raises:
            InvalidQueryError: a filter, an order or a cursor that the service refuses.
        """
        kind = "profiles" if group is None else "members"
        sort = query.get("sort", "id" if group is None else "joined_group_at")
        name = sort.removeprefix("-")
        if name not in _SORTS[kind]:
            raise InvalidQueryError("sort", f"'{sort}' is not a field to sort by")
        text = query.get("filter", "")
        key = (group or "", sort, text)
        if key not in self._orders:
            self._orders[key] = self._order(group, name, _parse_filter(text, kind))
        order = self._orders[key]
        start = 0 if cursor is None else bisect.bisect_right(order, _read_cursor(cursor, key))
        if sort.startswith("-"):
            order = order[::-1]
            if cursor is not None:
                start = order.index(_read_cursor(cursor, key)) + 1
        chosen = order[start : start + size]
        more = start + size < len(order)
        return Page(
            [self.profiles[one] for _, one in chosen],
            _write_cursor(chosen[-1], key) if more else None,
        )

    def _order(
        self, group: str | None, name: str, matches: Callable[[Profile], bool]
    ) -> list[tuple[str, str]]:
        return sorted(
            (_value(one, name, group), one.id)
            for one in self.profiles.values()
            if (group is None or group in one.groups) and matches(one)
        )


def iso(seconds: float) -> str:
    """A time as the service writes it."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def _value(profile: Profile, name: str, group: str | None) -> str:
    if name == "id":
        return profile.id
    if name == "joined_group_at":
        return profile.groups.get(group or "", "")
    return str(profile.attributes.get(name) or "")


def _parse_filter(text: str, kind: str) -> Callable[[Profile], bool]:
    tests: list[Callable[[Profile], bool]] = []
    at = 0
    while at < len(text):
        match = _CALL.match(text, at)
        if match is None:
            raise InvalidQueryError("filter", "the filter cannot be read")
        operator, name, raw = match.groups()
        if operator not in _FILTERS[kind].get(name, ()):
            raise InvalidQueryError("filter", f"'{operator}' is not allowed on '{name}'")
        tests.append(_test(operator, name, raw))
        at = match.end()
    return lambda profile: all(test(profile) for test in tests)


def _test(operator: str, name: str, raw: str) -> Callable[[Profile], bool]:
    try:
        if operator in ("equals", "any"):
            value = orjson.loads(raw)
            wanted = set(value) if isinstance(value, list) else {value}
            return lambda profile: (
                (profile.id if name == "id" else profile.attributes.get(name)) in wanted
            )
        limit = _time(raw.strip('"'))
    except ValueError as error:
        raise InvalidQueryError("filter", "a value of the filter cannot be read") from error
    compare: dict[str, Callable[[datetime], bool]] = {
        "greater-than": lambda moment: moment > limit,
        "less-than": lambda moment: moment < limit,
        "greater-or-equal": lambda moment: moment >= limit,
        "less-or-equal": lambda moment: moment <= limit,
    }
    return lambda profile: compare[operator](_time(str(profile.attributes.get(name))))


def _time(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def _write_cursor(last: tuple[str, str], key: tuple[str, ...]) -> str:
    return base64.urlsafe_b64encode(orjson.dumps([last, key])).decode()


def _read_cursor(cursor: str, key: tuple[str, ...]) -> tuple[str, str]:
    try:
        last, own = orjson.loads(base64.urlsafe_b64decode(cursor))
        if tuple(own) != key:
            raise InvalidQueryError("page[cursor]", "the cursor belongs to another query")
        value, profile_id = last
    except (binascii.Error, ValueError, TypeError) as error:
        raise InvalidQueryError("page[cursor]", "the cursor cannot be read") from error
    return str(value), str(profile_id)
