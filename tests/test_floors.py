"""The layout of the package: who may import whom, where torch may be, and how large a file may grow.

A new module must be placed on a floor here, or the first test fails. See docs/design.md for the floors.
"""

import ast
import functools
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "camdaemon"

# Floor 0: words, spoken by all. They import each other only.
WORDS = {"errors", "frame", "mailbox", "pool", "config", "metrics", "picture", "card", "job", "matte", "v4l2"}
WORDS |= {"style", "keys", "listing", "priority", "v4l2_controls", "demand", "patience", "levels"}
WORDS |= {"effort", "governor"}
# Floor 1: stops on a frame's way. Words and their own folder only.
STOP_FOLDERS = {"capture", "matting", "backdrop", "output"}
STOPS = {"transfer", "colour", "fused", "plate", "plate_store", "composite", "deck", "contact_sheet", "gallery"}
# Floor 2: the journey, each importing what stands before it.
JOURNEY = ["show", "painter", "viewfinder", "journey", "loops", "pipeline"]
# Floor 3: control. These surfaces are handed what executes a verb; the others may see the floors below.
SURFACES = {f"control.{name}" for name in ("api", "bodies", "client", "hotkeys", "lock", "panel", "server", "verbs")}
SURFACES |= {f"control.{name}" for name in ("desktop", "limits", "notify", "sleep")}
# Floor 4: roots, imported by roots only.
ROOTS = {"cli", "daemon", "demo", "status_line", "devices_table", "offline_cli", "options", "status", "__main__"}
ROOTS |= {"live_cli", "controls", "service", "service_cli", "signals", "logs", "desktop_entry", "parts"}
ROOTS |= {"setup_cli", "camera_cli", "bench_cli", "headings"}
ROOT_FOLDERS = {"setup", "doctor", "bench"}
# Apart from the runtime: tools, and the networks, which import nothing of camdaemon. Only roots see them.
APART = {"model", "train", "offline", "evaluate", "weights_import"}

# Which floors may be imported from where.
BELOW = {0: {0}, 1: {0}, 2: {0, 1}, 3: {0, 1, 2}, 4: {0, 1, 2, 3, 4, 5}}
BELOW_APART = {"model": set(), "train": {0}, "offline": {0, 1}, "evaluate": {0, 1}, "weights_import": {0}}
# And the exceptions.
ALSO = {
    "matting": {"model"},
    "transfer": {"colour", "fused"},
    "composite": {"fused"},
    "fused": {"colour"},
    "deck": {"colour"},
    "output.preview": {"colour"},
    "output.loopback": {"colour"},
    "train": {"model"},
    "offline": {"model"},
    "evaluate": {"offline"},
    "weights_import": {"model", "offline"},
}

TORCH = {
    "levels",
    "transfer",
    "colour",
    "fused",
    "plate",
    "composite",
    "contact_sheet",
    "painter",
    "viewfinder",
    "bench",
    "journey",
    "loops",
    "pipeline",
    "matting",
    "backdrop",
} | APART

FILES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in ROOT.rglob("*.py")
}
MODULES = sorted(set(FILES) - {"__init__"})
FILE_LINES, FUNCTION_LINES = 300, 50


def head(module: str) -> str:
    """'backdrop.video' → 'backdrop'."""
    return module.partition(".")[0]


def floor(module: str) -> int | None:
    """0 to 4; 5 apart from the runtime; None for a module that nobody has placed yet."""
    floors = [
        module in WORDS,
        module in STOPS or head(module) in STOP_FOLDERS,
        module in JOURNEY,
        head(module) == "control",
        module in ROOTS or head(module) in ROOT_FOLDERS,
        head(module) in APART,
    ]
    return floors.index(True) if any(floors) else None


def surface(module: str) -> bool:
    """Whether it is a control surface or a file in the folder of one."""
    return ".".join(module.split(".")[:2]) in SURFACES


def nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """Everything that runs: at any depth, but not below `if TYPE_CHECKING`."""
    for child in ast.iter_child_nodes(tree):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            yield from nodes(ast.Module(child.orelse, []))
            continue
        yield child
        yield from nodes(child)


def imported(tree: ast.AST, module: str, is_package: bool) -> set[str]:
    """Full names of what is imported: 'torch.nn', 'camdaemon.frame', 'camdaemon.frame.Size'."""
    found = set()
    parents = ["camdaemon", *(part for part in module.split(".") if part)]
    for node in nodes(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            up = len(parents) - node.level + (1 if is_package else 0)
            start = ".".join([*parents[:up], *([node.module] if node.module else [])] if node.level else [node.module])
            found |= {start} | {f"{start}.{alias.name}" for alias in node.names}
    return found


@functools.cache
def imports_of(module: str) -> set[str]:
    path = FILES[module]
    return imported(ast.parse(path.read_text("utf-8")), module, path.name == "__init__.py")


def own_imports(module: str) -> set[str]:
    """Modules of camdaemon that `module` imports, without the prefix; a name inside of a module is that module."""
    found = set()
    for name in imports_of(module):
        if name.startswith("camdaemon."):
            short = name.removeprefix("camdaemon.")
            while short and short not in FILES:
                short = short.rpartition(".")[0]
            found.add(short)
    return found - {"", "__init__", module}


def allowed(module: str, other: str) -> bool:
    """Whether `module` may import `other`, both of camdaemon."""
    mine, theirs = floor(module), floor(other)
    if mine is None or theirs is None:
        return False
    if surface(module):
        return theirs == 0 or surface(other) or other == "control"  # an empty package
    if mine == theirs == 2:
        return JOURNEY.index(other) < JOURNEY.index(module)
    below = BELOW[mine] if mine in BELOW else BELOW_APART[head(module)]
    also = ALSO.get(module, set()) | ALSO.get(head(module), set())
    return theirs in below or head(other) in also or head(other) == head(module)


def test_the_reader_of_imports_sees_them_all():
    """The test of the test."""
    source = """
from __future__ import annotations
import torch.nn as nn
from typing import TYPE_CHECKING
from camdaemon import card as cards, colour
if TYPE_CHECKING:
    import hidden
    from camdaemon import daemon
else:
    import seen
def f():
    if True:
        from camdaemon.backdrop.video import VideoBackdrop
    from . import sister
    from ..frame import Size
try:
    import numpy, cv2
except ImportError:
    pass
"""
    found = imported(ast.parse(source), "backdrop.still", is_package=False)
    assert {"torch.nn", "camdaemon.card", "camdaemon.colour", "seen", "numpy", "cv2"} <= found
    assert {"camdaemon.backdrop.video", "camdaemon.backdrop.sister", "camdaemon.frame"} <= found
    assert not {"hidden", "camdaemon.daemon"} & found
    assert "camdaemon.backdrop.other" in imported(ast.parse("from . import other"), "backdrop", is_package=True)


def test_the_rules_refuse_what_they_should():
    for module, other in [
        ("frame", "colour"),
        ("picture", "transfer"),
        ("backdrop.video", "output.file"),
        ("capture.v4l2", "pipeline"),
        ("composite", "colour"),
        ("backdrop.blur", "model"),
        ("transfer", "deck"),
        ("show", "journey"),
        ("journey", "pipeline"),
        ("pipeline", "control.commands"),
        ("control.api", "control.commands"),
        ("control.client", "pipeline"),
        ("control.panel.app", "control.commands"),
        ("control.hotkeys.x11", "pipeline"),
        ("control.commands", "daemon"),
        ("control.commands", "offline.video"),
        ("model.network", "frame"),
        ("matting.bgmv2", "train.losses"),
        ("train.loop", "pipeline"),
        ("offline.video", "pipeline"),
        ("offline.video", "offline_cli"),
        ("pipeline", "cli"),
    ]:
        assert not allowed(module, other), f"{module} → {other}"


def test_every_module_stands_on_a_floor():
    new = [module for module in MODULES if floor(module) is None]
    assert not new, "these are new: place them on a floor at the top of this file"


def test_every_name_on_a_floor_is_there():
    named = WORDS | STOPS | set(JOURNEY) | STOP_FOLDERS | ROOTS | ROOT_FOLDERS | APART
    assert not named - {head(module) for module in FILES}, "these are named at the top of this file and exist no more"


def test_nobody_imports_upwards_or_sideways():
    wrong = [
        f"{module} (floor {floor(module)}) imports {other} (floor {floor(other)})"
        for module in MODULES
        for other in sorted(own_imports(module))
        if not allowed(module, other)
    ]
    assert not wrong


def test_torch_is_only_where_tensors_are():
    users = [module for module in MODULES if any(head(name) in ("torch", "torchvision") for name in imports_of(module))]
    assert len(users) > 10, "the test of the test"
    assert not [module for module in users if head(module) not in TORCH]


def test_a_file_fits_into_a_head():
    lengths = {module: len(path.read_text("utf-8").splitlines()) for module, path in FILES.items()}
    assert not {module: length for module, length in lengths.items() if length > FILE_LINES}, "split them"


def test_a_function_fits_on_a_screen():
    """Lines of the body after the docstring: the options of a command are its declaration, not its work."""
    lengths = {}
    for module, path in FILES.items():
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                body = node.body[1:] if ast.get_docstring(node) is not None else node.body
                lengths[f"{module}.{node.name}"] = node.end_lineno - body[0].lineno + 1 if body else 0
    assert not {name: length for name, length in lengths.items() if length > FUNCTION_LINES}, "split them"


# typer brings pydantic along to read options, so only our own imports are held to that.
HEAVY = ("torch", "cv2", "numpy", "fastapi", "pydantic", "starlette", "uvicorn", "av", "pygame")
SAY_WHAT_IS_LOADED = f"""
import sys
print(sorted(set({HEAVY!r}) & set(sys.modules)))
"""


def python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=os.environ | environment,
    )


@pytest.mark.parametrize("module", ["cli", "control.client", "control.lock", "control.verbs", "errors"])
def test_the_command_line_loads_nothing_heavy(module):
    name = f"camdaemon.{module}"
    done = python(f"import importlib; importlib.import_module({name!r})" + SAY_WHAT_IS_LOADED)
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr


@pytest.mark.parametrize(
    "command", [["status"], ["status", "--json"], ["stop"], ["mode", "card"], ["plate"], ["--version"]]
)
def test_a_command_to_nobody_says_what_to_type_and_loads_nothing_heavy(command, tmp_path):
    code = f"""
import sys
sys.argv = ["camdaemon", *{command!r}]
from camdaemon.__main__ import main
code = 0
try:
    main()
except SystemExit as end:
    code = end.code
print(code)
{SAY_WHAT_IS_LOADED}
"""
    done = python(code, CAMDAEMON_SOCKET=str(tmp_path / "nobody.sock"))
    assert done.returncode == 0, done.stderr
    code, loaded = done.stdout.splitlines()[-2:]
    assert loaded in ("[]", "['pydantic']")
    if command == ["--version"]:
        assert code in ("0", "None")
    else:
        assert code == "1"
        assert done.stderr.startswith("camdaemon: no camdaemon is running at ")
        assert done.stderr.rstrip().endswith("start it with: camdaemon run")
        assert "Traceback" not in done.stderr
