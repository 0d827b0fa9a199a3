"""Loading of lm-eval tasks: quiet, fast, and without writing outside the cache folder."""

from __future__ import annotations

import contextlib
import logging
import os
import random
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np

_NOISY = ("lm_eval", "datasets", "huggingface_hub", "fsspec", "filelock", "httpx", "evaluate")
# lm-eval seeds these before it loads a task, for tasks that shuffle with a global generator.
_PYTHON_SEED, _NUMPY_SEED = 0, 1234


@dataclass(frozen=True)
class Loading:
    """What determines a loaded task, and where it may write."""

    task: str
    folders: tuple[Path, ...]  # to be indexed
    root: Path | None  # folder of its data
    cache: Path
    offline: bool
    num_fewshot: int | None
    allow_code: bool
    content: str  # digest of all files: a task whose files change is reloaded


@lru_cache(maxsize=8)
def load(loading: Loading) -> Any:
    """lm-eval's mapping of tasks and groups; call it, and use its result, inside `at_work` only."""
    from lm_eval.tasks import TaskManager

    manager = TaskManager(include_path=[str(f) for f in loading.folders], include_defaults=False)
    loaded = manager.load([loading.task])
    for task in loaded["tasks"].values():
        _set_fewshot(task, loading.num_fewshot)
    return loaded


def _set_fewshot(task: Any, num_fewshot: int | None) -> None:
    """Sets the number of few-shot examples as `simple_evaluate` does: a task whose YAML says 0 keeps 0."""
    stated = task.get_config("num_fewshot")
    if stated == 0 and num_fewshot is not None:
        return
    task.set_config(
        key="num_fewshot", value=num_fewshot if num_fewshot is not None else (stated or 0)
    )


@contextlib.contextmanager
def at_work(loading: Loading) -> Iterator[None]:
    """Sets output, seeds, folders and caches for lm-eval's code, and restores everything afterwards."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(warnings.catch_warnings())
        for module in _NOISY:
            warnings.filterwarnings("ignore", module=rf"{module}\b")
        for name in _NOISY:
            stack.enter_context(_level(logging.getLogger(name)))
        stack.enter_context(_environment(loading))
        stack.enter_context(_global_seeds())
        _patch(stack, loading)
        if loading.root is not None:
            stack.enter_context(contextlib.chdir(loading.root))
        yield


def _patch(stack: contextlib.ExitStack, loading: Loading) -> None:
    import datasets
    import huggingface_hub.constants
    import lm_eval.api.task
    import lm_eval.utils

    hub = loading.cache / "datasets"

    def replace(owner: Any, name: str, value: Any) -> None:
        """Replaces an attribute until the block ends."""
        stack.enter_context(_replaced(owner, name, value))

    replace(lm_eval.utils.env, "from_string", _compiler())
    replace(lm_eval.api.task, "tqdm", partial(lm_eval.api.task.tqdm, disable=True))
    replace(datasets.config, "HF_DATASETS_CACHE", hub)
    replace(datasets.config, "DOWNLOADED_DATASETS_PATH", hub / "downloads")
    replace(datasets.config, "EXTRACTED_DATASETS_PATH", hub / "downloads" / "extracted")
    if loading.offline:
        replace(datasets.config, "HF_HUB_OFFLINE", True)
        replace(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    if not datasets.utils.are_progress_bars_disabled():
        datasets.utils.disable_progress_bars()
        stack.callback(datasets.utils.enable_progress_bars)


@cache
def _compiler() -> Callable[[str], Any]:
    """Jinja's compiler for templates that reach no Python, with a cache: lm-eval compiles them anew for every row."""
    from jinja2.sandbox import SandboxedEnvironment
    from lm_eval.utils import env

    own = SandboxedEnvironment(
        loader=env.loader, undefined=env.undefined, keep_trailing_newline=env.keep_trailing_newline
    )
    own.filters.update(env.filters)
    return lru_cache(maxsize=4096)(own.from_string)


@contextlib.contextmanager
def _replaced(owner: Any, name: str, value: Any) -> Iterator[None]:
    before = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)


@contextlib.contextmanager
def _level(logger: logging.Logger) -> Iterator[None]:
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)


@contextlib.contextmanager
def _environment(loading: Loading) -> Iterator[None]:
    """Allows `evaluate`'s code metrics to run, by an environment variable, if the task may execute code."""
    if not loading.allow_code:
        yield
        return
    before = os.environ.get("HF_ALLOW_CODE_EVAL")
    os.environ["HF_ALLOW_CODE_EVAL"] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ["HF_ALLOW_CODE_EVAL"]
        else:
            os.environ["HF_ALLOW_CODE_EVAL"] = before


@contextlib.contextmanager
def _global_seeds() -> Iterator[None]:
    python, numbers = random.getstate(), np.random.get_state()
    random.seed(_PYTHON_SEED)
    np.random.seed(_NUMPY_SEED)
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numbers)
