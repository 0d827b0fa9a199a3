"""Checkpoints of transformers: a folder, or a repository on the Hugging Face hub.

Scores and greedy texts equal those of lm-eval's own `hf` model. Sampled texts are drawn from the model at the
request's temperature and top_p alone: the checkpoint's own sampling defaults (top_k ...) do not apply.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal, NamedTuple, final

import numpy as np

from harness.console.foreign import notify
from harness.console.processes import CHECKPOINTS
from harness.files.hashes import files_sha256
from harness.keys import draw_seed, place, speed
from harness.models import AbstractModel, Ask, BatchedSession, Facts, Offer
from harness.models import _hf_files as files
from harness.models._batches import budgeted_batches
from harness.models._conversation import with_system
from harness.models._hf_bytes import byte_ends
from harness.models._hf_dtype import slow_note
from harness.models._hf_generate import Job, Written, check_settings, write
from harness.models._hf_model import LoadedModel, Wish, load
from harness.models._hf_score import TokenScores, Window, clip, rolling_windows, score_windows
from harness.types import (
    Decoding,
    DistillbenchError,
    Ints,
    Outputs,
    Paths,
    Request,
    TokenColumns,
)

_TOKEN_BUDGET = {"cpu": 8192, "mps": 16384, "cuda": 65536}  # padded tokens per batch; speed only


class _Row(NamedTuple):
    """The answer to one request."""

    text: str | None
    stop: str | None
    logprob_nats: float
    greedy: bool | None
    n_tokens: int
    ids: Sequence[int]
    spelled: str  # the text that `ids` spell
    scores: TokenScores | None


@final
@dataclass(frozen=True)
class HfModel(AbstractModel):
    """A causal language model of transformers. Weights are read from safetensors only, never unpickled."""

    imports: ClassVar[tuple[str, ...]] = CHECKPOINTS

    version = 1
    path: str = place("")  # folder, or repository on the hub
    # of a hub's repository: branch, tag or commit; None = its main branch
    revision: str | None = place(None)
    # auto: float32 on the CPU, else the checkpoint's
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    # auto, cpu, cuda, cuda:1, mps ...; auto takes the fastest there is
    device: str = speed("auto")
    batch_size: int | None = speed(None)  # requests per batch, None = by a budget of tokens
    trust_remote_code: bool = False  # run the checkpoint's own Python files
    max_length: int | None = None  # tokens of context and continuation; None = the checkpoint's
    threads: int | None = speed(None)  # torch threads on the CPU, None = torch's choice
    drop_system: bool = False  # leave system messages out, for chat templates that refuse them
    template_options: Mapping[str, str | int | bool] = field(default_factory=dict, hash=False)
    # template_options: variables for the chat template, such as enable_thinking

    def __post_init__(self) -> None:
        if not self.path:
            raise DistillbenchError(
                "key path is missing; expected a checkpoint's folder or a repository on the hub"
            )
        for key, value in {"batch_size": self.batch_size, "threads": self.threads}.items():
            if value is not None and value < 1:
                raise DistillbenchError(f"key {key}: expected 1 or more, got {value}")
        if self.max_length is not None and self.max_length < 2:
            raise DistillbenchError(f"key max_length: expected 2 or more, got {self.max_length}")

    @property
    def unsafe_code(self) -> bool:
        """Whether code that comes with the model would run."""
        return self.trust_remote_code

    def contents(self, paths: Paths) -> Mapping[str, str]:
        """The folder's files, or the hub's commit."""
        folder = files.local_folder(self.path)
        if folder is None:
            return dict.fromkeys(("path", "revision"), files.hub_commit(self.path, self.revision))
        if faults := files.checkpoint_faults(folder, self.chat):
            raise DistillbenchError("\n".join(f"model {self.name}: {fault}" for fault in faults))
        relevant = files.checkpoint_files(folder, self.trust_remote_code)
        return {"path": files_sha256(relevant, folder, paths.cache), "revision": ""}

    def offers(self) -> frozenset[Offer]:
        """Everything but choices."""
        return frozenset({"generate", "score", "read", "tokens"})

    def faults(self, paths: Paths) -> list[str]:
        """What the folder lacks; a hub's repository is looked at when its digest is taken."""
        try:
            folder = files.local_folder(self.path)
        except DistillbenchError as error:
            return [f"model {self.name}: {error}"]
        faults = files.checkpoint_faults(folder, self.chat) if folder else []
        return [f"model {self.name}: {fault}" for fault in faults]

    @contextmanager
    def open(self, paths: Paths, previous: Facts | None = None) -> Iterator[HfSession]:
        """The checkpoint in memory."""
        folder = self._folder()
        if faults := files.checkpoint_faults(folder, needs_template=False):
            raise DistillbenchError("\n".join(f"model {self.name}: {fault}" for fault in faults))
        wish = Wish(
            self.name, folder, self.dtype, self.device, self.trust_remote_code, self.max_length
        )
        with _torch_threads(self.threads), closing(HfSession(self, folder, load(wish))) as session:
            yield session

    def _folder(self) -> Path:
        """Where the checkpoint lies on this machine, brought here from the hub where it is not."""
        folder = files.local_folder(self.path)
        if folder is not None:
            return folder
        commit = files.hub_commit(self.path, self.revision)
        return files.hub_folder(self.path, commit, self.trust_remote_code)


@final
class HfSession(BatchedSession):
    """A checkpoint in memory."""

    def __init__(self, model: HfModel, folder: Path, loaded: LoadedModel) -> None:
        self._model, self._folder, self._loaded = model, folder, loaded
        if note := slow_note(loaded.model.dtype, loaded.device):
            notify(f"model {model.name}: {note}")

    def close(self) -> None:
        """Frees the memory, also while somebody still holds the session."""
        import torch

        del self._loaded
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def batches(self, ask: Ask) -> list[list[int]]:
        """Requests of like length together, those of one context side by side."""
        budget = _TOKEN_BUDGET.get(self._loaded.device.type, _TOKEN_BUDGET["cpu"])
        return budgeted_batches(ask.requests, ask.decoding, self._model.batch_size, budget)

    def answer_batch(
        self, requests: Sequence[Request], prompt_ids: Sequence[str], decoding: Decoding
    ) -> Outputs:
        """Outputs of one batch: forward passes for score and read, one decoding loop for generate."""
        rows: dict[int, _Row] = {}
        writing = [i for i, r in enumerate(requests) if r.kind == "generate"]
        if writing:
            jobs = [self._job(requests[i], prompt_ids[i], decoding) for i in writing]
            check_settings(self._loaded)
            written = write(self._loaded, jobs, decoding.top_logprobs)
            rows.update(zip(writing, map(_written_row, written), strict=True))
        scoring = [i for i, r in enumerate(requests) if r.kind in ("score", "read")]
        if scoring:
            found = self._scored([requests[i] for i in scoring], decoding.top_logprobs)
            rows.update(zip(scoring, found, strict=True))
        if len(rows) != len(requests):
            raise ValueError(f"model {self._model.name}: hf answers generate, score and read only")
        return self._outputs(
            requests, [rows[i] for i in range(len(requests))], decoding.top_logprobs
        )

    def facts(self) -> Facts:
        """Size, place and versions."""
        import torch
        import transformers

        loaded = self._loaded
        kept = files.checkpoint_files(self._folder, self._model.trust_remote_code)
        return {
            "parameters": int(loaded.model.num_parameters()),
            "size_bytes": sum(file.stat().st_size for file in kept),
            "device": torch.cuda.get_device_name(loaded.device)
            if loaded.device.type == "cuda"
            else str(loaded.device),
            "dtype": str(loaded.model.dtype).removeprefix("torch."),
            "threads": torch.get_num_threads(),
            "max_length": loaded.max_length,
            "torch": torch.__version__,
            "transformers": transformers.__version__,
        }

    def _context(self, request: Request) -> str:
        """The context as text, conversations by the model's chat template."""
        if isinstance(request.context, str):
            return request.context
        messages = with_system(request.context, self._model.system)
        if self._model.drop_system:
            messages = tuple(m for m in messages if m.role != "system")
        return self._loaded.render(messages, request.open, self._model.template_options)

    def _job(self, request: Request, prompt_id: str, decoding: Decoding) -> Job:
        loaded = self._loaded
        max_new = request.max_new_tokens or decoding.max_new_tokens
        room = loaded.max_length - max_new
        if room < 1:
            raise DistillbenchError(
                f"model {loaded.name}: expected max_new_tokens below max_length {loaded.max_length}, got {max_new}; "
                "lower decoding.max_new_tokens (or the task's)"
            )
        ids = loaded.encode_prompt(self._context(request)) or [loaded.prefix_id]
        drawn = (
            loaded.fingerprint,
            prompt_id,
            request.slot,
            request.repeat,
            decoding.seed,
            decoding.sample,
        )
        return Job(
            prompt=tuple(ids[-room:]),
            max_new=max_new,
            temperature=decoding.temperature
            if request.temperature is None
            else request.temperature,
            top_p=decoding.top_p if request.top_p is None else request.top_p,
            stops=tuple(s for s in request.until if s),
            seed=draw_seed(*drawn),  # with the model's fingerprint: models must not share draws
        )

    def _scored(self, requests: Sequence[Request], top: int) -> list[_Row]:
        """Rows of score and read requests."""
        loaded = self._loaded
        spelled, windows = zip(*(self._windows(request) for request in requests), strict=True)
        scores = iter(score_windows(loaded, [w for group in windows for w in group], top))
        rows = [
            _row(text, group, [next(scores) for _ in group])
            for text, group in zip(spelled, windows, strict=True)
        ]
        return [
            row if r.kind == "score" else row._replace(greedy=None)
            for row, r in zip(rows, requests, strict=True)
        ]

    def _windows(self, request: Request) -> tuple[str, list[Window]]:
        """The text whose log-probability is wanted, and the windows that score it."""
        loaded = self._loaded
        if request.kind == "read":
            tokens = loaded.encode(request.continuation)
            return request.continuation, rolling_windows(
                tokens, loaded.prefix_id, loaded.max_length
            )
        context = self._context(request)
        start, target = loaded.encode_pair(context, request.continuation)
        window = clip(Window(tuple(start), tuple(target)), loaded.max_length, self._model.name)
        return context[len(context.rstrip()) :] + request.continuation, [window]

    def _outputs(self, requests: Sequence[Request], rows: Sequence[_Row], top: int) -> Outputs:
        return Outputs(
            request=np.arange(len(rows)),
            kind=tuple(r.kind for r in requests),
            n_tokens=np.array([row.n_tokens for row in rows], dtype=np.int64),
            text=tuple(row.text for row in rows),
            stop=tuple(row.stop for row in rows),
            logprob_nats=np.array([row.logprob_nats for row in rows]),
            greedy=tuple(row.greedy for row in rows),
            choice=(None,) * len(rows),
            answered=(True,) * len(rows),
            tokens=self._columns(rows) if top else None,
        )

    def _columns(self, rows: Sequence[_Row]) -> TokenColumns:
        loaded = self._loaded
        scores = [row.scores for row in rows if row.scores is not None]
        ends: list[Ints] = [byte_ends(loaded.tokenizer, row.ids, row.spelled) for row in rows]
        return TokenColumns(
            offsets=np.cumsum([0, *(row.n_tokens for row in rows)]),
            token_ids=np.array([i for row in rows for i in row.ids], dtype=np.int64),
            logprobs=np.concatenate([s.logprobs for s in scores]),
            top_ids=np.concatenate([s.top_ids for s in scores]),
            top_logprobs=np.concatenate([s.top_logprobs for s in scores]),
            byte_ends=np.concatenate(ends),
            vocabulary=loaded.vocabulary,
        )


@contextmanager
def _torch_threads(n: int | None) -> Iterator[None]:
    """Inside, torch computes with `n` threads on the CPU; None = its own choice."""
    if n is None:
        yield
        return
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _written_row(done: Written) -> _Row:
    """One text as an answer."""
    n = len(done.ids)
    return _Row(done.text, done.stop, np.nan, None, n, done.ids, done.text, done.scores)


def _row(text: str, windows: Sequence[Window], scores: Sequence[TokenScores]) -> _Row:
    """One answer from its windows; an empty text has log-probability 0 and no tokens."""
    ids = [i for window in windows for i in window.target]
    if not scores:
        return _Row(None, None, 0.0, True, 0, ids, text, None)
    whole = TokenScores(*(np.concatenate(c) for c in zip(*scores, strict=True)))
    total = float(whole.logprobs.sum(dtype=np.float64))
    return _Row(None, None, total, bool(whole.greedy.all()), len(ids), ids, text, whole)
