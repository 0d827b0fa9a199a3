"""Radioactivity: whether a model's text leans on the tokens that a watermark prefers, as text that it learned from did.

Source: Sander et al. 2024, Watermarking Makes Language Models Radioactive, arXiv 2402.14904, section 4 (tokens counted
once); schemes in `text/watermark`.
"""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, NamedTuple

import numpy as np

from harness.console.credentials import variable_fault
from harness.console.foreign import FAILURES
from harness.console.secrets import remember
from harness.keys import digest, parse_json
from harness.metrics import AbstractMetric
from harness.panel import reasons
from harness.panel.panel import Looks, Panel, View
from harness.panel.side import Side
from harness.panel.texts import replies_of
from harness.panel.topics import Column
from harness.schema import Bound, build_dataclass, unknown
from harness.text.watermark import AbstractWatermark, Greenlist, Leaning, SynthId, distinct_windows
from harness.types import Better, DistillbenchError, Finding, Given, Message, Unavailable

SCHEMES: Mapping[str, type[AbstractWatermark]] = MappingProxyType(
    {"greenlist": Greenlist, "synthid": SynthId}
)
_IN_CLEAR = ("key", "keys", "hashing_key")  # what transformers calls keys
_FILES = (".json", ".model", ".txt")  # of a tokenizer; weights have other endings


@dataclass(frozen=True)
class Radioactivity(AbstractMetric):
    """How surely a model learned from text with this watermark."""

    tokenizer: str = ""  # folder of the watermarked model or of its tokenizer
    # kind: greenlist or synthid, key_env, and what the scheme in `text/watermark` has besides
    watermark: dict[str, Any] = field(default_factory=dict)
    # p is never below 1 / (1 + random_keys)
    random_keys: Annotated[int, Bound("1000 or more", lambda n: n >= 1000)] = 20_000
    scheme: AbstractWatermark | None = field(init=False, repr=False)
    # of tokenizer and key: scores are made again where either changes
    state: str = field(init=False, repr=False)

    unit: ClassVar[str] = "log10 p"
    better: ClassVar[Better] = "none"
    across_tasks: ClassVar[bool] = True
    looks_at: ClassVar[Looks] = Looks((View.TEXT,))
    leaderboard: ClassVar[tuple[Column, ...]] = (
        Column(58, "Watermark", "log10 of p by chance", alone=True),
    )
    explanation: ClassVar[str] = (
        "Whether a model's own text leans on the tokens that a secret key made likelier in its owner's text. -3 says: "
        "of 1,000 random keys one fits this text as well. The only test here whose rate of false alarms is known by "
        "construction: the key was drawn at random, so a clean model of whatever style reaches -2 for one key in a "
        "hundred. The number is the larger of `exact` (binomial tail; SynthID: normal tail) and `random_keys` "
        "(counted). Every (context, token) counts once over all replies, and not where it stands in the prompt. share: "
        "tokens that the key prefers (SynthID: mean g-value), beside what a random key gives; windows: how many were "
        "counted. A low number says that the model learned from watermarked text, not who collected it. A number near "
        "0 says nothing where text is short, was paraphrased, or was a small part of the training."
    )

    def __post_init__(self) -> None:
        scheme = _scheme(self.watermark, self.tokenizer) if self.watermark else None
        object.__setattr__(self, "scheme", scheme)
        facts = _tokenizer_facts(self.tokenizer) if self.tokenizer else []
        object.__setattr__(self, "state", digest(facts, _fingerprint(scheme), *_versions()))

    def measure(self, panels: Sequence[Panel], rng: np.random.Generator) -> list[Finding]:
        """The p of this text and what it is made of."""
        if self.scheme is None or not self.tokenizer:
            raise Unavailable(
                "no watermark is named (`tokenizer` and `watermark` of the metric radioactivity)"
            )
        _require_device(self.scheme.device)
        replies, asked, n = _replies([panel.student for panel in panels])
        reasons.require(n, min(panel.minimum for panel in panels), "prompts with a reply")
        ids = _tokens(self.tokenizer, self.scheme, {*replies, *(t for own in asked for t in own)})
        windows = distinct_windows(
            [ids[text] for text in replies],
            [[ids[text] for text in own] for own in asked],
            self.scheme.width,
        )
        if not len(windows):
            raise Unavailable(f"no reply has {self.scheme.width} tokens or more that are its own")
        key = _key(self.scheme)
        return _findings(self.scheme.measure(windows, key, self.random_keys, rng), n)


def _require_device(device: str) -> None:
    """Raises Unavailable where the text was marked on a device that this machine does not have."""
    import torch

    if device == "cuda" and not torch.cuda.is_available():
        raise Unavailable(
            "`device` of the watermark is cuda, and this machine has none: transformers draws other lists on a GPU"
        )


def _findings(leaning: Leaning, n: int) -> list[Finding]:
    """Probabilities as logarithms, because 1e-9 and 1e-3 would both be shown as 0."""
    none = "a probability has no interval"
    unit = "share"
    both = {
        "": max(leaning.p, leaning.p_keys),
        "exact": leaning.p,
        "random_keys": leaning.p_keys,
    }
    return [
        *(
            Finding(Given(math.log10(p), None, None, n, note=none), name)
            for name, p in both.items()
        ),
        Finding(Given(leaning.share, leaning.low, leaning.high, n), "share", unit=unit),
        Finding(Given(leaning.expected, None, None, n, note="known"), "share/expected", unit=unit),
        Finding(Given(float(leaning.n), None, None, n, note="a count"), "windows", unit="windows"),
    ]


class _Replies(NamedTuple):
    texts: list[str]  # (R,) all that say anything
    asked: list[list[str]]  # (R,) what stands in the prompt of each
    n_prompts: int


def _replies(sides: Sequence[Side]) -> _Replies:
    texts, asked, prompts = [], [], set()
    for side in sides:
        contexts = {
            side.requests.prompts[r.prompt].id: r.context
            for r in reversed(side.requests.requests)
            if r.kind == "generate"
        }
        for outputs in (side.outputs, *side.samples):
            for prompt, reply in replies_of(side.requests, outputs).items():
                if reply.text:
                    texts.append(reply.text)
                    prompts.add((side.requests.task, prompt))
                    asked.append(_turns(contexts[prompt]))
    return _Replies(texts, asked, len(prompts))


def _turns(context: str | tuple[Message, ...]) -> list[str]:
    """What stands in a prompt, but for the model's own earlier replies."""
    if isinstance(context, str):
        return [context]
    return [m.content for m in context if isinstance(m.content, str)]


def _tokens(folder: str, scheme: AbstractWatermark, texts: set[str]) -> Mapping[str, list[int]]:
    """Text -> its tokens, without those that a tokenizer puts around a text."""
    tokenizer = _tokenizer(folder)
    every = sorted(texts)
    ids = tokenizer(every, add_special_tokens=False, verbose=False)["input_ids"]
    most = max((max(own, default=0) for own in ids), default=0)
    if isinstance(scheme, Greenlist) and most >= scheme.vocab_size:
        raise Unavailable(
            f"vocab_size of the watermark is {scheme.vocab_size}, and the tokenizer {folder} has a token {most}: "
            "give the vocab_size of the model's config.json"
        )
    return dict(zip(every, ids, strict=True))


def _tokenizer(folder: str) -> Any:
    """The tokenizer of a folder; raises Unavailable where it cannot be loaded. Its own code is never run."""
    from transformers import AutoTokenizer

    place = Path(folder).expanduser()
    try:
        return AutoTokenizer.from_pretrained(place, local_files_only=True, trust_remote_code=False)
    except (*FAILURES, ImportError, LookupError, TypeError) as error:
        why = str(error).strip().splitlines() or [type(error).__name__]
        raise Unavailable(f"the tokenizer in {folder} cannot be loaded: {why[0]}") from None


def _scheme(fields: Mapping[str, Any], tokenizer: str) -> AbstractWatermark:
    """The scheme that a configuration describes; raises DistillbenchError."""
    kind = str(fields.get("kind"))
    if kind not in SCHEMES:
        raise DistillbenchError(f"key watermark.kind: {unknown(kind, list(SCHEMES))}")
    for name in _IN_CLEAR:
        if name in fields:
            raise DistillbenchError(
                f"key watermark.{name}: expected no key in a configuration; put it into an environment variable and "
                "its name into watermark.key_env"
            )
    if fault := variable_fault("key watermark.key_env", fields.get("key_env")):
        raise DistillbenchError(fault)
    given = dict(fields)
    if kind == "greenlist" and fields.get("vocab_size") is None:
        given["vocab_size"] = _vocabulary(tokenizer)
    scheme: AbstractWatermark = build_dataclass(SCHEMES[kind], given, "key watermark")
    _key(scheme)
    return scheme


def _key(scheme: AbstractWatermark) -> tuple[int, ...]:
    """The secret key, read where it is needed and stored nowhere; raises DistillbenchError without repeating it."""
    if scheme.key_env is None:
        return (Greenlist.default,)
    remember(scheme.key_env)
    value = os.environ.get(scheme.key_env, "").strip()
    if not value:
        raise DistillbenchError(
            f"key watermark.key_env: environment variable {scheme.key_env} is not set; export the watermark's key in it"
        )
    try:
        return scheme.parse_key(value)
    except DistillbenchError as error:
        raise DistillbenchError(f"environment variable {scheme.key_env}: {error}") from None


def _fingerprint(scheme: AbstractWatermark | None) -> str:
    """Hex digits that change with a secret key; slow to make, so that keys cannot be tried out on them."""
    if scheme is None or scheme.key_env is None:
        return ""
    text = ",".join(map(str, _key(scheme))).encode()
    return hashlib.scrypt(text, salt=b"distillbench watermark", n=2**14, r=8, p=1).hex()


def _versions() -> list[str]:
    """Versions of the packages that cut text into tokens and draw green lists."""
    return [version(package) for package in ("tokenizers", "torch", "transformers")]


def _tokenizer_facts(folder: str) -> list[tuple[str, str]]:
    """Names and sha256 of a tokenizer's files; raises DistillbenchError where there are none."""
    place = Path(folder).expanduser()
    files = sorted(p for p in place.glob("*") if p.suffix in _FILES and p.is_file())
    if not files:
        raise DistillbenchError(
            f"key tokenizer: expected a folder with the files of a tokenizer, got {folder}; give the folder of the "
            "watermarked model or of its tokenizer, it is never downloaded"
        )
    return [(p.name, hashlib.sha256(p.read_bytes()).hexdigest()) for p in files]


def _vocabulary(folder: str) -> int:
    """How many scores the model gives that a tokenizer lies beside; raises DistillbenchError where none does."""
    file = Path(folder).expanduser() / "config.json"
    try:
        config = parse_json(file.read_text("utf-8")) if file.is_file() else {}
    except ValueError as error:
        raise DistillbenchError(f"key tokenizer: {file} cannot be read: {error}") from None
    size = config.get("vocab_size") or (config.get("text_config") or {}).get("vocab_size")
    if not isinstance(size, int):
        raise DistillbenchError(
            "key watermark.vocab_size: expected the number of scores that the watermarked model gives, on which green "
            f"lists depend, got none, nor in {file}; give the vocab_size of the model's config.json"
        )
    return size
