"""The small run, made once."""

from __future__ import annotations

import pytest

from tests.joints.small import Small, scored


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Small:
    """Collected and scored; tests do not change it."""
    return scored(tmp_path_factory.mktemp("small"))
