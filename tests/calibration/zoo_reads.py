"""The verdict `reference_gain` on the models of the zoo panel: every model reads what teachers and others replied.

python tests/calibration/zoo_reads.py FOLDER     after zoo_members.py; what was read is not read again
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from harness.models._rows import Row, outputs_of
from harness.panel.evidence import Origin, Verdict
from harness.panel.rates import settled
from harness.panel.side import Side
from harness.plan.run import Case
from harness.stages.crowds import crowd_of
from harness.stages.weigh import weighed
from harness.types import Message, Prompt, Request, RequestSet
from harness.verdicts.reference_gain import ReferenceGain
from harness.zoo.packing import Encoded, encoder
from harness.zoo.train import load_model
from harness.zoo.world import Document, chat_prompt, open_questions
from tests.calibration.zoo_members import documented, members

AUTHORS = ("teacher_a", "teacher_b", "talker_1", "talker_2", "learner_1")
QUESTIONS = 40
TASK = "reads"

Nats = dict[str, dict[str, list[float]]]  # reader -> author -> of each reply


def read_all(folder: Path, replies: Mapping[str, Mapping[str, Sequence[str]]]) -> Nats:
    """What everybody of a seed makes of the authors' replies; kept in the seed's folder."""
    done = folder / "reads.json"
    if not done.is_file():
        encode = encoder(folder / "tokenizer")
        questions = [chat_prompt(q.text) for q in open_questions(held_out=True)[:QUESTIONS]]
        texts = {
            a: encode(
                [
                    Document("chat", q, r)
                    for q, r in zip(questions, replies[a]["open"], strict=False)
                ]
            )
            for a in AUTHORS
        }
        made = {m: _nats(folder / m, texts) for m in members()}
        done.write_text(json.dumps(made))
    read: Nats = json.loads(done.read_text())
    return read


def _nats(model_folder: Path, texts: Mapping[str, Sequence[Encoded]]) -> dict[str, list[float]]:
    """Log-probability of each completion by author, its end included."""
    import torch

    model, made = load_model(model_folder).eval(), {}
    for author, own in texts.items():
        longest = max(len(d.ids) for d in own)
        ids = torch.tensor([[*d.ids, *[0] * (longest - len(d.ids))] for d in own])
        with torch.inference_mode():
            logs = model(input_ids=ids).logits[:, :-1].log_softmax(-1)
        nats = logs.gather(2, ids[:, 1:, None])[..., 0].double()
        made[author] = [
            float(nats[i, d.completion - 1 : len(d.ids) - 1].sum()) for i, d in enumerate(own)
        ]
    return made


def side(model: str, nats: Mapping[str, Sequence[float]], replies: Mapping[str, Any]) -> Side:
    """A reader as the verdict sees it; empty replies are not read."""
    questions = [q.text for q in open_questions(held_out=True)[:QUESTIONS]]
    prompts = tuple(Prompt(f"{i:03}", q, f"{i:03}", "") for i, q in enumerate(questions))
    requests, rows = [], []
    for slot, (author, own) in enumerate(nats.items()):
        for i, value in enumerate(own):
            text = replies[author]["open"][i]
            if text.strip():
                asked = (Message("user", questions[i]),)
                requests.append(Request(i, "read", asked, author, slot, continuation=text))
                rows.append(Row("read", logprob_nats=value, n_tokens=len(text)))
    asked_of_all = RequestSet(TASK, prompts, tuple(requests), True, "1", ("reading", "answers"))
    return Side(model, model, asked_of_all, outputs_of(rows), None, (model,))


def verdicts_of(folder: Path, seed: int) -> list[Verdict]:
    """What the verdict says of everybody of a seed and both teachers; the base is everybody's reference."""
    here = folder / str(seed)
    replies = json.loads((here / "replies.json").read_text(encoding="utf-8"))
    nats = read_all(here, replies)
    sides = {m: side(m, nats[m], replies) for m in members() if m not in ("teacher_a", "teacher_b")}
    origins = [Origin(m, *documented(m, seed), lineage=m) for m in members()]
    case = Case(None, (), tuple(origins))
    verdict = ReferenceGain("reference_gain", "reference_gain", reference="base")
    crowd = crowd_of(case, sides, TASK)
    return settled(weighed(verdict, crowd, case, 0), case.origins)
