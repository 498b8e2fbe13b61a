"""The runs of `deliver smartemailing` that read: the login, and who has which user id."""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path

from pipeline.deliver.contacts_file import ContactsFile
from pipeline.deliver.smartemailing_api import (
    REMEDIES,
    CustomField,
    SmartEmailing,
    explain_refusal,
    headers,
)
from pipeline.deliver.smartemailing_ids import IdCounts, iter_contacts
from pipeline.errors import GuardError
from pipeline.loop import run
from pipeline.records import (
    OnProgress,
    Progress,
    SmartEmailingCheckSummary,
    SmartEmailingIdsSummary,
)
from pipeline.settings import Secret, SmartEmailingIdsSettings, SmartEmailingSettings
from pipeline.transfer.json_api import JsonApi
from pipeline.wire.address import shown_url

__all__ = ["check_account", "open_api", "read_ids"]


def open_api(key: Secret, settings: SmartEmailingSettings) -> JsonApi:
    """The caller for one account; ConfigurationError for an address or login of no use."""
    return JsonApi(
        settings.smartemailing_url,
        headers(settings.smartemailing_user, key),
        settings,
        base_option="--smartemailing-url",
        remedies=REMEDIES,
        explain=explain_refusal,
    )


def check_account(key: Secret, settings: SmartEmailingSettings) -> SmartEmailingCheckSummary:
    """Ask the service whether it is there and knows the login."""
    started = time.monotonic()
    api = open_api(key, settings)

    async def ask() -> int | None:
        async with api:
            return await SmartEmailing(api).check_credentials()

    account_id = run(ask())
    return SmartEmailingCheckSummary(
        source=shown_url(settings.smartemailing_url),
        account_id=account_id,
        requests=api.requests,
        retries=api.retries,
        duration_s=time.monotonic() - started,
    )


def read_ids(
    output: Path, key: Secret, settings: SmartEmailingIdsSettings, on_progress: OnProgress
) -> SmartEmailingIdsSummary:
    """Read the custom field that holds the user id into a file of contacts."""
    started = time.monotonic()
    api = open_api(key, settings)
    counts = IdCounts()
    written = 0

    async def read(file: ContactsFile) -> CustomField:
        nonlocal written
        async with api:
            service = SmartEmailing(api)
            found = await service.find_field(settings.id_field, option="--id-field")
            async for one in iter_contacts(service, found.id, counts):
                file.write(one.user_id, one.email, one.contact_id)
                written += 1
                on_progress(Progress(stage="read", done=counts.values, unit="values"))
            return found

    file = ContactsFile(output)
    with closing(file):
        found = run(read(file))
        if not written:
            raise GuardError(
                "no contact has a user id in this custom field",
                source="--id-field",
                actual=f"{found.name} ({found.id}), {counts.values:,} values",
                remedy="check which field the shop fills",
            )
        file.publish()
    return SmartEmailingIdsSummary(
        source=shown_url(settings.smartemailing_url),
        output=str(output),
        field_id=found.id,
        field_name=found.name,
        contacts=written,
        values=counts.values,
        left_out=dict(counts.left_out),
        requests=api.requests,
        retries=api.retries,
        duration_s=time.monotonic() - started,
    )
