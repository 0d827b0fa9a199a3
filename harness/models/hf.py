"""Checkpoints of transformers: a folder, or a repository on the Hugging Face hub, with an adapter or without.

Scores and greedy texts equal those of lm-eval's own `hf` model (where not, `_hf_text.py` and `_hf_session.py` say why).
Sampled texts are drawn from the model at the request's temperature and top_p alone: the checkpoint's own sampling
defaults (top_k ...) do not apply.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, final

from harness.console.processes import CHECKPOINTS
from harness.files.hashes import files_sha256
from harness.keys import digest, place, speed
from harness.models import AbstractModel, Facts, Offer
from harness.models import _hf_files as files
from harness.models._hf_adapter import adapter_faults, adapter_files, misplaced_adapter
from harness.models._hf_context import Manner
from harness.models._hf_dtype import meant_dtype
from harness.models._hf_model import Wish, load
from harness.models._hf_session import HfSession
from harness.models._hf_spread import Spread, absent_devices, memory_fault
from harness.types import DistillbenchError, Paths


@final
@dataclass(frozen=True)
class HfModel(AbstractModel):
    """A causal language model of transformers. Weights are read from safetensors only, never unpickled."""

    imports = CHECKPOINTS
    series = ("path", "adapter")

    version = 5
    path: str = place("")  # folder, or repository on the hub
    # of a hub's repository: branch, tag or commit; None = its main branch
    revision: str | None = place(None)
    # adapter trained on this checkpoint: the folder that peft wrote, or its repository on the hub
    adapter: str = place("")
    # auto: float32 on the CPU, else the checkpoint's; the key has what it came to
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = place("auto")
    # auto, cpu, cuda, cuda:1, mps ...; auto takes the fastest there is. What it changes stands under dtype
    device: str = place("auto")
    # auto: layers on all devices, in memory and on disk, as accelerate places them: for a model that one cannot hold
    device_map: Literal["", "auto"] = speed("")
    # of a device_map: most memory of each device, such as {0: 20GiB, cpu: 60GiB}; of the others what is free
    max_memory: Mapping[str, str] = speed(default_factory=dict, hash=False)
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
        """The folder's files, or the hub's commit; the adapter's; and what the dtype came to."""
        folder, adapter = files.local_folder(self.path), self._adapter_folder()
        if faults := self._faults(folder, adapter):
            raise DistillbenchError("\n".join(faults))
        dtype = meant_dtype(self.dtype, self.device, folder)
        added = {"dtype": dtype, "device": "", "adapter": ""}
        if adapter is not None:
            added["adapter"] = files_sha256(adapter_files(adapter), adapter, paths.cache)
        elif self.adapter:
            added["adapter"] = files.hub_commit(self.adapter, None)
        if folder is None:
            commit = files.hub_commit(self.path, self.revision)
            return {"path": commit, "revision": commit, **added}
        relevant = files.checkpoint_files(folder, self.trust_remote_code)
        return {"path": files_sha256(relevant, folder, paths.cache), "revision": "", **added}

    def weights(self, paths: Paths) -> str:
        """Digest of the checkpoint without its adapter, and of how it is loaded."""
        known = self.contents(paths)
        spread = [self.device_map] if self.device_map else []
        how = (known["dtype"], self.device, self.trust_remote_code, *spread)
        return digest("weights", known["path"], *how)

    def offers(self) -> frozenset[Offer]:
        """Everything but choices."""
        return frozenset({"generate", "score", "read", "tokens"})

    def faults(self, paths: Paths) -> list[str]:
        """What the folders lack; a hub's repository is looked at when its digest is taken."""
        if spread := self._spread_fault():
            return [f"model {self.name}: {spread}"]
        try:
            return self._faults(files.local_folder(self.path), self._adapter_folder())
        except DistillbenchError as error:
            return [f"model {self.name}: {error}"]

    def has_template(self, paths: Paths) -> bool:
        """Whether the tokenizer brings a chat template; False where it lies on a hub."""
        folder, adapter = files.local_folder(self.path), self._adapter_folder()
        return any(files.has_chat_template(f) for f in (folder, adapter) if f is not None)

    @contextmanager
    def open(self, paths: Paths, previous: Facts | None = None) -> Iterator[HfSession]:
        """The checkpoint in memory."""
        folder = self._on_disk(self.path, self.revision)
        adapter = self._on_disk(self.adapter, None) if self.adapter else None
        if faults := self._faults(folder, adapter, whole=True):
            raise DistillbenchError("\n".join(faults))
        manner = Manner(self.system, self.drop_system, self.template_options, self.batch_size)
        weights = files.checkpoint_files(folder, self.trust_remote_code)
        weights += adapter_files(adapter) if adapter else []
        size_bytes = sum(file.stat().st_size for file in weights)
        with (
            _torch_threads(self.threads),
            self._spread(paths) as spread,
            closing(
                HfSession(load(self._wish(folder, adapter, spread)), manner, size_bytes)
            ) as session,
        ):
            yield session

    def _wish(self, folder: Path, adapter: Path | None, spread: Spread | None) -> Wish:
        return Wish(
            self.name,
            folder,
            self.path,
            adapter,
            meant_dtype(self.dtype, self.device, files.local_folder(self.path)),
            self.device,
            self.trust_remote_code,
            self.max_length,
            spread,
        )

    @contextmanager
    def _spread(self, paths: Paths) -> Iterator[Spread | None]:
        """How the checkpoint is spread, with a folder for parts of it while it is open; None where it is not."""
        if not self.device_map:
            yield None
            return
        if fault := absent_devices(self.max_memory):
            raise DistillbenchError(f"model {self.name}: key max_memory: {fault}")
        paths.cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="offload-", dir=paths.cache) as name:
            yield Spread(tuple(self.max_memory.items()), Path(name))

    def _faults(self, folder: Path | None, adapter: Path | None, whole: bool = False) -> list[str]:
        """What is wrong with the folders that are on this machine; `whole` = but for a missing chat template."""
        spelling = adapter if adapter is not None and files.tokenizer_files(adapter) else folder
        faults = adapter_faults(adapter) if adapter is not None else []
        if folder is not None:
            misplaced = misplaced_adapter(folder)
            faults += [misplaced] if misplaced else files.checkpoint_faults(folder)
        if self.chat and not whole and not faults and spelling is not None:
            faults += files.template_faults(spelling)
        return [f"model {self.name}: {fault}" for fault in faults]

    def _spread_fault(self) -> str:
        """What does not go together with being spread, or without; "" where all does."""
        if not self.device_map:
            return "key max_memory: expected device_map: auto beside it" if self.max_memory else ""
        if self.device != "auto":
            return (
                f"key device: expected none beside device_map: {self.device_map}, got {self.device}; `max_memory` says "
                "how much of which device is taken"
            )
        if self.adapter:
            return "key adapter: expected none beside device_map; merge it (merge_and_unload) and give a whole one"
        fault = memory_fault(self.max_memory)
        return f"key max_memory: {fault}" if fault else ""

    def _adapter_folder(self) -> Path | None:
        return files.local_folder(self.adapter) if self.adapter else None

    def _on_disk(self, path: str, revision: str | None) -> Path:
        """Where a folder lies on this machine, brought here from the hub where it is not."""
        folder = files.local_folder(path)
        if folder is not None:
            return folder
        return files.hub_folder(path, files.hub_commit(path, revision), self.trust_remote_code)


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
