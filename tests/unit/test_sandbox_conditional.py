"""Ranges and validators as RFC 9110 has them."""

import pytest

from pipeline.sandbox.conditional import Selection, accepts_gzip, select

TAG = '"abc"'
MODIFIED = 1_498_738_276.7
DATE = "Thu, 29 Jun 2017 12:11:16 GMT"
WHOLE = Selection(200, 0, 100)
UNCHANGED = Selection(304, 0, 0)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, WHOLE),
        ({"Range": "bytes=0-9"}, Selection(206, 0, 10, "bytes 0-9/100")),
        ({"Range": "bytes=90-"}, Selection(206, 90, 100, "bytes 90-99/100")),
        ({"Range": "bytes=90-500"}, Selection(206, 90, 100, "bytes 90-99/100")),
        ({"Range": "bytes=-10"}, Selection(206, 90, 100, "bytes 90-99/100")),
        ({"Range": "bytes=-500"}, Selection(206, 0, 100, "bytes 0-99/100")),
        ({"Range": "bytes=100-"}, Selection(416, 0, 0, "bytes */100")),
        ({"Range": "bytes=-0"}, Selection(416, 0, 0, "bytes */100")),
        ({"Range": "bytes=9-0"}, WHOLE),
        ({"Range": "bytes=0-1,5-6"}, WHOLE),
        ({"Range": "bytes=-"}, WHOLE),
        ({"Range": "rows=1-2"}, WHOLE),
        ({"Range": "bytes=5-", "If-Range": TAG}, Selection(206, 5, 100, "bytes 5-99/100")),
        ({"Range": "bytes=5-", "If-Range": DATE}, Selection(206, 5, 100, "bytes 5-99/100")),
        ({"Range": "bytes=5-", "If-Range": '"other"'}, WHOLE),
        ({"Range": "bytes=5-", "If-Range": 'W/"abc"'}, WHOLE),
        ({"Range": "bytes=5-", "If-Range": "Thu, 29 Jun 2017 12:11:17 GMT"}, WHOLE),
        ({"If-None-Match": TAG}, UNCHANGED),
        ({"If-None-Match": 'W/"x", W/"abc"'}, UNCHANGED),
        ({"If-None-Match": "*"}, UNCHANGED),
        ({"If-None-Match": '"x"', "If-Modified-Since": DATE}, WHOLE),
        ({"If-Modified-Since": DATE}, UNCHANGED),
        ({"If-Modified-Since": "Thu, 29 Jun 2017 12:11:15 GMT"}, WHOLE),
        ({"If-Modified-Since": "yesterday"}, WHOLE),
    ],
)
def test_the_right_bytes_are_chosen(headers: dict[str, str], expected: Selection) -> None:
    assert expected == select(headers, etag=TAG, modified=MODIFIED, size=100)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, False),
        ("", False),
        ("identity", False),
        ("gzip", True),
        ("br, GZIP;q=0.5", True),
        ("gzip;q=0, *", False),
        ("gzip;q=abc", True),
        ("*", True),
        ("x-gzip", True),
    ],
)
def test_gzip_is_sent_to_those_who_take_it(header: str | None, expected: bool) -> None:
    assert expected is accepts_gzip(header)
