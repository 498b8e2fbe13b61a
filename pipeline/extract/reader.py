"""All extracts of a run as one stream of batches; the format is told by content."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from pipeline.extract.batch import ExtractBatch, Wanted
from pipeline.extract.places import STDIN, Place, open_file

__all__ = ["read_extracts"]

_PARQUET: Final = b"PAR1"


def read_extracts(places: Sequence[Place], wanted: Wanted) -> Iterator[ExtractBatch]:
    """Batches of every place, in the order given."""
    for place in places:
        yield from _reader(place)(place, wanted)


def _reader(place: Place) -> Callable[[Place, Wanted], Iterator[ExtractBatch]]:
    if _is_parquet(place):
        from pipeline.extract.parquet_file import read_parquet

        return read_parquet
    from pipeline.extract.csv_file import read_csv

    return read_csv


def _is_parquet(place: Place) -> bool:
    if place.path == STDIN or place.size is None:
        return False
    with open_file(place) as file:
        return file.read(4) == _PARQUET
