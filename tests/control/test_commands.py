"""The verbs on a live pipeline made of fakes: what they change, what they refuse, and that refusing changes nothing."""

import itertools
import random
import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from camdaemon.config.schema import Config, CropConfig, SceneConfig
from camdaemon.control.commands import Commands
from camdaemon.control.plates import WITHOUT_PLATE
from camdaemon.errors import ConfigError, ControlError
from camdaemon.frames import card as cards
from camdaemon.frames.appearance import Appearance, Crop
from camdaemon.frames.frame import Content
from camdaemon.frames.kinds import READY
from camdaemon.pipeline.state import Mode
from camdaemon.plate.parts import Plate
from tests.fakes import RULES, BelievingMatting, Rig, room
from tests.present import present

# No two of them mix to the color that the room is painted in, magenta: they fade into each other.
GREEN, BLUE, YELLOW = (0, 255, 0), (0, 0, 255), (255, 255, 0)


@dataclass
class Live:
    rig: Rig
    commands: Commands
    config: list[Config]  # the last one is what a reload finds
    told: list[Config]  # what was handed to the surfaces by a reload

    @property
    def scene(self):
        return self.rig.state.scene

    def shows(self, color: tuple[int, int, int]) -> Callable[[], bool]:
        """Whether the newest published frame is a composite over `color`; its corner is never the person."""

        def now() -> bool:
            frames = self.rig.sink.frames
            return (
                bool(frames) and frames[-1][0] is Content.COMPOSITE and np.allclose(frames[-1][2][2, 2], color, atol=6)
            )

        return now

    def wait(self, condition: Callable[[], bool]) -> None:
        self.rig.run_until(condition)


def picture(path: Path, color: tuple[int, int, int]) -> str:
    path.parent.mkdir(exist_ok=True)
    cv2.imwrite(str(path), np.full((72, 128, 3), color[::-1], np.uint8))
    return str(path)


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Live]:
    folder = tmp_path / "backdrops"
    for name, color in (("a-yellow.png", YELLOW), ("b-blue.png", BLUE), ("c-green.png", GREEN)):
        picture(folder / name, color)
    scenes = {
        "meeting": SceneConfig(backdrop="color:#0000ff", mirror=True, blur=3.0, edge=0.5),
        "close": SceneConfig(crop=CropConfig(left=0.25, top=0.25, width=0.5, height=0.5)),
        "away": SceneConfig(mode="card"),
        "broken": SceneConfig(backdrop=str(tmp_path / "gone.png"), mirror=True),
    }
    config = Config(
        source="fake",
        sink="fake",
        plate_taking=asdict(RULES),
        backdrops=str(folder),
        scenes=scenes,
        fade_s=0.05,
        hotkeys=False,
    )
    rig = Rig()
    found = [config]
    told: list[Config] = []
    commands = Commands(
        rig.pipeline,
        config,
        rig.sink.size,
        None,
        lambda: None,
        lambda: found[-1],
        on_reload=lambda _, new: told.append(new),
    )
    live = Live(rig, commands, found, told)
    rig.pipeline.start()
    live.wait(rig.published(Content.COMPOSITE))
    yield live
    rig.pipeline.stop()
    rig.assert_no_room()


def test_a_scene_is_complete(live: Live) -> None:
    """What it does not name is as configured, not as the scene before it or a command left it."""
    live.commands.card("on")
    live.commands.pause("on")
    live.commands.scene("meeting")
    assert (live.scene.mode, live.scene.paused) == (Mode.MATTE, False)
    assert live.scene.name == "meeting"
    assert live.scene.appearance.mirror
    assert (live.scene.appearance.blur, live.scene.appearance.edge) == (3.0, 0.5)
    live.wait(live.shows(BLUE))
    live.commands.scene("close")
    assert live.scene.backdrop.spec == "color:#2f4f5f", "the configured one"
    assert live.scene.appearance == Appearance(crop=Crop(0.25, 0.25, 0.5, 0.5)), "mirror, blur and edge are gone"
    live.commands.adjust(0.7, 9.0)
    live.commands.scene("away")
    assert live.scene.mode is Mode.CARD
    assert live.scene.appearance == Appearance(), "the crop is gone, and what was adjusted"
    assert live.scene.plate is not None


def test_a_crop_is_chosen_and_undone(live: Live) -> None:
    live.commands.crop(0.2, 0.1, 0.5, 0.9)
    assert live.scene.appearance.crop == Crop(0.2, 0.1, 0.5, 0.9)
    assert live.commands.status()["crop"] == {"left": 0.2, "top": 0.1, "width": 0.5, "height": 0.9}
    for wrong in ((0.7, 0.0, 0.4, 1.0), (0.0, 0.5, 1.0, 0.6), (0.0, 0.0, 0.05, 1.0), (-0.1, 0.0, 1.0, 1.0)):
        with pytest.raises(ConfigError, match="camdaemon crop"):
            live.commands.crop(*wrong)
    assert live.scene.appearance.crop == Crop(0.2, 0.1, 0.5, 0.9), "a refusal changes nothing"
    live.commands.uncrop()
    assert live.commands.status()["crop"] is None
    live.commands.crop(0.7, 0.0, 0.3, 1.0)
    live.commands.crop(0.0, 0.0, 1.0, 1.0)
    assert live.scene.appearance.crop is None, "the whole picture is no crop"


def test_reset_undoes_what_was_chosen_and_leaves_the_card(live: Live) -> None:
    live.commands.scene("meeting")
    live.commands.mirror("off")
    live.commands.card("on")
    live.commands.reset()
    assert (live.scene.name, live.scene.backdrop.spec) == (None, "color:#2f4f5f")
    assert live.scene.appearance == Appearance()
    assert live.scene.mode is Mode.CARD


def test_a_scene_comes_with_a_cross_fade(live: Live) -> None:
    scenes = {"meeting": live.config[-1].scenes["meeting"]}
    live.config.append(live.config[-1].model_copy(update={"fade_s": 0.5, "scenes": scenes}))
    live.commands.reload()
    live.wait(live.shows(GREEN))
    since = len(live.rig.sink.frames)
    live.commands.scene("meeting")
    live.wait(live.shows(BLUE))
    corners = [
        rgb[2, 2].astype(int) for content, _, rgb in live.rig.sink.frames[since:] if content is Content.COMPOSITE
    ]
    blues = [int(corner[2]) for corner in corners]
    between = [blue for blue in blues if 20 < blue < 235]
    assert len(between) >= 3, "no frame was a mixture of both"
    assert all(later >= sooner - 3 for sooner, later in itertools.pairwise(blues)), "the fade went back"


@pytest.mark.parametrize(
    ("verb", "says"),
    [
        (lambda c: c.scene("broken"), "scene broken: .*backdrop"),
        (lambda c: c.scene("meting"), "did you mean meeting"),
        (lambda c: c.backdrop("/gone.png"), "no such backdrop"),
        (lambda c: c.mode("raw"), "none of matte"),
        (lambda c: c.adjust(2.0, None), r"edge 2 .*-1 \w+ 1\b"),
        (lambda c: c.adjust(0.5, float("nan")), "blur nan"),
    ],
)
def test_a_refusal_changes_nothing(live: Live, verb: Callable[[Commands], str], says: str) -> None:
    before = live.scene
    with pytest.raises(ConfigError) as refused:
        verb(live.commands)
    assert re.search(says, str(refused.value))
    assert live.scene is before


def test_next_and_previous_go_round_the_folder(live: Live, tmp_path: Path) -> None:
    names = [live.commands.next_backdrop() for _ in range(4)]
    assert [name.split()[-1] for name in names] == ["a-yellow.png.", "b-blue.png.", "c-green.png.", "a-yellow.png."]
    assert "c-green.png" in live.commands.previous_backdrop()
    picture(tmp_path / "backdrops" / "d-new.png", YELLOW)  # appears without a restart
    assert [file.name for file in live.commands.backdrops()][3:] == ["d-new.png", *READY]
    assert "d-new.png" in live.commands.next_backdrop()
    live.wait(live.shows(YELLOW))


def test_next_shows_what_comes_with_camdaemon_while_the_folder_is_empty(live: Live, tmp_path: Path) -> None:
    live.commands.gallery.folder = tmp_path / "nothing"
    assert READY[0] in live.commands.next_backdrop()
    assert live.scene.backdrop.spec == READY[0]


def test_pause_freezes_the_composite_and_never_the_room(live: Live) -> None:
    live.commands.pause("on")
    live.wait(lambda: live.rig.pipeline.processor._frozen is not None)
    since = len(live.rig.sink.frames) + 2
    live.wait(lambda: len(live.rig.sink.frames) > since + 8)
    frozen = [rgb for content, _, rgb in live.rig.sink.frames[since:] if content is Content.COMPOSITE]
    assert len(frozen) >= 6
    assert all(np.array_equal(frozen[0], rgb) for rgb in frozen)
    live.commands.card("on")
    live.wait(lambda: live.rig.sink.frames[-1][0] is Content.CARD)
    live.commands.card("off")
    live.commands.pause("off")
    moving = len(live.rig.sink.frames)
    live.wait(
        lambda: any(
            content is Content.COMPOSITE and not np.array_equal(frozen[0], rgb)
            for content, _, rgb in live.rig.sink.frames[moving:]
        )
    )


def test_switches_toggle(live: Live) -> None:
    assert "frozen" in live.commands.pause("toggle")
    assert "moves" in live.commands.pause("toggle")
    assert "card" in live.commands.card("toggle")
    assert "again" in live.commands.card("toggle")
    assert "You are mirrored" in live.commands.mirror("on")
    assert live.commands.status()["mirror"] is True


def test_adjust_is_seen_in_the_status(live: Live) -> None:
    live.commands.adjust(0.25, None)
    live.commands.adjust(None, 7.5)
    status = live.commands.status()
    assert (status["edge"], status["blur"]) == (0.25, 7.5)
    assert status["scenes"] == ["meeting", "close", "away", "broken"]


def test_reload_applies_what_it_can_and_names_the_rest(live: Live) -> None:
    scenes = {"late": SceneConfig(backdrop="blur")}
    changed = {"backdrop": "color:#ffff00", "scenes": scenes, "fps": 60.0, "edge": 0.5, "max_coverage": 0.8}
    live.config.append(live.config[-1].model_copy(update=changed))
    said = live.commands.reload()
    assert re.search(r"backdrop, edge, max_coverage, scenes.*restart.*fps", said)
    assert live.commands.scenes() == ["late"]
    assert live.scene.appearance.edge == 0.5
    assert live.scene.max_coverage == 0.8
    assert live.told == [live.config[-1]]
    live.wait(live.shows(YELLOW))


def test_reload_of_the_scene_that_shows(live: Live) -> None:
    live.commands.scene("meeting")
    scenes = live.config[-1].scenes | {"meeting": SceneConfig(backdrop="color:#ffff00")}
    scenes.pop("broken")
    live.config.append(live.config[-1].model_copy(update={"scenes": scenes}))
    live.commands.reload()
    live.wait(live.shows(YELLOW))


def test_a_wrong_configuration_is_refused_whole(live: Live) -> None:
    before, scenes = live.scene, live.commands.scenes()
    broken = {"one": SceneConfig(backdrop="/gone/1.png"), "two": SceneConfig(backdrop="/gone/2.png")}
    live.config.append(live.config[-1].model_copy(update={"scenes": broken, "backdrop": "color:#ffff00"}))
    with pytest.raises(ConfigError) as refused:
        live.commands.reload()
    assert "/gone/1.png" in str(refused.value)
    assert "/gone/2.png" in str(refused.value), "every mistake at once"
    assert live.scene is before
    assert live.commands.scenes() == scenes


def test_the_invitation_is_for_the_user_and_viewers_see_a_card_without_it() -> None:
    rig = Rig(plate=None)
    commands = Commands(rig.pipeline, rig.config, rig.sink.size, None, lambda: None)
    commands.invite(cards.make_invitation("press F9"))
    rig.pipeline.start()
    rig.run_until(lambda: rig.state.published.last.card == cards.NO_PLATE)
    assert "press F9" in present(rig.state.published.last.card).reason
    assert not [drawn for drawn in rig.pipeline.stage.card_cache._drawn if "F9" in drawn.title + drawn.hint]
    rig.pipeline.stop()
    rig.assert_no_room()


def test_the_status_says_why_edges_are_rougher() -> None:
    rig = Rig(matting=BelievingMatting(), plate=None, needs_plate=False)
    commands = Commands(rig.pipeline, rig.config, rig.sink.size, None, lambda: None)
    rig.pipeline.start()
    rig.run_until(rig.published(Content.COMPOSITE))
    status = commands.status()
    assert (status["plate"], status["plate_note"]) == ("missing", WITHOUT_PLATE)
    assert WITHOUT_PLATE.startswith("no plate: rougher edges")
    rig.state.scene = replace(rig.state.scene, plate=Plate(np.full_like(room(), (20, 40, 20))))
    rig.run_until(lambda: "does not fit" in str(commands.status()["plate_note"]))
    rig.state.scene = replace(rig.state.scene, plate=Plate(room()))
    rig.run_until(lambda: commands.status()["plate_note"] == "")
    rig.pipeline.stop()
    rig.assert_no_room()


def test_without_a_panel_or_a_file_to_read(live: Live) -> None:
    with pytest.raises(ControlError):
        live.commands.panel()
    commands = Commands(live.rig.pipeline, live.config[-1], live.rig.sink.size, None, lambda: None)
    with pytest.raises(ConfigError, match=r"no configuration.*with: camdaemon run$"):
        commands.reload()


def test_two_hundred_random_verbs_from_four_clients(live: Live) -> None:
    """No deadlock, no exception, no raw frame (see the fixture), and the show goes on."""
    verbs: list[Callable[[Commands], object]] = [
        lambda c: c.next_backdrop(), lambda c: c.previous_backdrop(), lambda c: c.scene("meeting"),
        lambda c: c.scene("close"), lambda c: c.scene("away"), lambda c: c.card("toggle"), lambda c: c.pause("toggle"),
        lambda c: c.mirror("toggle"), lambda c: c.adjust(0.3, 2.0), lambda c: c.adjust(-1.0, 0.0),
        lambda c: c.mode("matte"), lambda c: c.mode("card"), lambda c: c.status(), lambda c: c.backdrops(),
        lambda c: c.backdrop("color:#123456"),  # and never plate or blur, which show the room because they are to
    ]  # fmt: skip
    refusing: list[Callable[[Commands], object]] = [lambda c: c.scene("broken"), lambda c: c.backdrop("/gone.png")]
    faults: list[BaseException] = []

    def client(number: int) -> None:
        chance = random.Random(number)
        for _ in range(50):
            try:
                if chance.random() < 0.15:
                    with pytest.raises(ConfigError):
                        chance.choice(refusing)(live.commands)
                else:
                    chance.choice(verbs)(live.commands)
            except BaseException as exc:
                faults.append(exc)

    clients = [threading.Thread(target=client, args=(number,)) for number in range(4)]
    began = time.monotonic()
    for thread in clients:
        thread.start()
    for thread in clients:
        thread.join(30)
    assert not any(thread.is_alive() for thread in clients), f"stuck after {time.monotonic() - began:.0f} s"
    assert not faults
    live.commands.mode("matte")
    live.commands.pause("off")
    live.commands.backdrop("color:#00ff00")
    live.commands.adjust(0.0, 0.0)
    live.wait(live.shows(GREEN))
    assert not live.rig.pipeline.ended.is_set()


def test_a_broken_file_does_not_bar_the_way(live: Live, tmp_path: Path) -> None:
    (tmp_path / "backdrops" / "a-z-broken.png").write_bytes(b"no picture")
    assert "a-yellow.png" in live.commands.next_backdrop()
    assert "b-blue.png" in live.commands.next_backdrop()
    assert "a-yellow.png" in live.commands.previous_backdrop()


def test_a_folder_of_broken_files_is_an_error(live: Live, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    for name in ("a.png", "b.png"):
        (broken / name).write_bytes(b"no picture")
    live.commands.gallery.folder = broken
    before = live.scene
    with pytest.raises(ConfigError, match="cannot read the picture"):
        live.commands.next_backdrop()
    assert live.scene is before
