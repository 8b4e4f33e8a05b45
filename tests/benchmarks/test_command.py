"""The command line: its files and its errors."""

import json

import pytest
import typer
from typer.testing import CliRunner

from camdaemon.errors import ConfigError
from camdaemon.frames.picture import read
from tests.benchmarks.__main__ import main


def _invoke(*arguments: str):
    app = typer.Typer()
    app.command()(main)
    return CliRunner().invoke(app, list(arguments))


def test_the_command_writes_what_it_is_asked_for(tmp_path):
    files = tmp_path / "new" / "bench.json", tmp_path / "bench.png"
    options = ["--size", "64x64", "--frames", "2", "--rounds", "1", "--threads", "1", "--device", "cpu"]
    done = _invoke(*options, "--backbone", "mobilenetv2", "--json", str(files[0]), "--plot", str(files[1]))
    assert done.exit_code == 0, done.output
    assert "Network alone" in done.output
    assert json.loads(files[0].read_text())["subject"]["backbone"] == "mobilenetv2"
    assert read(files[1], "").shape[1] == 1000


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--backbone", "vgg"], "'vgg'.*--backbone mobilenetv2 or resnet50 or resnet101"),
        (["--engine", "abacus"], "--engine auto or torch or openvino"),
        (["--precision", "int4"], "--precision auto"),
        (["--refine", "all"], "--refine sampling or"),
        (["--device", "tpu"], "--device auto or cpu or cuda"),
        (["--scale", "2"], "--scale 0.25"),
        (["--source", "/dev/video0"], "/dev/video0.*camera.*--source pattern"),
        (["--source", "nothing.mp4"], "no such source"),
        (["--weights", "/nowhere.pth"], "read.*weights.*/nowhere.pth"),
        (["--weights", "a.pth", "--backbone", "resnet50"], "--backbone.*--weights"),
        (["--size", "10"], "--size 1280x720"),
        (["--paper", "--plot", "a.png"], "--plot bench.png"),
        (["--plot", "a.svg"], "--plot bench.png"),
        (["--fps", "60"], "--soak 60 --fps 60"),
        (["--soak", "2", "--paper"], "--soak.*--paper.*name one"),
        (["--plate", "--paper"], "--paper.*--plate.*name one"),
        (["--plate", "--plot", "a.png"], "--plate.*--plot.*name one"),
    ],
)
def test_mistakes_are_explained(options, message):
    done = _invoke("--frames", "2", "--rounds", "1", "--size", "64x64", *options)
    assert isinstance(done.exception, ConfigError)
    with pytest.raises(ConfigError, match=message):
        raise done.exception
