"""`camdaemon export` as it is typed."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest
from typer.testing import CliRunner

from camdaemon.cli.app import app
from camdaemon.cli.export import FormatName
from camdaemon.tools.export.formats import FORMATS, Precision


def run(*words: str) -> str:
    result = CliRunner().invoke(app, ["export", *words])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return " ".join(result.output.split())


def test_every_format_can_be_typed_and_is_named_by_the_help():
    assert get_args(FormatName) == tuple(each.name for each in FORMATS)
    said = run("--help")
    for each in FORMATS:
        assert f"{each.name} ({each.title}, {each.suffix})" in said
    assert {name for each in FORMATS for name in each.precisions} == set(get_args(Precision))


def test_it_says_what_was_written_and_how_exact_it_is(tmp_path: Path):
    small = ("--size", "256x144", "--lines", "48", "--part", "base")
    path = tmp_path / "slim.pt"
    said = run("torchscript", *small, "--output", str(path))
    assert f"{path}: " in said
    assert "alpha" in said
    assert f"{path}.md" in said
    assert path.is_file()


@pytest.mark.parametrize("words", [("keras", "--output", "x"), ("onnx",), ("onnx", "--output", "x", "--lines", "2")])
def test_what_cannot_be_typed(words):
    result = CliRunner().invoke(app, ["export", *words])
    assert result.exit_code == 2
