"""What can be set about the local stand-in of the remote services."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import ConfigurationError
from pipeline.limits import CLOCK_TOLERANCE_S, MAX_BODY, UPLOAD_DEADLINE_S


@dataclass(frozen=True, kw_only=True)
class SandboxSettings:
    """The local stand-in of the remote services."""

    host: str = "127.0.0.1"
    """Loopback address to listen on."""
    port: int = 0
    """Port; 0 takes a free one."""
    tracker_id: str = "1234-5678"
    """The one tracker it knows."""
    public_key: str | None = None
    """Public key. Default: the tracker id."""
    private_key: str = "sandbox-private-key"
    """Private key; a made-up one, printed on purpose."""
    klaviyo_key: str = "pk_sandbox"
    """Private key of the Klaviyo stand-in; made up too."""
    clock_tolerance: float = CLOCK_TOLERANCE_S
    """Seconds a request's Date may differ from the sandbox clock."""
    auth_status: int = 401
    """Status of every authentication failure."""
    success_status: int = 201
    """Status of a stored list."""
    success_body: str | None = None
    """Body of a stored list's answer. Default: a small JSON object."""
    max_bytes: int = MAX_BODY
    """Largest accepted file part."""
    upload_timeout: float = UPLOAD_DEADLINE_S
    """Seconds until an unfinished upload is cancelled with 408."""
    legacy_path: bool = False
    """Serve the old /v1/batching/ path too."""
    smartemailing_user: str = "sandbox@example.com"
    """User name of its SmartEmailing account."""
    smartemailing_key: str = "sandbox-smartemailing-key"
    """API key of its SmartEmailing account; made up like the private key."""
    faults: Path | None = None
    """Fault plan, a JSON file: what goes wrong, on which request, how often."""
    receive_buffer: int | None = None
    """Bytes the kernel takes in ahead of the sandbox; a small value lets slow reading bite."""
    temp_dir: Path | None = None
    """Folder for what is stored while it runs. Default: the system's temporary folder."""

    def __post_init__(self) -> None:
        checks = {
            "--port": 0 <= self.port <= 65_535,
            "--tracker-id": re.fullmatch(r"[A-Za-z0-9_.-]+", self.tracker_id) is not None,
            "--klaviyo-key": re.fullmatch(r"[!-~]+", self.klaviyo_key) is not None,
            "--smartemailing-user": re.fullmatch(r"[^:\x00-\x1f]+", self.smartemailing_user)
            is not None,
            "--smartemailing-key": bool(self.smartemailing_key),
            "--clock-tolerance": self.clock_tolerance >= 0,
            "--auth-status": 400 <= self.auth_status <= 499,
            "--success-status": 200 <= self.success_status <= 299,
            "--max-bytes": self.max_bytes > 0,
            "--upload-timeout": self.upload_timeout > 0,
            "--receive-buffer": self.receive_buffer is None or self.receive_buffer > 0,
        }
        for option, valid in checks.items():
            if not valid:
                raise ConfigurationError("the value is not valid", source=option)
