"""Every verdict keeps the contract."""

from __future__ import annotations

import pytest

from harness.plugins import kinds
from harness.testing import check_verdict
from harness.testing.crowds import BEFORE

FIELDS = {"reference_gain": {"reference": BEFORE}}


@pytest.mark.slow
@pytest.mark.parametrize("kind", kinds("verdicts"))
def test_a_verdict_keeps_its_contract(kind: str) -> None:
    check_verdict(kind, **FIELDS.get(kind, {}))
