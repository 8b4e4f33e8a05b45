"""The tables of kinds: what each spec names, and that every row leads to a class of its own package."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import camdaemon
from camdaemon.errors import ConfigError
from camdaemon.frames import kinds
from camdaemon.frames.kinds import Kind
from camdaemon.matting import MattingSettings

ROOT = Path(camdaemon.__file__).parent
STOPS = ("capture", "plate", "matting", "backdrop", "output")
TABLES = {"capture": kinds.SOURCES, "matting": kinds.MATTINGS, "backdrop": kinds.BACKDROPS, "output": kinds.SINKS}
FACTS = {
    "capture": {"live", "has_controls", "open", "read", "close"},
    "matting": {"uses_weights", "open"},
    "backdrop": {"check", "open", "picture", "close"},
    "output": {"live", "can_reopen", "viewers", "open", "write", "close"},
}
ROWS = [(package, kind) for package, table in TABLES.items() for kind in table]


def named(table: tuple[Kind, ...], spec: str) -> str:
    return next(kind.target.rpartition(":")[2] for kind in table if kind.is_named_by(spec))


@pytest.mark.parametrize(("package", "kind"), ROWS, ids=lambda value: getattr(value, "syntax", value))
def test_a_row_leads_to_a_class_of_its_package_that_says_its_facts(package, kind):
    assert kind.target.startswith(f"camdaemon.{package}.")
    assert FACTS[package] <= set(dir(kind.load()))


@pytest.mark.parametrize("kind", kinds.MATTINGS, ids=lambda kind: kind.syntax)
def test_what_a_row_opens_is_a_matting(kind):
    made = kind.load().open(MattingSettings(engine="torch", precision="float32"), "cpu")
    wanted = {"name", "doubts", "effort", "ladder", "settled", "warm_up", "prepare", "prepared_cost", "__call__"}
    assert wanted <= set(dir(made))


@pytest.mark.parametrize(
    ("table", "spec", "name"),
    [
        ("SOURCES", "/dev/video0", "V4l2Source"),
        ("SOURCES", "/dev/v4l/by-id/usb-cam-video-index0", "V4l2Source"),
        ("SOURCES", "pattern", "PatternSource"),
        ("SOURCES", __file__, "FileSource"),
        ("SINKS", "/dev/video10", "LoopbackSink"),
        ("SINKS", "/dev/v4l/by-path/pci-0000.mp4", "LoopbackSink"),
        ("SINKS", "a.mkv", "FileSink"),
        ("SINKS", "A.MP4", "FileSink"),
        ("SINKS", "preview", "PreviewSink"),
        ("SINKS", "null", "NullSink"),
        ("BACKDROPS", "colour:#010203", "ColorBackdrop"),
        ("BACKDROPS", "color", "ColorBackdrop"),
        ("BACKDROPS", "blur", "BlurBackdrop"),
        ("BACKDROPS", "blur:3", "BlurBackdrop"),
        ("BACKDROPS", "plate", "PlateBackdrop"),
        ("BACKDROPS", __file__, "StillBackdrop"),
    ],
)
def test_a_spec_names_one_kind(table, spec, name):
    assert named(getattr(kinds, table), spec) == name


def test_a_video_file_is_a_video_backdrop(tmp_path):
    (tmp_path / "a.WEBM").touch()
    assert named(kinds.BACKDROPS, str(tmp_path / "a.WEBM")) == "VideoBackdrop"


@pytest.mark.parametrize("spec", ["", "x\0y", "~no_such_user_here/a.png", "x" * 300, "/", "plate:x"])
@pytest.mark.parametrize("table", [kinds.SOURCES, kinds.BACKDROPS, kinds.MATTINGS])
def test_what_names_no_kind_is_refused_with_the_syntax_of_all(table, spec):
    with pytest.raises(ConfigError) as refused:
        kinds.find_class(table, spec, "thing", "camdaemon devices")
    assert kinds.syntax_of(table) in str(refused.value)
    assert str(refused.value).endswith("Run: camdaemon devices")


def test_the_syntax_is_one_list():
    rows = [Kind(name, lambda _: False, "") for name in "abc"]
    assert [kinds.syntax_of(tuple(rows[:count])) for count in (1, 2, 3)] == ["a", "a or b", "a, b, or c"]


def test_stops_are_given_values_and_never_import_the_configuration():
    """Nor under TYPE_CHECKING."""
    for package in STOPS:
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                module = node.module if isinstance(node, ast.ImportFrom) else ""
                names = {alias.name for alias in node.names} if isinstance(node, ast.Import | ast.ImportFrom) else set()
                assert not (module or "").startswith("camdaemon.config"), path
                assert not {name for name in names if name.startswith("camdaemon.config") or name == "Config"}, path


def test_only_packages_of_devices_look_for_a_device_in_a_path():
    allowed = {"capture", "output", "linux", "system"}
    for path in ROOT.rglob("*.py"):
        if path.relative_to(ROOT).parts[0] in allowed:
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("startswith", "removeprefix")):
                assert "/dev" not in ast.unparse(node), f"{path}:{node.lineno}: ask the source or sink instead"
