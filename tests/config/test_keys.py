"""Key combinations, and what the hotkeys say where there can be none."""

from __future__ import annotations

import logging
import re
import sys
import threading
import time
from pathlib import Path

import pytest

from camdaemon.config.keys import DEFAULTS, KeyCombination, find_mistakes
from camdaemon.control.hotkeys import Hotkeys


@pytest.mark.parametrize(
    ("text", "canonical", "pynput", "xdg"),
    [
        ("ctrl+alt+p", "ctrl+alt+p", "<ctrl>+<alt>+p", "CTRL+ALT+p"),
        ("super+F9", "super+F9", "<cmd>+<f9>", "LOGO+F9"),
        ("ctrl+shift+space", "ctrl+shift+space", "<ctrl>+<shift>+<space>", "CTRL+SHIFT+space"),
        (" Alt + Control + P ", "ctrl+alt+p", "<ctrl>+<alt>+p", "CTRL+ALT+p"),
        ("win+7", "super+7", "<cmd>+7", "LOGO+7"),
        ("meta+Page_Down", "super+pagedown", "<cmd>+<page_down>", "LOGO+Page_Down"),
        ("ctrl++", "ctrl+plus", "<ctrl>++", "CTRL+plus"),
        ("ctrl+-", "ctrl+minus", "<ctrl>+-", "CTRL+minus"),
        ("f1", "F1", "<f1>", "F1"),
        ("F24", "F24", "<65493>", "F24"),
        ("shift+F5", "shift+F5", "<shift>+<f5>", "SHIFT+F5"),
        ("PlayPause", "playpause", "<media_play_pause>", "XF86AudioPlay"),
    ],
)
def test_read_and_translated(text: str, canonical: str, pynput: str, xdg: str) -> None:
    keys = KeyCombination.parse(text)
    assert (str(keys), keys.pynput, keys.xdg) == (canonical, pynput, xdg)
    assert KeyCombination.parse(str(keys)) == keys


def test_the_same_keys_are_equal_and_can_be_looked_up() -> None:
    assert {KeyCombination.parse("shift+CTRL+Return")} == {KeyCombination.parse("control+shift+enter")}
    assert KeyCombination.parse("ctrl+p") != KeyCombination.parse("alt+p")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", r'^"".*incomplete.*ctrl\+alt\+p'),
        ("ctrl+", r'^"ctrl\+".*incomplete'),
        ("ctrl++p", r'^"ctrl\+\+p".*incomplete'),
        ("++", r'^"\+\+".*incomplete'),
        ("ctrl+alt", r'^"ctrl\+alt".*without a key.*ctrl\+alt\+p'),
        ("crtl+p", r"modifier crtl\b.*\bctrl\?"),
        ("hyper+p", r"modifier hyper\b.*\bsuper\?"),
        ("xyzzy+p", r"modifier xyzzy\b.*\bctrl, alt, shift, super"),
        ("p+ctrl+b", r'^"p\+ctrl\+b".*key, p, before'),
        ("ctrl+spce", r"key spce\b.*\bspace\?"),
        ("ctrl+f25", r"key f25\b.*\bF5\?"),
        ("ctrl+ö", r"key ö\b.*letter.*digit.*F1.*F24.*\bplaypause,"),
        ("p", r'^"p".*typing.*\bctrl, alt or super: ctrl\+alt\+p'),
        ("shift+Tab", r'^"shift\+Tab".*typing.*\bctrl, alt or super: ctrl\+alt\+tab'),
    ],
)  # fmt: skip
def test_a_mistake_is_explained(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        KeyCombination.parse(text)


def test_every_mistake_in_bindings_is_named() -> None:
    assert find_mistakes({}) == []
    assert find_mistakes(DEFAULTS) == []
    modifier, typing, twice = find_mistakes(
        {"plate": "crtl+p", "next": "ctrl+alt+c", "scene work": "p", "card": "ALT+control+c", "pause": "F9"}
    )
    assert re.match(r'plate: "crtl\+p": .*modifier crtl\b.*\bctrl\?', modifier)
    assert re.match(r'scene work: "p".*typing.*: ctrl\+alt\+p', typing)
    assert re.match(r"ctrl\+alt\+c .*\bnext\b.*\bcard\b", twice)


@pytest.fixture
def x11_only(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WAYLAND_DISPLAY", "XDG_SESSION_TYPE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DISPLAY", ":54321")


def logged(bindings: dict[str, str], caplog: pytest.LogCaptureFixture) -> list[str]:
    """What is logged when they start and everything is over at once."""
    caplog.set_level(logging.INFO)
    hotkeys = Hotkeys(bindings, pytest.fail)
    begin = time.monotonic()
    hotkeys.start()
    for thread in threading.enumerate():
        if thread.name == "hotkeys":
            assert thread.daemon
            thread.join(60)
    hotkeys.stop()
    hotkeys.stop()
    assert time.monotonic() - begin < 60
    return [f"{record.levelname} {record.getMessage()}" for record in caplog.records]


@pytest.mark.usefixtures("x11_only")
@pytest.mark.parametrize(
    ("lacking", "reason"),
    [
        (
            "desktop",
            "WAYLAND_DISPLAY.*DISPLAY.*Start camdaemon.*service.*"
            "systemctl --user import-environment DISPLAY XAUTHORITY WAYLAND_DISPLAY.*restart",
        ),
        ("pynput", r"pynput.*not installed.*Run: pip install 'camdaemon\[hotkeys\]'"),
        ("luck", "pynput.*RuntimeError: broken.*DISPLAY.*:54321.*run: pip install --force-reinstall pynput"),
    ],
)
def test_whatever_is_lacking_is_one_line(
    lacking: str, reason: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    match lacking:
        case "desktop":
            monkeypatch.delenv("DISPLAY")
        case "pynput":
            monkeypatch.setitem(sys.modules, "pynput", None)
        case "luck":
            (tmp_path / "pynput.py").write_text("raise RuntimeError('broken\\n\\nTry one of the following:')")
            monkeypatch.syspath_prepend(tmp_path)
    (line,) = logged({"plate": "ctrl+alt+p", "next": "F9"}, caplog)
    commands = re.escape("camdaemon plate (ctrl+alt+p), camdaemon next (F9)")
    assert re.fullmatch(f"WARNING hotkeys off: .*{reason}.*settings: {commands}", line)


@pytest.mark.usefixtures("x11_only")
def test_a_mistake_in_the_bindings_is_one_line(caplog: pytest.LogCaptureFixture) -> None:
    (line,) = logged({"plate": "crtl+p"}, caplog)
    assert re.search(r'hotkeys off: plate: "crtl\+p": .*modifier crtl\b.*\bctrl\?.*settings: camdaemon plate', line)


@pytest.mark.usefixtures("x11_only")
def test_nothing_bound_is_nothing_done(caplog: pytest.LogCaptureFixture) -> None:
    assert logged({}, caplog) == []
