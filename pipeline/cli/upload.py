"""``batchpub upload``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from pipeline.cli.options import OPTIONS, Common, CommonOptions
from pipeline.cli.progress import progress_line
from pipeline.cli.secrets import PRIVATE_KEY, read_secret, secret_is_set
from pipeline.records import UploadSummary
from pipeline.settings import UploadSettings


def upload(
    list_path: Annotated[Path, Parameter(name="LIST")],
    /,
    *,
    settings: Annotated[UploadSettings, Parameter(name="*", group=OPTIONS)],
    common: Common = CommonOptions(),  # noqa: B008 - frozen
) -> UploadSummary:
    """Read the key, upload the list.

    Parameters
    ----------
    list_path
        User list, as `batchpub prepare` wrote it.
    """
    from pipeline import flows

    private_key = None
    if not settings.dry_run or secret_is_set(os.environ, PRIVATE_KEY):
        private_key = read_secret(os.environ, PRIVATE_KEY, what="private key")
    with progress_line(common) as on_progress:
        return flows.upload(
            list_path, private_key, settings, state_dir=common.state_dir, on_progress=on_progress
        )
