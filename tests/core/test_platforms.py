"""What is said where distillbench does not run, or was not tried."""

from __future__ import annotations

import os
import sys

import pytest

from harness import __main__ as program


def test_windows_is_told_of_wsl(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["distillbench", "list", "models"])
    monkeypatch.setattr(os, "name", "nt")
    with pytest.raises(SystemExit) as ended:
        program.main()
    monkeypatch.undo()
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "inside WSL" in line


@pytest.mark.parametrize(
    ("system", "warned"), [("linux", False), ("darwin", False), ("freebsd14", True)]
)
def test_another_system_is_tried_with_a_warning(
    system: str, warned: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    began = []
    monkeypatch.setattr(sys, "argv", ["distillbench", "list", "models"])
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr("harness.cli.main.main", lambda: began.append(system))
    program.main()
    assert began == [system]
    assert ("tried on Linux and macOS only" in capsys.readouterr().err) is warned
