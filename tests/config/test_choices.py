"""What was chosen live, and what it makes of a configuration: pure values."""

from __future__ import annotations

from dataclasses import replace

import pytest

from camdaemon.config.choices import Choices, Look
from camdaemon.config.schema import Config, CropConfig, SceneConfig

CROP = CropConfig(left=0.2, top=0.0, width=0.6, height=0.6)
CONFIG = Config(
    backdrop="color:#101010",
    edge=0.1,
    scenes={"late": SceneConfig(backdrop="blur:30", mirror=True, crop=CROP), "meeting": SceneConfig(edge=0.5)},
)


def test_without_choices_the_picture_is_as_configured():
    assert Choices().look(CONFIG) == Look("color:#101010", 0.1, 0.0, False, None)


def test_a_scene_is_complete_and_what_is_chosen_after_it_stands_over_it():
    chosen = Choices().choose(CONFIG, {"blur": 9.0, "mirror": True}).choose_scene("meeting")
    assert chosen.look(CONFIG) == Look("color:#101010", 0.5, 0.0, False, None)
    late = chosen.choose_scene("late").choose(CONFIG, {"mirror": False, "crop": None})
    assert late.look(CONFIG) == Look("blur:30", 0.1, 0.0, False, None)
    assert late.reset().look(CONFIG) == Choices().look(CONFIG)


@pytest.mark.parametrize(
    ("edited", "kept"),
    [
        ({"backdrop": "color:#202020"}, {"mirror", "crop"}),
        ({"mirror": True}, {"backdrop", "crop"}),
        ({"crop": CROP}, {"backdrop", "mirror"}),
        ({"crop": CropConfig()}, {"backdrop", "mirror", "crop"}),  # the whole picture, as before
        ({"fps": 12.0}, {"backdrop", "mirror", "crop"}),
    ],
)
def test_editing_a_key_drops_its_choice_and_no_other(edited, kept):
    chosen = Choices().choose(CONFIG, {"backdrop": "plate", "mirror": True, "crop": CropConfig(width=0.5)})
    assert set(chosen.follow(CONFIG.model_copy(update=edited)).values) == kept


def test_a_choice_over_a_scene_is_dropped_when_the_scene_is_edited():
    chosen = Choices().choose_scene("late").choose(CONFIG, {"mirror": False, "edge": 0.9})
    new = CONFIG.model_copy(update={"scenes": {"late": SceneConfig(mirror=True, edge=0.3)}})
    assert set(chosen.follow(new).values) == {"mirror"}


def test_a_scene_that_has_gone_is_no_scene():
    gone = Choices().choose_scene("late").follow(CONFIG.model_copy(update={"scenes": {}}))
    assert (gone.scene, gone.look(CONFIG)) == (None, Choices().look(CONFIG))


def test_the_command_line_wins_until_something_is_chosen_over_it():
    chosen = Choices().choose_scene("late").choose(CONFIG, {"edge": 0.9})
    typed = CONFIG.model_copy(update={"backdrop": "color:#303030", "edge": -0.5})
    run = replace(chosen, typed=frozenset({"backdrop", "edge"}), beaten=frozenset()).follow(typed)
    assert run.look(typed) == Look("color:#303030", -0.5, 0.0, True, CROP)
    assert run.choose(typed, {"edge": 0.2}).look(typed).edge == 0.2
    assert run.choose_scene("late").look(typed).backdrop == "blur:30", "the scene is asked for now"


def test_what_was_chosen_over_the_command_line_holds_in_a_run_without_it():
    typed = CONFIG.model_copy(update={"backdrop": "color:#303030"})
    chosen = Choices(typed=frozenset({"backdrop"})).choose(typed, {"backdrop": "blur:20"})
    later = replace(chosen, typed=frozenset(), beaten=frozenset()).follow(CONFIG)
    assert later.look(CONFIG).backdrop == "blur:20"
    edited = CONFIG.model_copy(update={"backdrop": "color:#404040"})
    assert later.follow(edited).look(edited).backdrop == "color:#404040", "from now on an edit is noticed"


def test_what_the_configuration_set_itself_is_dropped_even_if_it_is_the_same():
    chosen = Choices().choose(CONFIG, {"backdrop": "blur:20", "mirror": True})
    assert set(chosen.follow(CONFIG, {"backdrop"}).values) == {"mirror"}
