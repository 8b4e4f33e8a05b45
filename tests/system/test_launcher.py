"""The entry in the menu of programs, which is also what newer portals ask for before they give hotkeys."""

from __future__ import annotations

import configparser
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from camdaemon.control.hotkeys.portal import APP_ID
from camdaemon.control.tray import item
from camdaemon.errors import ConfigError
from camdaemon.linux import shipped
from camdaemon.system import launcher, service

ROOT = Path(__file__).parents[2]
COMMAND = ["/opt/my tools/camdaemon"]


def read(text: str) -> dict[str, str]:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(text)
    return dict(parser["Desktop Entry"])


def everything() -> set[Path]:
    """Files and folders in the user's folders."""
    folders = [Path(os.environ[f"XDG_{name}_HOME"]) for name in ("CONFIG", "DATA", "STATE", "CACHE")]
    return {path for folder in folders for path in folder.rglob("*")}


@pytest.fixture
def without_systemd(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "has_systemd", lambda: False)


def test_it_is_what_the_portal_is_told() -> None:
    assert launcher.entry_path().name == f"{APP_ID}.desktop"


def test_it_opens_the_panel_and_starts_what_does_not_run() -> None:
    entry = read(launcher.make_entry(COMMAND))
    assert shlex.split(entry["exec"]) == [*COMMAND, "panel", "--start"]
    assert (entry["icon"], entry["terminal"]) == ("camdaemon", "false")
    assert "nodisplay" not in entry
    autostart = read(launcher.make_autostart(COMMAND))
    assert shlex.split(autostart["exec"]) == [*COMMAND, "service", "start"]
    assert autostart["nodisplay"] == "true"
    assert not [key for key in autostart if key.startswith("x-gnome")], "its Phase ends GNOME 49's session"


def test_signs_that_mean_something_in_exec_are_escaped() -> None:
    assert 'Exec="/a%%b/\\\\$c" panel' in launcher.make_entry(["/a%b/$c"])


@pytest.mark.skipif(
    not shutil.which("desktop-file-validate"),
    reason="desktop-file-validate is not installed (package desktop-file-utils)",
)
@pytest.mark.parametrize("command", [COMMAND, ["/a%b/$c `é"], [sys.executable, "-m", "camdaemon"]])
def test_the_validator_finds_no_fault(command: list[str], tmp_path: Path) -> None:
    shutil.copy(ROOT / "packaging" / "desktop" / "camdaemon.desktop", tmp_path / "template.desktop")
    (tmp_path / "entry.desktop").write_text(launcher.make_entry(command), "utf-8")
    (tmp_path / "autostart.desktop").write_text(launcher.make_autostart(command), "utf-8")

    def validate(file: Path) -> tuple[int, str]:
        done = subprocess.run(["desktop-file-validate", str(file)], capture_output=True, text=True, check=False)
        return done.returncode, done.stdout

    for file in tmp_path.iterdir():
        assert validate(file) == (0, "")
    file.write_text(file.read_text("utf-8").replace("Type=Application", "Type=Something"), "utf-8")
    assert validate(file)[0] != 0, "the test of the test"


@pytest.mark.usefixtures("without_systemd")
def test_all_of_it_comes_and_goes_with_the_service(capsys: pytest.CaptureFixture[str]) -> None:
    before = everything()
    service.install(start=False, dry_run=True)
    assert everything() == before
    service.install(start=False)
    assert launcher.entry_path().is_file()
    assert not launcher.autostart_path().exists()
    icons = {path.stem for path in everything() if path.suffix == ".svg"}
    assert icons == set(launcher.ICONS) == set(item.ICONS)
    service.install()
    assert launcher.autostart_path().is_file(), "who else would start it?"
    capsys.readouterr()
    service.remove(dry_run=True)
    said = capsys.readouterr().out
    assert launcher.autostart_path().is_file()
    service.remove()
    assert [str(path) for path in (launcher.entry_path(), launcher.autostart_path()) if str(path) not in said] == []
    assert not [path for path in everything() - before if path.is_file()]
    gone = (launcher.entry_path().parent, launcher.autostart_path().parent, launcher._theme())
    assert not [folder for folder in gone if folder.exists()]


@pytest.mark.usefixtures("without_systemd")
def test_what_is_of_others_stays() -> None:
    service.install()
    theirs = launcher.entry_path().with_name("other.desktop")
    theirs.write_text("[Desktop Entry]\n")
    service.remove()
    assert theirs.is_file()
    assert not launcher.entry_path().exists()


@pytest.mark.usefixtures("without_systemd")
def test_without_systemd_the_switch_is_an_entry_of_the_desktop() -> None:
    with pytest.raises(ConfigError, match="Run: camdaemon service install"):
        service.set_autostart("on")
    service.install(start=False)
    for when, is_there in (("on", True), ("off", False), ("desktop", True), ("off", False), ("off", False)):
        service.set_autostart(when)
        assert launcher.autostart_path().exists() is is_there


def test_a_broken_installation_is_explained(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(shipped, "_PACKAGE", tmp_path / "camdaemon")
    with pytest.raises(ConfigError, match=r"_desktop/camdaemon\.desktop.*reinstall"):
        launcher.make_entry(COMMAND)
    installed = tmp_path / "camdaemon" / "_desktop"
    installed.mkdir(parents=True)
    (installed / "camdaemon.desktop").write_text("Exec=camdaemon panel\n")
    assert 'Exec="x" panel\n' in launcher.make_entry(["x"])


def test_the_wheel_holds_what_is_installed() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    included = project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    assert included["packaging/desktop"] == "camdaemon/_desktop"
    assert {path.name for path in (ROOT / "packaging" / "desktop").iterdir()} == {
        "camdaemon.desktop",
        *(f"{name}.svg" for name in launcher.ICONS),
    }
