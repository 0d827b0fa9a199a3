"""A zoo of three untaught models, built once."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from harness.zoo import Place, things


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Where the tiny zoo stands, complete."""
    place = Place(tmp_path_factory.mktemp("zoo"), "tiny")
    build(["answers_a"], place)
    return place


def build(names: Iterable[str], place: Place) -> None:
    """Makes these and what they need, one after another."""
    missing = things(names, place)
    while missing:
        thing = next(t for t in missing if all(n.is_there() for n in t.needs))
        thing.make(lambda news: None)
        missing.remove(thing)
