"""Leaning on a watermark's key: beside transformers' own detector, scipy, hand counts and random keys."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import stats

from harness.text import watermark
from harness.text.watermark import (
    AbstractWatermark,
    Greenlist,
    Leaning,
    SynthId,
    distinct_windows,
)
from harness.types import DistillbenchError

V = 97  # tokens
KEY = (15485863,)
LAYERS = (654, 400, 836, 123, 340, 443, 597, 160, 57)
PLAIN = Greenlist("greenlist", V, default_key=True)
SELF = replace(PLAIN, seeding_scheme="selfhash", context_width=3)
SYNTHID = SynthId("synthid", ngram_len=3, key_env="MY_MARKS")


def tokens(n: int, seed: int = 0, vocabulary: int = V) -> list[int]:
    """A text in which some tokens are frequent: Zipf's law, over tokens 1 and above."""
    rng = np.random.default_rng(seed)
    shares = 1 / np.arange(2, vocabulary + 1)
    drawn = rng.choice(np.arange(1, vocabulary), size=n, p=shares / shares.sum())
    return [int(x) for x in drawn]


def leaning(
    scheme: AbstractWatermark, text: list[int], key: tuple[int, ...], draws: int = 2000
) -> Leaning:
    windows = distinct_windows([text], [[]], scheme.width)
    return scheme.measure(windows, key, draws, np.random.default_rng(1))


def detector(scheme: Greenlist, key: int) -> Any:
    """The detector of transformers 5.23 with the same settings, which counts every window once."""
    from transformers import PreTrainedConfig, WatermarkDetector, WatermarkingConfig

    config = PreTrainedConfig(vocab_size=scheme.vocab_size, bos_token_id=0)
    settings = WatermarkingConfig(
        greenlist_ratio=scheme.greenlist_ratio,
        hashing_key=key,
        seeding_scheme=scheme.seeding_scheme,
        context_width=scheme.context_width,
    )
    return WatermarkDetector(config, "cpu", settings, ignore_repeated_ngrams=True)


@pytest.mark.parametrize("key", [15485863, 7, 613_651_349_777_123])
@pytest.mark.parametrize(
    "scheme", [PLAIN, replace(PLAIN, greenlist_ratio=0.5), replace(SELF, context_width=1)], ids=str
)
def test_green_tokens_are_those_of_transformers(scheme: Greenlist, key: int) -> None:
    import torch

    text = tokens(150)
    theirs = detector(scheme, key)(torch.tensor([text]), return_dict=True)
    ours = leaning(scheme, text, (key,))
    assert ours.n == theirs.num_tokens_scored[0]
    assert round(ours.share * ours.n) == theirs.num_green_tokens[0]


@pytest.mark.parametrize("key", [15485863, 7, 613_651_349_777_123])
def test_selfhash_agrees_where_no_two_windows_share_a_list(key: int) -> None:
    import torch

    text = [int(x) for x in np.random.default_rng(3).permutation(np.arange(1, V))]
    theirs = detector(SELF, key)(torch.tensor([text]), return_dict=True)
    ours = leaning(SELF, text, (key,))
    assert ours.n == theirs.num_tokens_scored[0] == V - 3
    assert round(ours.share * ours.n) == theirs.num_green_tokens[0]


def test_the_tail_is_the_binomial_one() -> None:
    ours = leaning(PLAIN, tokens(300), KEY)
    hits = round(ours.share * ours.n)
    assert ours.p == pytest.approx(stats.binom.sf(hits - 1, ours.n, int(V * 0.25) / V), rel=1e-10)


def test_windows_count_once_and_not_where_the_prompt_has_them() -> None:
    replies = [[1, 2, 3, 1, 2], [2, 3, 4], [5]]
    assert distinct_windows(replies, [[], [], []], 2).tolist() == [[1, 2], [2, 3], [3, 1], [3, 4]]
    # (2, 3) stands in the second prompt, but the first reply has it by itself; (3, 4) only there
    assert distinct_windows(replies, [[], [[2, 3, 4]], []], 2).tolist() == [[1, 2], [2, 3], [3, 1]]
    assert distinct_windows(replies, [[[1, 2, 3], [3, 1]], [[2, 3]], []], 2).tolist() == [[3, 4]]
    assert distinct_windows([[], [7]], [[], []], 2).shape == (0, 2)


def test_what_shares_a_list_and_a_token_is_one_piece_of_evidence() -> None:
    # the generator of the CPU takes 32 bits of a seed: this key has two lists, of odd and of even tokens
    text = tokens(400)
    one = leaning(PLAIN, text, (2**31,))
    pairs = {(a % 2, b) for a, b in itertools.pairwise(text)}
    assert one.n == len(pairs)
    assert leaning(PLAIN, text, KEY).n == len(set(itertools.pairwise(text)))


def test_token_0_has_the_same_list_under_every_key_and_is_no_evidence() -> None:
    assert leaning(PLAIN, [0, 5, 0, 6, 0, 7], KEY).n == 2


def test_keys_of_the_scheme_and_drawn_ones_give_the_same_counts() -> None:
    windows = distinct_windows([tokens(1500)], [[]], 2)
    rng = np.random.default_rng(5)
    keys = [int(k) for k in rng.integers(1, 2**62, 150)]
    real = [PLAIN.measure(windows, (k,), 1, rng) for k in keys]
    counts = np.array([round(x.share * x.n) for x in real])
    _, sizes = np.unique(windows[:, 0], return_counts=True)
    drawn = watermark._hypergeometric(sizes, PLAIN.n_green, V, 4000, rng)
    assert stats.ks_2samp(counts, drawn).pvalue > 0.01
    exact = sum(stats.hypergeom(V, PLAIN.n_green, n).var() for n in sizes)
    assert drawn.var() == pytest.approx(exact, rel=0.1)


@pytest.mark.slow
@pytest.mark.parametrize("scheme", [PLAIN, SELF, SYNTHID], ids=lambda s: f"{s.kind} {s.width}")
def test_p_of_clean_text_is_uniform_over_keys(scheme: AbstractWatermark) -> None:
    windows = distinct_windows([tokens(1200)], [[]], scheme.width)
    rng = np.random.default_rng(11)
    ps = []
    for _ in range(100 if scheme is SELF else 300):  # its table of a million takes long to shuffle
        key = tuple(int(k) for k in rng.integers(1, 2**62, 9 if scheme is SYNTHID else 1))
        made = scheme.measure(windows, key, 1000, rng)
        ps.append(max(made.p, made.p_keys))
    assert stats.kstest(ps, "uniform").pvalue > 0.01
    assert np.mean(np.array(ps) <= 0.05) <= 0.09


@pytest.mark.parametrize("scheme", [PLAIN, SELF, SYNTHID], ids=lambda s: f"{s.kind} {s.width}")
def test_marked_text_is_told_with_its_key_and_with_no_other(scheme: AbstractWatermark) -> None:
    key = LAYERS if isinstance(scheme, SynthId) else KEY
    other = tuple(k + 1 for k in key)
    text = marked(scheme, key)
    assert leaning(scheme, text, key, 20_000).p < 1e-6
    assert leaning(scheme, text, key, 20_000).p_keys == 1 / 20_001
    assert leaning(scheme, text, other).p > 0.001


def marked(scheme: AbstractWatermark, key: tuple[int, ...], n: int = 400) -> list[int]:
    """Text whose every token is chosen among four by the logits processor of transformers."""
    import torch
    from transformers import SynthIDTextWatermarkLogitsProcessor

    rng, text = np.random.default_rng(2), tokens(4)
    theirs = (
        SynthIDTextWatermarkLogitsProcessor(
            scheme.ngram_len, list(key), 2**16, 0, 1, torch.device("cpu")
        )
        if isinstance(scheme, SynthId)
        else detector(scheme, key[0])  # type: ignore[arg-type]
    )
    for _ in range(n):
        options = [int(x) for x in rng.choice(np.arange(1, V), 4, replace=False)]
        windows = torch.tensor([[*text, x][-scheme.width :] for x in options])
        if isinstance(scheme, SynthId):
            value = theirs.compute_g_values(windows).float().mean(dim=(1, 2)).tolist()
        else:
            known = 0 if scheme.width == 3 else -1
            value = [
                theirs._get_ngram_score(w if known == 0 else w[:-1], int(w[-1])) for w in windows
            ]
        text.append(options[int(np.argmax(value))])
    return text


def test_g_values_are_those_of_transformers() -> None:
    import torch
    from transformers import SynthIDTextWatermarkLogitsProcessor

    text = [int(x) for x in np.random.default_rng(4).integers(0, 50_000, 200)]
    theirs = SynthIDTextWatermarkLogitsProcessor(3, list(LAYERS), 2**16, 0, 1, torch.device("cpu"))
    g_values = theirs.compute_g_values(torch.tensor([text]))
    ours = leaning(SYNTHID, text, LAYERS)
    assert ours.n == 198
    assert ours.share == pytest.approx(float(g_values.double().mean()), abs=1e-12)


def test_the_spread_of_g_values_is_that_over_all_keys() -> None:
    small = replace(SYNTHID, sampling_table_size=64)
    windows = distinct_windows([tokens(500)], [[]], 3)
    sums = small._sums(windows)
    made = small.measure(windows, (9, 70), 1000, np.random.default_rng(0))
    assert made.share * made.n * 2 == pytest.approx(sums[9] + sums[70 % 64])
    z = (sums[9] + sums[6] - 0.5 - 2 * sums.mean()) / (math.sqrt(2) * sums.std())
    assert made.p == pytest.approx(stats.norm.sf(z))
    assert made.expected == pytest.approx(sums.mean() / len(windows))
    # two keys that the table cannot tell apart are one layer
    assert small.measure(
        windows, (9, 73), 1000, np.random.default_rng(0)
    ).share * made.n == pytest.approx(sums[9])


def test_a_text_without_windows_says_nothing() -> None:
    for scheme, key in ((PLAIN, KEY), (SELF, KEY), (SYNTHID, LAYERS)):
        made = leaning(scheme, [3], key)
        assert (made.n, made.p_keys) == (0, 1.0)
        assert made.p >= 0.5


@pytest.mark.parametrize("text", ["", "x", "-1", "1.5", "0", "1,2", str(2**63), "9" * 5000, "²"])
def test_a_key_of_another_kind_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(DistillbenchError) as error:
        PLAIN.parse_key(text)
    assert (
        str(error.value)
        == "expected a whole number of 1 or more, up to 2 ** 63 - 1; got something else"
    )


def test_keys_of_layers_may_stand_in_brackets() -> None:
    assert SYNTHID.parse_key("[654, 400]\n") == SYNTHID.parse_key("654,400") == (654, 400)
    with pytest.raises(DistillbenchError, match="one for each layer"):
        SYNTHID.parse_key("654;400")
