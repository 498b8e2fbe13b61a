"""One run of `deliver klaviyo pull`: pages into a spool, the spool into outputs."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from pipeline.deliver.klaviyo_api import REMEDIES, explain_refusal, headers
from pipeline.deliver.klaviyo_profiles import ProfileReader, first_target
from pipeline.deliver.klaviyo_pull import pull_profiles
from pipeline.deliver.spool import Spool
from pipeline.errors import GuardError, InputError, RemoteError
from pipeline.export.collect import Collection
from pipeline.guards.klaviyo import refuse_bare_profiles
from pipeline.loop import run
from pipeline.records import KlaviyoPullSummary, OnProgress, Progress
from pipeline.settings import ExportSettings, KlaviyoPullSettings, Secret, parse_duration
from pipeline.transfer.json_api import JsonApi
from pipeline.wire.address import shown_url

__all__ = ["KlaviyoPull"]


class KlaviyoPull:
    """Call `fetch`, then `collect`, inside a ``with`` block."""

    def __init__(
        self,
        outputs: Sequence[Path],
        key: Secret,
        settings: KlaviyoPullSettings,
        export_settings: ExportSettings,
    ) -> None:
        self._started = time.monotonic()
        self._settings = settings
        self._source = shown_url(settings.klaviyo_url)
        self._api = JsonApi(
            settings.klaviyo_url,
            headers(key, settings.revision),
            settings,
            base_option="--klaviyo-url",
            remedies=REMEDIES,
            explain=explain_refusal,
        )
        self._outputs, self._export_settings = outputs, export_settings
        first = first_target(
            list_id=settings.list_id,
            segment_id=settings.segment_id,
            updated_after=settings.updated_after_utc(),
        )
        query = {
            "url": settings.klaviyo_url,
            "revision": settings.revision,
            "first": first,
            "id_property": settings.id_property,
            "types": list(settings.recommendation_type),
        }
        max_age_s = parse_duration(settings.resume_within, option="--resume-within")
        output = Path(outputs[0])
        self._spool = Spool(
            output.with_name(f".{output.name[:200]}.pull"),
            query,
            first=first,
            now=datetime.now(UTC),
            max_age_s=0.0 if settings.start_over else max_age_s,
        )
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            # What the outputs cannot be is told before the first request.
            with self._open_collection():
                stack.enter_context(self._spool)
            self._stack = stack.pop_all()
        self._reader = ProfileReader(
            id_property=self._settings.id_property,
            types=self._settings.recommendation_type,
            counts=self._spool.counts,
        )
        self._resumed = self._reader.counts["profiles"]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.close()

    def _open_collection(self) -> Collection:
        return Collection(self._outputs, self._export_settings, source=self._source)

    def fetch(self, on_progress: OnProgress) -> None:
        """Read what the spool lacks; what came stays there when this fails."""
        if self._spool.place is not None:
            run(self._fetch(on_progress))

    async def _fetch(self, on_progress: OnProgress) -> None:
        resumed_at = self._spool.place if self._spool.resumed else None
        async with self._api as api:
            try:
                await pull_profiles(
                    api, self._spool, self._reader, source=self._source, on_progress=on_progress
                )
            except RemoteError as error:
                if resumed_at is None or self._spool.place != resumed_at:
                    raise
                raise RemoteError(
                    f"cannot go on where the last run broke off: {error.message}",
                    source=error.source,
                    remedy="add --start-over if it stays so",
                ) from error

    def collect(self, on_progress: OnProgress) -> KlaviyoPullSummary:
        """Turn the spool into the outputs; a verdict against them throws the spool away too.

        A later run must see what Klaviyo holds by then, not what a guard refused.
        """
        counts = self._reader.counts
        try:
            refusal = refuse_bare_profiles(
                counts, id_property=self._settings.id_property, source=self._source
            )
            if refusal is not None:
                raise refusal
            done = 0
            with self._open_collection() as collection:
                for piece in self._spool.read():
                    collection.feed(piece)
                    done += len(piece)
                    on_progress(Progress(stage="write", done=done, total=self._spool.size))
                export = collection.close()
        except (GuardError, InputError):
            self._spool.remove()
            raise
        self._spool.remove()
        return KlaviyoPullSummary(
            source=self._source,
            profiles=counts["profiles"],
            resumed_profiles=self._resumed,
            without_recommendations=counts["without_recommendations"],
            null_properties=counts["null_properties"],
            without_id=counts["without_id"],
            unusable_properties=counts["unusable_properties"],
            requests=self._api.requests,
            retries=self._api.retries,
            export=export,
            duration_s=time.monotonic() - self._started,
        )
