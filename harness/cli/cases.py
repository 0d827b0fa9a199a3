"""The case of a run: the suspect, its candidates, and the models whose training is documented."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

from harness.files.find import data_not_set
from harness.files.origins import OriginRow, read_origins
from harness.keys import parse_json
from harness.models.recorded import RecordedModel
from harness.panel.evidence import Origin, Standing
from harness.plan.run import Case, Configuration, Documented
from harness.plugins import build
from harness.schema import build_dataclass, unknown
from harness.types import Control, DistillbenchError, Paths


def documented(
    asked: Configuration, data: Path | None, faults: list[str]
) -> dict[Origin, dict[str, Any]]:
    """What the tables of a matrix say of each model -> how its answers are read; faults are added to `faults`."""
    made: dict[Origin, dict[str, Any]] = {}
    for i, table in enumerate(asked.lineages):
        where = f"lineages[{i}]"
        try:
            rows = read_origins(_located(table, data, where), table.columns)
        except DistillbenchError as error:
            faults.append(str(error))
            continue
        names = [row.model for row in rows]
        faults += [
            f"{where}: key changes: {unknown(str(n), names)}"
            for n in table.changes
            if n not in names
        ]
        listed = set(map(str, asked.models))
        faults += [
            f"{where}: nothing says how answers of {name} are read; give `answers`, or put it into `models`"
            for name in names
            if not table.answers and name not in listed
        ]
        taken = {origin.model for origin in made} & set(names)
        faults += [
            f"{where}: {n} stands in an earlier table too; take it out of one" for n in taken
        ]
        made |= {_origin(row, table): dict(table.answers) for row in rows}
    return made


def case_of(
    asked: Configuration,
    origins: Sequence[Origin],
    controls: Sequence[Control],
    models: Mapping[str, Any],
    faults: list[str],
) -> Case:
    """The case of a run; controls of the matrix that no table has are innocents, by what their user knows."""
    suspect = None if asked.suspect is None else str(asked.suspect)
    families = {o.model: o.family for o in origins if o.standing == "teacher"}
    named = [str(c) for c in asked.candidates]
    candidates = tuple(dict.fromkeys(families.get(name, name) for name in named))
    faults += _case_faults(asked, suspect, named, list(models), list(families.values()))
    if asked.lineages or asked.verdicts:
        faults += _control_faults(controls, origins, suspect, {*named, *candidates})
    case = Case(suspect, candidates, tuple(origins))
    known = {o.model for o in origins}
    added = [_innocent(c, case.families, families) for c in controls if c.model not in known]
    case = replace(case, origins=(*origins, *added))
    return replace(case, prior_odds=_prior_odds(asked, case, families, faults))


def _innocent(control: Control, every: Mapping[str, Any], families: Mapping[str, str]) -> Origin:
    """What a matrix says of a control: it learned from none of its teachers, () = of all families."""
    of = {families.get(teacher, teacher) for teacher in control.teachers}
    also = tuple(family for family in every if of and family not in of)
    return Origin(control.model, "control", also=also, lineage=control.lineage, confidence="medium")


def _control_faults(
    controls: Sequence[Control], origins: Sequence[Origin], suspect: str | None, named: set[str]
) -> list[str]:
    """A line for each control that cannot be an innocent."""
    known = {o.model: o for o in origins}
    faults = []
    for c in controls:
        origin = known.get(c.model)
        if c.model == suspect:
            faults.append(f"controls: {c.model} is the suspect; a control is known to be innocent")
        elif c.model in named or (origin is not None and origin.standing == "teacher"):
            faults.append(f"controls: {c.model} is a teacher, beside whom suspects are weighed")
        elif origin is not None and origin.standing == "student":
            faults.append(
                f"controls: {c.model} is a student of {origin.family or 'somebody'} by its table; take it out of the "
                f"controls, or change its row: `changes: {{{c.model}: {{role: control}}}}`"
            )
    return faults


def _prior_odds(
    asked: Configuration, case: Case, families: Mapping[str, str], faults: list[str]
) -> dict[str, float]:
    """Family -> the odds beforehand that the suspect learned from it; 1 where none are stated.

    families: of teachers; a family may be called by one of its versions, as among the candidates.
    """
    stated = asked.prior_odds
    if case.suspect is None:
        if stated != 1:
            faults.append("prior_odds: they are about one suspect; add suspect=MODEL")
        return {}
    if not isinstance(stated, Mapping):
        return dict.fromkeys(case.families, stated)
    known = {**{f: f for f in case.families}, **families}
    faults += [
        f"prior_odds: {unknown(str(name), list(case.families))}; name families of the tables, or candidates"
        for name in stated
        if str(name) not in known
    ]
    own = [(known[str(name)], odds) for name, odds in stated.items() if str(name) in known]
    faults += [
        f"prior_odds: {family} is named {n} times, by itself or its versions; name it once"
        for family, n in Counter(family for family, _ in own).items()
        if n > 1
    ]
    return {**dict.fromkeys(case.families, 1.0), **dict(own)}


def read_calibration(path: Path, faults: list[str]) -> Any:
    """The contents of a calibration that a run wrote; None with a fault where it cannot be read."""
    file = path.expanduser()
    try:
        if file.exists() and not file.is_file():  # a pipe would be waited for
            raise OSError(0, "it is no file")
        content = parse_json(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not JSON"
        faults.append(
            f"verdicts: calibration: {path}: expected a file calibration_*.json that a run wrote, or a name in "
            f"conf/calibration; {why}"
        )
        return None
    if not isinstance(content, dict):
        faults.append(
            f"verdicts: calibration: {path}: expected a file calibration_*.json that a run wrote, got other JSON"
        )
        return None
    return content


def _case_faults(
    asked: Configuration,
    suspect: str | None,
    candidates: Sequence[str],
    models: Sequence[str],
    families: Sequence[str],
) -> list[str]:
    """What is wrong with the suspect and its candidates."""
    known = [*models, *families]
    faults = [
        f"candidates: {unknown(name, list(dict.fromkeys(known)))}; name models of the matrix, or families of its tables"
        for name in candidates
        if name not in known
    ]
    if suspect is not None and suspect not in models:
        faults.append(
            f"suspect: {unknown(suspect, models)}; name a model of the tables or of the matrix, or describe yours: "
            f"+models.{suspect}.kind=recorded +models.{suspect}.file=FILE"
        )
    if suspect in candidates:
        faults.append(f"candidates: {suspect} is the suspect itself; name who may have taught it")
    given = suspect is not None or asked.candidates or asked.lineages
    if given and not asked.verdicts and asked.data is None:
        faults.append(
            "verdicts: nothing weighs the suspect; expected at least one, such as `verdicts: {attribution: }`, or a "
            "file of training answers: data=FILE"
        )
    if asked.exhibit is not None and asked.data is not None:
        faults.append(
            "exhibit: a bundle is about the answers of one suspect, and holds nothing of a file of training answers; "
            "leave out exhibit, or data"
        )
    elif asked.exhibit is not None and suspect is None:
        faults.append("exhibit: a bundle is about one suspect; add suspect=MODEL")
    if asked.exhibit is not None and not {"plan", "score"} & set(asked.stages):
        faults.append("exhibit: nothing is weighed: `score` is not among the stages; add it")
    if (asked.verdicts or asked.data is not None) and not (asked.lineages or asked.controls):
        faults.append(
            "lineages: a verdict needs models whose training is documented, to know how often it is wrong; "
            "name a table, or controls that are innocent (docs/evidence.md)"
        )
    return faults


def data_of(asked: Configuration, paths: Paths, faults: list[str]) -> RecordedModel | None:
    """The training answers that are to be compared, found in paths.data or in the current folder."""
    if asked.data is None:
        return None
    fields = {"file": asked.data} if isinstance(asked.data, str) else dict(asked.data)
    if fields.get("kind", "recorded") != "recorded":
        faults.append(
            f"data: key kind: expected recorded, a file of answers; got {fields['kind']!r}"
        )
        return None
    file = fields.get("file")
    if isinstance(file, str) and not (paths.data and (paths.data / file).exists()):
        fields["file"] = str(Path(file).expanduser().absolute())
    try:
        made: RecordedModel = build("models", "data", fields | {"kind": "recorded"})
    except DistillbenchError as error:
        faults.append(str(error).replace("model data", "data"))
        return None
    return made


def _located(table: Documented, data: Path | None, where: str) -> Path:
    path = Path(table.file).expanduser()
    if not path.is_absolute() and data is None:
        raise DistillbenchError(f"{where}: file {table.file}: {data_not_set(table.file)}")
    return path if data is None else data / path


def _origin(row: OriginRow, table: Documented) -> Origin:
    """A row as the run has it; roles that say nothing of training (variants, pipelines) are `other`."""
    changes = {str(name): vars(change) for name, change in table.changes.items()}
    cells = row._asdict() | {k: v for k, v in changes.get(row.model, {}).items() if v is not None}
    cells["also"] = [str(family) for family in cells["also"]]
    role = cells.pop("role")
    standing = role if role in get_args(Standing) else "other"
    made: Origin = build_dataclass(Origin, {**cells, "standing": standing}, f"model {row.model}")
    return made
