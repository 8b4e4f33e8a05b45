"""Every mistake at once, with the right word beside it; and nothing is guessed."""

import re
from pathlib import Path

import pytest

from camdaemon.config import schema
from camdaemon.config.schema import Config
from camdaemon.daemon.build import matting_settings
from camdaemon.errors import ConfigError
from camdaemon.frames.frame import Size
from camdaemon.matting import MattingSettings, Refinement
from camdaemon.plate.take import PlateRules

CHECK = "camdaemon config --check"


@pytest.fixture
def file(tmp_path):
    def write(text: str) -> Path:
        path = tmp_path / "config.toml"
        path.write_text(text, "utf-8")
        return path

    return write


def refused(path: Path | None, **overrides: object) -> str:
    with pytest.raises(ConfigError) as wrong:
        schema.load(path, overrides)
    assert wrong.value.exit_code == 2
    return str(wrong.value)


def test_without_a_file_the_defaults_hold_and_are_valid():
    assert not schema.default_path().exists()
    assert schema.load(None, {}) == Config()
    assert Config.model_validate(Config().model_dump(mode="json")) == Config()
    assert (Config().device, Config().matting, Config().plate) == ("auto", "bgmv2", "saved")


def test_three_mistakes_are_reported_at_once_each_with_the_right_word(file):
    path = file('bakdrop = "blur"\ndevice = "cudda"\nsize = "1281x720"\n')
    said = refused(path)
    assert "3 mistakes" in said
    assert str(path) in said
    lines = {line.strip() for line in said.splitlines()}
    assert any(re.match(r"bakdrop: .*\bbackdrop\?", line) for line in lines)
    assert any("device" in line and "'cudda'" in line and "cuda?" in line for line in lines)
    assert any("1281x720" in line and "multiples of 4" in line and "1280x720" in line for line in lines)
    assert said.endswith(CHECK)


def test_a_wrong_option_of_the_command_line_and_one_of_the_file_come_together(file):
    said = refused(file("fps = 0\n"), size="big", device=None)
    assert "2 mistakes" in said
    assert "fps" in said
    assert re.search("'big'.*WIDTHxHEIGHT", said)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[refine]\npixel = 3\n", r"refine\.pixel: .*\bpixels\?"),
        ("[plate_taking]\nstil_s = 1\n", r"plate_taking\.stil_s: .*\bstill_s\?"),
        ('[refine]\nmode = "samplign"\n', r"samplign.*\bsampling\?"),
        ("[refin]\npixels = 3\n", r"refin: .*\brefine\?"),
        ("[refine.pixels]\nx = 1\n", r"refine\.pixels"),
        ("refine = 5\n", "refine = 5"),
        ("[plate]\nframes = 3\n", r"plate = \{'frames': 3\}"),
    ],
)
def test_mistakes_inside_of_a_table_are_named_with_the_table(file, text, says):
    said = refused(file(text))
    assert re.search(says, said)
    assert said.endswith(CHECK)


@pytest.mark.parametrize(
    "text",
    [
        "fps = 0",
        "fps = nan",
        "fps = inf",
        "stale_after_s = 0",
        "repeat_s = 2",
        "max_coverage = 0",
        "max_coverage = 1.5",
        'match_exposure = "perhaps"',
        "source = 3",
        "[refine]\nscale = 0.0",
        "[refine]\nthreshold = -1",
        "[plate_taking]\nframes = 0",
        "[plate_taking]\nstill_s = 0.0",
        "size = 1280",
        'size = "0x0"',
    ],
)
def test_values_that_cannot_work_are_refused(file, text):
    assert "1 mistake " in refused(file(text + "\n"))


def test_an_impossible_size_written_as_a_table_does_not_hide_the_other_mistakes(file):
    said = refused(file("fps = 0\n[size]\nwidth = 1281\nheight = 720\n"))
    assert "fps" in said
    assert "size" in said


def test_what_the_command_line_says_beats_the_file_and_what_it_leaves_out_does_not(file):
    path = file('fps = 25.0\nsize = "640x360"\nbackdrop = "blur"\n[refine]\npixels = 9\n')
    loaded = schema.load(path, {"size": "1280x720", "fps": None, "backdrop": None, "device": "cpu"})
    assert loaded.size == Size(1280, 720)
    assert (loaded.fps, loaded.backdrop, loaded.device, loaded.refine.pixels) == (25.0, "blur", "cpu", 9)


@pytest.mark.parametrize("value", [False, 0.5, ""])
def test_a_value_that_counts_as_false_is_a_value(value):
    key = {bool: "match_exposure", float: "max_coverage", str: "source"}[type(value)]
    assert getattr(schema.load(None, {key: value}), key) == value


def test_the_file_in_its_usual_place_is_read_without_being_named():
    path = schema.default_path()
    path.parent.mkdir(parents=True)
    path.write_text("fps = 12.0\n", "utf-8")
    assert schema.load(None, {}).fps == 12.0


def test_a_named_file_that_is_not_there_is_an_error(tmp_path):
    said = refused(tmp_path / "absent.toml")
    assert "absent.toml" in said
    assert "No such file" in said
    assert said.endswith("--config FILE")
    assert "--config FILE" in refused(tmp_path), "a folder is no file"


@pytest.mark.parametrize("content", [b"fps: 25\n", b'size = "640x360', b"\xff\xfe\x00", b"fps = 1\nfps = 2\n"])
def test_what_is_not_toml_says_so(tmp_path, content):
    path = tmp_path / "broken.toml"
    path.write_bytes(content)
    said = refused(path)
    assert f"{path} is not TOML" in said
    assert said.endswith(CHECK)


def test_a_checked_configuration_stays_as_it_is():
    with pytest.raises(ValueError, match="frozen"):
        setattr(Config(), "fps", 3)  # noqa: B010


def test_the_stops_have_the_same_defaults():
    """They define their own settings, because they never import the configuration."""
    assert Refinement(**dict(Config().refine)) == Refinement()
    assert PlateRules(**dict(Config().plate_taking)) == PlateRules()
    assert matting_settings(Config(engine="auto")) == MattingSettings()
