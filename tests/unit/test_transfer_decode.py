"""Content codings: any split gives the same bytes, and nothing cut, damaged or too large passes."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable

import pytest
from backports import zstd
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import InputError, RemoteError
from pipeline.transfer.decode import open_decoder

EXPORT = b"<users>" + b"<user><auth_user_id>u1</auth_user_id></user>" * 200 + b"</users>"


def raw_deflate(data: bytes) -> bytes:
    stream = zlib.compressobj(wbits=-15)
    return stream.compress(data) + stream.flush()


# A frame that holds no data, RFC 8878 section 3.1.2.
ZSTD_NOTE = b"\x50\x2a\x4d\x18\x05\0\0\0hello"
CODINGS = {
    "plain": ("", EXPORT),
    "identity": ("identity", EXPORT),
    "gzip": ("gzip", gzip.compress(EXPORT)),
    "old name": ("x-gzip", gzip.compress(EXPORT)),
    "deflate as the standard says": ("deflate", zlib.compress(EXPORT)),
    "deflate as some servers do": ("deflate", raw_deflate(EXPORT)),
    "gzip file": ("", gzip.compress(EXPORT)),
    "gzip file sent as gzip": ("gzip", gzip.compress(gzip.compress(EXPORT))),
    "gzip of two members": ("gzip", gzip.compress(EXPORT[:99]) + gzip.compress(EXPORT[99:])),
    "zstd": ("zstd", zstd.compress(EXPORT)),
    "zstd file": ("", zstd.compress(EXPORT)),
    "zstd of two frames": ("zstd", zstd.compress(EXPORT[:99]) + zstd.compress(EXPORT[99:])),
    "zstd file behind a note": ("", zstd.compress(EXPORT) + ZSTD_NOTE),
    "zstd file sent as gzip": ("gzip", gzip.compress(zstd.compress(EXPORT))),
    "two codings": ("deflate, gzip", gzip.compress(zlib.compress(EXPORT))),
}


def decoded(coding: str, pieces: list[bytes], max_bytes: int = 10**9) -> bytes:
    decoder = open_decoder(coding, source="export", max_bytes=max_bytes)
    found = b"".join(piece for data in pieces for piece in decoder.feed(data)) + decoder.close()
    assert len(found) == decoder.bytes
    return found


@pytest.mark.parametrize("name", CODINGS)
@pytest.mark.parametrize("size", [1, 2, 3, 7, 10**6])
def test_any_split_gives_the_export(name: str, size: int) -> None:
    coding, data = CODINGS[name]

    assert EXPORT == decoded(coding, [data[i : i + size] for i in range(0, len(data), size)])


@pytest.mark.parametrize("name", [name for name in CODINGS if name not in {"plain", "identity"}])
def test_a_compressed_export_that_was_cut_is_refused(name: str) -> None:
    coding, data = CODINGS[name]
    members = {len(gzip.compress(EXPORT[:99]))} if "two members" in name else set()
    if "behind a note" in name:
        members = {len(data) - len(ZSTD_NOTE)}
    for cut in {0, 1, 2, 3, 5, 11, len(data) // 2, len(data) - 9, len(data) - 1} - members:
        if (cut < 2 and name == "gzip file") or (cut < 4 and name.startswith("zstd file")):
            continue  # nothing tells yet that it is one: the parser refuses it
        with pytest.raises(InputError):
            decoded(coding, [data[:cut]])


@pytest.mark.parametrize(
    "name", ["gzip", "deflate as the standard says", "gzip file", "zstd", "zstd file"]
)
def test_a_damaged_export_is_refused(name: str) -> None:
    coding, data = CODINGS[name]
    for data_damaged in (data[:-3] + b"xyz", data + b"rubbish", data + data[:1]):
        with pytest.raises(InputError):
            decoded(coding, [data_damaged])


@pytest.mark.parametrize("coding", ["br", "compress", "gzip, gzip, gzip", "nonsense"])
def test_a_coding_that_was_not_asked_for_is_refused(coding: str) -> None:
    with pytest.raises(RemoteError):
        open_decoder(coding, source="export", max_bytes=1)


def test_a_zstd_window_that_would_fill_the_memory_is_refused() -> None:
    options: dict[int, int] = {
        zstd.CompressionParameter.window_log: 28,
        zstd.CompressionParameter.enable_long_distance_matching: 1,
    }
    packer = zstd.ZstdCompressor(options=options)  # the size is not known: the window stays
    data = packer.compress(EXPORT) + packer.flush()
    with pytest.raises(InputError, match="damaged"):
        decoded("", [data])


@pytest.mark.parametrize("pack", [gzip.compress, zstd.compress], ids=["gzip", "zstd"])
def test_a_bomb_is_refused_at_the_cap_and_not_after_it(pack: Callable[[bytes], bytes]) -> None:
    bomb = gzip.compress(pack(b"\0" * 50_000_000))
    decoder = open_decoder("gzip", source="export", max_bytes=1_000_000)
    with pytest.raises(InputError) as caught:
        list(decoder.feed(bomb))

    assert 1_000_000 == caught.value.limit
    assert 2_000_000 >= decoder.bytes


def test_exactly_the_cap_is_allowed() -> None:
    assert EXPORT == decoded("gzip", [gzip.compress(EXPORT)], max_bytes=len(EXPORT))


@given(st.binary(max_size=3))
def test_a_tiny_export_comes_out_too(data: bytes) -> None:
    if data[:2] != b"\x1f\x8b":
        assert data == decoded("", [data])


@given(st.binary(max_size=2000), st.integers(1, 400))
def test_any_bytes_survive_gzip_and_any_split(data: bytes, size: int) -> None:
    packed = gzip.compress(data)
    if data[:2] != b"\x1f\x8b" and data[:4] != b"\x28\xb5\x2f\xfd":
        pieces = [packed[i : i + size] for i in range(0, len(packed), size)]
        assert data == decoded("gzip", pieces)
