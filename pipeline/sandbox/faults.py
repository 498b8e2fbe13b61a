"""The fault plan: what goes wrong, on which request, how often. Pure but for its own state.

A plan is a list of faults. Each request takes the first fault of the list that is meant for it
and due; a fault is gone when it has been taken `times` times. The plan is given as a JSON file on
the command line or posted to ``/_sandbox/faults`` (added to what is there; DELETE empties it):

    [{"kind": "status", "status": 429, "retry_after_s": 2, "times": 2},
     {"kind": "reset", "at_byte": 1000},
     {"kind": "cut", "on": "export", "at_byte": [0, 5000]}]

or ``{"seed": 7, "faults": […]}``; the seed decides what `share` and ranges of `at_byte` draw.

Kinds for an upload (``"on": "upload"``, the default) and an export (``"on": "export"``):

    status    answer `status` (503) with `body` once the upload is whole; stored if `commit`
    early     answer `status` (503) after `at_byte` (0) bytes, the rest unread, connection closed
    redirect  answer `status` (302) with Location `location` (the sandbox's /_sandbox/elsewhere)
    html      answer `status` (200) with an HTML page; stored only if `commit`
    reset     connection reset after `at_byte` (0) bytes of the body
    stall     nothing happens for `seconds` (60) after `at_byte` (0) bytes, then all goes on
    slow      only a modifier: `bytes_per_s` (65536)
    clock     only a modifier: `clock_offset_s` (60) on the Date header and on the check of it
    headers   only a modifier: `headers`, where a name may come more than once
    lost      the list is stored, then reset after `answer_bytes` (0) bytes of the answer;
              for an export a reset before any answer

``"on": "klaviyo"`` and ``"on": "smartemailing"`` count the calls of these stand-ins: status, html
and redirect instead of the answer (with `commit` the call takes effect first), reset before
anything, stall, headers, clock, and lost: the call takes effect, then a reset after `answer_bytes`
(0) bytes of the answer.

For an export only:

    cut       the connection is closed in good order after `at_byte` (0) bytes of the body
    etag      another ETag and Last-Modified than before
    length    Content-Length is wrong by `delta` (1)
    bomb      a gzip answer that unpacks to `size` (1 GiB) bytes

Fields of every kind: `on`, `times` (1; null for ever), `skip` (0: requests let through before),
`share` (1.0: part of the due requests hit), `headers` (added to the answer: an object, or a list
of pairs), `retry_after_s` (Retry-After in seconds), `retry_after_date_s` (the same as an HTTP
date so far from now), `bytes_per_s`, `clock_offset_s`. `at_byte` is a number or ``[low, high]``;
beyond the end of the body it takes effect at the end.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, Literal, get_args

from pipeline.errors import ConfigurationError

__all__ = ["NO_FAULT", "Fault", "FaultPlan", "FaultTarget", "parse_faults"]

FaultTarget = Literal["upload", "export", "klaviyo", "smartemailing"]
_ANY: Final = ("status", "early", "redirect", "html", "reset", "stall", "slow", "clock")
_KINDS: Final = frozenset((*_ANY, "headers", "lost", "cut", "etag", "length", "bomb"))
_EXPORT_ONLY: Final = frozenset(("cut", "etag", "length", "bomb"))
_API: Final = frozenset(
    ("status", "redirect", "html", "reset", "stall", "headers", "clock", "lost")
)
_STATUS: Final = {"redirect": 302, "html": 200}
_MODIFIERS: Final[dict[str, dict[str, Any]]] = {
    "slow": {"bytes_per_s": 65_536},
    "clock": {"clock_offset_s": 60.0},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One entry of a plan; the module says what the fields mean."""

    kind: str
    on: FaultTarget = "upload"
    times: int | None = 1
    skip: int = 0
    share: float = 1.0
    at_byte: int | tuple[int, int] = 0
    status: int = 503
    headers: tuple[tuple[str, str], ...] = ()
    body: str = ""
    retry_after_s: int | None = None
    retry_after_date_s: float | None = None
    location: str | None = None
    seconds: float = 60.0
    bytes_per_s: int | None = None
    clock_offset_s: float = 0.0
    commit: bool = False
    answer_bytes: int = 0
    delta: int = 1
    size: int = 2**30

    @property
    def byte(self) -> int:
        """`at_byte` once it is drawn."""
        return self.at_byte if isinstance(self.at_byte, int) else self.at_byte[0]


NO_FAULT: Final = Fault(kind="none")


class FaultPlan:
    """The faults still to come; requests take theirs from it."""

    def __init__(self, faults: tuple[Fault, ...] = (), *, seed: int = 0) -> None:
        self._random = random.Random(seed)  # noqa: S311 - repeatable, not secret
        self._pending: list[Fault] = list(faults)

    def add(self, faults: tuple[Fault, ...], *, seed: int | None = None) -> None:
        """Append to the plan; a seed starts the draws anew."""
        self._pending.extend(faults)
        if seed is not None:
            self._random.seed(seed)

    def clear(self) -> None:
        """Forget every fault."""
        self._pending.clear()

    def take(self, on: FaultTarget) -> Fault:
        """The fault of this request, `NO_FAULT` if it has none."""
        for place, fault in enumerate(self._pending):
            if fault.on != on:
                continue
            if fault.skip:
                self._pending[place] = replace(fault, skip=fault.skip - 1)
                continue
            if fault.share < 1.0 and self._random.random() >= fault.share:
                continue
            self._use(place, fault)
            return self._drawn(fault)
        return NO_FAULT

    def as_list(self) -> list[dict[str, Any]]:
        """What is still to come, as JSON values."""
        return [asdict(fault) for fault in self._pending]

    def _use(self, place: int, fault: Fault) -> None:
        if fault.times == 1:
            del self._pending[place]
        elif fault.times is not None:
            self._pending[place] = replace(fault, times=fault.times - 1)

    def _drawn(self, fault: Fault) -> Fault:
        if isinstance(fault.at_byte, int):
            return fault
        return replace(fault, at_byte=self._random.randint(*fault.at_byte))


def parse_faults(value: object, *, source: object) -> tuple[tuple[Fault, ...], int | None]:
    """Faults and seed from JSON values.

    Raises:
        ConfigurationError: not a plan; the position names the fault.
    """
    seed: int | None = None
    if isinstance(value, Mapping) and "faults" in value:
        seed = value.get("seed")
        if seed is not None and not _is_int(seed):
            raise ConfigurationError("the seed is not an integer", source=source)
        value = value["faults"]
    elif isinstance(value, Mapping):
        value = [value]
    if not isinstance(value, list):
        raise ConfigurationError(
            "a fault plan is a list of faults",
            source=source,
            remedy='write [{"kind": "status", "status": 503}]',
        )
    return tuple(_fault(one, f"fault {at}", source) for at, one in enumerate(value, 1)), seed


def _fault(value: object, position: str, source: object) -> Fault:
    def refuse(message: str) -> ConfigurationError:
        return ConfigurationError(message, source=source, position=position)

    if not isinstance(value, Mapping):
        raise refuse("is not an object")
    kind = value.get("kind")
    if not isinstance(kind, str) or kind not in _KINDS:
        raise refuse(f"its kind is none of {', '.join(sorted(_KINDS))}")
    unknown = sorted(str(name) for name in value if name not in _CHECKS and name != "kind")
    if unknown:
        raise refuse(f"has no field {', '.join(unknown)}")
    for name, check in _CHECKS.items():
        if name in value and not check(value[name]):
            raise refuse(f"its {name} is not valid")
    made: dict[str, Any] = {"status": _STATUS.get(kind, 503), **_MODIFIERS.get(kind, {}), **value}
    if isinstance(made.get("at_byte"), list):
        made["at_byte"] = tuple(made["at_byte"])
    headers = made.get("headers", ())
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    made["headers"] = tuple((name, text) for name, text in pairs)
    if kind in _EXPORT_ONLY and made.setdefault("on", "export") != "export":
        raise refuse(f"{kind} is for the export only")
    if made.get("on") in ("klaviyo", "smartemailing") and kind not in _API:
        raise refuse(f"{kind} is not for an API")
    return Fault(**made)


def _is_int(value: object, *, low: int = 0, high: int = 2**62) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _is_number(value: object, *, low: float = 0.0, high: float = 1e9) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and low <= value <= high  # type: ignore[operator]


def _is_at_byte(value: object) -> bool:
    if isinstance(value, list):
        return len(value) == 2 and all(map(_is_int, value)) and value[0] <= value[1]
    return _is_int(value)


def _is_headers(value: object) -> bool:
    pairs = list(value.items()) if isinstance(value, Mapping) else value
    return isinstance(pairs, list) and all(
        isinstance(pair, list | tuple) and len(pair) == 2 and all(map(_is_header_text, pair))
        for pair in pairs
    )


def _is_header_text(value: object) -> bool:
    return isinstance(value, str) and value.isprintable() and bool(value)


_CHECKS: Final[dict[str, Callable[[Any], bool]]] = {
    "on": lambda value: value in get_args(FaultTarget),
    "times": lambda value: value is None or _is_int(value, low=1),
    "skip": _is_int,
    "share": lambda value: _is_number(value, high=1.0),
    "at_byte": _is_at_byte,
    "status": lambda value: _is_int(value, low=200, high=599),
    "headers": _is_headers,
    "body": lambda value: isinstance(value, str),
    "retry_after_s": _is_int,
    "retry_after_date_s": lambda value: _is_number(value, low=-1e9),
    "location": _is_header_text,
    "seconds": _is_number,
    "bytes_per_s": lambda value: _is_int(value, low=1),
    "clock_offset_s": lambda value: _is_number(value, low=-1e9),
    "commit": lambda value: isinstance(value, bool),
    "answer_bytes": _is_int,
    "delta": lambda value: _is_int(value, low=-(2**40), high=2**40),
    "size": lambda value: _is_int(value, low=1, high=2**40),
}
