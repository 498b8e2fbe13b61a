"""What a running sandbox says of itself."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxReady:
    """What a client needs to talk to a running sandbox; its keys are made up."""

    base_url: str
    tracker_id: str
    public_key: str
    private_key: str
    klaviyo_key: str
    smartemailing_user: str
    smartemailing_key: str
    export_url: str
