"""Options that every command has."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from cyclopts import Group, Parameter

__all__ = ["OPTIONS", "Common", "CommonOptions"]

OPTIONS = Group("Options", sort_key=1)
_COMMON = Group("Common options", sort_key=2)


@dataclass(frozen=True, kw_only=True)
class CommonOptions:
    """How a command talks and where its settings come from."""

    json: bool = False
    """Print exactly one JSON object on stdout, errors too."""
    quiet: Annotated[bool, Parameter(alias="-q")] = False
    """Print errors only."""
    verbose: Annotated[bool, Parameter(alias="-v")] = False
    """Log what is going on."""
    log_format: Literal["text", "json"] = "text"
    """Shape of log lines on stderr."""
    state_dir: Path | None = None
    """Folder with the memory of uploads and fetches; keep it from run to run. Default: batchpub in
    $XDG_STATE_HOME or ~/.local/state."""
    config: Path | None = None
    """TOML file with settings: common ones first, then a table per command."""


Common: TypeAlias = Annotated[CommonOptions, Parameter(name="*", group=_COMMON)]
