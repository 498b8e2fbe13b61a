"""One night on the sample data against the local sandbox: ``make demo``."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from product_images import picture

HERE = Path(__file__).parent
OUT = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE.parent / "demo-out"
BATCHPUB = [sys.executable, "-m", "pipeline"]


def main() -> None:
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    with sandbox() as service:
        keys = {
            "BATCHPUB_TRACKER_ID": service["tracker_id"],
            "BATCHPUB_PRIVATE_KEY": service["private_key"],
        }
        say(f"sandbox of the remote service on {service['base_url']}")
        made = batchpub(
            "prepare", HERE / "customers.csv", "--suppress", HERE / "suppressed.csv",
            "--as-of", "2026-11-23", "-o", OUT / "users.jsonl",
        )  # fmt: skip
        dropped = sum(made["dropped"].values())
        rejected = sum(made["rejects"].values())
        say(
            f"  {made['rows']:,} rows: {dropped:,} not active, {rejected} unusable,"
            f" {made['duplicate_rows']} duplicates, {made['suppressed_users']} suppressed"
        )
        size = f"{made['bytes']:,} of {made['max_bytes']:,} bytes"
        say(f"  {made['users']:,} users on the list, {size}")
        sent = batchpub(
            "upload", OUT / "users.jsonl", "--base-url", service["base_url"],
            "--confirm", f"first:{made['users']}", "--state-dir", OUT / "state", env=keys,
        )  # fmt: skip
        say(f"  stored with status {sent['status']}, sha256 {sent['sha256'][:16]}…")
        generated = post(service["base_url"] + "/_sandbox/generate?seed=7")
        say("the sandbox makes recommendations, as the vendor would later in the night")
        say(f"  {generated['users']:,} users recommended for, {generated['left_out']} left out")
        got = batchpub(
            "fetch", generated["export_url"],
            "-o", OUT / "recommendations.jsonl", "-o", OUT / "recommendations.parquet",
            "--state-dir", OUT / "state",
        )["export"]  # fmt: skip
        say(f"  {got['users']:,} users, {got['items']:,} items, blocks: {counted(got['blocks'])}")
        say(f"  fallback set 'default': {'there' if got['has_default'] else 'missing'}")
        mail()
    say(f"see the newsletter: open {shown(OUT / 'messages.preview.html')}")


def mail() -> None:
    """Make the messages, and a preview of three customers."""
    made = batchpub(
        "deliver", "newsletter", "--template", "starter", "--contacts", HERE / "contacts.csv",
        "--recommendations", OUT / "recommendations.parquet", "-o", OUT / "messages.jsonl",
        "--suppress", HERE / "suppressed.csv", "--variable", "shop=Šumava", "--preview", "3",
    )  # fmt: skip
    say(
        f"  {made['contacts']} contacts: {sum(made['rejects'].values())} unusable,"
        f" {made['suppressed']} suppressed, {made['duplicates']} duplicates"
    )
    say(f"  {made['messages']} messages: {made['personal']} personal, {made['fallback']} fallback")
    preview = Path(made["preview"])
    preview.write_text(dressed(preview.read_text(encoding="utf-8")), encoding="utf-8")


def dressed(page: str) -> str:
    """The preview with drawings in it instead of addresses of pictures that do not exist."""
    return re.sub(
        r"https://shop\.example\.com/images/(\d+)\.jpg[^\"'\s]*?h=300",
        lambda found: picture(int(found[1])),
        page,
    )


@contextmanager
def sandbox() -> Iterator[dict[str, Any]]:
    """The sandbox in a process of its own, until the block ends."""
    process = subprocess.Popen(
        [*BATCHPUB, "sandbox", "--port", "0", "--json"], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line.strip():
            raise SystemExit("the sandbox did not start")
        yield json.loads(line)
    finally:
        process.terminate()
        process.wait(20)


def batchpub(*words: str | Path, env: dict[str, str] | None = None) -> Any:
    """Run one command as a user would, and give back what it says with --json."""
    say("$ batchpub " + " ".join(shown(one) if isinstance(one, Path) else one for one in words))
    done = subprocess.run(
        [*BATCHPUB, *map(str, words), "--json"],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **(env or {})},
        check=False,
    )
    if done.returncode != 0:
        raise SystemExit(f"batchpub ended with {done.returncode}: {done.stdout}")
    return json.loads(done.stdout)


def post(url: str) -> Any:
    with urllib.request.urlopen(urllib.request.Request(url, method="POST"), timeout=60) as answer:
        return json.load(answer)


def counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in sorted(counts.items()))


def shown(path: Path) -> str:
    return os.path.relpath(path)


def say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    main()
