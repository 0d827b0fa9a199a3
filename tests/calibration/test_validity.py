"""docs/validity.md is what its script makes of the stored tables, and has every measure."""

from __future__ import annotations

from harness.plugins import kinds
from tests.calibration import validity


def test_the_page_is_what_the_script_makes() -> None:
    assert validity.PAGE.read_text("utf-8") == validity.page(), (
        "run: python tests/calibration/validity.py"
    )


def test_every_measure_has_a_row_and_a_test() -> None:
    notes = validity.notes()
    assert set(notes) == {*kinds("metrics"), "attribution"}
    rows = {r[0].strip("`") for r in validity.rows_of(validity.page())}
    assert set(notes) <= rows
    for name, note in notes.items():
        test = validity.REPOSITORY / note.test
        assert test.is_file(), note.test
        assert name in test.read_text("utf-8"), f"{note.test} does not speak of {name}"


def test_numbers_are_read_from_the_tables() -> None:
    page = {r[0].strip("`"): r for r in validity.rows_of(validity.page())}
    lowest = min(validity.rates(validity.read("table.md").split("## p-values")[0], ["perplexity"]))
    assert page["bits_per_byte"][2].startswith(f"{lowest:.3f} at least")
    assert "of unrelated pairs of real models" in page["capa_excess"][3]
    assert "of unrelated pairs of real models" in page["error_inheritance"][3]
    assert page["capa_excess"][4] != page["capa"][4] == validity.NONE
    assert "alarms" in page["task_score"][3]
    assert "0 of 8 clean ones" in page["attribution"][3]
    assert "GPT-4, all controls: " in page["attribution"][4]
    assert "by angle" in page["style_transfer"][4]
