"""The two directions, composed: each flow hands values from room to room and holds no logic.

Imports happen inside the flows, so that naming one costs nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pipeline.records import (
    CheckSummary,
    ExplainSummary,
    ExportSummary,
    FetchSummary,
    HistorySummary,
    KlaviyoPullSummary,
    KlaviyoPushSummary,
    NewsletterSummary,
    OnProgress,
    PrepareSummary,
    SmartEmailingCheckSummary,
    SmartEmailingIdsSummary,
    SmartEmailingPushSummary,
    UploadSummary,
    ignore_progress,
)
from pipeline.settings import (
    CheckSettings,
    ExportSettings,
    FetchSettings,
    HistorySettings,
    KlaviyoPullSettings,
    KlaviyoPushSettings,
    NewsletterSettings,
    PrepareSettings,
    Secret,
    SelectionSettings,
    SmartEmailingIdsSettings,
    SmartEmailingPushSettings,
    SmartEmailingSettings,
    UploadSettings,
)

__all__ = [
    "check",
    "deliver_klaviyo_pull",
    "deliver_klaviyo_push",
    "deliver_newsletter",
    "deliver_smartemailing_check",
    "deliver_smartemailing_ids",
    "deliver_smartemailing_push",
    "explain",
    "fetch",
    "history",
    "parse",
    "prepare",
    "upload",
]


def prepare(
    extracts: Sequence[str],
    output: Path,
    settings: PrepareSettings,
    *,
    on_progress: OnProgress = ignore_progress,
) -> PrepareSummary:
    """Extracts → user list and its receipt, both at their names whole or not at all."""
    from pipeline.preparation import Preparation

    with Preparation(extracts, output, settings) as preparation:
        preparation.suppress()
        preparation.select(on_progress)
        preparation.write(on_progress)
        return preparation.publish()


def explain(
    extracts: Sequence[str],
    user_id: str,
    settings: SelectionSettings,
    *,
    on_progress: OnProgress = ignore_progress,
) -> ExplainSummary:
    """Extracts → what becomes of one user on their way to the list; nothing is written."""
    from pipeline.explanation.explanation import Explanation

    with Explanation(extracts, user_id, settings) as explanation:
        explanation.suppress()
        explanation.select(on_progress)
        explanation.write(on_progress)
        return explanation.answer()


def check(
    list_path: Path,
    settings: CheckSettings,
    *,
    on_progress: OnProgress = ignore_progress,
) -> CheckSummary:
    """User list → what is wrong with it or suspicious about it; what refuses it is in `error`."""
    from pipeline.userlist.check import check_list

    return check_list(list_path, settings, on_progress=on_progress)


def upload(
    list_path: Path,
    private_key: Secret | None,
    settings: UploadSettings,
    *,
    state_dir: Path | None = None,
    on_progress: OnProgress = ignore_progress,
) -> UploadSummary:
    """User list → the tracker's stored list, when the guards agree and it is another one."""
    from pipeline.submission import Submission

    with Submission(list_path, private_key, settings, state_dir=state_dir) as submission:
        submission.judge()
        if not submission.unchanged:
            submission.compare(on_progress)
        if settings.dry_run:
            return submission.rehearse(on_progress)
        if submission.unchanged:
            return submission.leave()
        return submission.send(on_progress)


def history(settings: HistorySettings, *, state_dir: Path | None = None) -> HistorySummary:
    """Ledger → the last runs of `upload`; writes nothing where there is no ledger."""
    from pipeline.ledger.ledger import read_history

    return read_history(state_dir, settings.tracker_id, limit=settings.limit)


def parse(
    export: Path,
    outputs: Sequence[Path],
    settings: ExportSettings,
    *,
    on_progress: OnProgress = ignore_progress,
) -> ExportSummary:
    """Export on disk → recommendations on disk, published when the whole file proved sound."""
    from pipeline.export.collect import collect_file

    return collect_file(export, outputs, settings, on_progress=on_progress)


def fetch(
    url: str,
    outputs: Sequence[Path],
    fetch_settings: FetchSettings,
    export_settings: ExportSettings,
    *,
    secret: Secret | None = None,
    state_dir: Path | None = None,
    on_progress: OnProgress = ignore_progress,
) -> FetchSummary:
    """Export on the network → recommendations on disk, parsed while it arrives."""
    from pipeline.retrieval import Retrieval

    with Retrieval(
        url, outputs, fetch_settings, export_settings, secret=secret, state_dir=state_dir
    ) as retrieval:
        return retrieval.run(on_progress)


def deliver_klaviyo_pull(
    outputs: Sequence[Path],
    key: Secret,
    settings: KlaviyoPullSettings,
    export_settings: ExportSettings,
    *,
    on_progress: OnProgress = ignore_progress,
) -> KlaviyoPullSummary:
    """Klaviyo profiles → recommendations on disk, published when the last page was read."""
    from pipeline.delivery.klaviyo_pull import KlaviyoPull

    with KlaviyoPull(outputs, key, settings, export_settings) as pull:
        pull.fetch(on_progress)
        return pull.collect(on_progress)


def deliver_klaviyo_push(
    recommendations: Path,
    key: Secret | None,
    settings: KlaviyoPushSettings,
    *,
    state_dir: Path | None = None,
    on_progress: OnProgress = ignore_progress,
) -> KlaviyoPushSummary:
    """Recommendations → Klaviyo profiles; without a key only what would be sent."""
    from pipeline.delivery.klaviyo_push import KlaviyoPush

    with KlaviyoPush(recommendations, settings) as push:
        push.prove(on_progress)
        if key is None or settings.dry_run:
            return push.leave()
        return push.send(key, on_progress, state_dir=state_dir)


def deliver_smartemailing_check(
    key: Secret, settings: SmartEmailingSettings
) -> SmartEmailingCheckSummary:
    """Login → the account it belongs to."""
    from pipeline.delivery.smartemailing import check_account

    return check_account(key, settings)


def deliver_smartemailing_ids(
    output: Path,
    key: Secret,
    settings: SmartEmailingIdsSettings,
    *,
    on_progress: OnProgress = ignore_progress,
) -> SmartEmailingIdsSummary:
    """Custom field of the contacts → file of who has which user id, published when whole."""
    from pipeline.delivery.smartemailing import read_ids

    return read_ids(output, key, settings, on_progress)


def deliver_smartemailing_push(
    recommendations: Path,
    key: Secret | None,
    settings: SmartEmailingPushSettings,
    *,
    state_dir: Path | None = None,
    on_progress: OnProgress = ignore_progress,
) -> SmartEmailingPushSummary:
    """Recommendations on disk → a custom field of the contacts; without a key nothing is sent."""
    from pipeline.delivery.smartemailing_push import SmartEmailingPush

    with SmartEmailingPush(recommendations, settings) as push:
        push.prove(on_progress)
        if key is None:
            return push.leave()
        return push.send(key, on_progress, state_dir=state_dir)


def deliver_newsletter(
    output: Path,
    settings: NewsletterSettings,
    *,
    on_progress: OnProgress = ignore_progress,
) -> NewsletterSummary:
    """Template, contacts and recommendations → one message a line, whole or not at all."""
    from pipeline.deliver.newsletter import Newsletter

    with Newsletter(output, settings) as newsletter:
        newsletter.select(on_progress)
        newsletter.collect(on_progress)
        newsletter.write(on_progress)
        return newsletter.publish()
