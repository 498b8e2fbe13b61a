"""Newsletters, against the obvious script: everything in memory, each mail built anew.

The rival reads contacts and recommendations into dicts and, for each recipient, has Jinja fill the
MJML template and MJML compile what comes out. It checks, suppresses and escapes no more than Jinja
does by itself. Mails a second on one core and the peak of memory are what counts.

    python -m benchmarks.newsletter --recipients 1000000
    python -m benchmarks.newsletter --recipients 20000 --contestant ours --contestant naive
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks.measure import Command, MeasurementError, compare

__all__ = ["CONTESTANTS", "main"]

_SLOTS: Final = ("mail-recommender-1", "mail-recommender-2")
_ITEMS: Final = 6
_TEMPLATE: Final = """+++
subject = "{{ contact.first_name }}, picked for you"
+++
<mjml><mj-body><mj-section><mj-column><mj-text>Hello {{ contact.first_name }}</mj-text>
</mj-column></mj-section>
<mj-section>{% for item in items("mail-recommender-1", 6) %}<mj-column width="50%">
<mj-image src="{{ item.image_link }}" alt="{{ item.title }}" href="{{ item.url }}" />
<mj-text><a href="{{ item.url }}">{{ item.title }}</a></mj-text></mj-column>{% endfor %}
</mj-section></mj-body></mjml>
"""


def _ours(contacts: Path, recommendations: Path, template: Path | str, output: Path) -> None:
    import pipeline

    pipeline.deliver_newsletter(
        output,
        template=str(template),
        contacts=str(contacts),
        recommendations=recommendations,
        utm=("source=newsletter", "medium=email"),
        variable=("unsubscribe_url=https://shop.example.com/u?c={{ contact.customer_id }}",),
    )


def _naive(contacts: Path, recommendations: Path, template: Path | str, output: Path) -> None:
    import csv

    import mrml
    import polars as pl
    from jinja2 import Environment

    wanted: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for row in pl.read_parquet(recommendations).iter_rows(named=True):
        blocks = wanted.setdefault(row["auth_user_id"], {})
        blocks.setdefault(row["recommendation_type"], []).append(row)
    source = Path(template).read_text().partition("+++\n")[2].partition("+++\n")[2]
    page = Environment(autoescape=True).from_string(source)
    with output.open("w") as file, contacts.open(newline="") as rows:
        for contact in csv.DictReader(rows):
            blocks = wanted.get(contact["customer_id"]) or wanted["default"]
            mjml = page.render(contact=contact, items=lambda name, most, b=blocks: b[name][:most])
            subject = f"{contact['first_name']}, picked for you"
            html = mrml.to_html(mjml).content
            file.write(json.dumps({"to": contact["email"], "subject": subject, "html": html}))
            file.write("\n")


_WAYS: Final[dict[str, Callable[[Path, Path, Path | str, Path], None]]] = {
    "ours": _ours,
    "naive": _naive,
}
CONTESTANTS: Final = tuple(_WAYS)


def _inputs(folder: Path, recipients: int) -> tuple[Path, Path]:
    """Contacts, and recommendations for nine in ten of them in another order; made once."""
    import polars as pl
    import pyarrow as pa
    import pyarrow.parquet as pq

    contacts = folder / f"newsletter-{recipients}.csv"
    table = folder / f"newsletter-{recipients}.parquet"
    if contacts.exists() and table.exists():
        return contacts, table
    folder.mkdir(parents=True, exist_ok=True)
    number = pl.int_range(0, recipients, eager=True).alias("n")
    pl.select(
        customer_id=pl.format("u{}", number),
        email=pl.format("jana.novakova{}@example.com", number),
        first_name=pl.lit("Žofie"),
    ).write_csv(contacts)
    rows_per_user = len(_SLOTS) * _ITEMS
    writer = None
    order = number.shuffle(seed=7).filter(number.shuffle(seed=7) % 10 != 0)
    for start in range(0, len(order), 20_000):
        users = [f"u{n}" for n in order.slice(start, 20_000)] + (["default"] if start == 0 else [])
        at = range(len(users) * rows_per_user)
        product = [(one * 7919) % 5000 for one in at]
        ids = [users[one // rows_per_user] for one in at]
        columns: dict[str, list[Any]] = {
            "auth_user_id": ids,
            "recommendation_type": [_SLOTS[one % rows_per_user // _ITEMS] for one in at],
            "position": [one % _ITEMS for one in at],
            "id": [f"sku-{one}" for one in product],
            "url": [
                f"https://shop.example.com/products/{one}?recommendation_id=5c5ff0fe-{user}"
                for one, user in zip(product, ids, strict=True)
            ],
            "title": [f"Čaj & káva, směs <{one}>" for one in product],
            "image_link": [f"https://shop.example.com/images/{one}.jpg" for one in product],
            "extra": [None] * len(ids),
        }
        types = {"position": pa.int32(), "extra": pa.string()}
        batch = pa.table(
            {name: pa.array(values, types.get(name)) for name, values in columns.items()}
        )
        writer = writer or pq.ParquetWriter(table, batch.schema, compression="zstd")
        writer.write_table(batch)
    if writer is not None:
        writer.close()
    return contacts, table


def main(argv: Sequence[str] | None = None) -> int:
    """Compare, and say how many mails a second of one core that is."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.newsletter")
    parser.add_argument("--run", nargs=5, help=argparse.SUPPRESS)
    parser.add_argument("--recipients", type=int, default=100_000)
    parser.add_argument("--contestant", choices=CONTESTANTS, action="append", help="default ours")
    parser.add_argument("--starter", action="store_true", help="ours with the shipped template")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--data", type=Path, default=Path("bench-data"), help="where inputs stay")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(argv)
    if options.run:
        name, contacts, table, template, output = options.run
        _WAYS[name](Path(contacts), Path(table), template, Path(output))
        return 0
    names = [name for name in CONTESTANTS if name in (options.contestant or ["ours"])]
    contacts_path, table_path = _inputs(options.data, options.recipients)
    with tempfile.TemporaryDirectory(dir=options.data) as folder:
        template = Path(folder) / "newsletter.mjml"
        template.write_text(_TEMPLATE)
        commands = []
        for name in names:
            output = Path(folder) / f"{name}.jsonl"
            used = "starter" if options.starter and name == "ours" else str(template)
            words = ["-m", "benchmarks.newsletter", "--run", name, str(contacts_path)]
            words += [str(table_path), used, str(output)]
            commands.append(Command(name, [sys.executable, *words], output=output))
        try:
            found = compare(commands, rounds=options.rounds)
        except MeasurementError as error:
            print(f"error: {error}", file=sys.stderr)
            return 1
    rates = {one.name: round(options.recipients / one.cpu_s) for one in found.outcomes}
    if options.json:
        print(json.dumps(found.as_dict() | {"mails_per_cpu_second": rates}, indent=2))
    else:
        print(found.text())
        for name, rate in rates.items():
            print(f"{name}: {rate:,} mails per second of CPU, all stages")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
