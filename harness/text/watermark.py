"""Watermarks that lean on tokens by a secret key, and how far a text leans the same way.

Source: Kirchenbauer et al. 2023, A Watermark for Large Language Models (green lists); Dathathri et al. 2024, Scalable
watermarking for identifying large language model outputs (SynthID-Text); Sander et al. 2024, Watermarking Makes
Language Models Radioactive (the test of a student's text). The seeding is that of transformers 5.23.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, final

import numpy as np

from harness.schema import Bound
from harness.stats.means import clopper_pearson
from harness.types import DistillbenchError, Ints

SMALLEST = 1e-300  # a smaller probability is given as this
Device = Literal["cpu", "cuda"]
_ONE = "expected the name of the environment variable that holds the key"
_MOST = 2**63 - 1  # what a key of transformers can be
_TABLE = 1_000_003  # entries of the table by which selfhash spreads tokens
_NORMAL = 1.959964  # quantile of a 95 % interval


class Leaning(NamedTuple):
    """How far a text leans as a key would have it, beside random keys."""

    n: int  # windows that were counted, each once
    share: float  # that the key prefers; its mean g-value
    low: float  # 95 % interval of the share
    high: float
    expected: float  # the share under a random key
    p: float  # probability that a random key reaches the share: exact or normal tail
    p_keys: (
        float  # the same, counted among keys drawn at random: (1 + those that reach it) / (1 + all)
    )


@dataclass(frozen=True)
class AbstractWatermark(ABC):
    """A scheme of watermarking without its key."""

    # the environment variable that holds the key
    key_env: str | None = field(default=None, kw_only=True)
    # on which the text was generated: torch draws other numbers on each from the same seed
    device: Device = field(default="cpu", kw_only=True)

    key_words: ClassVar[str]  # how the environment variable spells its key

    @property
    @abstractmethod
    def width(self) -> int:
        """Tokens of a window: those that decide on a colour, the coloured one last."""

    @abstractmethod
    def parse_key(self, text: str) -> tuple[int, ...]:
        """The key that an environment variable holds; raises DistillbenchError, which does not repeat it."""

    @abstractmethod
    def measure(
        self, windows: Ints, key: tuple[int, ...], draws: int, rng: np.random.Generator
    ) -> Leaning:
        """How far distinct windows (W, width) lean on this key; `draws` random keys are tried.

        W may be 0.
        """


def distinct_windows(
    replies: Sequence[Sequence[int]], asked: Sequence[Iterable[Sequence[int]]], width: int
) -> Ints:
    """(W, width) the different windows of R replies in tokens, in their order, without those of the reply's own prompt.

    asked: (R,) what stands in each prompt, as lists of tokens. A window that is in one reply's prompt still counts
    where another reply has it by itself.
    """
    windows: set[tuple[int, ...]] = set()
    for reply, given in zip(replies, asked, strict=True):
        windows |= _windows(reply, width).difference(*(_windows(text, width) for text in given))
    return np.array(sorted(windows), dtype=np.int64).reshape(-1, width)


def _windows(tokens: Sequence[int], width: int) -> set[tuple[int, ...]]:
    return set(zip(*(tokens[i:] for i in range(width)), strict=False))


@final
@dataclass(frozen=True)
class Greenlist(AbstractWatermark):
    """Green lists, as transformers' WatermarkingConfig has them: a context decides which tokens are made likelier."""

    kind: Literal["greenlist"]
    vocab_size: Annotated[int, Bound("2 or more", lambda n: n >= 2)]  # scores that the model gives
    greenlist_ratio: Annotated[float, Bound("a number between 0 and 1", lambda x: 0 < x < 1)] = 0.25
    seeding_scheme: Literal["lefthash", "selfhash"] = "lefthash"
    context_width: Annotated[int, Bound("1 or more", lambda n: n >= 1)] = 1
    default_key: bool = False  # transformers' own key, which everybody knows, in place of key_env

    key_words: ClassVar[str] = "a whole number of 1 or more"
    default: ClassVar[int] = 15485863  # hashing_key of WatermarkingConfig

    def __post_init__(self) -> None:
        if self.default_key == (self.key_env is not None):
            raise DistillbenchError(f"key key_env: {_ONE}, or default_key: true; exactly one")
        if self.n_green < 1:
            raise DistillbenchError(
                f"key greenlist_ratio: expected at least one token of {self.vocab_size}, got {self.greenlist_ratio}"
            )

    @property
    def n_green(self) -> int:
        """Tokens of a green list."""
        return int(self.vocab_size * self.greenlist_ratio)

    @property
    def width(self) -> int:
        """Of lefthash 2: transformers seeds by the last token before, however wide the context."""
        return self.context_width if self.seeding_scheme == "selfhash" else 2

    def parse_key(self, text: str) -> tuple[int, ...]:
        """One number."""
        numbers = _numbers(text)
        if len(numbers) != 1 or not 1 <= numbers[0] <= _MOST:
            raise DistillbenchError(_other(self.key_words))
        return numbers

    def measure(
        self, windows: Ints, key: tuple[int, ...], draws: int, rng: np.random.Generator
    ) -> Leaning:
        """Each (list, token) once: windows with one seed and one token have one colour and are no further evidence.

        Under a random key the green tokens of a list are drawn without replacement, so the binomial tail is an upper
        bound and the random keys show how much is between. p = I_gamma(S, N - S + 1) (Sander et al. 2024).
        """
        from scipy.special import betainc

        seeds, tokens = self._coloured(windows, key[0])
        lists, sizes = np.unique(seeds, return_counts=True)
        hits = self._green(lists, np.split(tokens, np.cumsum(sizes)[:-1]))
        n, gamma = len(tokens), self.n_green / self.vocab_size
        tail = float(betainc(hits, n - hits + 1, gamma)) if hits else 1.0
        drawn = _hypergeometric(sizes, self.n_green, self.vocab_size, draws, rng)
        low, high = clopper_pearson(hits, n) if n else (0.0, 1.0)
        share = hits / n if n else gamma
        return Leaning(n, share, low, high, gamma, max(tail, SMALLEST), _reached(drawn, hits))

    def _coloured(self, windows: Ints, key: int) -> tuple[Ints, Ints]:
        """Seeds and tokens of the different (seed, token), by seeds; of context 0 no key changes the list: left out."""
        if self.seeding_scheme == "lefthash":
            windows = windows[windows[:, 0] != 0]
            raw = [key * int(token) for token in windows[:, 0]]
        else:
            raw = self._least(windows, key)
        # the CPU's generator takes the lower half of a seed
        bits = 2**32 - 1 if self.device == "cpu" else 2**64 - 1
        seeds = np.array([seed % (2**64 - 1) & bits for seed in raw], dtype=np.uint64)
        pairs = np.unique(
            np.stack([seeds, windows[:, -1].astype(np.uint64)], axis=1).reshape(-1, 2), axis=0
        )
        return pairs[:, 0].astype(np.int64), pairs[:, 1].astype(np.int64)

    def _least(self, windows: Ints, key: int) -> list[int]:
        """(W,) seeds of selfhash: the least product of two tokens' entries in a table that the key shuffles."""
        import torch

        table = torch.randperm(_TABLE, generator=_generator(key, self.device), device=self.device)
        entries = table.cpu().numpy()[windows % _TABLE] + 1
        with np.errstate(over="ignore"):  # wraps round as transformers' does
            products = np.int64(key) * entries * entries[:, -1:]
        return [int(x) for x in products.min(axis=1)] if len(windows) else []

    def _green(self, seeds: Ints, groups: Sequence[Ints]) -> int:
        """How many tokens are on the list of their seed; seeds (L,), groups (L,) of tokens."""
        import torch

        hits = 0
        for seed, tokens in zip(seeds.view(np.uint64), groups, strict=False):
            generator = _generator(int(seed), self.device)
            order = torch.randperm(self.vocab_size, generator=generator, device=self.device)
            green = np.zeros(self.vocab_size, dtype=np.bool_)
            green[order[: self.n_green].cpu().numpy()] = True
            hits += int(green[tokens].sum())
        return hits


@final
@dataclass(frozen=True)
class SynthId(AbstractWatermark):
    """SynthID-Text, as transformers' SynthIDTextWatermarkingConfig has it: tournaments by g-values, one key a layer."""

    kind: Literal["synthid"]
    ngram_len: Annotated[int, Bound("2 or more", lambda n: n >= 2)] = 5
    sampling_table_size: Annotated[
        int, Bound("a power of 2 up to 2 ** 24", lambda n: 2 <= n <= 2**24 and n & (n - 1) == 0)
    ] = 2**16
    sampling_table_seed: int = 0

    key_words: ClassVar[str] = "whole numbers, one for each layer, with commas between them"
    factor: ClassVar[int] = 6364136223846793005  # of newlib's generator, by which tokens are hashed

    def __post_init__(self) -> None:
        if self.key_env is None:
            raise DistillbenchError(f"key key_env: {_ONE}, got none")

    @property
    def width(self) -> int:
        """The n-gram."""
        return self.ngram_len

    def parse_key(self, text: str) -> tuple[int, ...]:
        """One number for each layer."""
        numbers = _numbers(text.strip("[] \n"))
        if not numbers or max(numbers) > _MOST:
            raise DistillbenchError(_other(self.key_words))
        return numbers

    def measure(
        self, windows: Ints, key: tuple[int, ...], draws: int, rng: np.random.Generator
    ) -> Leaning:
        """The mean g-value over different n-grams and layers; p is a normal tail with the moments of all keys.

        A g-value depends on hash and key modulo the size of the table alone. So the sums that all keys give are one
        circular correlation, and their spread has in it that some n-grams share an entry and that a table does not
        hold as many 1s as 0s.
        """
        layers = np.unique(np.array([k % self.sampling_table_size for k in key], dtype=np.int64))
        sums, n, m = self._sums(windows), len(windows), len(layers)
        mean, spread = m * float(sums.mean()), math.sqrt(m) * float(sums.std())
        got = int(sums[layers].sum())
        drawn = np.zeros(draws, dtype=np.int64)
        for _ in range(m):
            drawn += sums[rng.integers(0, len(sums), draws)]
        z = (got - 0.5 - mean) / spread if spread else -math.inf
        tail = math.erfc(z / math.sqrt(2)) / 2
        bits = max(n * m, 1)
        low, high = (got + sign * _NORMAL * spread for sign in (-1, 1))
        return Leaning(
            n, got / bits, max(low, 0) / bits, min(high / bits, 1.0), mean / bits,
            max(tail, SMALLEST), _reached(drawn, got),
        )  # fmt: skip

    def _sums(self, windows: Ints) -> Ints:
        """(size of the table,) sum of g-values over the windows, for every key modulo the size."""
        import torch

        size, ids = self.sampling_table_size, windows.astype(np.uint64)
        generator = _generator(self.sampling_table_seed, self.device)
        table = torch.randint(0, 2, (size,), generator=generator, device=self.device).cpu().numpy()
        hashes = np.ones(len(ids), dtype=np.uint64)
        for column in ids.T:
            hashes = (hashes + column) * np.uint64(self.factor) + np.uint64(1)
        counts = np.bincount((hashes % np.uint64(size)).astype(np.int64), minlength=size)
        steps = np.arange(size, dtype=np.uint64) * np.uint64(self.factor) + np.uint64(1)
        after = table[(steps % np.uint64(size)).astype(np.int64)].astype(np.float64)
        spectrum = np.conj(np.fft.rfft(counts.astype(np.float64))) * np.fft.rfft(after)
        return np.rint(np.fft.irfft(spectrum, size)).astype(np.int64)


def _hypergeometric(
    sizes: Ints, n_green: int, n_all: int, draws: int, rng: np.random.Generator
) -> Ints:
    """(draws,) green tokens in lists of n_green of n_all drawn at random; sizes (L,) tokens looked up in each list.

    Lists with the same number of tokens are drawn together, by how many of them have each count.
    """
    from scipy.stats import hypergeom

    total = np.zeros(draws, dtype=np.int64)
    for size, lists in zip(*np.unique(sizes, return_counts=True), strict=True):
        if lists <= size:
            for _ in range(lists):
                total += rng.hypergeometric(n_green, n_all - n_green, size, draws)
        else:
            counts = np.arange(size + 1)
            shares = hypergeom.pmf(counts, n_all, n_green, size)
            total += rng.multinomial(lists, shares / shares.sum(), draws) @ counts
    return total


def _reached(drawn: Ints, got: int) -> float:
    """The share of random keys that reach a sum, the key itself counted with them."""
    return (1 + int(np.count_nonzero(drawn >= got))) / (1 + len(drawn))


def _generator(seed: int, device: Device) -> Any:
    import torch

    return torch.Generator(device=device).manual_seed(seed)


def _numbers(text: str) -> tuple[int, ...]:
    """Numbers without sign with commas between them; () where the text is anything else."""
    parts = [part.strip() for part in text.split(",")]
    good = all(part.isascii() and part.isdigit() and len(part) < 20 for part in parts)
    return tuple(int(part) for part in parts) if good else ()


def _other(expected: str) -> str:
    return f"expected {expected}, up to 2 ** 63 - 1; got something else"
