"""What the menu says, by the daemon's status."""

from __future__ import annotations

from typing import Any

import pytest

from camdaemon.control import table
from camdaemon.control.table import BackdropFile
from camdaemon.control.tray.menu import Action, Entry, build, describe, walk
from camdaemon.frames import card as cards
from camdaemon.pipeline.published import Kind, Published

STATUS: dict[str, Any] = {
    "viewers_see": "Viewers see you in front of hills.",
    "seen": {"state": "live", "reason": ""},
    "mode": "matte",
    "paused": False,
    "scene": None,
    "scenes": [],
    "backdrop": "hills",
    "taking": None,
    "demand": ["viewers"],
}


def menu(backdrops: list[BackdropFile] | None = None, **now: Any) -> dict[str, Entry]:
    """By label; separators are left out."""
    return {entry.label: entry for entry in walk(build(STATUS | now, backdrops or [])) if entry.label}


def test_the_fields_are_those_of_the_status() -> None:
    """A status that lacks one would empty the menu."""
    from camdaemon.control import status as real

    source = real.describe.__code__.co_consts
    names = {name for each in source for name in (each if isinstance(each, tuple) else (each,))}
    assert set(STATUS) | {"state", "reason"} <= names


@pytest.mark.parametrize("view", ["card", "lost", "standby", "nothing", "passthrough", "frozen"])
def test_what_viewers_see_is_short_and_has_no_command(view: str) -> None:
    from camdaemon.control.viewers import describe_view

    now = {
        "card": Published(Kind.CARD, 9, 0, card=cards.OFF, count=5),
        "lost": Published(Kind.CARD, 9, 0, card=cards.LOST, count=5),
        "standby": Published(Kind.CARD, 9, 0, card=cards.STANDBY, count=5),
        "nothing": Published(Kind.NOTHING, 9, 0, count=5),
        "passthrough": Published(Kind.PASSTHROUGH, 9, 0, count=5),
        "frozen": Published(Kind.FROZEN, 9, 0, count=5),
    }[view]
    seen = describe_view(now, 9)
    said = describe(STATUS | {"viewers_see": seen.sentence, "seen": seen._asdict()})
    assert (
        said
        == {
            "card": ["Viewers see the privacy card"],
            "lost": ["Viewers see the card “Camera lost”", "The camera is lost and is looked for"],
            "standby": ["Viewers see the card “Standing by”", "Nobody watches, the camera is off"],
            "nothing": ["Viewers see nothing new", "The virtual camera is lost and is looked for"],
            "passthrough": ["Viewers see the raw camera, your room included"],
            "frozen": ["Viewers see a still picture of you"],
        }[view]
    )


@pytest.mark.parametrize(
    ("demand", "said"),
    [(["viewers"], False), (["always"], False), (["always", "panel"], False), (["panel"], True), ([], True)],
)
def test_it_says_when_nobody_watches(demand: list[str], said: bool) -> None:
    assert ("Nobody watches at the moment" in menu(demand=demand)) is said


def test_what_the_sentence_would_have_one_type_is_a_line() -> None:
    assert menu(mode="passthrough")["Hide the room"].action == Action("mode", (("mode", "matte"),))
    assert menu(paused=True)["Let the picture move again"].action == Action("pause", (("turn", "off"),))
    assert not {"Hide the room", "Let the picture move again"} & set(menu())


def test_nothing_in_the_menu_shows_the_room() -> None:
    """The clean room is there only while it is what shows; passthrough never."""
    for entry in [*menu(mode="passthrough").values(), *menu(paused=True).values()]:
        values = {} if entry.action is None else dict(entry.action.values)
        assert {"passthrough", "plate"}.isdisjoint(values.values())
        assert "yes" not in values
    shown = menu(backdrop="plate")["Clean room"]
    assert shown.is_on


def test_every_action_is_a_command_with_its_parameters() -> None:
    many = [BackdropFile(f"{n}.jpg", f"/p/{n}.jpg", "image") for n in range(41)]
    states: list[dict[str, Any]] = [
        {},
        {"mode": "card", "scenes": ["a"], "scene": "a"},
        {"mode": "passthrough", "paused": True},
        {"taking": {"by": "you"}},
    ]
    for state in states:
        for entry in walk(build(STATUS | state, many)):
            if entry.action is not None:
                names = {parameter.name for parameter in table.find(entry.action.function).sent}
                assert set(dict(entry.action.values)) <= names
    keys = [entry.key for entry in walk(build(STATUS, many))]
    assert len(keys) == len(set(keys))


@pytest.mark.parametrize(
    ("spec", "label"),
    [
        ("/p/a.jpg", "a"),
        ("blur", "Blur"),
        ("blur:30", "Blur"),
        ("color:#2f4f5f", "Color #2f4f5f"),
        ("/else/where.mp4", "where.mp4"),
        ("hills", "hills"),
    ],
)
def test_one_backdrop_is_chosen(spec: str, label: str) -> None:
    files = [BackdropFile("a.jpg", "/p/a.jpg", "image"), BackdropFile("hills", "hills", "image")]
    backdrops = menu(files, backdrop=spec)["Backdrops"].children
    assert [entry.label for entry in backdrops if entry.is_on] == [label]
    assert {entry.toggle for entry in backdrops} == {"radio"}


def test_a_folder_of_hundreds_is_left_to_the_panel() -> None:
    files = [BackdropFile(f"{'long' * 40}{n}.jpg", f"/p/{n}.jpg", "image") for n in range(300)]
    *shown, more = menu(files)["Backdrops"].children
    assert len(shown) < 50
    assert max(len(entry.label) for entry in shown) <= 90
    assert (more.label, more.action) == ("260 more, in the panel", Action("panel"))


def test_without_scenes_there_is_no_submenu() -> None:
    assert "Scenes" not in menu()
    (scene,) = menu(scenes=["late"])["Scenes"].children
    assert (scene.is_on, scene.action) == (False, Action("scene", (("name", "late"),)))
