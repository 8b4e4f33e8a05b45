"""The .desktop file that newer portals ask for before they give hotkeys."""

import configparser
from pathlib import Path

from camdaemon.control.hotkeys.portal import APP_ID
from camdaemon.system import service


def test_it_is_what_the_portal_is_told(own_folders: None) -> None:
    assert service.entry_path().name == f"{APP_ID}.desktop"
    read = configparser.ConfigParser(interpolation=None)
    read.read_string(service.make_entry(["/opt/my tools/camdaemon"]))
    assert dict(read["Desktop Entry"]) == {
        "type": "Application", "name": "camdaemon", "icon": "camera-web", "nodisplay": "true",
        "exec": '"/opt/my tools/camdaemon" "run"',
    }  # fmt: skip


def test_signs_that_mean_something_in_exec_are_escaped() -> None:
    assert 'Exec="/a%%b/\\\\$c" "run"' in service.make_entry(["/a%b/$c"])


def test_it_comes_and_goes_with_the_service(own_folders: None, monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setattr(service, "has_systemd", lambda: False)
    service.install(start=False, dry_run=True)
    assert not service.entry_path().exists()
    service.install(start=False)
    assert service.entry_path().is_file()
    service.remove()
    assert not service.entry_path().exists()
