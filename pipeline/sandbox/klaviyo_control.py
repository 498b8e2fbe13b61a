"""What a test or a person can do to the Klaviyo stand-in, under /_sandbox/klaviyo.

POST   profiles    add profiles: a list of {"attributes", "lists", "segments"}, or
                   {"count": 1000, "types": 2, "items": 3, …} for made-up ones, see SeedOptions
GET    profiles    all of them, with the lists and segments they are in
DELETE profiles    forget profiles and jobs
POST   behaviour   {"reads": [[75, 1], [700, 60]], "jobs": [[10, 1], [150, 60]]} for the rate
                   windows (requests, seconds), "job_seconds", "reject" (external ids that
                   import jobs refuse), "cancel" (so many next jobs end cancelled)
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any, Final

import orjson
from aiohttp import web

from pipeline.errors import ConfigurationError
from pipeline.sandbox.answers import json_answer
from pipeline.sandbox.catalogue import PRODUCTS
from pipeline.sandbox.klaviyo import KLAVIYO, Klaviyo
from pipeline.sandbox.klaviyo_rates import RateWindows
from pipeline.sandbox.klaviyo_store import iso

__all__ = ["klaviyo_control_routes"]

_PROFILES: Final = "/_sandbox/klaviyo/profiles"
_MOST: Final = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedOptions:
    """Profiles as the vendor's own integration leaves them: u1, u2 … and their recommendations."""

    count: int = 100
    types: int = 2
    items: int = 3
    leave_out: int = 10
    """Every so many-th profile has no recommendations."""
    null: int = 0
    """Every so many-th profile has null properties."""
    default: bool = True
    """Add the generic set, external_id `default`."""
    seed: int = 0


def klaviyo_control_routes() -> list[web.AbstractRouteDef]:
    """The control endpoints."""
    return [
        web.get(_PROFILES, _show),
        web.post(_PROFILES, _seed),
        web.delete(_PROFILES, _clear),
        web.post("/_sandbox/klaviyo/behaviour", _behave),
    ]


async def _show(request: web.Request) -> web.Response:
    klaviyo = request.app[KLAVIYO]
    klaviyo.board.settle(time.time())
    profiles = [
        {"id": one.id, "attributes": one.attributes, "groups": sorted(one.groups)}
        for one in klaviyo.store.profiles.values()
    ]
    jobs = [
        {"id": one.id, "profiles": len(one.profiles), "errors": len(one.errors)}
        for one in klaviyo.board.jobs.values()
    ]
    return json_answer(200, {"profiles": profiles, "jobs": jobs})


async def _clear(request: web.Request) -> web.Response:
    klaviyo = request.app[KLAVIYO]
    fresh = Klaviyo()
    klaviyo.store, klaviyo.board = fresh.store, fresh.board
    return json_answer(200, {"profiles": 0})


async def _seed(request: web.Request) -> web.Response:
    store = request.app[KLAVIYO].store
    value = await _value(request)
    now = iso(time.time())
    profiles = value if isinstance(value, list) else _made(value, request.path)
    for profile in profiles:
        if not isinstance(profile, dict) or not isinstance(profile.get("attributes"), dict):
            raise ConfigurationError("a profile needs attributes", source=request.path)
        groups = {
            f"{kind}/{name}": now
            for kind in ("lists", "segments")
            for name in profile.get(kind, ())
        }
        attributes = profile["attributes"]
        refused = store.upsert(attributes, groups, now=now)
        if refused is not None:
            raise ConfigurationError(refused, source=request.path)
        if "properties" in attributes and attributes["properties"] is None:
            for found in store.identified(attributes):
                store.profiles[found].attributes["properties"] = None
    return json_answer(200, {"profiles": len(store.profiles)})


def _made(value: Any, source: str) -> Iterator[dict[str, Any]]:
    known = {one.name: one.type for one in fields(SeedOptions)}
    if not isinstance(value, dict) or not value.keys() <= known.keys():
        raise ConfigurationError(f"known are {', '.join(known)}", source=source)
    if any(type(one).__name__ != known[name] for name, one in value.items()):
        raise ConfigurationError("numbers are expected", source=source)
    options = SeedOptions(**value)
    if not 0 <= options.count <= _MOST:
        raise ConfigurationError("too many profiles", source=source, limit=_MOST)
    draw = random.Random(options.seed)  # noqa: S311 - repeatable, not secret
    if options.default:
        properties = _blocks("default", options, draw)
        yield {"attributes": {"external_id": "default", "properties": properties}}
    for number in range(1, options.count + 1):
        name = f"u{number}"
        properties = {"customer_id": name}
        if not (options.leave_out and number % options.leave_out == 0):
            properties |= _blocks(name, options, draw)
        empty = options.null and number % options.null == 0
        yield {
            "attributes": {
                "external_id": name,
                "email": f"{name}@example.com",
                "properties": None if empty else properties,
            }
        }


def _blocks(name: str, options: SeedOptions, draw: random.Random) -> dict[str, Any]:
    return {
        f"mail-recommender-{kind}": [
            {
                "id": product.id,
                "url": f"{product.url}{name}-{kind}",
                "title": product.title,
                "image_link": product.image_link,
            }
            for product in draw.sample(PRODUCTS, min(options.items, len(PRODUCTS)))
        ]
        for kind in range(1, options.types + 1)
    }


async def _behave(request: web.Request) -> web.Response:
    klaviyo = request.app[KLAVIYO]
    value = await _value(request)
    try:
        for name, target in (("reads", "reads"), ("jobs", "posts")):
            if name in value:
                (burst, burst_s), (steady, steady_s) = value[name]
                limits = (int(burst), float(burst_s)), (int(steady), float(steady_s))
                setattr(klaviyo, target, RateWindows(limits))
        board = klaviyo.board
        board.seconds = float(value.get("job_seconds", board.seconds))
        board.reject |= set(value.get("reject", ()))
        board.cancel = int(value.get("cancel", board.cancel))
    except (TypeError, ValueError, AttributeError) as error:
        raise ConfigurationError("not a behaviour", source=request.path) from error
    return json_answer(200, {"reads": klaviyo.reads.limits, "jobs": klaviyo.posts.limits})


async def _value(request: web.Request) -> Any:
    body = bytearray()
    while block := await request.content.readany():
        body += block
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise ConfigurationError("the body is not JSON", source=request.path) from error
