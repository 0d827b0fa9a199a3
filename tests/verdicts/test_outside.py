"""A method of others as a plug-in: docs/examples/verdicts/dli.py."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from harness.plugins import build
from harness.testing import check_verdict, use_folders
from harness.testing.crowds import crowd
from harness.types import Unavailable
from tests.core.running import REPOSITORY


@pytest.fixture(autouse=True)
def _examples() -> Iterator[None]:
    use_folders([REPOSITORY / "docs" / "examples"])
    yield
    use_folders(())


def stand_in() -> dict[str, Any]:
    """The package's names that are used, with another similarity: shared words."""
    method, models = ModuleType("modelaudit.methods.dli"), ModuleType("modelaudit.models")

    class Fingerprinter:
        fingerprint_type = "blackbox"

        def compare(self, first: Any, second: Any) -> Any:
            a, b = (f.data["signature"] for f in (first, second))
            similarity = sum(min(a[w], b[w]) for w in a.keys() & b.keys()) / max(sum(a.values()), 1)
            return SimpleNamespace(similarity=similarity, is_derived=similarity >= 0.5)

    def signature(texts: list[str]) -> dict[str, int]:
        words = " ".join(texts).split()
        return {w: words.count(w) for w in sorted(set(words))}

    vars(method).update(DLIFingerprinter=Fingerprinter, _extract_behavior_signature=signature)
    vars(models).update(Fingerprint=SimpleNamespace)
    names = ("modelaudit", "modelaudit.methods")
    empty: dict[str, Any] = {n: ModuleType(n) for n in names}
    return {**empty, "modelaudit.methods.dli": method, "modelaudit.models": models}


def test_it_keeps_the_contract(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, module in stand_in().items():
        monkeypatch.setitem(sys.modules, name, module)
    check_verdict("dli")


def test_it_keeps_the_contract_with_the_package_itself() -> None:
    pytest.importorskip("modelaudit", reason="knowlyr-modelaudit is not installed")
    check_verdict("dli")


def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in stand_in():
        monkeypatch.setitem(sys.modules, name, None)
    verdict = build("verdicts", "dli", {"kind": "dli"})
    with pytest.raises(Unavailable, match="pip install knowlyr-modelaudit"):
        verdict.prepare(crowd()[0], np.random.default_rng(0))
