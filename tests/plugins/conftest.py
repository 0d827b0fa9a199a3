"""Every test of outside plug-ins begins and ends with none."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from harness.plugins import use_folders


@pytest.fixture(autouse=True)
def _none_left() -> Iterator[None]:
    use_folders(())
    yield
    use_folders(())
