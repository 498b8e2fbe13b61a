"""One run of `deliver newsletter`, step by step."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from pipeline.deliver.contacts import Contact, ContactFile
from pipeline.deliver.fallback_file import read_fallback_items
from pipeline.deliver.links import UtmTags
from pipeline.deliver.mail_template import MailTemplate, UnusableLinkError
from pipeline.deliver.messages import encode_message, message_key
from pipeline.deliver.preview import Gallery, Sample
from pipeline.deliver.recipients import OptOuts, choose
from pipeline.deliver.recommendations import Raw, RecommendationStore, read_recommendations
from pipeline.deliver.slots import Picks, Shelf
from pipeline.errors import ConfigurationError
from pipeline.extract.batch import Reject
from pipeline.extract.places import resolve_places
from pipeline.extract.reject_file import RejectFile
from pipeline.guards import (
    refuse_no_messages,
    refuse_rejects,
    refuse_stale_suppression,
    refuse_unusable_suppression,
)
from pipeline.publish import PendingFile, publish, refuse_overwriting
from pipeline.records import NewsletterSummary, OnProgress, Progress
from pipeline.settings import NewsletterSettings, parse_duration, parse_share

__all__ = ["Newsletter", "preview_path"]

UNUSABLE_LINK: Final = "link not http(s)"
_FLUSH: Final = 1024 * 1024


def preview_path(output: Path) -> Path:
    """Where the preview goes: beside the output."""
    return output.with_name(f"{output.stem}.preview.html")


class Newsletter:
    """Call `select`, `collect`, `write`, `publish` in this order, inside a ``with`` block."""

    def __init__(self, output: Path, settings: NewsletterSettings) -> None:
        self._started = time.monotonic()
        self._settings, self._output = settings, output
        self._template = MailTemplate(
            settings.template, subject=settings.subject, variables=settings.variables()
        )
        if not self._template.slots:
            raise ConfigurationError(
                "the template shows no recommendations",
                source=settings.template,
                remedy='ask for some: items("mail-recommender-1", 6)',
            )
        self._sources: dict[str, Counter[str]] = {
            slot.name: Counter() for slot in self._template.slots
        }
        self._utm = UtmTags(settings.utm)
        self._contacts = ContactFile(
            settings.contacts,
            id_column=settings.id_column,
            email_column=settings.email_column,
            columns=self._template.columns,
            optional=self._template.optional_columns,
            delimiter=settings.delimiter,
            encoding=settings.encoding,
        )
        self._opt_outs = resolve_places(settings.suppress) if settings.suppress else []
        self._preview = preview_path(output) if settings.preview else None
        self._refuse_overwriting()
        # What can be refused early is: nothing is read yet of the contacts.
        self._recommendations = read_recommendations(settings.recommendations, list(self._sources))
        self._file_items = (
            read_fallback_items(settings.fallback_items) if settings.fallback_items else {}
        )
        self._gallery = Gallery(settings.preview)
        self._messages = self._items = self._personal = self._fallback = self._left_out = 0
        self._bytes = 0
        with ExitStack() as stack:
            self._file = stack.enter_context(PendingFile(output))
            self._rejects: RejectFile | None = None
            if settings.rejects is not None:
                self._rejects = RejectFile(settings.rejects, values=False)
                stack.callback(self._rejects.discard)
            self._stack = stack.pop_all()

    def select(self, on_progress: OnProgress) -> None:
        """Read the suppression files and the contacts: who gets a message."""
        opt_outs = self._read_opt_outs()
        frames = []
        total = sum(place.size or 0 for place in self._contacts.places)
        done, current = 0, None
        for place, rejects, frame, bytes_read in self._contacts.judge():
            if place is not current:
                done += (current.size or 0) if current else 0
                current = place
            if self._rejects is not None and rejects:
                self._rejects.write(place, rejects)
            frames.append(frame)
            on_progress(
                Progress(
                    stage="contacts",
                    done=done + bytes_read,
                    total=total,
                    rows=self._contacts.rows,
                )
            )
        self._refuse_rejects()
        self._recipients = choose(frames, opt_outs)

    def collect(self, on_progress: OnProgress) -> None:
        """Read the recommendations of those who get a message."""
        settings = self._settings
        folder = settings.temp_dir or self._output.absolute().parent
        self._store = self._stack.enter_context(RecommendationStore(self._recipients.keys, folder))
        total = resolve_places([settings.recommendations])[0].size
        for users, bytes_read in self._recommendations:
            self._store.add(users)
            on_progress(
                Progress(
                    stage="recommendations", done=bytes_read, total=total, users=self._store.users
                )
            )
        self._shelf = Shelf(
            self._template.slots, self._utm, default=self._store.default, file=self._file_items
        )

    def write(self, on_progress: OnProgress) -> None:
        """Make the messages, in the order of the contacts."""
        total = len(self._recipients.keys)
        done = 0
        held: list[bytes] = []
        size = 0
        for contacts in self._contacts.read(self._recipients):
            found = self._store.find([one.id for one in contacts])
            for contact, personal in zip(contacts, found, strict=True):
                line = self._message(contact, personal)
                if line is not None:
                    held.append(line)
                    size += len(line)
            if size > _FLUSH:
                self._append(held)
                size = 0
            done += len(contacts)
            on_progress(Progress(stage="write", done=done, total=total, unit="messages"))
        self._append(held)
        self._refuse_rejects()
        refusal = refuse_no_messages(
            messages=self._messages,
            contacts=self._contacts.rows,
            suppressed=self._recipients.suppressed,
            below_min_items=self._left_out,
            source=self._settings.contacts,
        )
        if refusal is not None:
            raise refusal

    def publish(self) -> NewsletterSummary:
        """Let the messages appear, and the preview with them."""
        files = [self._file]
        if self._preview is not None:
            page = self._stack.enter_context(PendingFile(self._preview))
            page.write(self._gallery.page(output=self._output.name, messages=self._messages))
            files.append(page)
        publish(files)
        if self._rejects is not None:
            self._rejects.publish()
        return NewsletterSummary(
            output=str(self._output),
            preview=None if self._preview is None else str(self._preview),
            messages=self._messages,
            bytes=self._bytes,
            contacts=self._contacts.rows,
            rejects=dict(self._contacts.rejects),
            suppressed=self._recipients.suppressed,
            duplicates=self._recipients.duplicates,
            below_min_items=self._left_out,
            personal=self._personal,
            fallback=self._fallback,
            slots={name: dict(counts) for name, counts in self._sources.items()},
            items=self._items,
            dropped=dict(self._shelf.dropped),
            users_without_contact=self._store.strangers,
            campaign=self._settings.campaign,
            duration_s=round(time.monotonic() - self._started, 3),
        )

    def _read_opt_outs(self) -> OptOuts:
        """Read the suppression files; a row lost there would be mail to someone who said no."""
        found = OptOuts()
        max_age = self._settings.suppress_max_age
        limit = None if max_age is None else parse_duration(max_age, option="--suppress-max-age")
        for place in self._opt_outs:
            age = None if place.modified_ns is None else time.time() - place.modified_ns / 1e9
            refusal = refuse_stale_suppression(age_s=age, max_age_s=limit, source=place)
            if refusal is not None:
                raise refusal
            lost, known = found.add(place, column=self._settings.suppress_column)
            unusable = refuse_unusable_suppression(lost, opt_outs=known, source=place)
            if unusable is not None:
                raise unusable
        return found

    def _message(self, contact: Contact, personal: Raw | None) -> bytes | None:
        """One line, or None for a recipient who is left out."""
        picks = self._shelf.fill(personal)
        items = sum(map(len, picks.values()))
        if items < self._settings.min_items:
            self._left_out += 1
            return None
        try:
            content = self._template.render(contact.columns, picks)
        except UnusableLinkError:
            self._contacts.rejects[UNUSABLE_LINK] += 1
            if self._contacts.first_reject is None:
                self._contacts.first_reject = contact.place, contact.row
            if self._rejects is not None:
                self._rejects.write(contact.place, [Reject(contact.row, UNUSABLE_LINK)])
            return None
        is_personal = self._count(picks, items)
        if self._preview is not None:
            self._gallery.add(Sample(contact.address, content, is_personal))
        key = message_key(contact.id, content, campaign=self._settings.campaign)
        return encode_message(contact.address, content, key)

    def _count(self, picks: Mapping[str, Picks], items: int) -> bool:
        self._messages += 1
        self._items += items
        personal = False
        for name, one in picks.items():
            self._sources[name][one.source] += 1
            personal = personal or one.source == "personal"
        if personal:
            self._personal += 1
        elif items:
            self._fallback += 1
        return personal

    def _append(self, lines: list[bytes]) -> None:
        data = b"".join(lines)
        lines.clear()
        self._bytes += len(data)
        self._file.write(data)

    def _refuse_rejects(self) -> None:
        contacts = self._contacts
        first = contacts.first_reject or (None, None)
        refusal = refuse_rejects(
            contacts.rejects,
            rows=contacts.rows,
            limit=parse_share(self._settings.max_rejects, option="--max-rejects"),
            source=first[0],
            first_row=first[1],
        )
        if refusal is not None:
            if self._rejects is not None:
                self._rejects.publish()
            raise refusal

    def _refuse_overwriting(self) -> None:
        """No output may be an input, nor another output."""
        settings = self._settings
        places = [*self._contacts.places, *self._opt_outs]
        named = [settings.recommendations, settings.template, settings.fallback_items]
        inputs = [place.path for place in places] + [str(one) for one in named if one is not None]
        refuse_overwriting(inputs, [self._output, self._preview, settings.rejects])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.close()
