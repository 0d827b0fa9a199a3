"""The methods of others: their numbers by hand, or by a second way to count."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from harness.panel.calibration import Calibration, Fit
from harness.panel.evidence import Bystander, Crowd, Origin
from harness.stats.betting import Stop
from harness.stats.odds import Coefficients
from harness.testing.crowds import crowd
from harness.testing.making import made
from harness.testing.sides import text_side
from harness.text.attribution import ODDS, USED, Signals
from harness.text.tokens import tokens
from harness.types import DistillbenchError, Unavailable
from harness.verdicts import AbstractVerdict
from harness.verdicts._likenesses import Likenesses, likenesses, nearest
from harness.verdicts._words import word_rates
from harness.verdicts.attribution import VERSION, Attribution, Resemblances
from harness.verdicts.impostors import Bounds, Rounds, c_at_1
from harness.verdicts.response_similarity import Judged, _cosine, _dice, _overlap

RNG = np.random.default_rng(5)


def talk(texts: Mapping[str, Sequence[str]], families: Mapping[str, tuple[str, ...]]) -> Crowd:
    """A crowd in which everybody but the versions is of the background."""
    sides = {m: text_side(m, list(texts[m]), "talk") for m in sorted(texts)}
    versions = {v for own in families.values() for v in own}
    others = {m: Bystander(m, frozenset()) for m in sides if m not in versions}
    return Crowd("talk", sides, families, others)


def method(name: str, **fields: object) -> AbstractVerdict:
    built: AbstractVerdict = made("verdicts", name, dict(fields))
    return built


class TestWords:
    def test_a_candidate_has_no_say_in_what_is_common(self) -> None:
        own = {f"b{i}": [f"red red blue {w}"] for i, w in enumerate(("x", "y", "x", "y"))}
        texts = {**own, "t": ["green " * 50 + "red -- \n"]}
        rates = word_rates(talk(texts, {"f": ("t",)}), 3)
        assert rates.words[:2] == ("red", "blue")
        assert "green" not in rates.words
        by = dict(zip(rates.words, rates.rates[4], strict=True))
        assert by["red"] == pytest.approx(1 / 51)  # marks and line ends are no words

    def test_too_few_models_are_said(self) -> None:
        texts = {f"b{i}": ["a b"] for i in range(3)} | {"t": ["a"]}
        with pytest.raises(Unavailable, match="3 models of documented training answered"):
            word_rates(talk(texts, {"f": ("t",)}), 3)

    def test_delta_is_the_cosine_of_standardized_rates(self) -> None:
        everyone, _ = crowd(n_students=3, n_controls=4, n_prompts=8)
        counts = {
            m: Counter(w for t in everyone.texts(m).values() for w in tokens(t) if w[0].isalnum())
            for m in everyone.sides
        }
        rate = {m: {w: n / c.total() for w, n in c.items()} for m, c in counts.items()}
        own = list(everyone.background)
        usual = {
            w: sum(rate[m].get(w, 0) for m in own) / len(own) for c in counts.values() for w in c
        }
        words = sorted(usual, key=lambda w: (-usual[w], w))[:20]
        z = {}
        spread = {w: np.std([rate[m].get(w, 0) for m in own]) for w in words}
        for m in everyone.sides:
            z[m] = np.array([(rate[m].get(w, 0) - usual[w]) / spread[w] for w in words])
        a, b = z["one-student-0"], z["one-v1"]
        expected = a @ b / np.sqrt((a @ a) * (b @ b))
        prepared = method("burrows_delta", words=20).prepare(everyone, RNG)
        row, column = prepared.models["one-student-0"], prepared.versions["one-v1"]
        assert prepared.values[row, column] == pytest.approx(expected, rel=1e-9)


class TestNearest:
    def made(self, **rows: tuple[float, ...]) -> Likenesses:
        texts = {m: ["a"] for m in ("a1", "a2", "b1", "s")}
        return likenesses(
            talk(texts, {"a": ("a1", "a2"), "b": ("b1",)}),
            np.array([rows.get(m, (0.1, 0.1, 0.1)) for m in sorted(texts)]),
        )

    def test_the_nearest_family_is_supported_by_its_best_version(self) -> None:
        said = nearest(self.made(s=(0.2, 0.5, 0.4)), "s")
        assert [(o.family, o.version, o.outcome, o.is_named, o.odds) for o in said] == [
            ("a", "a2", "supports", True, None),
            ("b", "b1", "does not support", False, None),
        ]

    def test_nobody_is_its_own_teacher(self) -> None:
        said = nearest(self.made(a1=(1.0, 0.3, 0.6), b1=(0.3, 0.2, 1.0)), "a1")
        assert [(o.version, o.outcome) for o in said] == [
            ("a2", "does not support"),
            ("b1", "supports"),
        ]

    def test_who_cannot_be_compared_gets_a_reason(self) -> None:
        first, second = nearest(self.made(s=(np.nan, np.nan, 0.4)), "s")
        assert (first.outcome, first.is_told) == ("cannot tell", False)
        assert "s and a have no answers that can be compared" in first.reason
        assert second.outcome == "supports"


class TestCharacters:
    def likeness(self, first: list[str], second: list[str], **fields: int) -> float:
        texts = {"s": first, "t": second}
        prepared = method("character_ngrams", **fields).prepare(talk(texts, {"f": ("t",)}), RNG)
        return float(prepared.values[0, 0])

    def test_relative_differences_by_hand(self) -> None:
        # rates of a and b: 2/3, 1/3 and 1/3, 2/3: twice ((1/3) / (1/2))^2 of at most 4 for each of 2 + 2 n-grams
        assert self.likeness(["aab"], ["abb"], length=1) == pytest.approx(1 - (8 / 9) / 16)
        assert self.likeness(["aab"], ["cdd"], length=1) == 0.0
        assert self.likeness(["aab"], ["aab"], length=2) == 1.0

    def test_no_ngram_crosses_from_one_answer_into_the_next(self) -> None:
        assert self.likeness(["ab", "cd"], ["ab", "cd"], length=2) == 1.0
        assert self.likeness(["ab", "cd"], ["abcd"], length=2) < 1.0
        assert np.isnan(self.likeness(["ab", "cd"], ["abcd"], length=3))

    def test_only_the_commonest_are_compared(self) -> None:
        assert self.likeness(["aaab"], ["aaac"], length=1) < 1.0
        assert self.likeness(["aaab"], ["aaac"], length=1, profile=1) == 1.0

    @pytest.mark.parametrize("length", [0, 9])
    def test_lengths_that_do_not_fit_are_refused(self, length: int) -> None:
        with pytest.raises(DistillbenchError, match=f"key length: .* got {length}"):
            method("character_ngrams", length=length)


class TestImpostors:
    KNOWN = (
        Origin("own", "control", lineage="mine"),
        Origin("s", "control", lineage="mine"),
        Origin("stranger", "control", lineage="x"),
        Origin("taught", "student", "f", lineage="y"),
    )

    def rounds(self, row: tuple[float, ...]) -> Rounds:
        """Two rounds in which s has these similarities with own, s, stranger, t and taught."""
        places = {m: i for i, m in enumerate(("own", "s", "stranger", "t", "taught"))}
        similarity = np.zeros((2, 5, 5), dtype=np.float32)
        similarity[:, 1] = row
        there = np.ones((2, 5), dtype=np.bool_)
        there[1, 2] = False  # the stranger is an impostor in the first round only
        return Rounds(places, {"f": ("t",)}, similarity, there)

    def test_kin_and_students_of_the_family_are_no_impostors(self) -> None:
        share = self.rounds((0.9, 1, 0.3, 0.5, 0.8)).share("s", "f", self.KNOWN)
        assert share is not None
        assert (share.value, share.version) == (1.0, "t")

    def test_a_round_without_impostors_does_not_count(self) -> None:
        share = self.rounds((0.9, 1, 0.7, 0.5, 0.8)).share("s", "f", self.KNOWN)
        assert share is not None
        assert share.value == 0.0
        assert self.rounds((0.9, 1, 0.7, 0.5, 0.8)).share("s", "f", self.KNOWN[:2]) is None

    def test_who_wrote_nothing_is_no_impostor_and_nobodys_student(self) -> None:
        assert self.rounds((0.9, 1, np.nan, 0.5, 0.8)).share("s", "f", self.KNOWN) is None
        assert self.rounds((0.9, 1, 0.3, np.nan, 0.8)).share("s", "f", self.KNOWN) is None

    def test_answers_not_given_count_as_the_others(self) -> None:
        shares, truth = np.array([0.9, 0.5, 0.1, 0.6]), np.array([True, True, False, False])
        assert c_at_1(shares, truth, Bounds(0.3, 0.7)) == pytest.approx(0.5 + 0.5 * 0.5)
        assert c_at_1(shares, truth, Bounds(0.55, 0.55)) == pytest.approx(0.5)


class TestResponses:
    def test_the_three_similarities_by_hand(self) -> None:
        a, b = np.array([[1.0, 2.0], [0.0, 0.0]]), np.array([[2.0, 1.0]])
        assert _cosine(a, b)[:, 0] == pytest.approx([4 / 5, 0])
        assert _overlap(a, b)[:, 0] == pytest.approx([2 / 4, 0])
        words = np.array([[True, True, False], [True, False, False]])
        assert _dice(words, words) == pytest.approx(np.array([[1, 2 / 3], [2 / 3, 1]]))

    def test_the_scale_is_that_of_the_paper(self) -> None:
        texts = {f"b{i}": [f"the cat is {w}."] for i, w in enumerate(("x", "y", "z", "w"))}
        texts |= {"s": ["the cat is a pearl."], "t": ["the cat is a pearl."]}
        prepared = method("response_similarity").prepare(talk(texts, {"f": ("t",)}), RNG)
        closest = prepared.likenesses.closest("s", "f")
        assert closest is not None
        others = [prepared.likenesses.closest(f"b{i}", "f").likeness for i in range(4)]
        assert 1 <= min(others) <= max(others) < closest.likeness <= 5

    def test_a_lineage_counts_once_and_students_are_no_innocents(self) -> None:
        texts = {m: ["a"] for m in ("c1", "c2", "d", "taught", "t")}
        table = likenesses(
            talk(texts, {"f": ("t",)}), np.array([[2.0], [3.0], [1.5], [5.0], [4.0]])
        )
        known = (
            Origin("c1", "control", lineage="c"),
            Origin("c2", "control", lineage="c"),
            Origin("d", "control"),
            Origin("taught", "student", "f"),
        )
        assert Judged(table).innocents("f", known) == {"c": 3.0, "d": 1.5}

    @pytest.mark.parametrize(("n", "outcome"), [(18, "cannot tell"), (19, "supports")])
    def test_supported_from_nineteen_innocents_on(self, n: int, outcome: str) -> None:
        names = [f"c{i:02}" for i in range(n)]
        texts = {m: ["a"] for m in (*names, "s", "t")}
        values = np.array([[2.0]] * n + [[3.0], [5.0]])
        judged = Judged(likenesses(talk(texts, {"f": ("t",)}), values))
        known = [Origin(m, "control", lineage=m) for m in names]
        (said,) = method("response_similarity").weigh(judged, "s", known)
        assert said.outcome == outcome
        assert (said.tests[0].n_reached, said.tests[0].n) == (0, n)


@pytest.mark.parametrize(("lineages", "is_said"), [(18, False), (19, True)])
def test_when_to_stop_is_said_beside_enough_innocents_only(lineages: int, is_said: bool) -> None:
    """Beside 19 one innocent more would be nearer than all of them with a chance of 1 in 20."""
    values = {"function_words": 0.5, "content_words": 0.4, "openings": 1.0, "words": 1.0}
    stop = Stop(40, 100, lineages)
    near = Signals("s", "one", values, "one-v1", 0.5, 100, 25, 20, stop)
    prepared = Resemblances({"one": ("one-v1",)}, {("s", "one"): near}, {}, ("", 0))
    fit = Fit(Coefficients(0.0, (1.0, 0.0), (0.5, 0.4), (0.4, 0.4)), 0.1, 9.0)
    fixed = Calibration("attribution", VERSION, "", "", 0, ODDS, {}, fit, {})
    (opinion,) = Attribution("attribution", "attribution", fixed).weigh(prepared, "s", [])
    assert (opinion.stop == stop) is is_said
    assert opinion.stop is None or is_said


class TestAttribution:
    """Likenesses that are made up."""

    ORIGINS = (
        *(Origin(f"student-{i}", "student", "one", lineage=f"student-{i}") for i in range(6)),
        *(Origin(f"control-{i}", "control", lineage=f"own {i // 2}") for i in range(8)),
    )

    def prepared(self, suspect: float) -> Resemblances:
        values = {f"student-{i}": 0.6 + 0.1 * i for i in range(6)}
        values |= {f"control-{i}": 0.1 * i for i in range(8)} | {"suspect": suspect}
        signals = {
            (m, "one"): Signals(
                m, "one", dict.fromkeys(USED, v) | {"content_words": v**2}, "t", v, 200, 4, 4
            )
            for m, v in values.items()
        }
        return Resemblances({"one": ("t",)}, signals, {}, ("", 200))

    def test_an_innocent_that_is_just_as_alike_counts_and_a_lineage_once(self) -> None:
        """Controls 5, 6 and 7, of two lineages; control 5 exactly."""
        made = self.prepared(suspect=0.5)
        (opinion,) = Attribution("attribution", "attribution").weigh(made, "suspect", self.ORIGINS)
        words = opinion.tests[0]
        assert (words.name, words.n_reached, words.n) == ("function words", 2, 4)
        assert opinion.p == words.p == 3 / 5
