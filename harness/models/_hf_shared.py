"""What inputs share, computed once: forward passes over packs of a tree (`_hf_tree.py`) behind stored prefixes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from harness.console.foreign import notify
from harness.models._hf_attention import quick_attention
from harness.models._hf_branches import longest_branch
from harness.models._hf_cache import Layers, appended_in_a_copy, written_in_place
from harness.models._hf_model import LoadedModel
from harness.models._hf_tree import LEAST, Layout, Pack, Row, Tokens, common_length, layout, packs

if TYPE_CHECKING:
    import torch

_BUDGET = {"cpu": 512, "mps": 1024, "cuda": 4096}  # new tokens per pass: a CPU's caches are small
_PIECE = 128  # a prefix is computed in passes of so many tokens, whoever asks for it
_STORED = {"cpu": 1 << 28, "cuda": 1 << 31}  # bytes of prefixes that are stored at the same time
LOGITS = {"cpu": 1 << 27, "cuda": 1 << 30}  # logits in memory at once: 0.5 and 4 GiB in float32
# what a model that takes no mask, position or cache of ours raises
_STRANGE = (RuntimeError, ValueError, TypeError, LookupError, AttributeError, NotImplementedError)


class Shared:
    """A model that computes trees of inputs, and the prefixes that it has computed."""

    def __init__(self, loaded: LoadedModel) -> None:
        self._loaded = loaded
        self._prefixes: OrderedDict[Tokens, Layers] = OrderedDict()  # the last used last
        device = loaded.device.type
        text = loaded.model.config.get_text_config()
        logits = LOGITS.get(device, LOGITS["cpu"]) // text.vocab_size
        self._budget = max(1, min(_BUDGET.get(device, _BUDGET["cpu"]), logits))
        self._most_stored = _STORED.get(device, _STORED["cpu"])

    @cached_property
    def longest(self) -> int:
        """The longest input that may be part of a tree; 0 = every input is read alone."""
        most = longest_branch(self._loaded)
        if most and not _agrees(self._loaded, most):
            notify(
                f"model {self._loaded.name}: what its inputs share cannot be computed once "
                f"({type(self._loaded.model).__name__} differs from itself); each is read alone, which takes longer"
            )
            return 0
        return most

    def packs(self, rows: Sequence[Row]) -> list[Pack]:
        """What is computed in one pass each."""
        return list(packs(rows, self._budget))

    def clear(self) -> None:
        """Forgets all prefixes."""
        self._prefixes.clear()

    def logits(self, pack: Pack, plan: Layout, places: NDArray[np.int64]) -> torch.Tensor:
        """(n, V) logits behind the tokens `places` (n,) of the plan."""
        return _forward(self._loaded, plan, self._prefix(pack.shared), places)[0]

    def n_common(self, prompts: Sequence[Tokens], most: int) -> int:
        """How many tokens that all prompts begin with are worth a pass of their own; 0 = none.

        `most` = tokens of the longest prompt and of what is written behind it: a window counts padding, too.
        """
        first, last = min(prompts), max(prompts)
        n = min(common_length(first, last), *(len(prompt) - 1 for prompt in prompts))
        worth = first != last and n >= LEAST
        return n if worth and most <= self.longest else 0

    def branched(self, ids: Tokens, rows: int, most: int) -> Any | None:
        """transformers' cache of a prefix, for so many rows that go on from it to at most so many tokens.

        None where the model has to make its own, which then is that of no prefix.
        """
        if most > self.longest:
            return None
        return written_in_place(
            [(k.expand(rows, -1, -1, -1), v.expand(rows, -1, -1, -1)) for k, v in self._prefix(ids)]
        )

    def _prefix(self, ids: Tokens) -> Layers:
        """Keys and values of a prefix: its floats depend on its tokens alone."""
        if not ids:
            return []
        if ids not in self._prefixes:
            stored = max(self._prefixes, key=lambda known: _whole_pieces(known, ids), default=())
            n = _whole_pieces(stored, ids)
            layers = (
                [(k[:, :, :n], v[:, :, :n]) for k, v in self._prefixes.get(stored, ())] if n else []
            )
            for end in range(n + _PIECE, len(ids) + _PIECE, _PIECE):
                piece = Pack(n, (Row(ids[:end], 0),))
                _, layers = _forward(self._loaded, layout(piece), layers, np.array([0]))
                n = end
            self._prefixes[ids] = layers
        self._prefixes.move_to_end(ids)
        while len(self._prefixes) > 1 and self._n_bytes() > self._most_stored:
            self._prefixes.popitem(last=False)
        return self._prefixes[ids]

    def _n_bytes(self) -> int:
        layers = (pair for layers in self._prefixes.values() for pair in layers)
        return sum(part.nbytes for pair in layers for part in pair)


def _whole_pieces(known: Tokens, ids: Tokens) -> int:
    """How many tokens of `ids`, in whole pieces, `known` begins with."""
    n = 0
    while n + _PIECE <= min(len(known), len(ids)) and known[n : n + _PIECE] == ids[n : n + _PIECE]:
        n += _PIECE
    return n


def _forward(
    loaded: LoadedModel, plan: Layout, prefix: Layers, places: NDArray[np.int64]
) -> tuple[torch.Tensor, Layers]:
    """(n, V) logits behind `places`, and keys and values of prefix and plan together."""
    import torch

    device, dtype = loaded.device, loaded.model.dtype
    hidden = torch.from_numpy(~plan.visible).to(device)
    mask = torch.zeros(hidden.shape, dtype=dtype, device=device)
    mask.masked_fill_(hidden, torch.finfo(dtype).min)
    cache = appended_in_a_copy(prefix)
    with torch.inference_mode(), quick_attention():
        out = loaded.model(
            input_ids=torch.from_numpy(plan.ids)[None].to(device),
            attention_mask=mask[None, None],
            position_ids=torch.from_numpy(plan.positions)[None].to(device),
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=torch.from_numpy(places).to(device),
        )
    return out.logits[0], [(layer.keys, layer.values) for layer in cache.layers]


def _agrees(loaded: LoadedModel, most: int) -> bool:
    """Whether a small tree of made-up tokens gives the logits of its inputs read alone.

    Differences count in units of how much logits differ from place to place.
    """
    import torch

    n = min(most, 32) - 8
    if n < 2:
        return False
    drawn = np.random.default_rng(0).integers(0, loaded.speller.n_rows, n + 24).tolist()
    rows = [
        tuple(drawn[:n] + drawn[i:j]) for i, j in ((n, n + 8), (n + 8, n + 14), (n + 14, n + 19))
    ]
    rows.append((*rows[0][: n + 3], *drawn[n + 19 : n + 23]))
    ordered = tuple(Row(ids, n) for ids in sorted(rows))
    pack = Pack(n - 1, ordered)
    plan = layout(pack)
    try:
        tree = Shared(loaded).logits(pack, plan, np.arange(len(plan.ids)))
    except _STRANGE:
        return False
    found, expected = list[torch.Tensor](), list[torch.Tensor]()
    for row, path in zip(ordered, plan.paths, strict=True):
        with torch.inference_mode():
            ids = torch.tensor([row.ids], device=loaded.device)
            expected.append(loaded.model(ids, use_cache=False).logits[0, n - 1 :])
        found.append(tree[path])
    return _alike(torch.cat(found).float(), torch.cat(expected).float(), loaded.model.dtype)


def _alike(found: torch.Tensor, expected: torch.Tensor, dtype: torch.dtype) -> bool:
    """Whether logits (N, V) are the same but for rounding; where a model is damaged, scoring itself says so."""
    import torch

    if bool(expected.isnan().any()):
        return True
    spread = expected[:, expected.isfinite().all(0)].std(0).mean()
    apart = torch.where(found == expected, 0.0, (found - expected).abs()).max()
    return bool(apart <= spread * (1e-3 if dtype == torch.float32 else 0.2))
