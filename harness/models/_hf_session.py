"""A checkpoint in memory, and its answers.

Differs from lm-eval 0.4.13 where a context does not fit: lm-eval cuts it on the left with its beginning-of-sequence
token, without which many models write nonsense; here that token stays. And the token with which the chat template
closes a turn ends a reply, also where generation_config.json does not name it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, final

import numpy as np

from harness.console.foreign import notify
from harness.keys import draw_seed
from harness.models import Ask, BatchedSession, Facts
from harness.models._batches import budgeted_batches, shared_batches
from harness.models._hf_bytes import byte_ends
from harness.models._hf_context import Contexts, Manner, cut
from harness.models._hf_dtype import slow_note
from harness.models._hf_generate import Job, Written, most_tokens, write
from harness.models._hf_model import LoadedModel
from harness.models._hf_score import (
    TOKEN_BUDGET,
    TokenScores,
    Window,
    rolling_windows,
    score_windows,
)
from harness.models._hf_settings import check_settings
from harness.models._hf_shared import Shared
from harness.models._hf_spread import places
from harness.models._rows import Row, drawing_of, outputs_of
from harness.text.clean import opened_trace
from harness.types import Decoding, DistillbenchError, Ints, Kind, Outputs, Request, TokenColumns


class _Answer(NamedTuple):
    """The answer to one request, and the tokens that it is made of."""

    row: Row
    ids: Sequence[int]
    spelled: str  # the text that `ids` spell
    scores: TokenScores | None


class _Text(NamedTuple):
    """A text to score."""

    spelled: str  # what the windows' targets spell
    windows: list[Window]
    n_cut: int  # tokens of its context that were left out


@final
class HfSession(BatchedSession):
    """A checkpoint in memory."""

    def __init__(self, loaded: LoadedModel, manner: Manner, size_bytes: int) -> None:
        self._loaded, self._manner, self._size_bytes = loaded, manner, size_bytes
        # of its chat template: note -> whether it is about replies alone
        self._notes: dict[str, bool] = {}
        self._contexts = Contexts(loaded, manner, self._say)
        self._shared = Shared(loaded)
        slow = slow_note(loaded.model.dtype, loaded.device)
        for note in (*loaded.notes, *([slow] if slow else [])):
            notify(f"model {loaded.name}: {note}")

    def close(self) -> None:
        """Frees the memory, also while somebody still holds the session; or keeps the weights for the next model."""
        import torch

        self._loaded.close()
        del self._loaded, self._contexts, self._shared
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def batches(self, ask: Ask) -> list[list[int]]:
        """Texts to score that begin alike together; else requests of like length, those of one context side by side."""
        rows = self._manner.batch_size
        budget = TOKEN_BUDGET.get(self._loaded.device.type, TOKEN_BUDGET["cpu"])
        if not self._shared.longest:
            return budgeted_batches(ask.requests, ask.decoding, rows, budget)
        scored = [i for i, r in enumerate(ask.requests) if r.kind != "generate"]
        written = [i for i, r in enumerate(ask.requests) if r.kind == "generate"]
        asked = [ask.requests[i] for i in written]
        most = max(budget, most_tokens(self._loaded))
        cut = budgeted_batches(asked, ask.decoding, rows, most)
        return [
            *([written[i] for i in batch] for batch in cut),
            *shared_batches(ask.requests, scored, rows, budget),
        ]

    def answer_batch(
        self, requests: Sequence[Request], prompt_ids: Sequence[str], decoding: Decoding
    ) -> Outputs:
        """Outputs of one batch: forward passes for score and read, one decoding loop for generate."""
        answers: dict[int, _Answer] = {}
        writing = [i for i, r in enumerate(requests) if r.kind == "generate"]
        if writing:
            jobs = [self._job(requests[i], prompt_ids[i], decoding) for i in writing]
            check_settings(self._loaded)
            written = write(self._loaded, jobs, decoding.top_logprobs, self._shared)
            opened = [job.opened for job in jobs]
            answers.update(zip(writing, map(_written, written, opened), strict=True))
        scoring = [i for i, r in enumerate(requests) if r.kind in ("score", "read")]
        if scoring:
            scores = self._scored([requests[i] for i in scoring], decoding.top_logprobs)
            answers.update(zip(scoring, scores, strict=True))
        if len(answers) != len(requests):
            raise ValueError(f"model {self._loaded.name}: hf answers generate, score and read only")
        own = [answers[i] for i in range(len(requests))]
        return outputs_of(
            [a.row for a in own], self._columns(own) if decoding.top_logprobs else None
        )

    def facts(self) -> Facts:
        """Size, place and versions."""
        import torch
        import transformers

        loaded = self._loaded
        return {
            "parameters": int(loaded.model.num_parameters()),
            "size_bytes": self._size_bytes,
            "device": _device(loaded),
            "dtype": str(loaded.model.dtype).removeprefix("torch."),
            "threads": torch.get_num_threads(),
            "max_length": loaded.max_length,
            "torch": torch.__version__,
            "transformers": transformers.__version__,
        }

    def spent(self) -> Mapping[str, float]:
        """Tokens that went through the model, and seconds by name."""
        return self._loaded.work.spent() if self._loaded.work is not None else {}

    def notes(self, ask: Ask) -> Sequence[str]:
        """What its user should know of how it is asked."""
        talks = any(not isinstance(r.context, str) for r in ask.requests)
        writes = any(r.kind == "generate" for r in ask.requests)
        told = [note for note, of_replies in self._notes.items() if writes or not of_replies]
        return [*self._loaded.notes, *(told if talks else ())]

    def _say(self, note: str, of_replies: bool) -> None:
        """Keeps a note on the chat template for the page and the last lines; what the template adds is told at once."""
        if note not in self._notes:
            self._notes[note] = of_replies
            if not of_replies:  # those are said at the end, of all models together
                notify(f"model {self._loaded.name}: {note}")

    def _job(self, request: Request, prompt_id: str, decoding: Decoding) -> Job:
        loaded = self._loaded
        max_new, temperature, top_p = drawing_of(request, decoding)
        prompt, n_cut = self._contexts.prompt(request, max_new)
        drawn = (
            loaded.fingerprint,
            prompt_id,
            request.slot,
            request.repeat,
            decoding.seed,
            decoding.sample,
        )
        return Job(
            prompt=prompt,
            n_cut=n_cut,
            max_new=max_new,
            temperature=temperature,
            top_p=top_p,
            stops=self._contexts.stops(request),
            closing=self._contexts.closing,
            seed=draw_seed(*drawn),  # with the model's fingerprint: models must not share draws
            opened=opened_trace(self._contexts.of(request).text),
        )

    def _scored(self, requests: Sequence[Request], top: int) -> list[_Answer]:
        """Answers to score and read requests."""
        texts = [self._text(request) for request in requests]
        windows = [w for t in texts for w in t.windows]
        with self._loaded.timing("tokens_in_s"):
            scores = iter(score_windows(self._loaded, windows, top, self._shared))
        return [
            _read(r.kind, text, [next(scores) for _ in text.windows])
            for r, text in zip(requests, texts, strict=True)
        ]

    def _text(self, request: Request) -> _Text:
        """The text whose log-probability is wanted, and the windows that score it."""
        loaded = self._loaded
        speller, most = loaded.speller, loaded.max_length
        start, target, spelled = self._contexts.pair(request)
        if request.kind == "read" and request.context == "":
            return _Text(spelled, rolling_windows(target, start[0], most), 0)
        if not target or len(target) > most:
            raise DistillbenchError(
                f"model {loaded.name}: expected a continuation of 1 to {most} tokens, got {len(target)}; "
                "shorten the text (`max_bytes` of a reading task), or raise max_length if the model allows it"
            )
        context, n_cut = cut(start, speller.first_tokens(start), most + 1 - len(target))
        return _Text(spelled, [Window(context, tuple(target))], n_cut)

    def _columns(self, answers: Sequence[_Answer]) -> TokenColumns:
        loaded = self._loaded
        scores = [a.scores for a in answers if a.scores is not None]
        ends: list[Ints] = [byte_ends(loaded.tokenizer, a.ids, a.spelled) for a in answers]
        return TokenColumns(
            offsets=np.cumsum([0, *(a.row.n_tokens for a in answers)]),
            token_ids=np.array([i for a in answers for i in a.ids], dtype=np.int64),
            logprobs=np.concatenate([s.logprobs for s in scores]),
            top_ids=np.concatenate([s.top_ids for s in scores]),
            top_logprobs=np.concatenate([s.top_logprobs for s in scores]),
            byte_ends=np.concatenate(ends),
            vocabulary=loaded.vocabulary,
            names=self._names(answers),
        )

    def _names(self, answers: Sequence[_Answer]) -> dict[int, str]:
        """The tokens that occur, by id."""
        tops = [a.scores.top_ids.ravel() for a in answers if a.scores is not None]
        ids = sorted({i for a in answers for i in a.ids} | set(np.concatenate(tops).tolist()))
        # None beyond the tokenizer's entries
        names = self._loaded.tokenizer.convert_ids_to_tokens(ids)
        return {i: name or "" for i, name in zip(ids, names, strict=True)}


def _device(loaded: LoadedModel) -> str:
    """What the model computes on, and where its parts are where one device does not hold it."""
    import torch

    own = loaded.device
    name = torch.cuda.get_device_name(own) if own.type == "cuda" else str(own)
    spread = places(loaded.model)
    return f"{name}, weights on {spread}" if spread else name


def _written(done: Written, opened: str) -> _Answer:
    """One text as an answer, behind the tag of the trace that the chat template opened for it."""
    text = f"{opened}\n{done.text}" if opened else done.text
    row = Row("generate", text, done.stop, n_tokens=len(done.ids), n_cut=done.n_cut)
    return _Answer(row, done.ids, done.text, done.scores)


def _read(kind: Kind, text: _Text, scores: Sequence[TokenScores]) -> _Answer:
    """One answer from its windows; an empty text has log-probability 0 and no tokens."""
    ids = [i for window in text.windows for i in window.target]
    scored = kind == "score"
    if not scores:
        row = Row(kind, logprob_nats=0.0, greedy=True if scored else None)
        return _Answer(row, ids, text.spelled, None)
    whole = TokenScores(*(np.concatenate(c) for c in zip(*scores, strict=True)))
    row = Row(
        kind,
        logprob_nats=float(whole.logprobs.sum(dtype=np.float64)),
        greedy=bool(whole.greedy.all()) if scored else None,
        n_tokens=len(ids),
        n_cut=text.n_cut,
    )
    return _Answer(row, ids, text.spelled, whole)
