"""Recorded answers of models whose teachers are documented, for the calibration of evidence."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.text.attribution import Candidate, Member, Suspect
from harness.text.corpus import Corpus, Replies, gather
from harness.text.tokens import read_tokens

FOLDERS = ("alpaca_eval", "lineages_extra")
# Controls whose lab is that of candidates, which lineage.csv says in words only.
OPENAI = ("davinci003", "chatgpt35", "gpt4", "gpt4turbo")
LABS = {
    **{f"{p}text{s}davinci{s}00{n}": OPENAI for p, s in (("", "_"), ("si-", "-")) for n in (1, 2)},
    "gpt35_turbo_instruct": OPENAI,
    "si-davinci-base": OPENAI,
    "si-davinci-self-instruct": OPENAI,
    "si-davinci-self-instruct-superni-ft": OPENAI,
    "gemma-7b-it": ("gemini",),
    "Mistral-7B-Instruct-v0.2": ("mistral",),
    "Mistral-7B-Instruct-v0.3": ("mistral",),
    "Qwen-14B-Chat": ("qwen",),
}
# Lineages of the controls that lineage.csv puts into one group, and of models that stand in both folders.
LINEAGES = {
    **{f"guanaco-{size}b": "oasst" for size in (7, 13, 33, 65)},
    **{f"Mistral-7B-Instruct-v0.{n}": "Mistral-7B-Instruct" for n in (2, 3)},
    "text_davinci_001": "openai-feedme",
}


@dataclass(frozen=True)
class Model:
    """A row of lineage.csv."""

    name: str
    role: str
    family: str  # of its teacher; of itself where it is a candidate
    kin: frozenset[str]  # families that it is neither a student nor an innocent of
    lineage: str
    sure: bool  # its teacher is documented well, or it is a control
    clean: bool  # documented: no other model's answers were learned from
    folder: str


def read_models(data: Path) -> list[Model]:
    """All models of both folders, by name."""
    made = []
    for folder in FOLDERS:
        with (data / folder / "lineage.csv").open() as file:
            made += [_model(row, folder) for row in csv.DictReader(file)]
    return sorted(made, key=lambda m: m.name)


def _model(row: dict[str, str], folder: str) -> Model:
    name, group = row["model"], row["group"]
    lineage = LINEAGES.get(name, name if group == "ctl" else group)
    named = {row["teacher_family"], *row["alt_families"].split(";"), *LABS.get(name, ())} - {""}
    clean = "CLEAN" in row["evidence"] or lineage == "oasst"
    sure = row["role"] == "control" or row["confidence"] in ("high", "medium")
    return Model(
        name, row["role"], row["teacher_family"], frozenset(named), lineage, sure, clean, folder
    )


def read_prompts(data: Path) -> dict[str, str]:
    """Prompt id -> text of AlpacaEval's prompts, sorted by id."""
    import pandas as pd

    table = pd.read_parquet(
        data / FOLDERS[0] / "responses.parquet", columns=["prompt_id", "prompt"]
    )
    return dict(sorted(table.drop_duplicates().itertuples(index=False, name=None)))


def read_corpus(data: Path, models: Iterable[Model]) -> Corpus:
    """Everybody's replies to AlpacaEval's prompts."""
    import pandas as pd

    names = {m.name for m in models}
    tables = [pd.read_parquet(data / folder / "responses.parquet") for folder in FOLDERS]
    table = pd.concat(tables).drop_duplicates(["model", "prompt_id"])
    prompts = read_prompts(data)
    replies = {
        str(name): Replies(tuple(rows["prompt_id"]), read_tokens(list(rows["response"])))
        for name, rows in table.groupby("model")
        if name in names
    }
    return gather(replies, Replies(tuple(prompts), read_tokens(list(prompts.values()))))


def background(models: Sequence[Model]) -> list[Member]:
    """Controls and known students, never a candidate."""
    return [Member(m.name, m.lineage, m.kin) for m in models if m.role in ("control", "student")]


def candidates(models: Sequence[Model]) -> list[Candidate]:
    """AlpacaEval's first-party models."""
    return [
        Candidate(m.name, m.family)
        for m in models
        if m.role == "teacher" and m.folder == "alpaca_eval"
    ]


def suspects(models: Sequence[Model]) -> list[Suspect]:
    """Models of which it is known whom they learned from, and those of the controlled experiment."""
    return [
        Suspect(m.name, m.lineage)
        for m in models
        if m.role in ("control", "student") and (m.sure or m.folder == "lineages_extra")
    ]


def truth(model: Model, family: str) -> bool | None:
    """Whether a model learned from a family; None where that is neither true nor false, or not known well."""
    if not model.sure or (family in model.kin and model.family != family):
        return None
    return model.role == "student" and model.family == family
