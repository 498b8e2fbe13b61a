"""Reading every profile, page by page, into a spool that survives a crash."""

from __future__ import annotations

from typing import Final

import orjson

from pipeline.deliver.caller import JsonCaller
from pipeline.deliver.klaviyo_api import read_collection, read_pacer
from pipeline.deliver.klaviyo_profiles import ProfileReader
from pipeline.deliver.spool import Spool
from pipeline.errors import RemoteError
from pipeline.records import OnProgress, Progress
from pipeline.wire.json_message import JsonRequest

__all__ = ["pull_profiles"]

# Pages between two visits to the disk: what a crash costs is asking for these again.
_PAGES: Final = 10


async def pull_profiles(
    caller: JsonCaller,
    spool: Spool,
    reader: ProfileReader,
    *,
    source: str,
    on_progress: OnProgress,
) -> None:
    """Follow the pages from the spool's place to the end; what came is kept whatever happens.

    Raises:
        RemoteError: the service refused, or its pages do not lead to an end.
        TryLaterError: it did not answer in time.
        MachineError: the disk refused.
    """
    pacer = read_pacer()
    seen: set[str] = set()
    unsaved = 0
    try:
        while spool.place is not None:
            if spool.place in seen:
                raise RemoteError("the service's pages lead in a circle", source=source)
            seen.add(spool.place)
            answer = await caller.call(JsonRequest(method="GET", target=spool.place), pacer=pacer)
            page = read_collection(answer.value, source=source)
            users = [user for one in page.resources if (user := reader.read(one)) is not None]
            lines = b"".join(orjson.dumps(user, option=orjson.OPT_APPEND_NEWLINE) for user in users)
            spool.append(lines, place=page.following, counts=reader.counts)
            unsaved += 1
            if unsaved >= _PAGES:
                spool.save()
                unsaved = 0
            on_progress(
                Progress(
                    stage="pull",
                    done=reader.counts["profiles"],
                    unit="profiles",
                    users=reader.counts["users"],
                )
            )
    finally:
        if unsaved:
            spool.save()
