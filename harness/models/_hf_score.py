"""Log-probabilities of given tokens: forward passes over trees of inputs, or over distinct inputs side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.models._hf_model import LoadedModel
from harness.models._hf_shared import LOGITS, Shared
from harness.models._hf_tree import Pack, Row, layout
from harness.types import DistillbenchError

if TYPE_CHECKING:
    import torch

TOKEN_BUDGET = {"cpu": 8192, "mps": 16384, "cuda": 65536}  # padded tokens at once; speed only


class Window(NamedTuple):
    """Tokens to score and the tokens before them; together at most max_length + 1."""

    context: tuple[int, ...]
    target: tuple[int, ...]


class TokenScores(NamedTuple):
    """Log-probabilities of n tokens, with alternatives."""

    logprobs: NDArray[np.float32]  # (n,) nats
    greedy: NDArray[np.bool_]  # (n,) the token is the most probable one
    top_ids: NDArray[np.int32]  # (n, K)
    top_logprobs: NDArray[np.float32]  # (n, K) nats


def rolling_windows(tokens: Sequence[int], prefix_id: int, max_length: int) -> list[Window]:
    """Windows that score every token of a text once, the last with as much context as fits.

    Source: lm-eval 0.4.13, utils.get_rolling_token_windows with one token of context and make_disjoint_window.
    """
    first = tuple(tokens[:max_length])
    windows = [Window((prefix_id,), first)] if first else []
    done = len(first)
    while done < len(tokens):
        end = min(done + max_length, len(tokens))
        windows.append(Window(tuple(tokens[end - max_length - 1 : done]), tuple(tokens[done:end])))
        done = end
    return windows


def score_windows(
    loaded: LoadedModel, windows: Sequence[Window], top: int, shared: Shared
) -> list[TokenScores]:
    """Scores of every window's target, in order; `top` alternatives per token."""
    inputs: dict[tuple[int, ...], list[int]] = {}
    for index, window in enumerate(windows):
        inputs.setdefault((*window.context, *window.target)[:-1], []).append(index)
    scores: dict[int, TokenScores] = {}
    alone = [ids for ids in inputs if len(ids) > shared.longest]
    rows = [
        Row(ids, min(len(windows[i].context) for i in owners) - 1)
        for ids, owners in inputs.items()
        if len(ids) <= shared.longest
    ]
    for pack in shared.packs(rows) if rows else ():
        found = _score_pack(loaded, shared, pack, inputs, windows, top)
        scores.update(found)
        if not found:
            alone += [row.ids for row in pack.rows]
    for piece in _pieces(sorted(alone, key=lambda ids: (-len(ids), ids)), loaded):
        scores.update(_score_inputs(loaded, {ids: inputs[ids] for ids in piece}, windows, top))
    return [scores[i] for i in range(len(windows))]


def _score_pack(
    loaded: LoadedModel,
    shared: Shared,
    pack: Pack,
    inputs: dict[tuple[int, ...], list[int]],
    windows: Sequence[Window],
    top: int,
) -> dict[int, TokenScores]:
    """Scores of the windows behind a pack's rows; none where the rows have to be read alone."""
    import torch

    if pack.n_shared == 0 and len(pack.rows) == 1:
        return {}
    plan = layout(pack)
    owners = [
        (i, path) for row, path in zip(pack.rows, plan.paths, strict=True) for i in inputs[row.ids]
    ]
    behind = [path[len(path) - len(windows[i].target) :] for i, path in owners]
    places, order = np.unique(np.concatenate(behind), return_inverse=True)
    targets = np.concatenate([np.asarray(windows[i].target) for i, _ in owners])
    try:
        logits = shared.logits(pack, plan, places)
        require_numbers(loaded, logits)
        columns = _gather(logits, order, targets, top)
    except torch.OutOfMemoryError:
        shared.clear()
        return {}
    return _split([i for i, _ in owners], [len(b) for b in behind], columns)


def _pieces(rows: list[tuple[int, ...]], loaded: LoadedModel) -> Iterator[list[tuple[int, ...]]]:
    """Rows, longest first, in runs that fit into memory with their logits."""
    device = loaded.device.type
    logits = LOGITS.get(device, LOGITS["cpu"])
    most = min(
        TOKEN_BUDGET.get(device, TOKEN_BUDGET["cpu"]),
        logits // loaded.model.config.get_text_config().vocab_size,
    )
    start = 0
    while start < len(rows):
        size = max(1, most // len(rows[start]))
        yield rows[start : start + size]
        start += size


def _score_inputs(
    loaded: LoadedModel,
    inputs: dict[tuple[int, ...], list[int]],
    windows: Sequence[Window],
    top: int,
) -> dict[int, TokenScores]:
    """Scores of the windows behind a few inputs; halves them where the device has too little memory."""
    import torch

    try:
        return _forward(loaded, inputs, windows, top)
    except torch.OutOfMemoryError:
        if len(inputs) == 1:
            raise DistillbenchError(
                f"model {loaded.name}: out of memory with one text of {len(next(iter(inputs)))} tokens; "
                "set a smaller max_length or dtype, or use another device"
            ) from None
    torch.cuda.empty_cache()
    rows = list(inputs.items())
    half = len(rows) // 2
    first = _score_inputs(loaded, dict(rows[:half]), windows, top)
    return first | _score_inputs(loaded, dict(rows[half:]), windows, top)


def _forward(
    loaded: LoadedModel,
    inputs: dict[tuple[int, ...], list[int]],
    windows: Sequence[Window],
    top: int,
) -> dict[int, TokenScores]:
    import torch

    width = max(len(ids) for ids in inputs)
    # right of the text: causal attention never sees it
    padded = np.zeros((len(inputs), width), dtype=np.int64)
    for row, ids in enumerate(inputs):
        padded[row, : len(ids)] = ids
    longest = {ids: max(len(windows[i].target) for i in owners) for ids, owners in inputs.items()}
    first = min(len(ids) - n for ids, n in longest.items())
    trim: dict[str, Any] = (
        {"logits_to_keep": width - first} if "logits_to_keep" in loaded.arguments else {}
    )
    with torch.inference_mode():
        logits = loaded.model(
            torch.from_numpy(padded).to(loaded.device), use_cache=False, **trim
        ).logits
        require_numbers(loaded, logits)
        shift = width - logits.shape[1]
        places, targets, owner = [], [], []
        for row, (ids, owners) in enumerate(inputs.items()):
            for index in owners:
                target = windows[index].target
                begin = row * logits.shape[1] + len(ids) - len(target) - shift
                places.append(np.arange(begin, begin + len(target)))
                targets.append(np.asarray(target))
                owner.append(index)
        scores = _gather(logits.flatten(0, 1), np.concatenate(places), np.concatenate(targets), top)
    return _split(owner, [len(t) for t in targets], scores)


def _split(
    owners: Sequence[int], lengths: Sequence[int], columns: Sequence[NDArray[Any]]
) -> dict[int, TokenScores]:
    """The scores of each window out of those of all of them, one behind the other."""
    cuts = np.cumsum(lengths)[:-1]
    parts = zip(*(np.split(column, cuts) for column in columns), strict=True)
    return {index: TokenScores(*part) for index, part in zip(owners, parts, strict=True)}


def require_numbers(loaded: LoadedModel, logits: torch.Tensor) -> None:
    """Raises DistillbenchError where a model's logits are NaN; some of -inf are nothing unusual."""
    if bool(logits.isnan().any()):
        raise DistillbenchError(
            f"model {loaded.name}: expected numbers, got NaN from the model: its weights are damaged, or too large for "
            f"{str(loaded.model.dtype).removeprefix('torch.')}; save the checkpoint again, or set dtype: float32"
        )


def _gather(
    logits: torch.Tensor, places: NDArray[Any], targets: NDArray[Any], top: int
) -> tuple[NDArray[Any], ...]:
    """Columns of TokenScores for T tokens: rows `places` (T,) of `logits` (N, V), tokens `targets` (T,)."""
    import torch

    # A CPU is several times faster on rows that stay in its cache (2 MiB); other devices want large
    # pieces (128 MiB).
    chunk = max(1, (1 << (19 if logits.device.type == "cpu" else 25)) // logits.shape[1])
    columns: list[tuple[torch.Tensor, ...]] = []
    for start in range(0, len(places), chunk):
        rows = _rows(logits, places[start : start + chunk])
        ids = torch.from_numpy(targets[start : start + chunk]).to(logits.device)
        columns.append(token_columns(rows.float(), ids, top))
    joined = [torch.cat(c).cpu().numpy() for c in zip(*columns, strict=True)]
    return joined[0], joined[1], joined[2].astype(np.int32), joined[3]


def _rows(logits: torch.Tensor, places: NDArray[Any]) -> torch.Tensor:
    """Rows `places` of `logits`, without a copy where they follow one another."""
    import torch

    if np.all(np.diff(places) == 1):
        return logits[int(places[0]) : int(places[-1]) + 1]
    return logits[torch.from_numpy(places).to(logits.device)]


def token_columns(
    logits: torch.Tensor, ids: torch.Tensor, top: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """(T,) log-probabilities of `ids`, (T,) whether each is the most probable, (T, K) ids and log-probabilities.

    `logits` is (T, V) float32. The greedy flag is lm-eval's: the first of the largest.
    """
    import torch

    peak = logits.amax(-1, keepdim=True)
    total = (logits - peak).exp_().sum(-1, keepdim=True).log_() + peak
    chosen = logits.gather(1, ids[:, None])
    greedy = (chosen == peak)[:, 0]
    if greedy.any():  # argmax is the slowest step, and only these rows need it
        greedy[greedy.clone()] = logits[greedy].argmax(-1) == ids[greedy]
    best = torch.topk(logits, min(top, logits.shape[1]), dim=-1)
    return (chosen - total)[:, 0], greedy, best.indices, best.values - total
