"""What the handlers of one sandbox share."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass, field
from typing import Final

from aiohttp import web

from pipeline.sandbox.faults import FaultPlan
from pipeline.sandbox.journal import Journal
from pipeline.sandbox.signature import Keys
from pipeline.sandbox.smartemailing_account import Account
from pipeline.sandbox.store import Store
from pipeline.settings import SandboxSettings

__all__ = ["STATE", "State"]


@dataclass(slots=True, kw_only=True)
class State:
    """One per application; touched by the event loop only, but for `halt`."""

    settings: SandboxSettings
    keys: Keys
    store: Store
    plan: FaultPlan
    journal: Journal = field(default_factory=Journal)
    smartemailing: Account = field(default_factory=Account)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the sandbox ends: whatever waits, stops waiting."""
    halt: threading.Event = field(default_factory=threading.Event)
    """The same for threads."""
    generating: asyncio.Lock = field(default_factory=asyncio.Lock)


STATE: Final = web.AppKey("state", State)
