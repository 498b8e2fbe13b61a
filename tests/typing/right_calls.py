"""Calls a user may write; mypy accepts each."""

from __future__ import annotations

from pathlib import Path

import pipeline

made: pipeline.PrepareSummary = pipeline.prepare(["a.csv"], "u.jsonl", active_within="6mo")
pipeline.prepare("a.csv", Path("u.jsonl"), max_bytes="250MB", on_overflow="keep-recent")
pipeline.prepare([Path("a.csv"), "b.parquet"], "u.jsonl", suppress=(Path("s.csv"),))
pipeline.prepare("a.csv", "u.jsonl", on_progress=lambda progress: print(progress.done))
why: pipeline.ExplainSummary = pipeline.explain(["a.csv"], "u123", suppress=(Path("s.csv"),))
sent: pipeline.UploadSummary = pipeline.upload("u.jsonl", tracker_id="1-2", private_key="key")
pipeline.upload(Path("u.jsonl"), tracker_id="1-2", private_key=pipeline.Secret("key"), deadline=9)
held: pipeline.ExportSummary = pipeline.parse("e.xml", "r.jsonl")
pipeline.parse(Path("e.xml"), ["r.jsonl", Path("r.parquet")])
came: pipeline.FetchSummary = pipeline.fetch("https://e/x.xml", "r.jsonl", deadline="1h")
pipeline.fetch("file:///x.xml", ["r.jsonl"], wait="2h", newer_than="2026-11-23", secret="s")
users: int = came.export.users
pulled: pipeline.KlaviyoPullSummary = pipeline.deliver_klaviyo_pull(
    ["r.jsonl", Path("r.parquet")], key="pk", id_property="customer_id", min_coverage="90%"
)
pushed: pipeline.KlaviyoPushSummary = pipeline.deliver_klaviyo_push(
    "r.jsonl", key=pipeline.Secret("pk"), contacts=Path("c.csv"), state_dir="state"
)
pipeline.deliver_klaviyo_push("r.parquet", dry_run=True)
login: pipeline.SmartEmailingCheckSummary = pipeline.deliver_smartemailing_check(
    smartemailing_user="shop", key=pipeline.Secret("key")
)
pipeline.deliver_smartemailing_ids(
    "c.csv", smartemailing_user="shop", key="key", id_field="customer_id"
)
imported: pipeline.SmartEmailingPushSummary = pipeline.deliver_smartemailing_push(
    Path("r.jsonl"), smartemailing_user="shop", contacts=Path("c.csv"), field="9", dry_run=True
)
mailed: pipeline.NewsletterSummary = pipeline.deliver_newsletter(
    Path("m.jsonl"), template="starter", contacts="c.csv", recommendations=Path("r.parquet")
)
