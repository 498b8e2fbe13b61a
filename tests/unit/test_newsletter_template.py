"""Templates: compiled once, refused with file and line, and what they make is inert."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from pipeline.deliver.links import UtmTags
from pipeline.deliver.mail_template import Content, MailTemplate, UnusableLinkError
from pipeline.deliver.mailbox import WRONG_ADDRESS, address_problem
from pipeline.deliver.slots import Shelf
from pipeline.errors import BatchpubError

ITEM = {
    "id": "1",
    "url": "https://shop.example.com/p/1?recommendation_id=r1",
    "title": "Čaj",
    "image_link": "https://shop.example.com/1.jpg",
}
SUBJECT = '+++\nsubject = "News"\n+++\n'
LOOP = '{% for one in items("s", 2) %}<a href="{{ one.url }}">{{ one.title }}</a>{% endfor %}'


def make(
    folder: Path,
    code: str,
    *,
    name: str = "t.html",
    subject: str | None = "News",
    contact: Mapping[str, str] | None = None,
    items: list[dict[str, Any]] | None = None,
    **variables: str,
) -> Content:
    (folder / name).write_text(code, encoding="utf-8")
    template = MailTemplate(str(folder / name), subject=subject, variables=variables)
    shelf = Shelf(template.slots, UtmTags([]), default={}, file={})
    personal = {"s": [ITEM] if items is None else items}
    return template.render(contact or {}, shelf.fill(personal))


def mjml(body: str, head: str = "") -> str:
    return f"<mjml>\n<mj-head>{head}</mj-head>\n<mj-body>\n{body}\n</mj-body>\n</mjml>"


def column(code: str) -> str:
    return f"<mj-section><mj-column><mj-text>{code}</mj-text></mj-column></mj-section>"


class Page(HTMLParser):
    """What a browser makes of HTML: tags with their attributes, and text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


HOSTILE = (
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "' onmouseover='alert(1)",
    "{{ 7 * 7 }}{% raw %}{{ contact }}",
    "</title></style></textarea><script>",
    "--><b>",
    "a\r\nBcc: all@example.com",
    "abc\u202edcba\u2066\u2028x\x00\x1b[31m",
    "&lt;script&gt; &#34; &amp;",
)  # fmt: skip


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize("name", ["t.html", "t.mjml"])
def test_hostile_values_stay_text_in_every_part(value: str, name: str, tmp_path: Path) -> None:
    code = f'Hi {{{{ contact.name }}}} <b title="{{{{ contact.name }}}}">x</b> {LOOP}'
    if name == "t.mjml":
        code = mjml(column(code))
    content = make(
        tmp_path,
        code,
        name=name,
        subject="For {{ contact.name }}",
        contact={"name": value},
        items=[{**ITEM, "title": value}],
    )
    page = Page(content.html)

    clean = make(tmp_path, code, name=name, contact={"name": "x"})
    assert [tag for tag, _ in Page(clean.html).tags] == [tag for tag, _ in page.tags]
    assert not [key for _, attrs in page.tags for key in attrs if key.startswith("on")]
    assert content.subject.isprintable()
    assert "49" not in content.text + content.html
    if value.isprintable():
        assert value in "".join(page.texts)
        assert value in content.text


@pytest.mark.parametrize(
    "url",
    ["javascript:alert(1)", " JaVaScript:alert(1)", "data:text/html,x", "//evil.example", "", "x"],
)
@pytest.mark.parametrize(
    "code",
    [
        '<a href="{{ contact.link }}">x</a>',
        "<a href={{ contact.link }}>x</a>",
        '<a href="{% if 1 %}{{ contact.link }}{% endif %}">x</a>',
        '{% set y = contact.link %}<a href="{{ y }}">x</a>',
    ],
)
def test_a_link_that_is_not_of_the_web_makes_no_message(
    url: str, code: str, tmp_path: Path
) -> None:
    with pytest.raises(UnusableLinkError):
        make(tmp_path, code + LOOP, contact={"link": url})


def test_a_link_whose_start_is_written_takes_any_value_behind_it(tmp_path: Path) -> None:
    code = '<a href="https://x.example/?u={{ contact.u|urlencode }}&amp;b=1">x</a>' + LOOP
    content = make(tmp_path, code, contact={"u": "javascript:1"})

    assert "https://x.example/?u=javascript%3A1&amp;b=1" in content.html


def test_an_image_that_is_missing_is_empty(tmp_path: Path) -> None:
    code = '{% for one in items("s", 1) %}<img src="{{ one.image_link }}" alt="">{% endfor %}'

    assert 'src=""' in make(tmp_path, code, items=[{**ITEM, "image_link": "ftp://x"}]).html


def test_loops_in_tables_stay_where_they_are(tmp_path: Path) -> None:
    rows = '{% for one in items("s", 3) %}<tr><td>{{ one.title }}</td></tr>{% endfor %}'
    content = make(tmp_path, f"<table>{rows}</table>", items=[ITEM, ITEM])

    assert 2 == content.html.count("<tr><td>Čaj</td></tr>")
    assert re.search(r"<table><tbody>\s*(<tr><td>Čaj</td></tr>\s*){2}</tbody>", content.html)


def test_loops_between_sections_of_mjml_repeat_whole_sections(tmp_path: Path) -> None:
    loop = '{% for one in items("s", 3) %}' + column("{{ one.title }}") + "{% endfor %}"
    wrapped = f"<mj-wrapper>{loop}</mj-wrapper>{column('behind')}"
    content = make(tmp_path, mjml(wrapped), name="t.mjml", items=[ITEM, ITEM])
    outside = re.sub(r"<!--\[if.*?<!\[endif\]-->", "", content.html, flags=re.DOTALL)

    assert 2 == outside.count("Čaj")
    assert outside.count("<div") == outside.count("</div>")
    assert outside.count("<table") == outside.count("</table>")
    assert content.html.count("<!--[if") == content.html.count("<![endif]-->")
    assert "Čaj\n\nČaj\n\nbehind\n" == re.sub(r"\n+", "\n\n", content.text).strip() + "\n"


def test_styles_are_inlined_and_media_queries_kept(tmp_path: Path) -> None:
    style = "<style>p { color: red } @media (max-width: 9px) { p { color: blue } }</style>"
    content = make(tmp_path, f"{style}<p>x</p>{LOOP}")

    assert '<p style="color: red;">' in content.html
    assert "@media (max-width: 9px)" in content.html


@pytest.mark.parametrize(
    "before",
    [
        "",
        "{% if true %}<p>x</p>{% endif %}",
        "<style>a { color: red }</style>",
        "{% set x = 1 %}<style>a { color: red }</style>\n",
        "{% if true %}<style>a { color: red }</style>{% endif %}",
        "<!doctype html><html><head><title>t</title></head>",
        "<!doctype html><html>",
        "<!-- a note --><meta charset='utf-8'>",
    ],
)
def test_a_page_begins_once_however_often_its_first_loop_runs(tmp_path: Path, before: str) -> None:
    html = make(tmp_path, before + LOOP, items=[ITEM, ITEM]).html

    assert [1, 1, 1, 1] == [
        html.count(tag) for tag in ("<html>", "<head>", "<body>", "</body></html>")
    ]
    assert html.index("<body>") < html.index("<a ")


@pytest.mark.parametrize("before", ["", "{% set x = 1 %}"])
def test_styles_before_the_content_stay_in_the_head(tmp_path: Path, before: str) -> None:
    html = make(tmp_path, f"{before}<style>a {{ color: red }}</style>{LOOP}").html

    assert html.index("<style>") < html.index("</head>")
    assert '" style="color: red;">' in html


def test_a_remote_style_sheet_is_left_alone(tmp_path: Path) -> None:
    link = '<link rel="stylesheet" href="http://127.0.0.1:9/x.css">'

    assert "127.0.0.1:9" in make(tmp_path, f"{link}<p>x</p>{LOOP}").html


def test_code_between_raw_marks_and_comparisons_survive(tmp_path: Path) -> None:
    code = "{% raw %}{{ a < b }}{% endraw %}{% if 1 < 2 and 'x' != \"y\" %}yes{% endif %}" + LOOP

    assert "{{ a < b }}yes" in make(tmp_path, code).text


def test_the_text_beside_the_template_is_the_plain_part(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text('{{ items("s", 1)[0].title }} <&>')

    assert "Čaj <&>\n" == make(tmp_path, LOOP).text


def test_the_derived_text_has_links_and_leaves_out_what_is_hidden(tmp_path: Path) -> None:
    code = f'<head><title>no</title></head><div style="display:none">no</div><p>Dear</p>{LOOP}'

    text = make(tmp_path, code).text
    assert "Dear\n\nČaj\nhttps://shop.example.com/p/1?recommendation_id=r1\n" == text


REFUSED = [
    ("{{ broken", "t.html, line 1: template error"),
    ("\n\n{% for x in %}", "t.html, line 3: template error"),
    ("\n{{ items('s', 1).nope.deep }}", "t.html, line 2: template error"),
    ("\n{% for i in items('s', 1) %}\n{{ i.nope }}{% endfor %}", "line 3: template error"),
    ("\n{{ ''.__class__.__mro__ }}", "line 2: template error"),
    ("{{ nobody }}", "line 1: the template uses 'nobody', which nobody gives"),
    ("{{ items(contact.a, 1) }}", "line 1: a slot is written by its name"),
    ("{{ items('s', 0) }}", "line 1: a slot is written by its name"),
    ("\n{{ items }}", "line 2: a slot is written by its name"),
    ("\n{{ contact }}", "line 2: a column is written by its name"),
    ("{{ contact[contact.a] }}", "line 1: a column is written by its name"),
    ("\n{% include '/etc/passwd' %}", "line 2: a template is one file"),
    ("{% extends 'x' %}", "line 1: a template is one file"),
    ("\n<script>{{ contact.a }}</script>", "line 2: template code inside a script"),
    ('<b\n onclick="f({{ contact.a }})">', "line 2: template code inside onclick"),
    ("<b {% if 1 %}x{% endif %}>", "line 1: template code between attributes"),
    ("<style>a{#b{c:d}} {# x #}</style>", "line 1: {# in a style begins a comment"),
    ("\n+++\n", "the template is empty"),
    ("+++\nsubject = \n+++\nx", "line 2: the front matter is not valid TOML"),
]


@pytest.mark.parametrize(("code", "told"), REFUSED)
def test_a_wrong_template_is_one_error_with_its_line(code: str, told: str, tmp_path: Path) -> None:
    if code == "\n+++\n":
        code = SUBJECT
    with pytest.raises(BatchpubError) as caught:
        make(tmp_path, code, contact={"a": "s"})

    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("<mj-nope/>", "line 4: <mj-nope> is no MJML tag"),
        ("<mj-secton></mj-secton>", "did you mean <mj-section>?"),
        ("<mj-section><div>x</div></mj-section>", "line 4: <div> is no MJML tag"),
        ("<mj-section>", "closes nothing"),
        ("<mj-include path='/etc/passwd'/>", "mj-include is not supported"),
        ("<mj-section><mj-column><mj-text>{{ nobody }}</mj-text></mj-column></mj-section>", "4"),
    ],
)
def test_wrong_mjml_is_one_error_with_its_line(body: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(BatchpubError) as caught:
        make(tmp_path, mjml(body), name="t.mjml")

    assert told in str(caught.value)


def test_an_error_while_rendering_names_the_line_of_the_mjml(tmp_path: Path) -> None:
    code = mjml(
        column("x") + "\n" + column('\n{% for i in items("s", 1) %}\n{{ i.nope }}{% endfor %}')
    )
    with pytest.raises(
        BatchpubError, match=r"t\.mjml, line 7: template error: .*no attribute 'nope'"
    ):
        make(tmp_path, code, name="t.mjml")


def test_values_of_a_recipient_are_in_no_error(tmp_path: Path) -> None:
    with pytest.raises(BatchpubError) as caught:
        make(tmp_path, "{{ contact.n + 1 }}" + LOOP, contact={"n": "SECRET"})

    assert "SECRET" not in str(caught.value)


def test_a_subject_is_needed_and_must_not_come_out_empty(tmp_path: Path) -> None:
    with pytest.raises(BatchpubError, match="no subject"):
        make(tmp_path, LOOP, subject=None)
    with pytest.raises(BatchpubError, match="subject comes out empty"):
        make(tmp_path, LOOP, subject="{{ contact.a }}", contact={"a": " \r\n "})


def test_variables_beat_the_front_matter_and_may_hold_code(tmp_path: Path) -> None:
    code = '+++\nsubject = "{{ shop }}"\nshop = "Old"\nu = "x"\n+++\n<p>{{ u }}</p>' + LOOP
    content = make(
        tmp_path, code, subject=None, shop="A & B", u="<{{ contact.a }}>", contact={"a": "1"}
    )

    assert "A & B" == content.subject
    assert "<p>&lt;1&gt;</p>" in content.html


def test_a_number_of_items_holds_and_the_source_is_known(tmp_path: Path) -> None:
    code = '{{ items("s", 1)|length }}{{ items("s", 2)|length }}{{ items("s", 2).personal }}'

    assert "12True\n" == make(tmp_path, code, items=[ITEM] * 3).text


def test_without_the_extra_the_error_names_it(tmp_path: Path) -> None:
    (tmp_path / "t.html").write_text(LOOP)
    code = (
        "import sys; sys.modules['mrml'] = None\n"
        "from pipeline.cli.app import run\n"
        "sys.exit(run(['deliver', 'newsletter', '--template', 't.html', '--contacts', 'c.csv',"
        " '--recommendations', 'r.jsonl', '-o', 'o.jsonl']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert 2 == done.returncode
    assert "pip install 'batchpub[newsletter]'" in done.stderr


def test_help_imports_neither_jinja_nor_its_companions() -> None:
    code = (
        "import sys\nfrom pipeline.cli.app import run\nrun(['deliver', 'newsletter', '--help'])\n"
        "print(sorted({'jinja2', 'mrml', 'css_inline', 'polars', 'pyarrow'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert "[]" == done.stdout.splitlines()[-1]


def test_braces_written_as_entities_are_no_code(tmp_path: Path) -> None:
    content = make(tmp_path, f"<p>&#123;&#123; nobody &#125;&#125; &#123;% x</p>{LOOP}")

    assert "<p>{{ nobody }} {% x</p>" in content.html
    assert content.text.startswith("{{ nobody }} {% x\n")


@pytest.mark.parametrize(
    "text",
    [
        "a\u200bb@example.com",
        "a@example.com\u202e",
        "a@example.com\nBcc: b@example.com",
        "a@b@example.com",
        "a@example.com,b@example.com",
        "Jana <a@example.com>",
        " a@example.com",
        "a..b@example.com",
        "a@localhost",
        "a@-x.example",
        "@example.com",
        "a" * 65 + "@example.com",
    ],
)
def test_what_is_not_one_plain_address_is_refused(text: str) -> None:
    assert WRONG_ADDRESS == address_problem(text)


@pytest.mark.parametrize(
    "text", ["a@example.com", "jana.nováková+x@example.co.uk", "O'Brien_1@xn--bcher-kva.example"]
)
def test_addresses_people_have_are_accepted(text: str) -> None:
    assert address_problem(text) is None
