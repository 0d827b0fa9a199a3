"""Files of data sets on the hub: `hf://datasets/OWNER/NAME[@REVISION][/PATH]`, as the hub's own tools spell them."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from harness.files.packed import ENDINGS
from harness.files.rows import SUFFIXES, is_table
from harness.types import DistillbenchError

SCHEME = "hf://"
_ADDRESS = re.compile(r"hf://datasets/([\w.-]+/[\w.-]+?)(?:@([^/]+))?(?:/(.+?))?/?")


def on_hub(name: str) -> bool:
    """Whether the name of a file is an address on the hub."""
    return name.startswith(SCHEME)


@cache
def hub_path(address: str) -> Path:
    """The local copy of a file or folder of a data set, or of all its tables; fetched where it is not there yet.

    Without a network it is the copy in the local hub cache. Raises DistillbenchError where there is neither.
    """
    match = _ADDRESS.fullmatch(address)
    if match is None:
        raise DistillbenchError(
            f"file {address}: expected hf://datasets/OWNER/NAME, with @REVISION or /PATH behind it where wanted"
        )
    repository, revision, inside = match.groups()
    folder = _snapshot(address, repository, (revision or "main").replace("%2F", "/"), inside)
    known = sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())
    holders = {folder.joinpath(name).parent for name in known if is_table(Path(name))}
    if not inside and len(holders) > 1:
        raise DistillbenchError(
            f"file {address}: expected the tables of this data set in one folder, got {len(holders)}; name a file or "
            f"folder of it behind the address: {', '.join(known[:6])}"
        )
    path = folder / inside if inside else next(iter(holders), folder)
    if not path.exists():
        raise DistillbenchError(
            f"file {address}: expected {inside} in this data set (commit {folder.name[:12]}), got none there; "
            f"the copy here has {', '.join(known[:6]) or 'nothing'}"
        )
    return path


def _snapshot(address: str, repository: str, revision: str, inside: str | None) -> Path:
    """The folder of one commit; only tables, or what `inside` names, are fetched."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    tables = [f"*{suffix}{packed}" for suffix in SUFFIXES for packed in ("", *ENDINGS)]
    wanted = [inside, f"{inside}/*"] if inside else tables
    try:
        found = snapshot_download(
            repository, repo_type="dataset", revision=revision, allow_patterns=wanted
        )
    except (*HfHubHTTPError.__bases__, HFValidationError, OSError) as error:
        first = str(error).strip().split("\n")[0]
        raise DistillbenchError(
            f"file {address}: expected a data set of the hub, or a copy in the local hub cache; there is no copy, and "
            f"the hub says: {first}. Check the name, the network and access rights (HF_TOKEN), or download it "
            "elsewhere and give the file's path"
        ) from None
    return Path(found)
