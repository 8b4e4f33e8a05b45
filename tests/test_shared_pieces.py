"""What several packages need exists once: this reads the source and names a second copy."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "camdaemon"
TREES = {path.relative_to(ROOT).as_posix(): ast.parse(path.read_text("utf-8")) for path in ROOT.rglob("*.py")}


def calls(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    """The last name of what is called ('replace' of os.replace), and the call."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            function = node.func
            name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
            yield name, node


def replaces_a_file(tree: ast.AST) -> bool:
    """Whether it renames a file or syncs one. str.replace has two arguments, dataclasses.replace keywords."""
    for name, call in calls(tree):
        if name in ("rename", "renames", "fsync", "mkstemp"):
            return True
        if name == "replace":
            is_os = isinstance(call.func, ast.Attribute) and ast.unparse(call.func) == "os.replace"
            if is_os or (len(call.args) == 1 and not call.keywords):
                return True
    return False


def reads_open_files(tree: ast.AST) -> bool:
    """Whether it looks into the folder of another process's open files."""
    texts = (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str))
    own = "/dev/fd", "/proc/self/fd"
    return any("/fd" in text and not any(each in text for each in own) and "\n" not in text for text in texts)


def runs_programs(tree: ast.AST) -> bool:
    return any(
        isinstance(node, ast.Import) and any(alias.name == "subprocess" for alias in node.names)
        for node in ast.walk(tree)
    )


def guesses_words(tree: ast.AST) -> bool:
    return any(name == "get_close_matches" for name, _ in calls(tree))


def opens_a_bus(tree: ast.AST) -> bool:
    return any(name in ("open_dbus_connection", "recv_until_filtered") for name, _ in calls(tree))


@pytest.mark.parametrize(
    ("has_it", "home"),
    [
        (replaces_a_file, "linux/files.py"),
        (reads_open_files, "linux/holders.py"),
        (opens_a_bus, "linux/dbus.py"),
        (runs_programs, "linux/programs.py"),
        (guesses_words, "errors.py"),
    ],
)
def test_it_is_in_one_place(has_it: Callable[[ast.AST], bool], home: str) -> None:
    assert [path for path, tree in sorted(TREES.items()) if has_it(tree)] == [home]


@pytest.mark.parametrize(
    ("has_it", "code"),
    [
        (replaces_a_file, "draft.replace(path)"),
        (replaces_a_file, "import os\nos.replace(a, b)"),
        (replaces_a_file, "draft.rename(folder / 'x')"),
        (reads_open_files, "os.listdir(f'/proc/{pid}/fd')"),
        (reads_open_files, "(entry / 'fd').iterdir(), '/proc/1/fd'"),
        (opens_a_bus, "open_dbus_connection('SYSTEM')"),
        (runs_programs, "import subprocess"),
        (guesses_words, "difflib.get_close_matches(a, b, 1)"),
    ],
)
def test_the_readers_see_what_they_look_for(has_it: Callable[[ast.AST], bool], code: str) -> None:
    assert has_it(ast.parse(code))


def test_the_readers_see_nothing_else() -> None:
    harmless = ast.parse(
        "text.replace('a', 'b'); dataclasses.replace(config, **values); open('/dev/fd/3'); '/dev/video'"
    )
    assert not any(has_it(harmless) for has_it in (replaces_a_file, reads_open_files, runs_programs, guesses_words))
