"""Measures over texts that models read, against independent computations."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.special import rel_entr
from scipy.stats import pearsonr

from harness.metrics.bits_per_byte import BitsPerByte
from harness.metrics.next_token_agreement import NextTokenAgreement
from harness.metrics.preference import Preference
from harness.metrics.reading_gain import ReadingGain
from harness.metrics.shared_boundaries import SharedBoundaries, Tokens, shared_pieces
from harness.metrics.token_divergence import TokenDivergence
from harness.models.hf import HfModel
from harness.panel.side import Side
from harness.stats.alternatives import (
    Stored,
    distributions,
    is_whole,
    js_nats,
    kl_nats,
    shared_mass,
)
from harness.stats.intervals import Estimate, evaluate
from harness.testing.panels import Sides, findings
from harness.testing.reading import (
    VOCABULARY,
    logprobs_of,
    next_token_sides,
    reading_side,
    reading_sides,
    stored_tokens,
    word_id,
    words_of,
    written,
)
from harness.types import (
    Decoding,
    Finding,
    Floats,
    Paths,
    Prompt,
    Request,
    RequestSet,
    TokenColumns,
    Unavailable,
)
from tests.models.tiny import byte_tokenizer, save_llama

RNG = np.random.default_rng(0)
DIVERGENCE = TokenDivergence("token_divergence", "token_divergence")


def values(found: list[Finding]) -> dict[str, Estimate]:
    """Part -> estimate, of those that have a number; a leaf's stand under part/leaf."""
    return {
        "/".join(x for x in (f.name, f.leaf) if x): evaluate(f.statistic, RNG)
        for f in found
        if not isinstance(f.statistic, str)
    }


def float32(x: Floats) -> Floats:
    """Rounded as it is stored."""
    return x.astype(np.float32).astype(np.float64)


def tokens_of(side: Side) -> TokenColumns:
    assert side.outputs.tokens is not None
    return side.outputs.tokens


def own_distributions(n: int) -> list[tuple[Floats, Floats]]:
    """Per answer of the teacher: (T, V) probabilities of teacher and student, as they are stored."""
    found = []
    for text in written("teacher", n):
        p, q = (np.exp(float32(logprobs_of(m, text, "teacher"))) for m in ("teacher", "student"))
        found.append((p / p.sum(axis=1, keepdims=True), q / q.sum(axis=1, keepdims=True)))
    return found


def test_whole_vocabularies_give_exactly_what_scipy_gives() -> None:
    found = values(findings(DIVERGENCE, [reading_sides(30, VOCABULARY)], RNG))
    p, q = (np.concatenate(x) for x in zip(*own_distributions(30), strict=True))
    middle = (p + q) / 2
    expected = {
        "": rel_entr(p, q).sum(axis=1).mean(),
        "kl_student_teacher": rel_entr(q, p).sum(axis=1).mean(),
        "js": (rel_entr(p, middle) + rel_entr(q, middle)).sum(axis=1).mean() / 2,
        "acceptance": np.minimum(p, q).sum(axis=1).mean(),
        "top1_agreement": (p.argmax(axis=1) == q.argmax(axis=1)).mean(),
        "topk_overlap": np.mean(
            [
                len({*a} & {*b}) / 10
                for a, b in zip(np.argsort(-p)[:, :10], np.argsort(-q)[:, :10], strict=True)
            ]
        ),
        "mass_covered": 1.0,
    }
    assert {k: e.value for k, e in found.items()} == pytest.approx(expected, abs=1e-9)
    assert found[""].n == 30
    units = {f.name: f.unit for f in findings(DIVERGENCE, [reading_sides(30, VOCABULARY)], RNG)}
    assert units[""] == "nats per token"


def test_tokens_that_one_side_did_not_store_are_one_bucket() -> None:
    k = 8
    sides = reading_sides(30, k)
    found = values(findings(DIVERGENCE, [sides], RNG))
    kl = covered = accepted = 0.0
    count = 0
    for text in written("teacher", 30):
        p_all, q_all = (float32(logprobs_of(m, text, "teacher")) for m in ("teacher", "student"))
        for p, q in zip(p_all, q_all, strict=True):
            both = {*np.argsort(-p, kind="stable")[:k]} & {*np.argsort(-q, kind="stable")[:k]}
            ps, qs = [math.exp(p[i]) for i in both], [math.exp(q[i]) for i in both]
            covered += sum(ps)
            ps, qs = [*ps, 1 - sum(ps)], [*qs, 1 - sum(qs)]
            kl += sum(a * math.log(a / b) for a, b in zip(ps, qs, strict=True))
            accepted += sum(map(min, ps, qs))
            count += 1
    assert found[""].value == pytest.approx(kl / count, abs=1e-9)
    assert found["acceptance"].value == pytest.approx(accepted / count, abs=1e-9)
    assert found["mass_covered"].value == pytest.approx(covered / count, abs=1e-9)
    whole = values(findings(DIVERGENCE, [reading_sides(30, VOCABULARY)], RNG))
    for part in ("", "kl_student_teacher", "js"):
        assert found[part].value < whole[part].value
    assert found["acceptance"].value > whole["acceptance"].value
    assert found["top1_agreement"].value == whole["top1_agreement"].value
    units = {f.name: f.unit for f in findings(DIVERGENCE, [sides], RNG)}
    assert (units["js"], units["acceptance"]) == ("nats per token, at least", "share, at most")


@pytest.mark.parametrize("seed", range(5))
def test_any_bucket_is_a_bound(seed: int) -> None:
    rng = np.random.default_rng(seed)
    p, q = rng.dirichlet(np.full(50, 0.3), (2, 20))
    last = np.inf
    for k in (50, 30, 10, 2, 1):
        stored = [_stored(x, k) for x in (p, q)]
        both = distributions(stored[0], stored[1], exact=all(map(is_whole, stored)))
        kl = float(kl_nats(both.teacher, both.student).mean())
        assert kl <= float(rel_entr(p, q).sum(axis=1).mean()) + 1e-6
        assert (
            float(shared_mass(both.teacher, both.student).mean())
            >= float(np.minimum(p, q).sum(axis=1).mean()) - 1e-6
        )
        assert np.all(js_nats(both.teacher, both.student) <= math.log(2))
        assert kl <= last + 1e-6
        last = kl


def _stored(p: Floats, k: int) -> Stored:
    best = np.argsort(-p, axis=1, kind="stable")[:, :k]
    return Stored(
        best.astype(np.int32), np.log(np.take_along_axis(p, best, axis=1)).astype(np.float32)
    )


def test_padding_of_one_vocabulary_is_no_difference() -> None:
    rng = np.random.default_rng(1)
    logits = rng.normal(0, 2, (30, 40))
    padded = np.concatenate([logits, rng.normal(0, 2, (30, 24))], axis=1)
    shares = [np.exp(x) / np.exp(x).sum(axis=1, keepdims=True) for x in (logits, padded)]
    small, large = (_stored(x, x.shape[1]) for x in shares)
    for pair in ((small, large), (large, small)):
        both = distributions(*pair, exact=all(map(is_whole, pair)))
        assert both.teacher.shape == (30, 40)
        assert kl_nats(both.teacher, both.student) == pytest.approx(np.zeros(30), abs=1e-6)


def _named(side: Side | None, names: dict[int, str], vocabulary: str) -> Side:
    assert side is not None
    tokens = replace(tokens_of(side), names=names, vocabulary=vocabulary)
    return replace(side, outputs=replace(side.outputs, tokens=tokens))


def test_ids_that_occur_on_both_sides_must_mean_the_same() -> None:
    """A pad token that one tokenizer has and the other has not makes no difference."""
    sides = reading_sides()
    names = {i: f"w{i}" for i in range(200)}
    student = _named(sides.student, {**names, 200: "<pad>"}, "x")
    teacher = _named(sides.teacher, {**names, 201: "<pad>"}, "y")
    found = findings(DIVERGENCE, [replace(sides, student=student, teacher=teacher)], RNG)
    assert repr(found) == repr(findings(DIVERGENCE, [sides], RNG))


def test_other_tokenizers_and_other_tokens_are_a_reason() -> None:
    sides = reading_sides()
    other = replace(tokens_of(sides.student), vocabulary="syllables")
    changed = replace(sides.student, outputs=replace(sides.student.outputs, tokens=other))
    with pytest.raises(Unavailable, match="different tokenizers"):
        findings(DIVERGENCE, [replace(sides, student=changed)], RNG)
    unknown = [
        replace(x, outputs=replace(x.outputs, tokens=replace(tokens_of(x), vocabulary="")))
        for x in (sides.student,)
    ]
    with pytest.raises(Unavailable, match="different tokenizers"):
        findings(DIVERGENCE, [replace(sides, student=unknown[0], teacher=unknown[0])], RNG)
    for names, words in (
        ({0: "the"}, "different tokenizers"),
        ({999: "a"}, "different tokenizers"),
    ):
        odd = [_named(sides.student, names, "x"), _named(sides.teacher, {0: "a"}, "y")]
        with pytest.raises(Unavailable, match=words):
            findings(DIVERGENCE, [replace(sides, student=odd[0], teacher=odd[1])], RNG)
    bare = replace(sides.student, outputs=replace(sides.student.outputs, tokens=None))
    with pytest.raises(Unavailable, match="student gives no log-probabilities of single tokens"):
        findings(DIVERGENCE, [replace(sides, student=bare)], RNG)
    shifted = replace(tokens_of(sides.student), token_ids=tokens_of(sides.student).token_ids + 1)
    cut = replace(sides.student, outputs=replace(sides.student.outputs, tokens=shifted))
    with pytest.raises(Unavailable, match="into different tokens"):
        findings(DIVERGENCE, [replace(sides, student=cut)], RNG)


def test_numbers_that_are_none_are_refused() -> None:
    sides = reading_sides()
    for column in ("logprobs", "top_logprobs"):
        bad = getattr(tokens_of(sides.student), column).copy()
        bad.flat[3] = np.nan
        tokens = replace(tokens_of(sides.student), **{column: bad})
        broken = replace(sides.student, outputs=replace(sides.student.outputs, tokens=tokens))
        with pytest.raises(Unavailable, match="NaN"):
            findings(DIVERGENCE, [replace(sides, student=broken)], RNG)
    with pytest.raises(ValueError, match="expected a number of nats"):
        replace(
            sides.student.outputs, logprob_nats=np.full(len(sides.student.outputs.request), np.nan)
        )


def test_probability_zero_is_infinite_one_way_only() -> None:
    sides = reading_sides(30, VOCABULARY)
    tokens = tokens_of(sides.student)
    cold = np.where(np.arange(VOCABULARY) < 5, tokens.top_logprobs, -np.inf).astype(np.float32)
    cold -= np.log(np.exp(cold).sum(axis=1, keepdims=True))
    student = replace(
        sides.student,
        outputs=replace(sides.student.outputs, tokens=replace(tokens, top_logprobs=cold)),
    )
    found = {
        f.name: f.statistic for f in findings(DIVERGENCE, [replace(sides, student=student)], RNG)
    }
    assert isinstance(found[""], str)
    assert found[""].startswith("infinite")
    assert not isinstance(found["kl_student_teacher"], str)
    assert not isinstance(found["js"], str)


def test_a_teacher_who_wrote_nothing_that_is_read_is_a_reason() -> None:
    texts = {"control0": written("control0", 30)}
    one = Sides(
        "read",
        reading_side("student", texts),
        reading_side("teacher", texts),
        reading_side("base", texts),
    )
    for metric in (DIVERGENCE, Preference("p", "p"), SharedBoundaries("s", "s")):
        with pytest.raises(
            Unavailable, match="teacher is not among those whose answers are read: control0"
        ):
            findings(metric, [one], RNG)


def test_fixed_texts_are_compared_whole() -> None:
    texts = {"": written("nobody", 25)}
    one = Sides("read", reading_side("student", texts), reading_side("teacher", texts))
    assert values(findings(DIVERGENCE, [one], RNG))[""].n == 25
    with pytest.raises(Unavailable, match=r"25 shared prompts .* at least 26"):
        findings(DIVERGENCE, [replace(one, minimum=26)], RNG)


def test_bits_per_byte_is_lm_evals() -> None:
    metrics = pytest.importorskip("lm_eval.api.metrics")
    sides = reading_sides()
    found = values(findings(BitsPerByte("bits_per_byte", "bits_per_byte"), [sides], RNG))
    asked, outputs = sides.student.requests.requests, sides.student.outputs
    items = [
        (asked[int(i)].leaf, (float(nats), len(asked[int(i)].continuation.encode())))
        for i, nats in zip(outputs.request, outputs.logprob_nats, strict=True)
    ]
    assert found[""].value == pytest.approx(
        metrics.bits_per_byte([pair for _, pair in items]), abs=1e-9
    )
    for author in ("teacher", "base", "control0"):
        own = [pair for leaf, pair in items if leaf == author]
        assert found[author].value == pytest.approx(metrics.bits_per_byte(own), abs=1e-9)


@pytest.mark.slow
def test_bits_per_byte_is_transformers_own_loss(tmp_path: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    tokenizer = byte_tokenizer(adds_bos=False)
    save_llama(tmp_path, tokenizer)
    texts = ["The miller hums.", "Sieben Zwerge grüßen.", "東京 is far away.", "1. Wash the pears."]
    prompts = tuple(Prompt(f"p{i}", t, f"p{i}", "") for i, t in enumerate(texts))
    requests = tuple(Request(i, "read", "", continuation=t) for i, t in enumerate(texts))
    with HfModel("hf", "tiny", path=str(tmp_path), device="cpu").open(
        Paths(tmp_path, tmp_path)
    ) as session:
        outputs = session.answer_batch(requests, [p.id for p in prompts], Decoding(top_logprobs=5))
    side = Side(
        "tiny",
        "tiny",
        RequestSet("read", prompts, requests, False, "1", ("reading",)),
        outputs,
        None,
        ("k",),
    )
    found = values(findings(BitsPerByte("b", "b"), [Sides("read", side, minimum=1)], RNG))
    model = AutoModelForCausalLM.from_pretrained(tmp_path).double()
    nats = 0.0
    for text in texts:
        ids = torch.tensor([[0, *tokenizer(text).input_ids]])
        nats += model(ids, labels=ids).loss.item() * (ids.shape[1] - 1)
    size = sum(len(t.encode()) for t in texts)
    # the back end computes in float32
    assert found[""].value == pytest.approx(nats / math.log(2) / size, rel=1e-6)


def test_shared_pieces_by_hand() -> None:
    # "abcdef" cut as ab|cd|ef and as a|bcd|ef; the second stands behind a space of its template,
    # cut off with "a".
    first = Tokens(np.array([2, 4, 6]), np.array([-1.0, -2.0, -3.0]))
    second = Tokens(np.array([2, 5, 7]), np.array([-0.5, -1.5, -4.0]))
    edges, one, two = shared_pieces(first, second)
    assert edges.tolist() == [-2, 0]
    assert (one.tolist(), two.tolist()) == ([-3.0], [-4.0])
    edges, one, two = shared_pieces(
        first, Tokens(np.array([1, 4, 6]), np.array([-0.5, -1.5, -4.0]))
    )
    assert edges.tolist() == [-6, -2, 0]
    assert (one.tolist(), two.tolist()) == ([-3.0, -3.0], [-2.0, -4.0])


def test_shared_boundaries_work_across_tokenizers() -> None:
    texts = {"teacher": written("teacher", 30)}
    teacher, student = reading_side("teacher", texts), reading_side("student", texts)
    pairs, sums, size = [], 0.0, 0
    rows = []
    for text in texts["teacher"]:  # the student's tokens are two words each
        words = words_of(text)
        nats = float32(logprobs_of("student", text, "teacher"))[
            np.arange(len(words)), [word_id(w) for w in words]
        ]
        joined = ["".join(words[i : i + 2]) for i in range(0, len(words), 2)]
        made = np.full((len(joined), VOCABULARY), -9.0)
        for i, word in enumerate(joined):
            made[i, word_id(word)] = nats[2 * i : 2 * i + 2].sum()
        rows.append((joined, made))
        taught = float32(logprobs_of("teacher", text, "teacher"))[
            np.arange(len(words)), [word_id(w) for w in words]
        ]
        for i in range(0, len(words), 2):
            pairs.append((taught[i : i + 2].sum(), float(np.float32(nats[i : i + 2].sum()))))
            sums += abs(pairs[-1][0] - pairs[-1][1])
        size += len(text.encode())
    tokens = stored_tokens(rows, 3, "pairs of words")
    one = Sides("read", replace(student, outputs=replace(student.outputs, tokens=tokens)), teacher)
    found = values(findings(SharedBoundaries("s", "s"), [one], RNG))
    assert found[""].value == pytest.approx(sums / size, abs=1e-9)
    assert found["correlation"].value == pytest.approx(
        pearsonr(*np.array(pairs).T).statistic, abs=1e-9
    )
    unplaced = replace(tokens, byte_ends=None)
    with pytest.raises(Unavailable, match="not known where student's tokens end"):
        findings(
            SharedBoundaries("s", "s"),
            [
                replace(
                    one, student=replace(student, outputs=replace(student.outputs, tokens=unplaced))
                )
            ],
            RNG,
        )


def _gain(side: Side, base: Side, author: str, prompt: str) -> float:
    """By how many nats per byte the side finds an author's answer likelier than the base does."""
    found = []
    for model in (side, base):
        for row, index in enumerate(model.outputs.request):
            request = model.requests.requests[int(index)]
            if (request.leaf, model.requests.prompts[request.prompt].id) == (author, prompt):
                found.append(
                    float(model.outputs.logprob_nats[row]) / len(request.continuation.encode())
                )
    return found[0] - found[1]


def test_the_gain_is_the_difference_of_two_bits_per_byte_paired_by_text() -> None:
    sides = reading_sides(30, top=0)
    assert sides.base is not None
    bits = {"student": 0.0, "base": 0.0}
    size = 0
    for name, side in (("student", sides.student), ("base", sides.base)):
        for row, index in enumerate(side.outputs.request):
            request = side.requests.requests[int(index)]
            if request.leaf == "teacher":
                bits[name] -= float(side.outputs.logprob_nats[row]) / math.log(2)
                size += len(request.continuation.encode()) * (name == "student")
    gain = values(findings(ReadingGain("r", "r"), [sides], RNG))[""]
    assert gain.value == pytest.approx((bits["base"] - bits["student"]) / size, abs=1e-12)
    assert gain.n == 30


def test_preference_is_the_double_loop() -> None:
    sides = reading_sides(30, top=0)  # sums of log-probabilities are enough
    base, ids = sides.base, [p.id for p in sides.student.requests.prompts]
    assert base is not None

    def preferred(side: Side, others: tuple[str, ...]) -> list[float]:
        return [
            _gain(side, base, "teacher", i)
            - sum(_gain(side, base, o, i) for o in others) / len(others)
            for i in ids
        ]

    own = preferred(sides.student, ("control0", "control1"))
    controls = [
        preferred(sides.controls[0], ("control1",)),
        preferred(sides.controls[1], ("control0",)),
    ]
    found = values(findings(Preference("p", "p"), [sides], RNG))
    assert found[""].value == pytest.approx(np.mean(own), abs=1e-9)
    assert found["over_controls"].value == pytest.approx(np.mean(own) - np.mean(controls), abs=1e-9)
    assert found["over_controls"].low is not None
    assert found["over_controls"].low > 0


def test_preference_needs_a_third_author() -> None:
    texts = {m: written(m, 30) for m in ("teacher", "base")}
    side = {m: reading_side(m, texts, 0) for m in ("student", "teacher", "base")}
    with pytest.raises(Unavailable, match="no answers of any further model"):
        findings(
            Preference("p", "p"),
            [Sides("read", side["student"], side["teacher"], side["base"])],
            RNG,
        )


def test_next_tokens_are_compared_with_controls() -> None:
    sides = next_token_sides()
    found = values(findings(NextTokenAgreement("n", "n"), [sides], RNG))
    assert sides.teacher is not None

    def share(side: Side) -> float:
        assert sides.teacher is not None
        pairs = zip(side.outputs.text, sides.teacher.outputs.text, strict=True)
        return sum(a == b for a, b in pairs) / len(side.outputs.text)

    assert found[""].value == pytest.approx(share(sides.student), abs=1e-12)
    chance = (share(sides.controls[0]) + share(sides.controls[1])) / 2
    assert found["over_controls"].value == pytest.approx(share(sides.student) - chance, abs=1e-12)
    alone = findings(NextTokenAgreement("n", "n"), [replace(sides, controls=())], RNG)
    assert [f.statistic for f in alone if f.name == "over_controls"] == [
        "no control of another lineage than student and teacher has answers here"
    ]
