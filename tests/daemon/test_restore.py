"""What comes back at the start of a run, and what never does unasked."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from camdaemon.config.choices import Choices
from camdaemon.config.schema import Config, SceneConfig
from camdaemon.daemon.opening import Playing
from camdaemon.daemon.restore import memory_for, restore_backdrop
from camdaemon.errors import ConfigError
from camdaemon.frames.frame import Content, HostFrame, Size
from camdaemon.pipeline.loops import presentable
from camdaemon.pipeline.state import Mode
from tests.daemon.assembling import assemble

SIZE = Size(320, 180)  # a blur below 4 pixels is a light one
CONFIG = Config(
    source="pattern",
    sink="null",
    size="320x180",
    matting="difference",
    backdrop="color:#101010",
    scenes={"clean": SceneConfig(backdrop="plate", mirror=True), "soft": SceneConfig(backdrop="blur:30")},
)


def chosen(**values: object) -> Choices:
    return Choices().choose(CONFIG, values)


@pytest.mark.parametrize(
    ("choices", "configured", "shows", "says"),
    [
        (Choices(), {}, "color:#101010", ""),
        (chosen(backdrop="color:#202020"), {}, "color:#202020", ""),
        (chosen(backdrop="blur:30"), {}, "blur:30", ""),
        (chosen(backdrop="blur"), {}, "blur", ""),
        (chosen(backdrop="plate"), {}, "color:#101010", "camdaemon backdrop plate"),
        (chosen(backdrop="blur:3"), {}, "color:#101010", "camdaemon backdrop blur:3"),
        (chosen(backdrop="blur:3", blur=30.0), {}, "blur:3", ""),  # blurred twice
        (chosen(backdrop="plate", blur=1.0), {}, "color:#101010", "camdaemon backdrop plate"),
        (Choices().choose_scene("soft"), {}, "blur:30", ""),
        (Choices().choose_scene("clean"), {}, "color:#101010", "camdaemon scene clean"),
        (Choices(), {"backdrop": "plate"}, "plate", ""),  # the configuration asks for it
        (chosen(edge=0.5), {"backdrop": "blur:3"}, "blur:3", ""),
        (chosen(blur=0.0), {"backdrop": "plate", "blur": 40.0}, "plate", "shows the room"),
    ],
)
def test_the_room_does_not_come_back_unasked(choices, configured, shows, says, caplog):
    config = CONFIG.model_copy(update=configured)
    backdrop, look = restore_backdrop(config, choices, SIZE)
    assert (backdrop.spec, look.backdrop) == (shows, shows)
    assert bool(says) == bool(caplog.messages)
    assert says in caplog.text
    if says:
        assert look.blur == config.blur
    backdrop.close()


def test_a_backdrop_that_has_gone_is_one_line(tmp_path: Path, caplog):
    backdrop, look = restore_backdrop(CONFIG, chosen(backdrop=str(tmp_path / "gone.png"), mirror=True), SIZE)
    assert backdrop.spec == "color:#101010"
    assert look == Choices().look(CONFIG)._replace(mirror=True)
    assert len(caplog.messages) == 1
    assert "gone.png" in caplog.text


def test_a_configured_backdrop_that_has_gone_is_an_error_unless_another_was_chosen(tmp_path: Path):
    picture = tmp_path / "here.png"
    cv2.imwrite(str(picture), np.zeros((9, 16, 3), np.uint8))
    config = CONFIG.model_copy(update={"backdrop": str(tmp_path / "gone.png")})
    assert restore_backdrop(config, chosen(backdrop=str(picture)), SIZE)[0].spec == str(picture)
    with pytest.raises(ConfigError):
        restore_backdrop(config, Choices(), SIZE)


def test_a_card_that_was_on_is_in_force_before_anything_is_published():
    choices = Choices(scene="clean", card=True).choose(CONFIG, {"mirror": False, "backdrop": "blur:9"})
    pipeline = assemble(CONFIG, choices)
    scene = pipeline.state.scene
    assert (scene.mode, scene.name, scene.backdrop.spec) == (Mode.CARD, "clean", "blur:9")
    assert not scene.appearance.mirror
    assert not scene.paused
    spare = HostFrame.empty(pipeline.stage.sink.fmt, SIZE)
    shown = presentable(None, spare, pipeline.stage, pipeline.state, pipeline.metrics)
    assert shown.content is Content.CARD
    pipeline.camera.first.close()
    pipeline.stage.sink.close()


@pytest.mark.parametrize(
    ("source", "sink", "paced", "remembers"),
    [
        ("/dev/video0", "/dev/video10", True, True),
        ("/dev/video0", "out.mp4", True, True),
        ("pattern", "/dev/video10", True, True),
        ("pattern", "preview", True, True),
        ("pattern", "null", True, True),
        ("pattern", "out.mp4", True, False),
        ("pattern", "out.mkv", False, False),
        ("pattern", "null", False, False),
    ],
)
def test_a_clip_into_a_file_looks_as_configured(source, sink, paced, remembers):
    config = CONFIG.model_copy(update={"source": source, "sink": sink})
    assert (memory_for(config, Playing(paced=paced), {}, fresh=False) is not None) is remembers
