"""The panel's address goes to the browser in a private file, never on a command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from camdaemon.control import visit
from camdaemon.errors import ControlError
from camdaemon.linux import desktop

ADDRESS = "http://127.0.0.1:4711/open?token=secret"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CAMDAEMON_SOCKET", str(tmp_path / "c.sock"))
    return tmp_path


def test_the_page_leads_there_and_is_its_users_alone(folder: Path) -> None:
    (folder / "panel.html").write_text("of an earlier visit")
    page = visit.write_page(ADDRESS)
    assert f"url={ADDRESS}" in page.read_text()
    assert page.stat().st_mode & 0o777 == 0o600


def test_what_is_opened_is_the_page_and_what_is_said_has_no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr(desktop, "open_page", lambda page: opened.append(page) or True)
    assert "token" not in visit.open_browser(ADDRESS)
    (page,) = opened
    assert page.startswith("file://")
    assert "token" not in page


def test_no_browser_says_what_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desktop, "open_page", lambda page: False)
    with pytest.raises(ControlError, match=r"Run: camdaemon panel$"):
        visit.open_browser(ADDRESS)
