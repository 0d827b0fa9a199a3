"""A zoo of three untaught models, built once."""

from __future__ import annotations

import pytest

from harness.zoo import Place, build


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Where the tiny zoo stands, complete."""
    place = Place(tmp_path_factory.mktemp("zoo"), "tiny")
    build(["answers_a"], place, workers=1)
    return place
