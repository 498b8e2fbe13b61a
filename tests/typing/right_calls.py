"""Calls a user may write; mypy accepts each."""

from __future__ import annotations

from pathlib import Path

import pipeline

made: pipeline.PrepareSummary = pipeline.prepare(["a.csv"], "u.jsonl", active_within="6mo")
pipeline.prepare("a.csv", Path("u.jsonl"), max_bytes="250MB", on_overflow="keep-recent")
pipeline.prepare([Path("a.csv"), "b.parquet"], "u.jsonl", suppress=(Path("s.csv"),))
pipeline.prepare("a.csv", "u.jsonl", on_progress=lambda progress: print(progress.done))
sent: pipeline.UploadSummary = pipeline.upload("u.jsonl", tracker_id="1-2", private_key="key")
pipeline.upload(Path("u.jsonl"), tracker_id="1-2", private_key=pipeline.Secret("key"), deadline=9)
held: pipeline.ExportSummary = pipeline.parse("e.xml", "r.jsonl")
pipeline.parse(Path("e.xml"), ["r.jsonl", Path("r.parquet")])
came: pipeline.FetchSummary = pipeline.fetch("https://e/x.xml", "r.jsonl", deadline="1h")
users: int = came.export.users
mailed: pipeline.NewsletterSummary = pipeline.deliver_newsletter(
    Path("m.jsonl"), template="starter", contacts="c.csv", recommendations=Path("r.parquet")
)
