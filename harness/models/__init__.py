"""Models: whatever answers requests. One file, one final subclass of AbstractModel, found by the file's name.

`kind: hf` in a model's YAML is the class in `harness/models/hf.py`; its fields are the keys of the YAML. To add a kind
of model write such a file and its test. `fake.py` is the shortest example.

The key of a model's answers is made from all fields of the model but those that bear a mark (see harness/keys.py).
There is no code in it: whoever changes what a kind of model answers raises its `version`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self, final

from harness.keys import describes, digest, key_parts
from harness.types import Decoding, Kind, Outputs, Paths, Request


@dataclass(frozen=True)
class AbstractModel(AbstractContextManager["AbstractModel"], ABC):
    """A model: something that answers requests. Entered, it holds its memory; left, it frees it.

    Fields common to all kinds come first; of these `system` alone changes an answer.
    """

    # raised by hand when the answers of this kind of model change; tests/models/test_golden.py says when
    version: ClassVar[int] = 1

    kind: str
    name: str = describes()  # the configuration's name of the model
    # ask in conversations (the model's chat template applies) rather than in plain text: it is in
    # what is asked
    chat: bool = describes(False)
    system: str | None = None  # system message of every conversation
    lineage: str | None = describes(None)  # for controls: models of one lineage count once
    identity: tuple[str, ...] = describes(())  # names under which it may rightly speak of itself
    usd_per_hour: float | None = describes(None)
    usd_per_million_tokens: float | None = describes(None)
    # file whose texts the model was trained on, for overlap checks
    training_data: str | None = describes(None)
    # its columns that hold text; () = every text of a row
    training_columns: tuple[str, ...] = describes(())

    # modules that answering takes long to import: worker processes share them
    imports: ClassVar[tuple[str, ...]] = ()
    # overridden by a field where the key's variable is configurable
    api_key_env: ClassVar[str | None] = None

    @final
    def key(self, paths: Paths) -> str:
        """Hex digest of what determines the answers: fields, contents and version. Loads no model.

        Raises DistillbenchError where the model's files are missing or unreadable.
        """
        return digest("model", type(self).version, key_parts(self, self.contents(paths)))

    def contents(self, paths: Paths) -> Mapping[str, Any]:
        """Field marked *place* -> digest of what lies there, wherever that is. Loads no model.

        Raises DistillbenchError where the model's files are missing or unreadable.
        """
        return {}

    @abstractmethod
    def offers(self) -> frozenset[Kind | Literal["tokens"]]:
        """Kinds of request that it can answer; "tokens" = per-token log-probabilities with alternatives."""

    def faults(self, paths: Paths) -> list[str]:
        """What is wrong with the configuration, each one line with its cure; checked before any model loads."""
        return []

    @classmethod
    def prepare(cls, backends: Sequence[Self], paths: Paths) -> None:
        """Makes what all these models need before the first is entered (the zoo trains what is missing)."""

    @abstractmethod
    def batches(self, requests: Sequence[Request], decoding: Decoding) -> list[list[int]]:
        """Indices into `requests`, cut into batches: the unit of work that a kill can lose. Called once per cell."""

    @abstractmethod
    def answer(
        self, requests: Sequence[Request], prompt_ids: Sequence[str], decoding: Decoding
    ) -> Outputs:
        """Outputs of one batch; Outputs.request counts 0..len(requests)-1 and keeps their order.

        `prompt_ids` (aligned with requests) and Decoding.seed and .sample seed every sampled request on its own.
        """

    def facts(self) -> dict[str, str | int | float]:
        """Provenance known once entered: parameters, size_bytes, device, dtype, threads, versions."""
        return {}

    def __exit__(self, *exc: object) -> None:
        return None
