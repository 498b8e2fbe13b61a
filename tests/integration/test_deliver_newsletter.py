"""`deliver newsletter` as scripts see it: files in, messages out, one clear error otherwise."""

from __future__ import annotations

import gzip
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import pipeline
from pipeline.cli.app import run

SAMPLES = Path(__file__).parents[2] / "sample_data"
TEMPLATE = (
    '+++\nsubject = "News for {{ contact.name }}"\n+++\n'
    '{% set first = items("one", 2) %}{% set second = items("two", 2) %}'
    "<p>{{ contact.name }} {{ first.source }} {{ second.source }}</p>"
    '{% for i in first + second %}<a href="{{ i.url }}">{{ i.title }}</a>{% endfor %}'
)


def item(title: str, **more: Any) -> dict[str, Any]:
    url = f"https://shop.example/{title}?recommendation_id=r-{title}"
    return {"id": title, "url": url, "title": title, "image_link": None} | more


def user(id_: str, **blocks: list[dict[str, Any]]) -> str:
    found = [{"recommendation_type": name, "results": items} for name, items in blocks.items()]
    return json.dumps({"auth_user_id": id_, "updated_at": None, "recommendations": found}) + "\n"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a template, three contacts and recommendations for one of them."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("BATCHPUB_")]:
        monkeypatch.delenv(name)
    Path("t.html").write_text(TEMPLATE)
    Path("c.csv").write_text(
        'user_id,email,name\nu1,a@example.com,Žofie\nu2,b@example.com,"R, ""Q"""\n'
        "00123,c@example.com,\n"
    )
    Path("r.jsonl").write_text(
        user("u1", one=[item("p1"), item("bad", url="javascript:1"), item("p2")])
        + user("stranger", one=[item("no")])
        + user("default", one=[item("d1")])
    )
    return tmp_path


def deliver(*more: str, out: str = "out.jsonl") -> int:
    words = ["--template", "t.html", "--contacts", "c.csv", "--recommendations", "r.jsonl"]
    given = {word for word in more if word.startswith("--")}
    base = [
        w
        for pair in zip(words[::2], words[1::2], strict=True)
        if pair[0] not in given
        for w in pair
    ]
    return run(["deliver", "newsletter", *base, "-o", out, *more])


def messages(name: str = "out.jsonl") -> list[dict[str, str]]:
    return [json.loads(line) for line in Path(name).read_bytes().split(b"\n") if line]


def told(capsys: pytest.CaptureFixture[str]) -> str:
    text = capsys.readouterr().err
    assert "Traceback" not in text
    return text


def test_each_contact_gets_one_line_in_the_order_of_the_file(place: Path) -> None:
    assert 0 == deliver()

    got = messages()
    assert [["to", "subject", "html", "text", "key"]] * 3 == [list(one) for one in got]
    assert ["a@example.com", "b@example.com", "c@example.com"] == [one["to"] for one in got]
    assert "<p>Žofie personal left_out</p>" in got[0]["html"]
    assert 'News for R, "Q"' == got[1]["subject"]
    assert "default left_out" in got[2]["text"]
    assert "recommendation_id=r-p2" in got[0]["text"]
    assert "bad" not in got[0]["html"]


def test_the_summary_accounts_for_every_contact_and_slot(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("c.csv").write_text(
        "user_id,email,name\nu1,a@example.com,A\nu1,b@example.com,A\nu9,A@Example.com,B\n"
        "u3,c@example.com,C\nu4,nobody,D\n,e@example.com,E\ndefault,f@example.com,F\nu5,g@example.com,G\n"
    )
    Path("s.csv").write_text("user_id\nu3\n")
    assert 0 == deliver(
        "--suppress", "s.csv", "--max-rejects", "50%", "--json", "--rejects", "bad.csv"
    )

    found = json.loads(capsys.readouterr().out)
    assert (8, 2) == (found["contacts"], found["messages"])
    assert {"not one e-mail address": 1, "empty id": 1, "reserved id": 1} == found["rejects"]
    assert (1, 2) == (found["suppressed"], found["duplicates"])
    assert (1, 1) == (found["personal"], found["fallback"])
    assert {"personal": 1, "default": 1} == found["slots"]["one"]
    assert {"left_out": 2} == found["slots"]["two"]
    assert {"link not http(s)": 1} == found["dropped"]
    assert "c.csv,6,not one e-mail address\n" in Path("bad.csv").read_text()
    assert "example.com" not in Path("bad.csv").read_text()


def test_the_table_and_the_lines_of_parse_give_the_same_messages(place: Path) -> None:
    pipeline.parse(SAMPLES / "export.xml", ["e.jsonl", "e.parquet"])
    for name in ("e.jsonl", "e.parquet"):
        made = pipeline.deliver_newsletter(
            f"{name}.out",
            template="starter",
            contacts=str(SAMPLES / "contacts.csv"),
            recommendations=Path(name),
            suppress=(SAMPLES / "suppressed.csv",),
        )
        assert made.personal > 20
    assert Path("e.jsonl.out").read_bytes() == Path("e.parquet.out").read_bytes()
    assert "price" not in Path("e.jsonl.out").read_text() or "Kč" in Path("e.jsonl.out").read_text()


@pytest.mark.parametrize("kind", ["parquet", "jsonl", "gz"])
def test_contacts_may_be_of_any_format(kind: str, place: Path) -> None:
    rows = [{"user_id": 1, "email": "a@example.com", "name": None, "vip": True}]
    if kind == "parquet":
        pq.write_table(pa.Table.from_pylist(rows), "c.parquet")
    elif kind == "jsonl":
        Path("c.jsonl").write_text(json.dumps(rows[0]) + "\n")
    else:
        Path("c.gz").write_bytes(gzip.compress(b"user_id,email,name,vip\n1,a@example.com,,true\n"))
    Path("t.html").write_text(TEMPLATE + "{{ contact.vip }}{{ contact.user_id }}")
    assert 0 == deliver("--contacts", f"c.{kind}")

    assert messages()[0]["text"].rstrip().endswith("true1")


def test_fallback_goes_from_personal_over_default_to_the_file(place: Path) -> None:
    Path("f.csv").write_text(
        "url,title,image_link,recommendation_type,price\n"
        "https://shop.example/f1,F1,,,9\nhttps://shop.example/f2,F2,,two,\n"
    )
    assert 0 == deliver("--fallback-items", "f.csv", "--utm", "source=nl")

    got = messages()
    assert "personal file" in got[0]["text"]
    assert "https://shop.example/f2?utm_source=nl" in got[0]["text"]
    assert "recommendation_id=r-d1&utm_source=nl" in got[1]["text"]
    Path("r.jsonl").write_text(user("u1", one=[]))
    assert 0 == deliver("--fallback-items", "f.csv")
    assert "file file" in messages()[0]["text"]


def test_recipients_with_too_few_items_are_left_out_and_counted(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert 0 == deliver("--min-items", "2", "--json")

    found = json.loads(capsys.readouterr().out)
    assert (1, 2) == (found["messages"], found["below_min_items"])


def test_an_opt_out_by_address_or_by_another_id_of_the_mailbox_wins(place: Path) -> None:
    Path("c.csv").write_text(
        "user_id,email,name\nu1,a@example.com,A\nu2,B@example.com,B\nu3,A@example.com,C\nu4,d@example.com,D\n"
    )
    Path("s.csv").write_text("email\nb@EXAMPLE.com\n")
    Path("s2.jsonl").write_text('{"user_id": "u3", "email": null}\n')
    assert 0 == deliver("--suppress", "s.csv", "--suppress", "s2.jsonl")

    assert ["d@example.com"] == [one["to"] for one in messages()]


@pytest.mark.parametrize(
    ("content", "code", "part"),
    [
        (None, 3, "no such file"),
        ("", 3, "the file is empty"),
        ("user_id\n", 3, "holds no ids"),
        ("user_id,x\nu1\n", 3, "wrong field count"),
        ("other\nu1\n", 2, "no column with user ids"),
    ],
)
def test_a_suppression_file_that_cannot_be_trusted_refuses(
    content: str | None, code: int, part: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if content is not None:
        Path("s.csv").write_text(content)

    assert code == deliver("--suppress", "s.csv")
    assert part in told(capsys)
    assert not Path("out.jsonl").exists()


def test_a_stale_suppression_file_refuses(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("s.csv").write_text("user_id\nu1\n")
    os.utime("s.csv", (1, 1))

    assert 4 == deliver("--suppress", "s.csv", "--suppress-max-age", "24h")
    assert "too old" in told(capsys)


WRONG = [
    (["--template", "no.html"], 3, "no.html: cannot read the template"),
    (["--template", "c.csv"], 2, "a template ends in .mjml or .html"),
    (["--contacts", "no.csv"], 3, "no such file"),
    (["--contacts", "/dev/stdin"], 2, "cannot come through a pipe"),
    (["--recommendations", "c.csv"], 2, "end in .jsonl or .parquet"),
    (["--recommendations", "c.jsonl"], 3, "c.jsonl, line 1: not a line of recommendations"),
    (["--email-column", "mail"], 2, "no column 'mail'; the columns are user_id, email, name"),
    (["--id-column", "id"], 2, "no column 'id'"),
    (["--subject", "{{ contact.nick }}"], 2, "the contacts have no column 'nick'"),
    (["--subject", "{{ x"], 3, "(subject), line 1: template error"),
    (["--utm", "source"], 2, "--utm: not NAME=VALUE"),
    (["--variable", "x"], 2, "--variable: not NAME=VALUE"),
    (["--preview", "101"], 2, "--preview"),
    (["--fallback-items", "c.csv"], 2, "no column 'url'"),
    (["--fallback-items", "f.csv"], 3, "f.csv, row 2: a fallback item cannot be used"),
    (["--rejects", "c.csv"], 2, "the output would overwrite another file"),
    (["--max-rejects", "0", "--contacts", "bad.csv"], 3, "1 of 1 rows cannot be used"),
]  # fmt: skip


@pytest.mark.parametrize(("words", "code", "part"), WRONG)
def test_wrong_use_is_one_clear_line(
    words: list[str], code: int, part: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("c.jsonl").write_text('{"user_id": "u1"}\n')
    Path("f.csv").write_text("url,title\njavascript:1,x\n")
    Path("bad.csv").write_text("user_id,email,name\nu1,nobody@,x\n")

    assert code == deliver(*words)
    text = told(capsys)
    assert part in text
    assert 1 == text.count("\n")
    assert not Path("out.jsonl").exists()


def test_no_message_at_all_is_refused_and_yesterday_s_file_stays(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("out.jsonl").write_text("yesterday\n")

    assert 4 == deliver("--min-items", "9")
    assert "no message is left of 3 contacts" in told(capsys)
    assert "yesterday\n" == Path("out.jsonl").read_text()


def test_a_bad_link_of_one_recipient_costs_that_message_only(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("t.html").write_text(TEMPLATE + '<a href="{{ contact.name }}">x</a>')
    Path("c.csv").write_text(
        "user_id,email,name\nu1,a@example.com,https://x.example/\nu2,b@example.com,javascript:1\n"
    )
    assert 3 == deliver()
    assert "1 link not http(s)" in told(capsys)
    assert 0 == deliver("--max-rejects", "50%")
    assert ["a@example.com"] == [one["to"] for one in messages()]


def test_a_key_covers_recipient_and_content_or_the_campaign(place: Path) -> None:
    def keys(*more: str) -> list[str]:
        assert 0 == deliver(*more)
        return [one["key"] for one in messages()]

    plain, campaign = keys(), keys("--campaign", "w1")
    assert plain == keys()
    assert 6 == len({*plain, *campaign})
    assert set(plain).isdisjoint(keys("--subject", "Other"))
    assert campaign == keys("--subject", "Other", "--campaign", "w1")
    assert set(campaign).isdisjoint(keys("--campaign", "w2"))


def test_the_preview_shows_personal_and_fallback_and_is_safe_to_open(place: Path) -> None:
    Path("r.jsonl").write_text(
        user("u1", one=[item("</iframe><script>alert(1)</script>", url="https://x.example/")])
        + user("default", one=[item("d1")])
    )
    assert 0 == deliver("--preview", "2")
    page = Path("out.preview.html").read_text()

    assert 2 == page.count("<article>")
    assert ">personal</span>" in page
    assert ">fallback</span>" in page
    assert page.count("<iframe") == page.count('sandbox=""') == page.count("</iframe>") == 6
    assert "<script" not in page.lower()
    assert "default-src 'none'" in page


def test_recommendations_of_a_user_that_appears_again_are_joined(place: Path) -> None:
    Path("r.jsonl").write_text(user("u1", one=[item("p1")]) + user("u1", two=[item("p2")]))
    assert 0 == deliver("--min-items", "0")

    assert "personal personal" in messages()[0]["text"]


def test_the_table_s_users_go_on_across_batches(place: Path) -> None:
    from pipeline.deliver.recommendations import read_recommendations

    rows = [
        {"auth_user_id": f"u{n // 7}", "recommendation_type": "one", "position": n % 7,
         "id": str(n), "url": f"https://x.example/{n}", "title": "t", "image_link": None,
         "extra": None}
        for n in range(40_000)
    ]  # fmt: skip
    pq.write_table(pa.Table.from_pylist(rows), "big.parquet")
    found = [
        one for users, _ in read_recommendations(Path("big.parquet"), ["one"]) for one in users
    ]

    assert [f"u{n}" for n in range(5715)] == [id_ for id_, _ in found]
    assert [str(n) for n in range(40_000)] == [i["id"] for _, raw in found for i in raw["one"]]


def test_the_configuration_has_a_table_of_the_command(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("b.toml").write_text(
        "[deliver.newsletter]\ntemplate = 't.html'\ncontacts = 'c.csv'\n"
        "recommendations = 'r.jsonl'\nutm = ['source=nl']\nmin-items = 1\n"
    )
    assert 0 == run(["deliver", "newsletter", "--config", "b.toml", "-o", "out.jsonl"])
    assert "utm_source=nl" in messages()[0]["text"]
    Path("b.toml").write_text("[deliver.newsletter]\nutmm = 'x'\n")
    assert 2 == deliver("--config", "b.toml")
    assert "[deliver.newsletter] utmm: unknown key; did you mean utm?" in told(capsys)
    Path("b.toml").write_text("[deliver.neewsletter]\nutm = 'x'\n")
    assert 2 == deliver("--config", "b.toml")
    assert "unknown key" in told(capsys)


def test_sigterm_leaves_neither_messages_nor_preview(place: Path) -> None:
    with Path("c.csv").open("w") as file:
        file.write("user_id,email,name\n")
        file.writelines(f"u{n},a{n}@example.com,x\n" for n in range(200_000))
    before = sorted(one.name for one in place.iterdir())
    words = ["--template", "t.html", "--contacts", "c.csv", "--recommendations", "r.jsonl"]
    process = subprocess.Popen(
        [sys.executable, "-m", "pipeline", "deliver", "newsletter", *words, "-o", "out.jsonl",
         "--preview", "2"],
        env={**os.environ, "PYTHONPATH": str(SAMPLES.parent)},
        stderr=subprocess.PIPE,
    )  # fmt: skip
    while not any(one.stat().st_size for one in place.glob(".out.jsonl.*.tmp")):
        assert process.poll() is None
        time.sleep(0.005)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate()

    assert 143 == process.returncode
    assert b"batchpub: terminated" == said.splitlines()[-1]
    assert b"Traceback" not in said
    assert before == sorted(one.name for one in place.iterdir())


CHROMIUM = shutil.which("chromium")


@pytest.mark.skipif(CHROMIUM is None, reason="Debian's chromium is not installed")
def test_the_starter_looks_as_meant_in_a_real_browser(place: Path) -> None:
    pipeline.parse(SAMPLES / "export.xml", ["e.jsonl"])
    pipeline.deliver_newsletter(
        "m.jsonl",
        template="starter",
        contacts=str(SAMPLES / "contacts.csv"),
        recommendations=Path("e.jsonl"),
        variable=("shop=Šumava",),
    )
    message = next(one for one in messages("m.jsonl") if "picked for you" in one["subject"])
    Path("m.html").write_text(message["html"], encoding="utf-8")
    dark = "--blink-settings=preferredColorScheme=0"
    light_phone = shot(place, "m.html", 500)
    wide = shot(place, "m.html", 900)
    dark_phone = shot(place, "m.html", 500, dark)

    paper, night = (0xEE, 0xF1, 0xF5), (0x0F, 0x11, 0x15)
    assert {paper} == {pixel(light_phone, 4, 4), pixel(wide, 20, 300)}
    assert (0xFF, 0xFF, 0xFF) == pixel(wide, 450, 110)
    assert night == pixel(dark_phone, 4, 4)
    assert (0x1A, 0x1D, 0x24) == pixel(dark_phone, 250, 110)


def shot(folder: Path, page: str, width: int, *more: str) -> Any:
    """What Chromium shows, as pixels."""
    name = folder / f"shot-{random.random()}.png"
    subprocess.run(
        [str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic",
         "--no-first-run", "--disable-background-networking", "--disable-component-update",
         "--disable-sync", "--hide-scrollbars", f"--user-data-dir={folder / name.stem}",
         f"--window-size={width},800", *more, f"--screenshot={name}", f"file://{folder / page}"],
        check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    return read_png(name.read_bytes())


def read_png(data: bytes) -> tuple[int, list[bytes]]:
    """Bytes per pixel and rows of an 8-bit PNG without interlacing."""
    import struct
    import zlib

    width, height, _, kind = struct.unpack(">IIBB", data[16:26])
    size = {2: 3, 6: 4}[kind]
    packed, at = b"", 8
    while at < len(data):
        length, name = struct.unpack(">I4s", data[at : at + 8])
        packed += data[at + 8 : at + 8 + length] if name == b"IDAT" else b""
        at += length + 12
    plain, rows, before = zlib.decompress(packed), [], bytes(width * size)
    for number in range(height):
        start = number * (width * size + 1)
        rule, line = plain[start], bytearray(plain[start + 1 : start + 1 + width * size])
        for i in range(len(line)):
            left = line[i - size] if i >= size else 0
            up, corner = before[i], before[i - size] if i >= size else 0
            guess = left + up - corner
            paeth = min((left, up, corner), key=lambda one: abs(guess - one))
            line[i] = (line[i] + (0, left, up, (left + up) // 2, paeth)[rule]) & 255
        before = bytes(line)
        rows.append(before)
    return size, rows


def pixel(image: tuple[int, list[bytes]], x: int, y: int) -> tuple[int, int, int]:
    size, rows = image
    red, green, blue = rows[y][x * size : x * size + 3]
    return red, green, blue
