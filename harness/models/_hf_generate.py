"""Text from a model: one batched decoding loop for greedy and sampled requests.

Every sampled request draws from its own generator, so that its text does not depend on the batch that it
is in (but for the rounding of floats). Greedy text equals that of transformers' generate, cut as lm-eval cuts it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from harness.models._hf_model import LoadedModel
from harness.models._hf_score import TokenScores, require_numbers, token_columns
from harness.models._hf_shared import Shared
from harness.models._rows import cut
from harness.text.clean import CHANNEL, CHANNELS, TAGS, reply_start
from harness.types import DistillbenchError

if TYPE_CHECKING:
    import torch


# bytes of keys and values in memory at once: each step reads all weights, however many texts it continues
_REMEMBERED = {"cpu": 1 << 29}


@dataclass(frozen=True)
class Job:
    """One text to write."""

    prompt: tuple[int, ...]  # token ids, already cut so that max_new tokens fit behind them
    n_cut: int  # token ids that were left out
    max_new: int
    temperature: float  # 0 = greedy
    top_p: float
    stops: tuple[str, ...]
    closing: int | None  # token that ends the reply beside the model's own ends
    seed: str  # seeds its draws
    opened: str = ""  # the tag of a trace that the prompt opens, so that the text begins inside it


@dataclass(frozen=True)
class Written:
    """One text as the model wrote it."""

    ids: list[int]  # with the end-of-sequence token, if it came
    text: str  # cut at the first stop string
    stop: str  # eos, length, stop
    scores: TokenScores | None  # of every token in `ids`, at temperature 1; None = not asked for
    n_cut: int  # token ids of the prompt that were left out


@dataclass
class _Draft:
    """A text while it is written."""

    job: Job
    ids: list[int] = field(default_factory=list)
    columns: list[tuple[Any, ...]] = field(default_factory=list)  # per token: those of TokenScores


def most_tokens(loaded: LoadedModel) -> int:
    """How many tokens of prompts and texts a batch may have, by what is remembered of each; 0 = not measured here."""
    model = loaded.model
    width = model.get_input_embeddings().weight.shape[1]
    layers = model.config.get_text_config().num_hidden_layers
    size = 2 * layers * width * model.dtype.itemsize  # as if every head had its own keys and values
    return int(_REMEMBERED.get(loaded.device.type, 0) // size)


def write(loaded: LoadedModel, jobs: Sequence[Job], top: int, shared: Shared) -> list[Written]:
    """Texts of all jobs, in order; halves the batch where the device has too little memory.

    What all prompts begin with is read once, where `shared` can.
    """
    import torch

    try:
        drafts = _decode(loaded, jobs, top, shared)
        return [_finish(loaded, draft, top) for draft in drafts]
    except torch.OutOfMemoryError:
        if len(jobs) == 1:
            raise DistillbenchError(
                f"model {loaded.name}: out of memory with one prompt of {len(jobs[0].prompt)} tokens and "
                f"{jobs[0].max_new} to write; set a smaller max_length or dtype, or use another device"
            ) from None
    shared.clear()
    torch.cuda.empty_cache()
    half = len(jobs) // 2
    return write(loaded, jobs[:half], top, shared) + write(loaded, jobs[half:], top, shared)


def _decode(loaded: LoadedModel, jobs: Sequence[Job], top: int, shared: Shared) -> list[_Draft]:
    import torch

    drafts = [_Draft(job) for job in jobs]
    windows = {
        s: len(loaded.tokenizer.encode(s, add_special_tokens=False)) + 2
        for j in jobs
        for s in j.stops
    }
    with torch.inference_mode():
        with loaded.timing("tokens_in_s"):
            state = _State(loaded, jobs, shared)
        live = drafts
        for step in range(max(job.max_new for job in jobs)):
            with loaded.timing("tokens_out_s" if step else "tokens_in_s"):
                logits = state.logits()
            if not step:
                require_numbers(loaded, logits)
            ids = state.choose(logits, step)
            if top:
                for draft, *columns in zip(
                    live, *(c.cpu().numpy() for c in token_columns(logits, ids, top)), strict=True
                ):
                    draft.columns.append(tuple(columns))
            for draft, token in zip(live, ids.tolist(), strict=True):
                draft.ids.append(token)
            ended = _ended(loaded, live, windows)
            if all(ended):
                break
            keep = [row for row, end in enumerate(ended) if not end]
            live = [live[row] for row in keep]
            state.advance(ids, keep)
    return drafts


class _State:
    """The live rows of a batch: what the model remembers of them, and their random numbers."""

    def __init__(self, loaded: LoadedModel, jobs: Sequence[Job], shared: Shared) -> None:
        import torch

        prompts = list(dict.fromkeys(job.prompt for job in jobs))
        most = max(map(len, prompts)) + max(job.max_new for job in jobs)
        n = shared.n_common(prompts, most)
        width = max(map(len, prompts)) - n
        ids = np.zeros((len(prompts), width), dtype=np.int64)
        mask = np.zeros((len(prompts), n + width), dtype=np.int64)
        mask[:, :n] = 1
        # padding stands left of what is each prompt's own, so that all rows write into the same column
        for row, prompt in enumerate(prompts):
            ids[row, width - len(prompt) + n :] = prompt[n:]
            mask[row, width - len(prompt) + 2 * n :] = 1
        self.loaded = loaded
        self.cache = shared.branched(prompts[0][:n], len(prompts), most)
        self.inputs = torch.from_numpy(ids).to(loaded.device)
        self.mask = torch.from_numpy(mask).to(loaded.device)
        self.positions = (self.mask.cumsum(1) - 1)[:, n:].clamp(min=0)
        # per job, until it is read: the row of its prompt; samples of one prompt read it together
        self.prompts: torch.Tensor | None = torch.tensor(
            [prompts.index(job.prompt) for job in jobs], device=loaded.device
        )
        self.temperature = self._column([job.temperature for job in jobs])
        self.top_p = self._column([job.top_p for job in jobs])
        self.uniforms = self._column(_uniforms(jobs))
        seen = self._seen(prompts) if loaded.repetition_penalty != 1 else None
        self.seen = None if seen is None else seen[self.prompts]

    def logits(self) -> torch.Tensor:
        """(live, V) float32 logits of the next token, after the checkpoint's own repetition penalty."""
        import torch

        options = {
            "position_ids": self.positions,
            "logits_to_keep": 1,
            "past_key_values": self.cache,
        }
        out = self.loaded.model(
            input_ids=self.inputs,
            attention_mask=self.mask,
            use_cache="past_key_values" in self.loaded.arguments,
            **{k: v for k, v in options.items() if k in self.loaded.arguments},
        )
        # state space models have none: they read everything again
        self.cache = out.get("past_key_values")
        logits: torch.Tensor = out.logits[:, -1].float()
        if self.prompts is not None:
            logits = logits[self.prompts]
            self._branch(self.prompts)
            self.prompts = None
        if self.seen is None:
            return logits
        penalty = self.loaded.repetition_penalty
        return torch.where(
            self.seen, torch.where(logits < 0, logits * penalty, logits / penalty), logits
        )

    def _branch(self, rows: torch.Tensor) -> None:
        """Goes on with copies of `rows`."""
        if len(rows) == len(self.inputs):
            return  # no two are the same, and they stand in their order
        self.inputs, self.mask = self.inputs[rows], self.mask[rows]
        if self.cache is not None:
            self.cache.batch_select_indices(rows)

    def choose(self, logits: torch.Tensor, step: int) -> torch.Tensor:
        """(live,) next tokens: the most probable, or where the cumulative probability passes the row's number."""
        import torch

        best = logits.argmax(-1)
        sampled = self.temperature > 0
        if not bool(sampled.any()):
            return best
        probability = torch.softmax(logits / torch.where(sampled, self.temperature, 1.0), -1)
        order = None
        if bool((self.top_p < 1).any()):
            probability, order = probability.sort(-1, descending=True)
            before = probability.cumsum(-1) - probability
            probability = probability.masked_fill(before >= self.top_p, 0.0)
        wide = torch.float32 if logits.device.type == "mps" else torch.float64
        total = probability.cumsum(-1, dtype=wide)
        drawn = torch.searchsorted(
            total, self.uniforms[:, step, None].to(wide) * total[:, -1:], right=True
        )
        drawn = drawn.clamp(max=logits.shape[1] - 1)
        drawn = drawn if order is None else order.gather(1, drawn)
        return torch.where(sampled, drawn, best[:, None])[:, 0]

    def advance(self, ids: torch.Tensor, keep: list[int]) -> None:
        """Appends one token to every row, and continues with the rows `keep`."""
        import torch

        if self.seen is not None:
            self.seen[torch.arange(len(ids), device=ids.device), ids] = True
        inputs = (
            ids[:, None] if self.cache is not None else torch.cat([self.inputs, ids[:, None]], 1)
        )
        if len(keep) < len(ids):
            rows = torch.tensor(keep, device=ids.device)
            inputs, self.mask, self.temperature = (
                inputs[rows],
                self.mask[rows],
                self.temperature[rows],
            )
            self.top_p, self.uniforms = self.top_p[rows], self.uniforms[rows]
            self.seen = None if self.seen is None else self.seen[rows]
            if self.cache is not None:
                self.cache.batch_select_indices(rows)
        self.mask = torch.cat([self.mask, torch.ones_like(self.mask[:, :1])], 1)
        self.inputs = inputs
        self.positions = (self.mask.cumsum(1) - 1)[:, -inputs.shape[1] :].clamp(min=0)

    def _column(self, values: Any) -> torch.Tensor:
        """(rows, ...) numbers on the device."""
        import torch

        wide = torch.float32 if self.loaded.device.type == "mps" else torch.float64
        column = torch.as_tensor(np.asarray(values), dtype=wide, device=self.loaded.device)
        return column if column.dim() > 1 else column[:, None].float()

    def _seen(self, prompts: Sequence[tuple[int, ...]]) -> torch.Tensor:
        """(rows, V) whether a token occurs in the prompt."""
        import torch

        width = self.loaded.model.config.get_text_config().vocab_size
        seen = torch.zeros((len(prompts), width), dtype=torch.bool, device=self.inputs.device)
        for row, prompt in enumerate(prompts):
            seen[row, list(prompt)] = True
        return seen


def _uniforms(jobs: Sequence[Job]) -> NDArray[np.float64]:
    """(jobs, steps) numbers in [0, 1), every row from its own generator; zeros for greedy rows."""
    numbers = np.zeros((len(jobs), max(job.max_new for job in jobs)))
    for row, job in enumerate(jobs):
        if job.temperature > 0:
            entropy = int.from_bytes(hashlib.sha256(job.seed.encode()).digest()[:16], "little")
            numbers[row, : job.max_new] = np.random.default_rng(entropy).random(job.max_new)
    return numbers


def _ended(loaded: LoadedModel, live: Sequence[_Draft], windows: dict[str, int]) -> list[bool]:
    """Which drafts are complete. Stop strings are looked for where lm-eval does: in the last few tokens, raw."""
    tails: dict[int, str] = {}
    stopping = [i for i, draft in enumerate(live) if draft.job.stops]
    if stopping:
        width = max(windows.values())
        tails = dict(
            zip(
                stopping,
                loaded.tokenizer.batch_decode([live[i].ids[-width:] for i in stopping]),
                strict=True,
            )
        )
    return [
        _is_end(loaded, draft)
        or len(draft.ids) >= draft.job.max_new
        or (i in tails and _stops(loaded, draft, tails[i]))
        for i, draft in enumerate(live)
    ]


def _finish(loaded: LoadedModel, draft: _Draft, top: int) -> Written:
    ends_turn = draft.ids[-1] == draft.job.closing  # need not be a special token
    ids = draft.ids[:-1] if ends_turn else draft.ids
    whole = _spelled(loaded.tokenizer, ids)
    start = reply_start(whole, draft.job.opened)
    said = "" if start is None else cut(whole[start:], draft.job.stops)
    text = whole if start is None else whole[:start] + said
    if _is_end(loaded, draft):
        stop = "eos"
    else:
        stop = "stop" if text != whole or len(draft.ids) < draft.job.max_new else "length"
    ends = loaded.tokenizer.eos_token
    text = cut(text, (ends,)) if ends else text
    scores = TokenScores(*(np.stack(c) for c in zip(*draft.columns, strict=True))) if top else None
    return Written(draft.ids, text, stop, scores, draft.job.n_cut)


def _stops(loaded: LoadedModel, draft: _Draft, tail: str) -> bool:
    """Whether a stop string stands in the last few tokens of a draft, and in the reply: traces are not stopped."""
    if not any(stop in tail for stop in draft.job.stops):
        return False
    whole = str(loaded.tokenizer.decode(draft.ids))
    start = reply_start(whole, draft.job.opened)
    if not start:
        return start == 0
    return any(stop in whole[start:] for stop in draft.job.stops)


def _spelled(tokenizer: Any, ids: Sequence[int]) -> str:
    """The text of token ids without special tokens, but for those around thoughts: tags, and the marks of channels."""
    special = set(tokenizer.all_special_tokens)
    meant = TAGS | CHANNELS if CHANNEL in special else TAGS
    tags = [i for t in special & meant if (i := tokenizer.convert_tokens_to_ids(t)) in ids]
    if not tags:
        return str(tokenizer.decode(ids, skip_special_tokens=True))
    pieces, start = list[str](), 0
    for place in [*(k for k, i in enumerate(ids) if i in tags), len(ids)]:
        pieces.append(tokenizer.decode(ids[start:place], skip_special_tokens=True))
        pieces += [tokenizer.convert_ids_to_tokens(i) for i in ids[place : place + 1]]
        start = place + 1
    return "".join(pieces)


def _is_end(loaded: LoadedModel, draft: _Draft) -> bool:
    """Whether the last token ends the reply."""
    return draft.ids[-1] in loaded.eos_ids or draft.ids[-1] == draft.job.closing
