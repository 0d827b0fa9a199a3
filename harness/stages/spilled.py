"""Detection of answers that contain the value of a secret: they are not edited, and the run reports them."""

from __future__ import annotations

from harness.board.cautions import spilled_line
from harness.console.secrets import known_values
from harness.plan.collections import Plan
from harness.store.store import Store
from harness.types import Outputs

# in the provenance of a cell: names of the variables, separated by blanks
FACT = "secrets_in_answers"


def variables_in(outputs: Outputs) -> str:
    """Names of the environment variables whose secret occurs in an answer, separated by blanks; "" for none."""
    texts = [text for text in outputs.text if text]
    return " ".join(
        sorted({name for value, name in known_values().items() if any(value in t for t in texts)})
    )


def spilled(plan: Plan, store: Store) -> list[str]:
    """One line for every model and task whose stored answers contained a secret when they were collected."""
    places: dict[tuple[str, str], tuple[str, ...]] = {}
    for planned in plan.collections:
        if store.has(planned.key) and (names := store.provenance(planned.key).get(FACT)):
            place = (planned.model, planned.task)
            places.setdefault(place, tuple(str(names).split()))
    return [spilled_line(model, task, names) for (model, task), names in places.items()]
