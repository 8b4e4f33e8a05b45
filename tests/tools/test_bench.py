"""`camdaemon bench`, small: its figures, its tables, and its errors. No time is judged."""

from __future__ import annotations

from typing import Any

import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

from camdaemon.capture.pattern import PatternSource
from camdaemon.cli.bench import bench
from camdaemon.config.schema import Config
from camdaemon.errors import ConfigError
from camdaemon.frames.frame import Size
from camdaemon.tools.bench.measure import make_tables, measure

FRAMES = 3
STOPS = {"upload", "plate", "matte", "gate", "backdrop", "composite", "check", "download"}


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    config = Config(
        source="pattern", sink="null", size=Size(128, 72), device="cpu", engine="torch", precision="float32"
    )
    return measure(config, FRAMES)


def test_each_stop_and_end_to_end_have_figures(found: dict[str, Any]) -> None:
    stops, whole = found["parts"]["stops"], found["parts"]["end to end"]
    assert set(stops["ms"]) == STOPS | {"frame", "tend"}
    assert set(whole["ms"]) == STOPS | {"capture", "write", "tend"}
    for part in (stops, whole):
        assert part["samples"] == FRAMES
        assert part["fps"] > 0
        assert part["cpu_percent"] >= 0
        for ms in part["ms"].values():
            assert 0 <= ms["p50"] <= ms["p95"] <= ms["p99"]
    assert "128x72" in found["about"]
    assert "torch float32" in found["about"]


def test_the_tables_fit_a_terminal(found: dict[str, Any]) -> None:
    console = Console(width=80)
    with console.capture() as capture:
        for table in make_tables(found):
            console.print(table)
    shown = capture.get()
    assert "End to end" in shown
    assert "fps" in shown
    assert "…" not in shown


def _invoke(*options: str) -> Any:
    app = typer.Typer()
    app.command()(bench)
    return CliRunner().invoke(app, ["--size", "64x64", "--frames", "2", *options])


def test_the_command_prints_the_tables() -> None:
    done = _invoke("--device", "cpu", "--engine", "torch", "--precision", "float32", "--threads", "1")
    assert done.exit_code == 0, done.output
    assert "Each stop" in done.output
    assert "64x64" in done.output


@pytest.mark.parametrize(
    ("options", "keyword"),
    [
        (["--source", "/dev/video0"], "--source pattern"),
        (["--source", "nothing.mp4"], "nothing.mp4"),
        (["--weights", "/nowhere.pth"], "/nowhere.pth"),
        (["--size", "10"], "--size 1280x720"),
    ],
)
def test_mistakes_are_explained(options: list[str], keyword: str) -> None:
    done = _invoke(*options)
    assert isinstance(done.exception, ConfigError)
    assert keyword in str(done.exception)


@pytest.mark.parametrize("option", ["--engine", "--precision", "--device"])
def test_unknown_words_are_usage_errors(option: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PatternSource, "read", lambda self, into: pytest.fail("nothing is measured"))
    assert _invoke(option, "abacus").exit_code == 2
