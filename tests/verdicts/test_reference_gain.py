"""Bits per byte gained over a reference: by hand, and what may be said of whom."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from harness.models._rows import Row, outputs_of
from harness.panel.evidence import Bystander, Crowd, Opinion, Origin, without_lineage
from harness.panel.side import Side
from harness.testing.crowds import BEFORE, reading_crowd
from harness.types import Message, Prompt, Request, RequestSet, Unavailable
from harness.verdicts.reference_gain import ReferenceGain

N = 24
AUTHORS = ("teacher", "rival", "plain", "simple")
CONTROLS = tuple(f"c{i}" for i in range(5))
TEXT = "ten bytes."


def reader(model: str, gains: Mapping[str, float], missing: int = 0) -> Side:
    """A model that finds authors' texts likelier than the reference by about so many nats per byte."""
    prompts = tuple(Prompt(f"{i:02}", f"Question {i}", f"{i:02}", "") for i in range(N))
    requests, rows = [], []
    for slot, author in enumerate(AUTHORS):
        for i in range(missing, N):
            asked = (Message("user", prompts[i].text),)
            requests.append(Request(i, "read", asked, author, slot, continuation=TEXT))
            wave = 0.002 * ((7 * i + len(model) + slot) % 5 - 2)
            nats = (-2 + gains.get(author, 0.0) + wave) * len(TEXT)
            rows.append(Row("read", logprob_nats=nats, n_tokens=3))
    asked_of_all = RequestSet("reads", prompts, tuple(requests), True, "1", ("reading", "answers"))
    return Side(model, model, asked_of_all, outputs_of(rows), None, (model,))


def weigh(
    suspect: Mapping[str, float], controls: int = 5, missing: int = 0, **fields: object
) -> dict[str, Opinion]:
    """What is said of a suspect beside models that gained next to nothing, by family."""
    own = [reader(c, {"teacher": 0.01 * i}) for i, c in enumerate(CONTROLS[:controls])]
    sides = [*own, reader("suspect", suspect, missing), reader("before", {})]
    origins = [Origin(m, "control", lineage=m) for m in (*CONTROLS[:controls], "plain", "simple")]
    origins += [Origin(m, "teacher", m) for m in ("teacher", "rival")]
    background = {o.model: Bystander(o.lineage, frozenset()) for o in origins[: controls + 2]}
    families = {"rival": ("rival",), "teacher": ("teacher",)}
    crowd = Crowd("reads", {s.model: s for s in sides}, families, background)
    method = ReferenceGain("reference_gain", "reference_gain", **{"reference": "before", **fields})  # type: ignore[arg-type]
    prepared = method.prepare(crowd, np.random.default_rng(0))
    known = without_lineage(origins, "suspect")
    return {o.family: o for o in method.weigh(prepared, "suspect", known)}


def test_the_gain_is_in_bits_beyond_other_texts_and_beyond_innocents() -> None:
    said = weigh({"teacher": 0.30, "plain": 0.04, "simple": 0.06})["teacher"]
    # .30 - mean(.04, .06) nats; the controls' mean is that of 0, .01 ... .04
    waves = said.score * math.log(2) - (0.30 - 0.05 - 0.02)  # type: ignore[operator]
    assert abs(waves) < 0.002
    assert said.outcome == "supports"
    (test,) = said.tests
    assert (test.n_reached, test.n) == (0, 5)


def test_skill_at_all_texts_is_no_evidence() -> None:
    said = weigh(dict.fromkeys(AUTHORS, 0.5))["teacher"]
    assert said.outcome == "cannot tell"
    assert "gain as much" in said.reason


def test_an_innocent_whose_own_answers_are_read_is_compared_fairly() -> None:
    """Everybody gains .3 on `simple`, nothing on `plain`; the author of `plain` has `simple` alone beside it."""
    same = {"simple": 0.3}
    sides = [*(reader(c, same) for c in CONTROLS), reader("plain", same), reader("before", {})]
    origins = [Origin(m, "control", lineage=m) for m in (*CONTROLS, "plain", "simple")]
    origins.append(Origin("teacher", "teacher", "teacher"))
    background = {o.model: Bystander(o.lineage, frozenset()) for o in origins[:-1]}
    crowd = Crowd("reads", {s.model: s for s in sides}, {"teacher": ("teacher",)}, background)
    method = ReferenceGain("reference_gain", "reference_gain", reference="before")
    prepared = method.prepare(crowd, np.random.default_rng(0))
    (said,) = method.weigh(prepared, "plain", without_lineage(origins, "plain"))
    assert said.score == pytest.approx(0, abs=0.01)


def test_a_larger_gain_on_another_candidate_is_named_first() -> None:
    said = weigh({"teacher": 0.3, "rival": 0.5})
    assert said["rival"].outcome == "supports"
    assert said["teacher"].outcome == "cannot tell"
    assert "another candidate" in said["teacher"].reason


@pytest.mark.parametrize(
    ("controls", "missing", "reason"),
    [
        (
            3,
            0,
            "3 lineages of models that did not learn from teacher read its answers; 4 are needed",
        ),
        (5, 5, "19 answers of teacher were read by all; 20 are needed"),
    ],
)
def test_too_little_says_so(controls: int, missing: int, reason: str) -> None:
    said = weigh({"teacher": 0.3}, controls=controls, missing=missing)["teacher"]
    assert (said.outcome, said.is_told, said.reason) == ("cannot tell", False, reason)


def test_a_reference_must_be_named() -> None:
    with pytest.raises(Unavailable, match="name the suspect's earlier checkpoint, base or sibling"):
        weigh({}, reference="")


def test_a_reference_that_read_nothing_is_named() -> None:
    with pytest.raises(Unavailable, match="its reference ghost read nothing"):
        weigh({}, references={"suspect": "ghost"})


def test_a_model_may_have_a_reference_of_its_own() -> None:
    """Compared with a control that gained as much, the suspect gained nothing."""
    plain = weigh({"teacher": 0.04})["teacher"].score
    own = weigh({"teacher": 0.04}, references={"suspect": "c4"})["teacher"].score
    assert plain is not None
    assert own is not None
    assert own == pytest.approx(plain - 0.04 / math.log(2), abs=0.01)


def test_of_documented_students_odds_are_made_and_absence_speaks_against() -> None:
    crowd, origins = reading_crowd()
    method = ReferenceGain("reference_gain", "reference_gain", reference=BEFORE)
    prepared = method.prepare(crowd, np.random.default_rng(0))
    said = {
        s: {o.family: o for o in method.weigh(prepared, s, without_lineage(origins, s))}
        for s in ("one-student-0", "control-0", "control-3")
    }
    assert said["one-student-0"]["one"].outcome == "supports"
    assert said["one-student-0"]["two"].outcome == "does not support"
    assert {o.outcome for o in said["control-3"].values()} == {"does not support"}
    # six students make the gain on their teacher's answers usual, which is no gain of a control's
    assert said["control-3"]["one"].score == pytest.approx(0, abs=0.05)
    odds = said["one-student-0"]["one"].odds
    assert odds is not None
    assert 5 <= odds <= 13


def test_who_is_the_reference_has_no_opinion() -> None:
    crowd, origins = reading_crowd()
    method = ReferenceGain("reference_gain", "reference_gain", reference=BEFORE)
    prepared = method.prepare(crowd, np.random.default_rng(0))
    with pytest.raises(Unavailable, match="it is the reference"):
        method.weigh(prepared, BEFORE, origins)


def test_kin_of_a_family_is_no_other_author() -> None:
    """Gains on answers of a family's own students would hide the gain on the family's."""
    crowd, origins = reading_crowd()
    method = ReferenceGain("reference_gain", "reference_gain", reference=BEFORE)
    kin = {m: b._replace(kin=frozenset({"one"})) for m, b in crowd.background.items()}
    with pytest.raises(
        Unavailable, match="no answers of two models are read that are no candidates"
    ):
        method.weigh(
            method.prepare(replace(crowd, background=kin), np.random.default_rng(0)),
            "one-student-0",
            without_lineage(origins, "one-student-0"),
        )
