"""The table of commands: each row has its function, and one more row and function is a command everywhere."""

from __future__ import annotations

import ast
import inspect
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from camdaemon.cli import live
from camdaemon.cli.completion import collect_offers, make_bash
from camdaemon.cli.help import LiveGroup, add_commands
from camdaemon.control import actions, table
from camdaemon.control.api import make_app
from camdaemon.control.client import Client
from camdaemon.control.commands import Commands
from camdaemon.control.panel.app import make_app as make_panel
from camdaemon.control.panel.sessions import Sessions
from camdaemon.control.server import ApiServer
from camdaemon.control.table import REQUIRED, Command, Parameter

DUMMY = Command(
    "lamp",
    "lamp",
    "/lamp",
    "Switch a lamp on.",
    (Parameter("level", "number", "Brightness, in percent", 50.0, low=0, high=100, option=True),),
    key=True,
    panel=True,
)
SUB = Command("plate list", "plates", "/plates", "List the plates.", method="GET", answer=list[str], empty="None yet.")


class Lamp:
    """The function of the row above; nothing else of camdaemon knows it."""

    def __init__(self) -> None:
        self.levels: list[float] = []

    def lamp(self, level: float) -> str:
        self.levels.append(level)
        return f"The lamp is at {level:g} %."

    def plates(self) -> list[str]:
        return ["monday", "tuesday"]

    def plate(self, countdown: float, anyway: bool = False) -> str:
        return f"taken after {countdown:g}"


@pytest.fixture
def lamp(monkeypatch: pytest.MonkeyPatch) -> Lamp:
    monkeypatch.setattr(table, "TABLE", (*table.TABLE, DUMMY, SUB))
    return Lamp()


@pytest.fixture
def socket_of(lamp: Lamp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    server = ApiServer(lamp, tmp_path / "run" / "c.sock")
    monkeypatch.setenv("CAMDAEMON_SOCKET", str(tmp_path / "run" / "c.sock"))
    server.start()
    yield tmp_path / "run" / "c.sock"
    server.stop()


def typer_app() -> Any:
    import typer

    app = typer.Typer(cls=LiveGroup, rich_markup_mode=None)
    add_commands(app, "While it runs")
    app.command("other")(lambda: None)
    return app


def test_the_table_imports_the_standard_library_alone() -> None:
    for module in (table, live):
        tree = ast.parse(Path(str(module.__file__)).read_text("utf-8"))
        names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
        names |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        own = {name for name in names if name.startswith("camdaemon")}
        assert {name.partition(".")[0] for name in names - own} <= sys.stdlib_module_names
        assert own == {"camdaemon.control.row"} if module is table else own


@pytest.mark.parametrize("command", table.TABLE, ids=lambda command: command.name)
def test_each_row_has_its_function(command: Command) -> None:
    function = getattr(Commands, command.function)
    assert [*inspect.signature(function).parameters][1:] == [parameter.name for parameter in command.sent]
    assert function.__doc__


def test_the_rows_make_sense() -> None:
    for field in ("name", "function", "path"):
        values = [getattr(command, field) for command in table.TABLE]
        assert len(values) == len(set(values)), field
    for command in table.TABLE:
        assert command.help.endswith("."), command.name
        needed = [parameter for parameter in command.sent if parameter.initial is REQUIRED]
        assert not command.key or len(needed) <= 1, f"{command.name}: a key action names one thing at most"
        assert not command.instead or table.find(command.instead)
        for parameter in command.parameters:
            assert parameter.kind in ("number", "text", "choice", "flag", "file", "backdrop")
            assert parameter.kind != "number" or parameter.low < parameter.high < float("inf"), "a range is to be named"


def test_a_sub_command_has_a_default_one(lamp: Lamp) -> None:
    plate = table.find("plate")
    for words in (["plate"], ["plate", "take"]):
        assert table.match([*words, "--countdown", "3"]) == (plate, ["--countdown", "3"])
    assert table.match(["plate", "list"]) == (SUB, [])
    assert table.match(["run"]) is None
    assert table.match([]) is None


def test_a_row_and_a_function_are_a_command_everywhere(
    lamp: Lamp, socket_of: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The two places: the row of `table.TABLE` and the function of `Commands`."""
    # HTTP and its description
    wire = httpx.HTTPTransport(uds=str(socket_of))
    with httpx.Client(transport=wire, base_url="http://camdaemon", trust_env=False) as http:
        assert http.post("/lamp", json={"level": 10}).json() == {"message": "The lamp is at 10 %."}
        assert http.get("/plates").json() == ["monday", "tuesday"]
        assert http.post("/lamp", json={"level": 101}).status_code == 422
    schema = make_app(lamp).openapi()["components"]["schemas"]["LampBody"]["properties"]["level"]
    assert (schema["minimum"], schema["maximum"], schema["description"]) == (0, 100, "Brightness, in percent")
    # client
    assert Client(socket_of).lamp(20.0) == "The lamp is at 20 %."
    assert Client(socket_of).plates() == ["monday", "tuesday"]
    # command line, without typer
    assert live.parse(["lamp", "--level=30"]) == (DUMMY, {"level": 30.0})
    live.run(DUMMY, {"level": 30.0})
    live.run(SUB, {})
    assert capsys.readouterr().out == "The lamp is at 30 %.\nmonday\ntuesday\n"
    # key actions and their check
    assert actions.check("lamp", []) == ""
    assert "did you mean lamp?" in actions.check("lmp", [])
    assert actions.perform(lamp, "lamp") == "The lamp is at 50 %."
    # panel
    paths = make_panel(lamp, None, None, Sessions(), 1).openapi()["paths"]  # type: ignore[arg-type]
    assert "/lamp" in paths
    assert "/plates" not in paths
    assert lamp.levels == [10, 20, 30, 50]


def test_help_and_completion_know_the_row(lamp: Lamp, socket_of: Path) -> None:
    app, runner = typer_app(), CliRunner()
    whole = " ".join(runner.invoke(app, ["--help"]).output.split())
    assert f"While it runs: plate {table.find('plate').help}" in whole
    assert f" lamp {DUMMY.help}" in whole
    assert f" plate list {SUB.help}" in whole
    its_own = " ".join(runner.invoke(app, ["lamp", "--help"]).output.split())
    assert re.search(rf"{DUMMY.parameters[0].help}.*50\.0.*0<=x<=100", its_own)
    assert SUB.help in runner.invoke(app, ["plate", "list", "--help"]).output
    assert "--countdown" in runner.invoke(app, ["plate", "take", "--help"]).output
    assert f"camdaemon plate list: {SUB.help}" in runner.invoke(app, ["plate", "--help"]).output
    assert runner.invoke(app, ["plate", "--countdown", "2"]).output == "taken after 2\n"
    assert runner.invoke(app, ["plate", "list"]).output == "monday\ntuesday\n"
    from typer.main import get_command

    offers = collect_offers(get_command(app))
    assert offers[""]["lamp"] == DUMMY.help.removesuffix(".")
    assert {"--level", "--help"} == set(offers["lamp"])
    assert {"--countdown", "list", "--help"} <= set(offers["plate"])
    assert {"on", "off", "toggle"} <= set(offers["card"])
    assert "lamp) words='--level --help'" in make_bash(offers)


@pytest.mark.parametrize(
    ("line", "command", "values"),
    [
        ("plate", "plate", {"countdown": 5.0, "anyway": False}),
        ("plate --countdown 0", "plate", {"countdown": 0.0, "anyway": False}),
        ("plate take --countdown=7.5 --anyway", "plate", {"countdown": 7.5, "anyway": True}),
        ("backdrop blur:8", "backdrop", {"spec": "blur:8", "yes": False}),
        ("backdrop plate --yes", "backdrop", {"spec": "plate", "yes": True}),
        ("scene late", "scene", {"name": "late"}),
        ("scene", "scenes", {}),
        ("card", "card", {"turn": "toggle"}),
        ("card on", "card", {"turn": "on"}),
        ("adjust", "adjust", {"edge": None, "blur": None, "yes": False}),
        ("adjust --edge -0.5", "adjust", {"edge": -0.5, "blur": None, "yes": False}),
        ("panel", "panel", {"browser": True, "start": False}),
        ("panel --no-browser", "panel", {"browser": False, "start": False}),
        ("panel --start", "panel", {"browser": True, "start": True}),
        ("status --json", "status", {"json": True}),
        ("stop", "stop", {}),
    ],
)
def test_a_correct_line_is_read_without_typer(line: str, command: str, values: dict[str, Any]) -> None:
    assert live.parse(line.split()) == (table.find(command), values)


@pytest.mark.parametrize(
    "line",
    [
        "", "run", "--help", "--version", "plat", "plate --help", "plate 5", "plate --countdown", "plate --countdown x",
        "plate --countdown 121", "plate --countdown -1", "plate -c 5", "backdrop", "backdrop a b", "mode", "status --x",
        "panel --browser=1", "panel --no-browse", "scenes", "adjust --edge 2", "plates", "next one", "card on --help",
    ],
)  # fmt: skip
def test_any_other_line_is_left_to_typer(line: str) -> None:
    assert live.parse(line.split()) is None


def test_a_file_becomes_absolute_and_other_words_stay(
    lamp: Lamp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "room.png").write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    sent: list[dict[str, object]] = []
    monkeypatch.setattr(Client, "ask", lambda _, command, values, on_waiting: sent.append(values) or "done")
    for spec in ("room.png", "blur:8", "~no-such-user/x.png"):
        live.run(table.find("backdrop"), {"spec": spec, "yes": False})
    assert [each["spec"] for each in sent] == [str(tmp_path / "room.png"), "blur:8", "~no-such-user/x.png"]


@pytest.mark.parametrize("words", [["card"], ["plate", "--countdown", "0"], ["status", "--json"], ["scene"], ["stop"]])
def test_a_live_command_is_sent_without_what_is_slow_to_load(fresh: Any, words: list[str]) -> None:
    code = f"""
import json, sys
sys.argv = ["camdaemon", *{words!r}]
from camdaemon.__main__ import main
main()
print(json.dumps(sorted(sys.modules)))
"""
    environment = {"CAMDAEMON_SOCKET": str(fresh.path), "PATH": "/usr/bin", "PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True, env=environment
    )
    loaded = set(json.loads(done.stdout.splitlines()[-1]))
    assert fresh.verbs.asked, "it was sent"
    slow = {"typer", "click", "httpx", "pydantic", "http.client", "argparse", "dataclasses", "rich", "platformdirs"}
    assert not slow & loaded
    assert not {"torch", "numpy", "cv2", "fastapi"} & loaded


def test_a_reader_that_has_gone_is_no_traceback(served: Any) -> None:
    environment = os.environ | {"CAMDAEMON_SOCKET": str(served.path)}
    with subprocess.Popen(
        [sys.executable, "-m", "camdaemon", "status"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        text=True,
    ) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == ""
        assert process.wait(30) == 1


def test_the_commands_file_has_the_functions_and_nothing_between() -> None:
    """A command is two places: no other file of the package names a function of the table that only needs those two."""
    package = Path(str(table.__file__)).parent.parent
    where = {
        str(path.relative_to(package))
        for path in package.rglob("*.py")
        if any(name in path.read_text("utf-8") for name in ("next_backdrop", "previous_backdrop"))
    }
    assert where == {"control/table.py", "control/commands/backdrops.py"}


def test_bash_completes_from_the_script(tmp_path: Path) -> None:
    script = tmp_path / "completion"
    done = subprocess.run([sys.executable, "-m", "camdaemon", "completion", "bash"], capture_output=True, check=True)
    script.write_bytes(done.stdout)

    stand_in = tmp_path / "camdaemon"  # for the daemon's client
    stand_in.write_text("""#!/bin/sh
[ "$1" = scene ] && printf 'late\\nmy room\\n'
[ "$1" = backdrops ] && printf 'hills\\nholiday.jpg\\n'
true
""")
    stand_in.chmod(0o755)

    def complete(*words: str) -> list[str]:
        line = f"""
source {script}; PATH={tmp_path}:$PATH
COMP_WORDS=({" ".join(repr(word) for word in ("camdaemon", *words))}); COMP_CWORD={len(words)}
_camdaemon; printf '%s\\n' "${{COMPREPLY[@]}}"
"""
        found = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=20, check=True)
        assert found.stderr == ""
        return [word for word in found.stdout.splitlines() if word]

    assert complete("pla") == ["plate"]
    assert complete("card", "") == ["on", "off", "toggle"]
    assert complete("plate", "--c") == ["--countdown"]
    assert complete("plate", "--countdown", "5", "--h") == ["--help"]
    assert complete("camera", "l") == ["lock"]
    assert complete("camera", "lock", "--") == ["--device", "--help"]
    assert complete("run", "--source", "/dev/vid") == [], "left to the shell, which knows files"
    assert complete("mode", "p") == ["passthrough"]
    assert complete("scene", "") == ["late", "my\\ room"]
    assert complete("scene", "m") == ["my\\ room"]
    assert complete("backdrop", "b") == ["blur"]
    assert complete("backdrop", "h") == ["hills", "holiday.jpg"]
    assert complete("backdrop", "studio") == ["studio"], "comes with camdaemon, and needs no daemon to be known"


def test_fish_asks_for_names(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "camdaemon", "completion", "fish"], capture_output=True, text=True, check=True
    )
    for command, lister in (("scene", "scene"), ("backdrop", "backdrops")):
        asked = [line for line in done.stdout.splitlines() if f"(camdaemon {lister} " in line]
        assert len(asked) == 1
        assert f"__camdaemon_at {command} arguments" in asked[0]
