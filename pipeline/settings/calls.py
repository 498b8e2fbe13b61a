"""What can be set about any run that calls a JSON API."""

# No postponed annotations here: cyclopts would look their names up in the modules of subclasses.
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import ConfigurationError
from pipeline.settings.quantities import parse_duration


@dataclass(frozen=True, kw_only=True)
class CallSettings:
    """How requests are made, retried and given up."""

    deadline: str | float = 6 * 3600.0
    """Time for the whole run, waits included."""
    stall_timeout: str | float = 60.0
    """Give up an attempt when no byte came for this long."""
    max_attempts: int = 8
    """Attempts at one request."""
    retry_wait: str | float = 1.0
    """Longest wait after the first failed attempt; it doubles with each further one."""
    connect_timeout: str | float = 30.0
    """Give up an attempt when no connection stands after this long."""
    ca_file: Path | None = None
    """Certificates to trust, PEM. Default: those of this machine."""

    def __post_init__(self) -> None:
        parse_duration(self.deadline, option="--deadline")
        parse_duration(self.stall_timeout, option="--stall-timeout")
        parse_duration(self.retry_wait, option="--retry-wait")
        parse_duration(self.connect_timeout, option="--connect-timeout")
        if self.max_attempts < 1:
            raise ConfigurationError(
                "must be at least 1", source="--max-attempts", actual=self.max_attempts
            )
