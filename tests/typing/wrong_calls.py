"""Calls a user may not write; mypy refuses each as named (an unused ignore is an error)."""

from __future__ import annotations

import pipeline

pipeline.prepare(["a.csv"], "u.jsonl", active_witin="6mo")  # type: ignore[call-arg]
pipeline.prepare(["a.csv"])  # type: ignore[call-arg]
pipeline.prepare(["a.csv"], "u.jsonl", on_overflow="sometimes")  # type: ignore[arg-type]
pipeline.prepare(1, "u.jsonl")  # type: ignore[arg-type]
pipeline.explain("a.csv", "u123", rejects=None)  # type: ignore[call-arg]
pipeline.explain("a.csv", 123)  # type: ignore[arg-type]
pipeline.upload("u.jsonl", tracker_id="1-2")  # type: ignore[call-arg]
pipeline.upload("u.jsonl", private_key="key")  # type: ignore[call-arg]
pipeline.upload("u.jsonl", tracker_id="1-2", private_key=b"key")  # type: ignore[arg-type]
pipeline.parse("e.xml", "r.jsonl", tracker_id="1-2")  # type: ignore[call-arg]
pipeline.fetch("https://e/x.xml", "r.jsonl", deadline=None)  # type: ignore[arg-type]
number: int = pipeline.prepare("a.csv", "u.jsonl")  # type: ignore[assignment]
pipeline.prepair()  # type: ignore[attr-defined]
pipeline.deliver_klaviyo_pull("r.jsonl")  # type: ignore[call-arg]
pipeline.deliver_klaviyo_push("r.jsonl", key="pk", list_id="L1")  # type: ignore[call-arg]
pipeline.deliver_klaviyo_push("r.jsonl", key=b"pk")  # type: ignore[arg-type]
