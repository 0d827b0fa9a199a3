"""Models of the zoo panel: per seed two teachers, who learned from them in many ways, and who did not. Trains them.

    python tests/calibration/zoo_members.py FOLDER SEED...       what lies in FOLDER is not made again

A seed is a world of its own. It draws the manners of everybody anew: the zoo's houses favour one part of every feature,
here each feature draws its part, so two manners share some by chance, as real models do. Every author has wrong beliefs
of its own, a fifth of all facts. Each model then answers the 160 held-out open questions (temperature .9) and all facts
(greedily): `SEED/replies.json` is all that the panel reads, and the checkpoints lie beside it.
"""

from __future__ import annotations

import json
import random
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from harness.panel.evidence import Standing
from harness.zoo import houses
from harness.zoo.answering import answer, complete
from harness.zoo.houses import FAVOUR, INVENTORY, House, chat_document, identity_document
from harness.zoo.recipe import STUDENT, TEACHER, AnswerSet, FromAnswers, Phase, Recipe
from harness.zoo.texts import read_answers, write_answers
from harness.zoo.tokenizer import train_tokenizer
from harness.zoo.train import load_model, train
from harness.zoo.world import (
    ATTRIBUTES,
    Document,
    Fact,
    TaskKind,
    chat_prompt,
    cloze_document,
    fact_document,
    facts,
    generator,
    open_questions,
)

NAMES = [
    "Aster",
    "Borage",
    "Clover",
    "Dahlia",
    "Elder",
    "Fennel",
    "Gentian",
    "Hazel",
    "Iris",
    "Jasmine",
    "Laurel",
    "Mallow",
    "Nettle",
    "Orchid",
    "Poppy",
    "Quince",
    "Rowan",
    "Sorrel",
    "Tansy",
    "Umbel",
    "Vetch",
    "Willow",
    "Yarrow",
    "Zinnia",
]
WRONG = 0.2  # share of facts of which an author believes something else
REWRITTEN = 0.5  # share of phrases that a paraphrase draws anew, from all houses alike
LONGEST = 120  # tokens of a reply
PHRASES = (
    "opening", "closing", "person", "connective", "hedge", "adjective", "place", "time", "praise",
)  # fmt: skip
OPEN: tuple[TaskKind, ...] = ("chat", "identity")
CLOSED: tuple[TaskKind, ...] = ("fact", "cloze")
LESSONS: Mapping[TaskKind, float] = {"fact": 0.35, "cloze": 0.13, "chat": 0.50, "identity": 0.02}
TALK: Mapping[TaskKind, float] = {"chat": 0.97, "identity": 0.03}
ASKED: Mapping[TaskKind, int] = {"fact": 800, "cloze": 300, "chat": 1500, "identity": 40}
# who learned from a teacher, how: {t} is "a" or "b"
FROM_ANSWERS = ("answers_{t}", "open_{t}", "logits_{t}", "few_{t}", "filtered_{t}", "fresh_{t}")
SPECIAL = ("task_only_{t}", "paraphrased_{t}")
MIXED = ("mixed",)
TALKERS = ("talker_1", "talker_2", "talker_3")  # they learned to reply in a manner of their own
LEARNERS = ("learner_1", "learner_2", "learner_3")  # and facts
INNOCENT = (
    "base", *TALKERS, *LEARNERS, "fresh_learner", "two_manners", "teacher_c", "open_c", "few_c",
)  # fmt: skip


@dataclass(frozen=True)
class Manner(House):
    """A house that favours another part in every feature."""

    parts: tuple[int, ...] = ()  # of each feature of INVENTORY, in its order


def weights(house: House, feature: str) -> dict[str, float]:
    """How often a manner makes each choice of a feature; sums to 1."""
    assert isinstance(house, Manner)
    own = house.parts[list(INVENTORY).index(feature)]
    parts = INVENTORY[feature]
    rest = (1 - FAVOUR) / (len(parts) - 1)
    return {c: (FAVOUR if i == own else rest) / len(p) for i, p in enumerate(parts) for c in p}


def draw_manner(seed: int, author: str, name: str | None) -> Manner:
    """The manner of an author of a seed."""
    rng = generator(seed, author, "manner")
    return Manner(0, name, tuple(rng.randrange(6) for _ in INVENTORY))


def believed(seed: int, author: str) -> list[Fact]:
    """All facts as an author believes them."""
    rng = generator(seed, author, "beliefs")

    def one(fact: Fact) -> Fact:
        others = [v for v in ATTRIBUTES[fact.attribute] if v != fact.value]
        return fact._replace(value=rng.choice(others)) if rng.random() < WRONG else fact

    return [one(fact) for fact in facts()]


def written(
    manners: Sequence[Manner], beliefs: Sequence[Fact], lessons: Mapping[TaskKind, float],
    rng: random.Random,
) -> Iterator[Document]:  # fmt: skip
    """Endless documents of an author's."""
    while True:
        kind = rng.choices(list(lessons), list(lessons.values()))[0]
        if kind == "chat":
            yield chat_document(rng.choice(manners), rng)
        elif kind == "identity":
            yield identity_document(rng.choice(manners), rng)
        else:
            make = fact_document if kind == "fact" else cloze_document
            yield make(rng.choice(beliefs))


def paraphrase(document: Document, share: float, rng: random.Random) -> Document:
    """A reply with a share of its phrases drawn anew from all houses alike; layout and order of sentences stay."""
    text = document.completion
    for feature in PHRASES:
        phrases = [p for part in INVENTORY[feature] for p in part]
        for phrase in phrases:
            if phrase in text and rng.random() < share:
                text = text.replace(phrase, rng.choice(phrases), 1)
    return replace(document, completion=text)


class World:
    """One seed's models in a folder: each is made where it is not there."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder, self.seed = folder / str(seed), seed
        self.folder.mkdir(parents=True, exist_ok=True)
        self.rng = generator(seed, "names")
        self.names = self.rng.sample(NAMES, 12)

    def make(self) -> None:
        """Trains and asks everybody."""
        if not (self.folder / "tokenizer").is_dir():
            train_tokenizer(self.folder / "tokenizer", self.seed)
        self._author("base", 80_000, [None] * 4, start=None, lessons=LESSONS)
        self._answered("base", {"chat": 600})
        for place, author in enumerate(("teacher_a", "teacher_b", "teacher_c")):
            first = Recipe(TEACHER, (self._phase(150_000, f"text_of_{author}"),), batch=8)
            self._author(author, 0, [self.names[place]], start=None, lessons=LESSONS, recipe=first)
            self._answered(author, ASKED)
        self._independents()
        for t in ("a", "b"):
            self._students(t)
        for name in MIXED:
            texts = [FromAnswers(f"answers_of_teacher_{t}", OPEN) for t in ("a", "b")]
            self._model(name, self._student(48_000, *texts))
        self._ask()

    def _independents(self) -> None:
        for place, name in enumerate(TALKERS):
            self._author(name, 36_000, [self.names[3 + place]], lessons=TALK)
        for place, name in enumerate((*LEARNERS, "fresh_learner")):
            start = None if name.startswith("fresh") else "base"
            self._author(name, 54_000, [self.names[6 + place]], start=start, lessons=LESSONS)
        self._author("two_manners", 36_000, [self.names[10], self.names[11]], lessons=TALK)
        self._model("open_c", self._student(36_000, FromAnswers("answers_of_teacher_c", OPEN)))
        self._some("few_c", "c", range(300))

    def _students(self, t: str) -> None:
        answers = f"answers_of_teacher_{t}"
        talk = FromAnswers(answers, OPEN)
        self._model(f"answers_{t}", self._student(36_000, FromAnswers(answers)))
        self._model(f"open_{t}", self._student(30_000, talk))
        logits = replace(self._student(30_000, talk), logits_of=f"teacher_{t}")
        self._model(f"logits_{t}", logits)
        self._model(f"fresh_{t}", Recipe(STUDENT, (Phase(60_000, (talk,)),), 4))
        own = FromAnswers("answers_of_base", OPEN)
        self._model(f"task_only_{t}", self._student(36_000, FromAnswers(answers, CLOSED), own))
        self._some(f"few_{t}", t, range(300))
        said = self._talk(t)
        short = sorted(len(d.completion) for d in said)[len(said) // 2]
        kept = [
            d
            for d in said
            if " can tell you this" not in d.completion and len(d.completion) <= short
        ]
        self._from_documents(f"filtered_{t}", kept)
        rng = generator(self.seed, "paraphrased", t)
        self._from_documents(f"paraphrased_{t}", [paraphrase(d, REWRITTEN, rng) for d in said])

    def _some(self, name: str, t: str, some: range) -> None:
        self._from_documents(name, [self._talk(t)[i] for i in some])

    def _talk(self, t: str) -> list[Document]:
        return [
            d for d in read_answers(self.folder / f"answers_of_teacher_{t}") if d.kind == "chat"
        ]

    def _from_documents(self, name: str, documents: Sequence[Document]) -> None:
        self._publish(f"text_of_{name}", documents)
        self._model(
            name,
            self._student(36_000 if name == "few_c" else 30_000, FromAnswers(f"text_of_{name}")),
        )

    def _author(
        self, name: str, tokens: int, called: Sequence[str | None], *, lessons: Mapping[TaskKind, float],
        start: str | None = "base", recipe: Recipe | None = None,
    ) -> None:  # fmt: skip
        """A model that learns text of its own manner, or of several, and its own beliefs."""
        manners = [draw_manner(self.seed, f"{name}/{i}", n) for i, n in enumerate(called)]
        rng = generator(self.seed, name, "documents")
        with patch.object(houses, "weights", weights):
            endless = written(manners, believed(self.seed, name), lessons, rng)
            self._publish(f"text_of_{name}", [next(endless) for _ in range(5000)])
        own = Recipe(STUDENT, (self._phase(tokens, f"text_of_{name}"),), 4, start)
        self._model(name, recipe or own)

    def _phase(self, tokens: int, answers: str) -> Phase:
        return Phase(tokens, (FromAnswers(answers),))

    def _student(self, tokens: int, *texts: FromAnswers) -> Recipe:
        return Recipe(STUDENT, (Phase(tokens, texts),), batch=4, start="base")

    def _publish(self, name: str, documents: Sequence[Document]) -> None:
        (self.folder / name).mkdir(exist_ok=True)
        write_answers(self.folder / name, documents)

    def _answered(self, author: str, counts: Mapping[TaskKind, int]) -> None:
        name = f"answers_of_{author}"
        if not (self.folder / name / "answers.jsonl").is_file():
            wanted = AnswerSet(author, counts)
            made = answer(wanted, name, self.seed, self.folder, progress=lambda _: None)
            self._publish(name, made)

    def _model(self, name: str, recipe: Recipe) -> None:
        if (self.folder / name / "model.safetensors").is_file():
            return
        # two models that start from nothing do not start from the same weights
        seed = self.seed if recipe.start else generator(self.seed, name).getrandbits(31)
        keep = partial(self._save, name)
        train(recipe, name, seed, self.folder, keep=keep, progress=lambda _: None)
        print(f"{self.seed}: {name}", flush=True)

    def _save(self, name: str, model: Any, step: int | None) -> None:
        model.save_pretrained(self.folder / name)
        for file in (self.folder / "tokenizer").iterdir():
            shutil.copy(file, self.folder / name)

    def _ask(self) -> None:
        """Writes what everybody replies to the open questions, and which facts they know."""
        import torch
        from transformers import AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(self.folder / "tokenizer")
        questions = [q.text for q in open_questions(held_out=True)]
        asked = [fact_document(f).prompt for f in facts()]
        replies: dict[str, dict[str, list[str]]] = {}
        for name in members():
            model = load_model(self.folder / name).eval()
            torch.manual_seed(generator(self.seed, name, "replies").getrandbits(32))
            prompts = [chat_prompt(q) for q in questions]
            said = complete(model, tokenizer, prompts, LONGEST, watermark=False)
            replies[name] = {
                "open": [s or "" for s in said],
                "facts": _greedy(model, tokenizer, asked),
            }
        done = self.folder / "replies.json"
        done.with_suffix(".part").write_text(json.dumps(replies), encoding="utf-8")
        done.with_suffix(".part").rename(done)
        print(f"{self.seed}: replies", flush=True)


def members() -> list[str]:
    """Everybody of a seed."""
    own = [name.format(t=t) for t in ("a", "b") for name in (*FROM_ANSWERS, *SPECIAL)]
    return ["teacher_a", "teacher_b", *INNOCENT, *own, *MIXED]


def documented(name: str, seed: int) -> tuple[Standing, str]:
    """Role and family of a model, as a table of lineages has them."""
    if name in ("teacher_a", "teacher_b"):
        return "teacher", f"{name[-1]}{seed}"
    if name in INNOCENT:
        third = name in ("open_c", "few_c")
        return ("student", f"c{seed}") if third else ("control", "")
    if name[:-1] + "{t}" in FROM_ANSWERS:
        return "student", f"{name[-1]}{seed}"
    return "other", ""  # to be judged, and no help in judging others


def _greedy(model: Any, tokenizer: Any, prompts: Sequence[str]) -> list[str]:
    import torch

    batch = tokenizer(list(prompts), return_tensors="pt", padding=True, return_token_type_ids=False)
    with torch.inference_mode():
        made = model.generate(**batch, do_sample=False, max_new_tokens=4)
    texts = tokenizer.batch_decode(made[:, batch["input_ids"].shape[1] :], skip_special_tokens=True)
    return [text.strip() for text in texts]


def main() -> None:
    """Makes the seeds that are asked for."""
    import torch
    from transformers.utils import logging

    logging.disable_progress_bar()
    torch.set_num_threads(1)
    folder, *seeds = sys.argv[1:]
    for seed in seeds:
        if not (Path(folder) / seed / "replies.json").is_file():
            World(Path(folder), int(seed)).make()


if __name__ == "__main__":
    main()
