"""What is printed, the exit code, and the two commands as they are typed."""

from __future__ import annotations

import functools
import io
import json
import re

import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

from camdaemon.cli import system
from camdaemon.config.schema import Config
from camdaemon.errors import CamdaemonError
from camdaemon.system.doctor import examine
from camdaemon.system.doctor.examine import UNCHECKED, print_findings
from camdaemon.system.doctor.findings import Check, Context, note, ok, problem
from camdaemon.system.setup.perform import UNCHANGED

FOUND = [ok("module", "[bold] here"), note("gpu", "none\nat all", "buy one"), problem("sink", "gone", "x " * 90)]


@pytest.fixture
def app() -> typer.Typer:
    made = typer.Typer()
    made.command()(system.setup)
    made.command()(system.doctor)
    return made


def test_a_line_for_each_and_the_fix_on_one_line_to_copy(capsys):
    assert print_findings(iter(FOUND), as_json=False)
    *lines, summary = capsys.readouterr().out.splitlines()
    assert lines == [
        "ok      module     [bold] here",
        "note    gpu        none",
        "                   at all",
        "                   → buy one",
        "problem sink       gone",
        f"                   → {'x ' * 90}",
        "",
    ]
    assert re.match(r"1 problem, 1 note\b", summary)


def test_without_a_problem_it_says_so(capsys):
    assert not print_findings(iter(FOUND[:2]), as_json=False)
    assert capsys.readouterr().out.endswith("\nNo problems, 1 note.\n")


def test_json_says_the_same(capsys):
    assert print_findings(iter(FOUND), as_json=True)
    assert json.loads(capsys.readouterr().out)[1] == {
        "level": "note", "about": "gpu", "says": "none\nat all", "fix": "buy one"
    }  # fmt: skip


@pytest.mark.parametrize(("found", "code"), [(FOUND, 1), (FOUND[:2], 0)])
def test_the_exit_code_is_for_scripts(app, monkeypatch, found, code):
    asked = []
    monkeypatch.setattr(examine, "examine", lambda machine, **more: asked.append(more) or iter(found))
    done = CliRunner().invoke(app, ["doctor", "--json", "--camera", "/dev/video4", "--measure"])
    assert done.exit_code == code
    assert len(json.loads(done.stdout)) == len(found)
    assert [(each["camera"], each["measure"]) for each in asked] == [("/dev/video4", True)]


def test_a_terminal_shows_which_check_runs_and_how_many_are_left(monkeypatch):
    shown = io.StringIO()
    console = functools.partial(Console, file=shown, force_terminal=True, width=120)
    monkeypatch.setattr(examine, "Console", console)
    with examine.show_progress(hidden=False) as (_, begin):
        for name in examine.CHECKS:
            begin(name)
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.getvalue())
    assert re.search(rf"checking {name} .* {len(examine.CHECKS) - 1}/{len(examine.CHECKS)}\b", text)


def test_each_check_is_announced_before_it_runs(fake):
    told: list[str] = []

    def make_check(name: str) -> Check:
        return lambda _: iter(told.append(f"{name} ran") or ())

    checks = {name: make_check(name) for name in ("module", "torch")}
    context = Context(fake.machine, Config(), "/dev/video0", None, None)
    assert list(examine.run_checks(context, checks, told.append)) == []
    assert told == ["module", "module ran", "torch", "torch ran"]


def test_the_options_of_setup_arrive(app, fake, monkeypatch):
    monkeypatch.setattr("camdaemon.system.machine.this_machine", lambda: fake.machine)
    fake.build()
    runner = CliRunner()
    arguments = ["setup", "--video-nr", "12", "--label", "studio", "--devices", "2"]
    done = runner.invoke(app, [*arguments, "--dry-run"])
    assert done.exit_code == 0
    assert "video_nr=12,13" in done.stdout
    assert "studio 2" in done.stdout
    assert runner.invoke(app, arguments, input="n\n").stdout.endswith(f"{UNCHANGED}\n")
    assert runner.invoke(app, arguments).exit_code == 0, "no answer is a no"
    assert fake.done == []
    assert runner.invoke(app, arguments, input="y\n").exit_code == 0
    assert fake.done[-1].startswith("modprobe")
    assert runner.invoke(app, ["setup", "--remove", "--yes"]).exit_code == 0
    assert fake.done[-1] == "udevadm control --reload"


def test_install_is_asked_for(app, fake, monkeypatch):
    monkeypatch.setattr("camdaemon.system.machine.this_machine", lambda: fake.machine)
    assert isinstance(CliRunner().invoke(app, ["setup", "--yes"]).exception, CamdaemonError)
    assert CliRunner().invoke(app, ["setup", "--yes", "--install"]).exit_code == 0
    assert fake.done[0].startswith("apt install")


def test_the_whole_examination_of_this_machine_ends_well(app, fake):
    """On a real machine, whatever it has: no finding raises, every problem has a fix."""
    done = CliRunner().invoke(app, ["doctor", "--json"])
    found = json.loads(done.stdout)
    assert done.exit_code == any(finding["level"] == "problem" for finding in found)
    assert {"config", "module", "torch", "weights", "daemon"} <= {finding["about"] for finding in found}
    assert not [finding for finding in found if UNCHECKED in finding["says"]]
    assert all(finding["fix"] for finding in found if finding["level"] == "problem")
