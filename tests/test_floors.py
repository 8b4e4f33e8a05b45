"""The layout of the package: who may import whom, where torch may be, and how large a file may grow."""

import ast
import functools
import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "camdaemon"

# A package imports only from those that stand after it. Names in one group do not import each other.
ORDER = (
    "__main__",
    "cli",
    "tools system",
    "daemon",
    "control",
    "pipeline",
    "capture plate matting backdrop output",  # the stops on a frame's way
    "config",
    "frames",
    "linux",
    "errors",
)
RANK = {name: rank for rank, names in enumerate(ORDER) for name in names.split()}
APART = "model"  # the networks: import nothing of camdaemon
USERS_OF_MODEL = {"matting", "tools"}

# Control surfaces: handed what executes a command, so they import no floor that holds it.
SURFACES = {
    f"control.{name}"
    for name in (
        *("actions", "api", "client", "connections", "hotkeys", "http", "instance", "panel", "server", "socket_file"),
        *("address", "row", "table", "tray", "values", "visit"),
    )
}
SURFACES_MAY_SEE = {"config", "frames.kinds", "linux", "errors"}

# What loads torch when it is imported: the arithmetic of tensors, the network in torch, and what makes or converts it.
# The rest does without, and imports torch, if at all, in a function that was given a tensor.
TORCH = (
    *("frames.tensors", "matting.tensor_maps", "matting.bgmv2.floats", "matting.bgmv2.cuda_graph", "model"),
    *(
        f"matting.bgmv2.engines.{name}"
        for name in ("conversion", "dense", "packed", "polyphase", "torch_engine", "windows")
    ),
    *(f"tools.{name}" for name in ("export", "graphs", "quantize", "train", "weights_import")),
)

FILES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in ROOT.rglob("*.py")
}
MODULES = sorted(set(FILES) - {"__init__"})
FILE_LINES, FUNCTION_LINES = 300, 50
ENTRIES, EDGES = 18, 90  # directly in the package; imports between those entries


def head(module: str) -> str:
    """'backdrop.video' → 'backdrop'."""
    return module.partition(".")[0]


def is_surface(module: str) -> bool:
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
    """Full names of what is imported: 'torch.nn', 'camdaemon.frames.frame', 'camdaemon.frames.frame.Size'."""
    found = set()
    parents = ["camdaemon", *(part for part in module.split(".") if part)]
    for node in nodes(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            up = len(parents) - node.level + (1 if is_package else 0)
            named = [node.module] if node.module else []
            start = ".".join([*parents[:up], *named] if node.level else named)
            found |= {start} | {f"{start}.{alias.name}" for alias in node.names}
    return found


@functools.cache
def imports_of(module: str) -> set[str]:
    path = FILES[module]
    return imported(ast.parse(path.read_text("utf-8")), module, path.name == "__init__.py")


@functools.cache
def imports_when_loaded(module: str) -> set[str]:
    """Full names of what `module` imports outside of its functions."""
    path = FILES[module]
    tree = ast.parse(path.read_text("utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            node.body = []
    return imported(tree, module, path.name == "__init__.py")


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
    mine, theirs = head(module), head(other)
    if is_surface(module) and theirs == "control":
        return is_surface(other) or other == "control"  # the package itself is empty
    if mine == theirs:
        return True
    if is_surface(module) and not {theirs, other} & SURFACES_MAY_SEE:
        return False
    if theirs == APART:
        return mine in USERS_OF_MODEL
    return mine != APART and RANK[theirs] > RANK[mine]


def test_the_reader_of_imports_sees_them_all():
    """The test of the test."""
    source = """
from __future__ import annotations
import torch.nn as nn
from typing import TYPE_CHECKING
from camdaemon.frames import card as cards, color
if TYPE_CHECKING:
    import hidden
    from camdaemon import daemon
else:
    import seen
def f():
    if True:
        from camdaemon.backdrop.video import VideoBackdrop
    from . import sister
    from ..frames.frame import Size
try:
    import numpy, cv2
except ImportError:
    pass
"""
    found = imported(ast.parse(source), "backdrop.still", is_package=False)
    assert {"torch.nn", "camdaemon.frames.card", "camdaemon.frames.color", "seen", "numpy", "cv2"} <= found
    assert {"camdaemon.backdrop.video", "camdaemon.backdrop.sister", "camdaemon.frames.frame"} <= found
    assert not {"hidden", "camdaemon.daemon"} & found
    assert "camdaemon.backdrop.other" in imported(ast.parse("from . import other"), "backdrop", is_package=True)


def test_the_rules_refuse_what_they_should():
    for module, other in [
        ("frames.frame", "plate.take"),
        ("linux.v4l2", "frames.picture"),
        ("backdrop.video", "output.file"),
        ("capture.v4l2", "pipeline.threads"),
        ("plate.take", "matting"),
        ("matting.bgmv2.matting", "backdrop"),
        ("config.schema", "capture"),
        ("pipeline.threads", "control.commands"),
        ("control.api", "control.commands"),
        ("control.client", "pipeline.state"),
        ("control.panel.app", "control.commands"),
        ("control.hotkeys.x11", "pipeline.threads"),
        ("control.commands", "daemon.run"),
        ("control.commands", "tools.films.film"),
        ("model.network", "frames.frame"),
        ("matting.bgmv2.matting", "tools.train.losses"),
        ("pipeline.worker", "model"),
        ("tools.train.loop", "system.doctor"),
        ("tools.films.film", "cli.tools"),
        ("daemon.run", "tools.demo"),
    ]:
        assert not allowed(module, other), f"{module} → {other}"


def test_every_module_stands_on_a_floor():
    unknown = [module for module in MODULES if head(module) not in {*RANK, APART}]
    assert not unknown, "a new package: give it its place in ORDER at the top of this file"


def test_every_name_in_the_order_is_there():
    assert {*RANK, APART} == {head(module) for module in FILES if module != "__init__"}


def test_nobody_imports_upwards_or_sideways():
    against = [
        f"{module} imports {other}"
        for module in MODULES
        for other in sorted(own_imports(module))
        if not allowed(module, other)
    ]
    assert not against


def test_the_tree_is_small_enough_to_be_read_at_a_glance():
    entries = [path for path in ROOT.iterdir() if path.name not in ("__pycache__", "py.typed")]
    assert len(entries) <= ENTRIES


def test_few_packages_know_each_other():
    edges = {(head(module), head(other)) for module in MODULES for other in own_imports(module)}
    assert len({(mine, theirs) for mine, theirs in edges if mine != theirs}) <= EDGES


def test_torch_is_loaded_only_where_tensors_are():
    users = [module for module in MODULES if {"torch", "torchvision"} & {*map(head, imports_when_loaded(module))}]
    assert len(users) > 10, "the test of the test"
    assert not [module for module in users if not f"{module}.".startswith(tuple(f"{name}." for name in TORCH))]


def test_the_daemon_and_the_tools_for_files_load_no_torch():
    modules = [
        "daemon.build",
        "daemon.surfaces",
        "tools.demo",
        "tools.matter",
        "tools.films.batch",
        "tools.bench.measure",
    ]
    modules += ["matting.bgmv2.cpu.matting", "matting.difference", "cli.app"]
    done = python("\n".join(f"import camdaemon.{module}" for module in modules) + SAY_WHAT_IS_LOADED)
    assert done.returncode == 0, done.stderr
    assert "torch" not in done.stdout


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
                lengths[f"{module}.{node.name}"] = (node.end_lineno or 0) - body[0].lineno + 1 if body else 0
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


@pytest.mark.parametrize(
    "module", ["cli.app", "control.client", "control.instance", "control.table", "cli.live", "errors"]
)
def test_the_command_line_loads_nothing_heavy(module):
    name = f"camdaemon.{module}"
    done = python(f"import importlib; importlib.import_module({name!r})" + SAY_WHAT_IS_LOADED)
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr


def test_what_run_would_refuse_is_found_without_torch():
    """A wrong file is told at once, not after the seconds that torch takes; `config set` looks the same way."""
    code = """
from camdaemon.config.schema import Config
from camdaemon.daemon.check import check_all, check_parts, check_recordings
config = Config(source="pattern", sink="null", backdrop="hills")
check_parts(config), check_recordings(config, force=False), check_all(config)
import sys
print("torch" in sys.modules)
"""
    done = python(code)
    assert (done.returncode, done.stdout.strip()) == (0, "False"), done.stderr


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
        assert re.match(r"camdaemon: .*running.*/nobody\.sock\b", done.stderr)
        assert done.stderr.rstrip().endswith("Run: camdaemon run")
        assert "Traceback" not in done.stderr


SLOW = ("typing", "re", "json", "enum", "pathlib", "socket", "collections", "contextlib", "dataclasses", "math")


@pytest.mark.parametrize("command", [["card"], ["card", "on"], ["pause", "off"], ["mirror"], ["next"], ["status"]])
def test_a_key_press_waits_for_no_module_that_it_can_do_without(command, tmp_path):
    """Each of them would take about as long as Python's own start. Nothing is timed here."""
    code = f"""
import sys
before = set(sys.modules)
sys.argv = ["camdaemon", *{command!r}]
from camdaemon.__main__ import main
try:
    main()
except SystemExit:
    pass
print(sorted(set({SLOW!r}) & (set(sys.modules) - before)))
"""
    answer = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain; charset=utf-8\r\n\r\nDone."
    address = str(tmp_path / "c.sock")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen()

        def serve():
            wire, _ = listener.accept()
            with wire:
                while b"\r\n\r\n" not in wire.recv(65536):
                    pass
                wire.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        done = python(code, CAMDAEMON_SOCKET=address)
        thread.join()
    assert done.returncode == 0, done.stderr
    *said, loaded = done.stdout.splitlines()
    if command == ["status"]:  # a program that answers with words is no daemon; its JSON is worth the module
        assert set(eval(loaded)) <= {"json", "re", "enum", "collections"}
    else:
        assert (said, loaded) == (["Done."], "[]")
