"""The configuration is changed key by key: comments, order and everything else stay; a wrong value changes nothing."""

from __future__ import annotations

import stat
import tomllib
from pathlib import Path

import pytest

from camdaemon.config.editing import make_first_file, set_value, write_first_file
from camdaemon.config.schema import Config, load
from camdaemon.config.settings import list_settings
from camdaemon.errors import ConfigError

TEXT = """# mine
fps = 25.0 # as the lamp flickers

# about the network
[refine]
# inside
pixels = 3000

[scenes.late]
mirror = true
"""


@pytest.fixture
def file(tmp_path) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(TEXT)
    return path


def test_a_value_is_replaced_and_its_comment_stays(file):
    assert set_value(file, "fps", "30") == 30
    assert file.read_text() == TEXT.replace("25.0 #", "30 #")


def test_a_new_key_stands_with_its_table_and_above_the_next_ones_comment(file):
    set_value(file, "backdrop", "blur:30")
    set_value(file, "refine.scale", "0.25")
    assert file.read_text() == TEXT.replace("flickers\n", 'flickers\nbackdrop = "blur:30"\n').replace(
        "3000\n", "3000\nscale = 0.25\n"
    )


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("mirror", "on", True),
        ("mirror", "false", False),
        ("fps", "24.5", 24.5),
        ("size", "640x360", "640x360"),
        ("backdrop", "/home/me/my room.jpg", "/home/me/my room.jpg"),
        ("backdrop", "~/x.jpg", "~/x.jpg"),
        ("backdrop", "5", "5"),
        ("backdrop", '"quoted.jpg"', "quoted.jpg"),
        ("device", "cpu", "cpu"),
        ("more_sinks", '["a.mp4", "b.mp4"]', ["a.mp4", "b.mp4"]),
        ("hotkeys", "false", False),
        ("hotkeys.plate", "super+F3", "super+F3"),
        ('hotkeys."scene late"', "super+F2", "super+F2"),
        ("plate_taking.timeout_s", "20", 20),
        ("crop", "{left = 0.1, width = 0.5}", {"left": 0.1, "width": 0.5}),
        ("scenes.late.crop.width", "0.5", 0.5),
        ('scenes."two words".backdrop', "plate", "plate"),
    ],
)
def test_values_of_every_type_are_written_as_toml(file, key, text, value):
    assert set_value(file, key, text) == value
    written = tomllib.loads(file.read_text())
    for part in key.replace('"', "").split("."):
        written = written[part]
    assert written == value
    assert load(file, {}) != load(None, {})
    assert all(line in file.read_text() for line in ("# mine", "# about the network", "# inside", "pixels = 3000"))


@pytest.mark.parametrize(
    ("key", "text", "says"),
    [
        ("fps", "0", "1 to 240"),
        ("fps", "many", "a number"),
        ("device", "cudda", "cuda?"),
        ("size", "1281x720", "1280x720"),
        ("scenes.late.mode", "passthrough", "matte, card"),
        ("crop.left", "0.5", "left \\+ width"),
        ("refine", "3", "a table"),
        ("bakdrop", "blur", "did you mean backdrop"),
        ("refine.pixel", "3", "refine.pixels"),
        ("a b", "3", "no setting"),
        ("", "3", "no setting"),
        ("hotkeys.card", "ctrl", "ctrl"),
    ],
)
def test_a_wrong_key_or_value_changes_nothing(file, key, text, says):
    with pytest.raises(ConfigError, match=f"{says}.*Run: camdaemon config list"):
        set_value(file, key, text)
    assert file.read_text() == TEXT
    assert [path.name for path in file.parent.iterdir()] == ["config.toml"], "no draft stays"


def test_a_key_is_taken_out(file):
    set_value(file, "fps", None)
    set_value(file, "scenes.late.mirror", None)
    set_value(file, "plate_taking.still_s", None)
    assert load(file, {}).fps == Config().fps
    assert "# about the network" in file.read_text()


def test_a_broken_file_is_told_and_stays(file):
    file.write_text("fps = \n")
    with pytest.raises(ConfigError, match="is not TOML"):
        set_value(file, "fps", "25")
    assert file.read_text() == "fps = \n"


def test_a_missing_file_and_its_folder_are_made(tmp_path):
    path = tmp_path / "a" / "b" / "config.toml"
    set_value(path, "scenes.late.mirror", "on")
    assert path.read_text() == "[scenes.late]\nmirror = true\n"


def test_a_link_is_followed_and_the_permissions_stay(file, tmp_path):
    file.chmod(0o640)
    link = tmp_path / "link.toml"
    link.symlink_to(file)
    set_value(link, "fps", "24")
    assert link.is_symlink()
    assert load(file, {}).fps == 24
    assert stat.S_IMODE(file.stat().st_mode) == 0o640


def test_the_first_file_means_the_same_as_none_and_names_every_setting(tmp_path):
    path = tmp_path / "new" / "config.toml"
    write_first_file(path)
    assert load(path, {}).model_copy(update={"crop": None}) == Config()
    uncommented = path.read_text().replace("\n#", "\n").replace("\n ", "\n# ")
    values = tomllib.loads(uncommented)
    for row in list_settings():
        table, _, name = row.key.rpartition(".")
        assert "NAME" in row.key or name in (values[table] if table else values), row.key
    path.write_text(uncommented)
    changed = load(path, {})
    assert str(changed.size) == "1280x720", "what has no default has an example"
    assert changed.fps == Config().fps


def test_the_first_file_is_never_written_over_another(file):
    with pytest.raises(ConfigError, match="there already"):
        write_first_file(file)
    assert file.read_text() == TEXT


def test_in_the_first_file_a_key_is_set_below_the_line_that_explains_it(tmp_path):
    path = tmp_path / "config.toml"
    write_first_file(path)
    set_value(path, "fps", "25")
    set_value(path, "plate_taking.still_s", "1")
    lines = path.read_text().splitlines()
    assert lines[lines.index("#fps = 30.0") + 1] == "fps = 25"
    assert lines[lines.index("#still_s = 0.5") + 1] == "still_s = 1"
    assert len(lines) == len(make_first_file().splitlines()) + 2
