"""What was chosen outlives the process: written off the frame's path, read with every doubt, and never in the way."""

from __future__ import annotations

import json
import logging
import os
import stat
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from camdaemon.config.choices import Choice, Choices
from camdaemon.config.schema import Config, CropConfig, SceneConfig
from camdaemon.control import memory as module
from camdaemon.control.memory import Memory, decode, encode, forget, state_file

CONFIG = Config(backdrop="color:#101010", scenes={"late": SceneConfig(mirror=True)})
CHOSEN = (
    Choices().choose_scene("late").choose(CONFIG, {"backdrop": "blur:30", "edge": 0.5, "crop": CropConfig(width=0.5)})
)


def wait(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def plain(choices: Choices) -> tuple[object, ...]:
    return choices.scene, dict(choices.values), choices.card


@pytest.fixture
def path() -> Path:
    return state_file()


def test_what_is_kept_is_recalled(path):
    with Memory(path).started():
        pass
    assert not path.exists(), "nothing chosen, nothing written"
    memory = Memory(path)
    with memory.started():
        memory.keep(CHOSEN)
    assert plain(Memory(path).recall(CONFIG)) == plain(CHOSEN)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert plain(decode(encode(CHOSEN).encode())) == plain(CHOSEN)


def test_it_is_on_the_disk_while_the_daemon_runs_so_that_a_kill_loses_nothing(path):
    memory = Memory(path)
    with memory.started():
        memory.keep(Choices(card=True))
        wait(lambda: path.exists() and decode(path.read_bytes()).card)
        memory.keep(CHOSEN)
        wait(lambda: decode(path.read_bytes()).scene == "late")


def test_a_slider_that_is_dragged_is_few_writes_and_the_last_value(path, monkeypatch):
    written: list[str] = []
    monkeypatch.setattr(module, "replace_atomically", lambda path, text, mode: written.append(text))
    memory = Memory(path)
    with memory.started():
        for step in range(100):
            memory.keep(Choices().choose(CONFIG, {"edge": step / 100}))
    assert 1 <= len(written) <= 3, "one at once, and what came meanwhile as one"
    assert json.loads(written[-1])["values"]["edge"]["value"] == 0.99


def test_keeping_does_not_wait_for_the_disk(path, monkeypatch):
    release = threading.Event()
    monkeypatch.setattr(module, "replace_atomically", lambda *_, **__: release.wait(20))
    memory = Memory(path)
    with memory.started():
        for _ in range(3):
            memory.keep(CHOSEN)  # returns, or the test hangs
        release.set()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "damaged"),
        (b'{"version": 1, "card"', "damaged"),
        (b"\xff\xfe", "damaged"),
        (b"[]", "damaged"),
        (b"[" * 60000, "damaged"),
        (b'{"version": 2, "card": false, "scene": null, "values": {}}', "version 2"),
        (b'{"version": 1, "card": 1, "scene": null, "values": {}}', "damaged"),
        (b'{"version": 1, "card": false, "scene": 3, "values": {}}', "damaged"),
        (b'{"version": 1, "card": false, "scene": null, "values": {"sink": {"value": "x"}}}', "damaged"),
        (b'{"version": 1, "card": false, "scene": null, "values": {"edge": {"value": 9}}}', "damaged"),
        (b'{"version": 1, "card": false, "scene": null, "values": {"edge": {"value": NaN}}}', "damaged"),
        (b'{"version": 1, "card": false, "scene": null, "values": {"mirror": {"value": "yes"}}}', "damaged"),
        (b'{"version": 1, "card": false, "scene": null, "values": {"crop": {"value": {"left": 0.9}}}}', "damaged"),
        (b'{"version": 1, "card": false, "scene": null, "values": {"mirror": true}}', "damaged"),
        (b" " * 100_000, "larger"),
    ],
)
def test_an_odd_file_is_one_line_and_the_start_goes_on(path, content, says, caplog):
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    assert Memory(path).recall(CONFIG) == Choices()
    assert len(caplog.messages) == 1
    assert says in caplog.text
    assert str(path) in caplog.text


def test_a_card_of_another_version_stays_on(path):
    path.parent.mkdir(parents=True)
    path.write_text('{"version": 2, "card": true, "more": 1}')
    assert Memory(path).recall(CONFIG) == Choices(card=True)


@pytest.mark.parametrize("kind", ["fifo", "folder", "link to nothing", "device", "unreadable"])
def test_what_is_no_file_is_never_waited_for(path, kind, caplog):
    path.parent.mkdir(parents=True)
    make = {
        "fifo": lambda: os.mkfifo(path),
        "folder": path.mkdir,
        "link to nothing": lambda: path.symlink_to("nowhere"),
        "device": lambda: path.symlink_to("/dev/zero"),
        "unreadable": lambda: path.touch(0),
    }
    make[kind]()
    memory = Memory(path)
    assert memory.recall(CONFIG) == Choices()
    assert len(caplog.messages) <= 1
    with memory.started():
        memory.keep(CHOSEN)
    assert kind == "folder" or plain(decode(path.read_bytes())) == plain(CHOSEN), "the next choice is kept again"


def test_a_folder_that_cannot_be_written_is_one_line(path, monkeypatch, caplog):
    path.parent.parent.mkdir(parents=True)
    path.parent.write_text("a file where the folder should be")
    memory = Memory(path)
    monkeypatch.setattr(module, "_PAUSE_S", 0.0)
    with memory.started():
        for card in (True, False) * 5:
            memory.keep(Choices(card=card))
            time.sleep(0.01)
    assert len([text for text in caplog.messages if "not kept" in text]) == 1


def test_fresh_forgets_all_but_the_card(path):
    memory = Memory(path)
    with memory.started():
        memory.keep(Choices("late", CHOSEN.values, card=True))
    fresh = Memory(path, fresh=True)
    assert fresh.recall(CONFIG) == Choices(card=True)
    with fresh.started():
        pass
    assert plain(Memory(path).recall(CONFIG)) == (None, {}, True)


def test_a_scene_that_has_gone_is_told(path, caplog):
    memory = Memory(path)
    with memory.started():
        memory.keep(Choices("late"))
    assert Memory(path).recall(CONFIG.model_copy(update={"scenes": {}})).scene is None
    assert "scene late" in caplog.text


def test_what_the_command_line_names_is_known(path):
    assert Memory(path, frozenset({"backdrop"})).recall(CONFIG).typed == {"backdrop"}


@pytest.mark.parametrize(
    ("key", "left"),
    [
        ("backdrop", {"edge", "crop"}),
        ("crop.left", {"backdrop", "edge"}),
        ("crop", {"backdrop", "edge"}),
        ("scenes.late.edge", {"backdrop", "crop"}),
        ("scenes.late.crop.left", {"backdrop", "edge"}),
        ("scenes.meeting.edge", {"backdrop", "edge", "crop"}),
        ("fps", {"backdrop", "edge", "crop"}),
    ],
)
def test_setting_a_key_forgets_what_was_chosen_for_it(path, key, left):
    memory = Memory(path)
    with memory.started():
        memory.keep(CHOSEN)
        wait(lambda: path.exists() and bool(memory.recall(CONFIG).values))
        assert memory.forgotten() == set()
        forget(key)
        assert set(decode(path.read_bytes()).values) == left
        assert decode(path.read_bytes()).scene == "late"
        assert memory.forgotten() == set(CHOSEN.values) - left, "the running daemon learns of it when it reloads"


def test_there_may_be_nothing_to_forget(path, caplog):
    forget("backdrop")
    assert not path.exists()
    assert Choice(1) != Choice(1, None)
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
