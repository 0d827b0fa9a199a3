"""Two families with odds that would support each: a student may have learned from both, a version is kin of its own."""

from __future__ import annotations

from dataclasses import replace
from unittest.mock import patch

import numpy as np

from harness.panel.evidence import without_lineage
from harness.testing.crowds import crowd
from harness.verdicts import attribution
from harness.verdicts.attribution import Attribution


def said(suspect: str) -> dict[str, str]:
    """Outcomes by family where all odds are large."""
    everyone, origins = crowd(n_students=3, n_controls=5)
    method = Attribution("attribution", "attribution")
    prepared = method.prepare(everyone, np.random.default_rng(0))
    signals = {pair: replace(s, prompts=100) for pair, s in prepared.signals.items()}
    prepared = replace(prepared, signals=signals)
    with patch.object(attribution, "_odds", lambda signals, made: 9.0):
        made = method.weigh(prepared, suspect, without_lineage(origins, suspect))
    return {o.family: o.outcome for o in made}


def test_both_families_of_a_student_are_supported() -> None:
    assert said("one-student-0") == {"one": "supports", "two": "supports"}


def test_a_version_of_a_family_is_no_student_of_another_because_it_is_like_its_own() -> None:
    assert said("one-v1")["two"] == "cannot tell"
