"""curl uploads with a signature that openssl makes in the shell: no line of ours takes part."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from sandbox_client import stored

from pipeline.sandbox.server import running
from pipeline.settings import SandboxSettings

# Shown in the README: POSIX sh, no more than a screen.
UPLOAD_WITH_CURL = r"""
path="/v1/recommender/batching/$TRACKER_ID/users"
date=$(LC_ALL=C date -u '+%a, %d %b %Y %H:%M:%S GMT')
digest=$(printf 'POST\nmultipart/form-data\n%s\n%s' "$date" "$path" |
  openssl dgst -sha256 -hmac "$PRIVATE_KEY" -binary | openssl base64 -A)
curl --fail-with-body --silent --show-error --form file=@"$LIST" \
  --header "Date: $date" --header "Authorization: ApiAuth $PUBLIC_KEY:$digest" \
  "$BASE_URL$path"
"""

MISSING = [tool for tool in ("sh", "date", "curl", "openssl") if shutil.which(tool) is None]
pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not on this machine: {', '.join(MISSING)}")


def run(path: Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["sh", "-eu", "-c", UPLOAD_WITH_CURL],
        env={"PATH": os.environ["PATH"], "LIST": str(path), **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )


@pytest.mark.parametrize(
    "content",
    [b'{"auth_user_id": "u1"}\n{"auth_user_id": "u2"}\n', b'"u1"\n"u2"\n'],
    ids=["jsonl", "csv"],
)
def test_curl_with_an_openssl_signature_is_stored_byte_for_byte(
    tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "users.list"
    path.write_bytes(content)
    with running(SandboxSettings()) as ready:
        done = run(
            path,
            BASE_URL=ready.base_url,
            TRACKER_ID=ready.tracker_id,
            PUBLIC_KEY=ready.public_key,
            PRIVATE_KEY=ready.private_key,
        )

        assert (0, "") == (done.returncode, done.stderr)
        assert '"users":2' in done.stdout
        assert content == stored(ready)


def test_curl_with_a_wrong_key_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "users.jsonl"
    path.write_bytes(b'{"auth_user_id":"u1"}\n')
    with running(SandboxSettings()) as ready:
        done = run(
            path,
            BASE_URL=ready.base_url,
            TRACKER_ID=ready.tracker_id,
            PUBLIC_KEY=ready.public_key,
            PRIVATE_KEY="another",
        )

        assert done.returncode == 22
        assert '{"error":"the signature does not match"}\n' == done.stdout
        assert stored(ready) is None


def test_the_script_stays_short_enough_to_be_shown() -> None:
    assert len(UPLOAD_WITH_CURL.strip().splitlines()) <= 12
