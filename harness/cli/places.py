"""The folders of a run: absolute, and what is wrong with them."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from harness.types import Paths


def located(paths: Paths, stock_tasks: Path, faults: list[str]) -> Paths:
    """The folders of a run, absolute, with our own last among those of tasks; faults are added to `faults`."""
    tasks = [_absolute(f"key tasks[{i}]", p, faults) for i, p in enumerate(paths.tasks)]
    plugins = [_absolute(f"key plugins[{i}]", p, faults) for i, p in enumerate(paths.plugins)]
    made = replace(
        paths,
        results=_absolute("key results", paths.results, faults),
        cache=_absolute("key cache", paths.cache, faults),
        tasks=(*tasks, stock_tasks),
        plugins=tuple(plugins),
        data=paths.data and _absolute("key data", paths.data, faults),
        datasets=paths.datasets and _absolute("key datasets", paths.datasets, faults),
    )
    read = [*((f"tasks[{i}]", p) for i, p in enumerate(tasks)), ("datasets", made.datasets)]
    faults += [
        f"paths: key {key}: {place}: expected a folder, there is none; correct the path"
        for key, place in read
        if place and not place.is_dir()
    ]
    faults += [
        f"paths: key {key}: {place}: expected a folder, found something else; move it away or name another"
        for key, place in (("results", made.results), ("cache", made.cache))
        if os.path.lexists(place) and not place.is_dir()
    ]
    return made


def _absolute(key: str, folder: Path, faults: list[str]) -> Path:
    try:
        return folder.expanduser().absolute()
    except RuntimeError:
        faults.append(
            f"paths: {key}: expected a folder, got {str(folder)!r}, the home of somebody unknown here"
        )
        return folder
