"""The page of all settings says what the schema says, and mistakes are told in its words."""

from __future__ import annotations

from pathlib import Path

import pytest

from camdaemon.config import schema
from camdaemon.config.mistakes import find_line
from camdaemon.config.settings import find_field, list_keys, list_settings, write_page
from camdaemon.errors import ConfigError

PAGE = Path(__file__).parents[2] / "docs" / "settings.md"


def test_the_page_is_up_to_date():
    assert PAGE.read_text("utf-8") == write_page(), "run: camdaemon config list > docs/settings.md"


def test_every_setting_has_a_row_with_a_type_a_meaning_and_a_default_or_an_example():
    rows = {row.key: row for row in list_settings()}
    assert len(rows) == len(list_settings())
    for row in rows.values():
        assert row.allowed, row
        assert row.help, row
        assert row.default or row.example or row.key.startswith("scenes.NAME."), row
    assert (rows["fps"].allowed, rows["fps"].default) == ("a number from 1 to 240", "30.0")
    assert rows["device"].allowed == "one of auto, cpu, cuda"
    assert rows["matting"].allowed == "one of bgmv2, difference"
    assert rows["max_coverage"].allowed == "a number above 0 and at most 1"
    assert rows["plate_taking.frames"].allowed == "a whole number from 3 to 120"
    assert rows["size"].allowed.startswith("WIDTHxHEIGHT")
    assert rows["scenes.NAME.crop.left"].allowed == "a number of at least 0 and below 1"


def test_a_field_is_found_by_its_keys():
    assert find_field(["scenes", "late", "crop", "left"]) is schema.CropConfig.model_fields["left"]
    assert find_field(["hotkeys", "scene late"]) is schema.Config.model_fields["hotkeys"]
    assert find_field(["refine", "pixel"]) is find_field(["fps", "x"]) is find_field([]) is None
    assert "backdrop" in list_keys(["scenes", "late"])
    assert list_keys(["fps"]) == []


WRONG = """fps = 0
bakdrop = "x"
device = "cdua"
size = "1281x720"
mirror = 7
more_sinks = ["a", 5]
matting = "diference"
[refine]
pixels = 3.5
# mode = "full"
mode = "samplign"
[scenes.late]
blur = -1
bakdrop = 3
crop = {left = 0.5, width = 0.9}
[scenes."two words"]
mode = "passthrough"
"""
SAID = {  # what a line of the error must have
    "fps": ["0", "a number from 1 to 240", "line 1"],
    "bakdrop": ["no such setting", "backdrop?", "line 2"],
    "device": ["'cdua'", "auto, cpu, cuda", "cuda?", "line 3"],
    "size": ["1281x720", "1280x720", "line 4"],
    "mirror": ["7", "true or false", "line 5"],
    "more_sinks.1": ["5", "text", "line 6"],
    "matting": ["bgmv2, difference", "difference?", "line 7"],
    "refine.pixels": ["3.5", "a whole number", "line 9"],
    "refine.mode": ["sampling?", "line 11"],
    "scenes.late.blur": ["-1", "from 0 to 100", "line 13"],
    "scenes.late.bakdrop": ["backdrop?", "line 14"],
    "scenes.late.crop": ["left + width", "line 15"],
    "scenes.two words.mode": ["'passthrough'", "matte, card", "line 17"],
}
THEIRS = ("Input should", "valid dictionary", "Extra inputs", "Value error", "type=", "pydantic", "instance of")


def test_every_mistake_is_told_in_our_words_with_its_line(tmp_path):
    path = tmp_path / "config.toml"
    path.write_text(WRONG)
    with pytest.raises(ConfigError) as wrong:
        schema.load(path, {})
    lines = {line.strip().partition(" = ")[0].partition(": ")[0]: line for line in str(wrong.value).splitlines()[1:-1]}
    assert lines.keys() == SAID.keys()
    for key, words in SAID.items():
        assert all(word in lines[key] for word in words), lines[key]
    assert not [word for word in THEIRS if word in str(wrong.value)]


def mistakes_in(path: Path) -> str:
    try:
        schema.load(path, {})
    except ConfigError as exc:
        return str(exc)
    return ""


@pytest.mark.parametrize("value", ["3", "'x'", "true", "[]", "{}", "{x = 1}", "-1", "1e400", "1979-05-27", "['a', {}]"])
@pytest.mark.parametrize(
    "key", [row.key.replace("NAME", "n") for row in list_settings()] + ["scenes", "scenes.n", "crop"]
)
def test_no_value_of_any_setting_brings_a_librarys_words(tmp_path, key, value):
    path = tmp_path / "config.toml"
    path.write_text(f"{key} = {value}\n")
    said = mistakes_in(path)
    assert not [word for word in THEIRS if word in said], said
    assert not said or "line 1" in said


def test_the_command_line_is_named_as_the_place():
    with pytest.raises(ConfigError, match=r"fps = 0\.0: .*1 to 240 \(command line\)"):
        schema.load(None, {"fps": 0.0})


def test_lines_are_found_below_their_tables():
    lines = ["a = 1", "b.c = 2", "[t] # x", "a = 3", '["two words".u]', "a = [", "  1,", "]"]
    assert [find_line(lines, keys) for keys in (["a"], ["b", "c"], ["t", "a"], ["t", "z"], ["nothing"])] == [
        1,
        2,
        4,
        3,
        0,
    ]
    assert find_line(lines, ["two words", "u", "a", "0"]) == 6
