"""Digests name contents."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from harness.keys import canonical, digest, source_digest
from harness.types import Decoding


def test_canonical_form_by_hand() -> None:
    assert canonical({"b": (1, 2.5), "a": None, "ü": True}) == '{"a":null,"b":[1,2.5],"ü":true}'
    assert digest("x") == hashlib.sha256(b'["x"]').hexdigest()


def test_dataclasses_and_order_of_keys() -> None:
    assert digest(Decoding(seed=1)) != digest(Decoding(seed=2))
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    assert digest(1) != digest(1.5)


@pytest.mark.parametrize("value", [float("nan"), Path("x"), object()])
def test_what_has_no_canonical_form_is_refused(value: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        canonical(value)


def test_source_digest_follows_contents_not_places(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.py").write_text("x = 1")
    assert source_digest([tmp_path / "one/a.py"]) == source_digest([tmp_path / "two/a.py"])
    (tmp_path / "two/a.py").write_text("x = 2")
    assert source_digest([tmp_path / "one/a.py"]) != source_digest([tmp_path / "two/a.py"])
