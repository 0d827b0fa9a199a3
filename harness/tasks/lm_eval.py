"""Any task, group or tag of lm-eval: its requests are recorded, other back ends answer, lm-eval grades.

Source: EleutherAI lm-evaluation-harness; scores are those of `lm-eval run` with the same model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, final

from harness.keys import digest, place, source_digest
from harness.tasks import AbstractTask, Setting
from harness.tasks._lm_eval_data import TaskData, require_no_faults, task_data
from harness.tasks._lm_eval_index import (
    TaskFiles,
    installed_version,
    is_foreign,
    real,
    task_files,
)
from harness.tasks._lm_eval_load import Loading, at_work, load
from harness.tasks._lm_eval_record import Building, record
from harness.tasks._lm_eval_replay import grade
from harness.types import DistillbenchError, Grades, Outputs, Paths, RequestSet


@final
@dataclass(frozen=True)
class LmEvalTask(AbstractTask):
    """A task that lm-eval has, or that a YAML file in lm-eval's format describes."""

    task: str = ""  # lm-eval's name of a task, group or tag
    num_fewshot: int | None = None  # None = the task's own
    include: str | None = place(None)  # a further folder with lm-eval YAML files
    # let the task run code on this machine: that a model wrote, or Python beside a YAML of the user's own
    allow_code: bool = False
    # conversations: few-shot examples as separate turns (lm-eval's default)
    multiturn: bool = True
    # name of a conf/decoding file; its temperature and top_p then stand in place of those that lm-eval's file states,
    # its max_new_tokens where that states none
    decoding: str | None = None
    # in how many orders the options of a question are asked, at most as many as it has: an error that follows a place
    # is then told from one that follows a content. Grades are those of the task's own order
    orders: int = 1

    def __post_init__(self) -> None:
        if not self.task:
            raise DistillbenchError(
                "key task: expected the name of a task, group or tag of lm-eval, got none"
            )
        if self.num_fewshot is not None and self.num_fewshot < 0:
            raise DistillbenchError(f"key num_fewshot: expected 0 or more, got {self.num_fewshot}")
        if self.orders < 1:
            raise DistillbenchError(f"key orders: expected 1 or more, got {self.orders}")

    def contents(self, setting: Setting) -> Mapping[str, str]:
        """lm-eval's version, YAML and Python files of the task in whichever folder has them, and data."""
        return {"include": self._content(self._files(setting.paths), setting.paths)}

    def faults(self, setting: Setting) -> list[str]:
        """Unknown names, missing data, code that would be executed, images."""
        if self.include and not Path(self.include).is_dir():
            return [f"task {self.name}: include: expected a folder, got {self.include!r}"]
        try:
            files = self._files(setting.paths)
        except DistillbenchError as error:
            return [f"task {self.name}: {error}"]
        faults = [
            *_refused(files, self.allow_code),
            *_without_options(files, self.orders),
            *task_data(files.leaves, setting.paths).faults,
        ]
        return [f"task {self.name}: {fault}" for fault in faults]

    def lacks(self, setting: Setting) -> list[str]:
        """Data sets that must be local and are not; nothing where the task itself is not found."""
        try:
            data = task_data(self._files(setting.paths).leaves, setting.paths)
        except DistillbenchError:
            return []
        return [f"task {self.name}: {fault}" for fault in data.faults]

    def requests(self, setting: Setting) -> RequestSet:
        """What lm-eval would ask, in its order."""
        loading = self._loading(setting)
        with at_work(loading):
            built = record(self.task, self._load(loading), self._building(setting))
        return replace(built, task=self.name)

    def grade(self, requests: RequestSet, outputs: Outputs, setting: Setting) -> Grades:
        """lm-eval's own metrics, for every filter; a group's own numbers have the configuration's name as leaf."""
        loading = self._loading(setting)
        with at_work(loading):
            graded = grade(
                self._load(loading),
                requests,
                outputs,
                self._building(setting),
                self.allow_code,
            )
        return Grades(
            tuple(replace(c, leaf=self.name) if c.leaf == self.task else c for c in graded.columns)
        )

    def _building(self, setting: Setting) -> Building:
        own = self.decoding is not None
        return Building(setting.chat, self.multiturn, setting.limit, setting.seed, own, self.orders)

    def _files(self, paths: Paths) -> TaskFiles:
        # The first of paths.tasks is the user's own and overrides the others.
        folders = [real(f) for f in reversed(paths.tasks) if f.is_dir()]
        included = [real(Path(self.include))] if self.include else []
        return task_files(self.task, [*folders, *included], paths.cache)

    def _content(self, files: TaskFiles, paths: Paths) -> str:
        return digest(
            installed_version(), source_digest(files.files), task_data(files.leaves, paths).prints
        )

    def _loading(self, setting: Setting) -> Loading:
        files, paths = self._files(setting.paths), setting.paths
        data: TaskData = task_data(files.leaves, paths)
        require_no_faults(data)
        refused = _refused(files, self.allow_code)
        if refused:
            raise DistillbenchError("\n".join(refused))
        return Loading(
            self.task, files.folders, data.root, paths.cache.absolute(), paths.datasets is not None, self.num_fewshot,
            self.allow_code, self._content(files, paths),
        )  # fmt: skip

    def _load(self, loading: Loading) -> Mapping[str, Any]:
        """The loaded task; whatever lm-eval and `datasets` raise about the data becomes one line."""
        from datasets.exceptions import DatasetGenerationError

        try:
            loaded: Mapping[str, Any] = load(loading)
        except (OSError, ValueError, KeyError, ImportError, DatasetGenerationError) as error:
            cause = str(error.__cause__ or error).strip().splitlines() or [type(error).__name__]
            raise DistillbenchError(
                f"task {self.name}: lm-eval cannot load {self.task}: {cause[0]}; check the data set, or give "
                "paths.datasets=DIR with a local copy in DIR/owner/name"
            ) from error
        return loaded


def _without_options(files: TaskFiles, orders: int) -> list[str]:
    """That a task that is asked in several orders has no options."""
    kinds = {str(leaf.config.get("output_type")): leaf.name for leaf in files.leaves}
    return [
        f"{name}: orders: expected a task of multiple choice, got `output_type: {kind}`; leave `orders` out"
        for kind, name in kinds.items()
        if orders > 1 and kind != "multiple_choice"
    ]


def _refused(files: TaskFiles, allow_code: bool) -> list[str]:
    """Reasons why a task is not run."""
    leaves = files.leaves
    code = [leaf.name for leaf in leaves if leaf.config.get("unsafe_code")]
    media = [
        leaf.name
        for leaf in leaves
        if leaf.config.get("doc_to_image") or leaf.config.get("doc_to_audio")
    ]
    faults = [f"{name}: asks about images or sound; only text is supported" for name in media]
    if code and not allow_code:
        faults.append(
            f"{', '.join(code)}: executes code that a model wrote; set `allow_code: true` to let it run here"
        )
    foreign = sorted({str(f.parent) for f in files.files if f.suffix == ".py" and is_foreign(f)})
    if foreign and not allow_code:
        faults.append(
            f"runs Python of {', '.join(foreign)}, which came neither with lm-eval nor with distillbench; read it, "
            "and set `allow_code: true` for this task to let it run here"
        )
    return faults
