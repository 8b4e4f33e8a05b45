"""Results: never one of the inputs in any spelling, overwritten only when agreed, and cut-off ones are named."""

import os
from pathlib import Path

import pytest

from camdaemon.errors import ConfigError
from camdaemon.linux.drafts import Draft, FolderDraft
from camdaemon.linux.results import check_results, keep_command, part_of


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a clip, links to it, and a folder of frames."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "clip.mp4").write_bytes(b"a clip")
    (tmp_path / "link.mp4").symlink_to("clip.mp4")
    os.link(tmp_path / "clip.mp4", tmp_path / "hard.mp4")
    (tmp_path / "frames").mkdir()
    (tmp_path / "frames" / "1.png").write_bytes(b"a frame")
    (tmp_path / "other").symlink_to("frames")
    return tmp_path


def refuse(question: str) -> bool:
    raise AssertionError(f"nobody may be asked: {question}")


@pytest.mark.parametrize("name", ["clip.mp4", "./clip.mp4", "frames/../clip.mp4", "~/clip.mp4", "link.mp4", "hard.mp4"])
@pytest.mark.parametrize("source", ["clip.mp4", "~/clip.mp4", "link.mp4"])
def test_an_input_is_no_result_however_it_is_written(here: Path, name: str, source: str) -> None:
    with pytest.raises(ConfigError, match="is read") as told:
        check_results([Path(name)], ["color:#000000", "", "no\0name", source], force=True, ask=refuse)
    assert told.value.exit_code == 2
    assert (here / "clip.mp4").read_bytes() == b"a clip"


@pytest.mark.parametrize(
    "name", ["frames", "frames/", "other", "frames/1.png", "other/1.png", "frames/deeper", "./frames/../frames"]
)
def test_a_folder_that_is_read_and_each_file_of_it_are_no_results(here: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="is read"):
        check_results([Path(name)], ["frames"], force=True, ask=refuse)


def test_a_file_of_a_result_folder_is_none_of_the_inputs(here: Path) -> None:
    (here / "out").mkdir()
    os.link(here / "clip.mp4", here / "out" / "000000.png")
    with pytest.raises(ConfigError, match=r"000000\.png.*clip\.mp4"):
        check_results([Path("out")], ["clip.mp4"], overwritten=[Path("out/000000.png")], force=True)


def test_the_draft_of_a_result_is_no_input_either(here: Path) -> None:
    (here / "out.mp4.part").write_bytes(b"a recording that was cut off")
    with pytest.raises(ConfigError, match=r"out\.mp4\.part.*is read"):
        check_results([Path("out.mp4")], ["out.mp4.part"], force=True)


@pytest.mark.parametrize("other", ["new.mkv", "./new.mkv", "frames/../new.mkv", "~/new.mkv"])
def test_two_results_have_two_names(here: Path, other: str) -> None:
    with pytest.raises(ConfigError, match="same name"):
        check_results([Path("new.mkv"), Path(other)], [], force=True)


def test_what_is_not_there_needs_no_question(here: Path) -> None:
    check_results(
        [Path("new.mp4"), Path("masks"), Path("frames/new.mp4")], ["clip.mp4", "frames"], force=False, ask=refuse
    )
    check_results([Path("masks")], ["gone.mp4"], force=False, ask=refuse)


def test_what_is_there_is_overwritten_when_the_user_agrees(here: Path) -> None:
    asked: list[str] = []

    def agree(question: str) -> bool:
        asked.append(question)
        return True

    check_results([Path("clip.mp4")], [], force=False, ask=agree)
    assert len(asked) == 1
    assert "clip.mp4" in asked[0]
    with pytest.raises(ConfigError, match=r"clip\.mp4.*exists.*--force$") as told:
        check_results([Path("clip.mp4")], [], force=False, ask=lambda _: False)
    assert told.value.exit_code == 2
    check_results([Path("clip.mp4")], [], force=True, ask=refuse)


def test_without_a_terminal_nobody_is_asked_and_nothing_overwritten(here: Path) -> None:
    with pytest.raises(ConfigError, match=r"--force$"):
        check_results([Path("clip.mp4")], [], force=False)


def test_what_was_cut_off_is_named_with_what_keeps_it(here: Path) -> None:
    (here / "out.mp4.part").write_bytes(b"cut off")
    (here / "masks.part").mkdir()
    for name, command in (("out.mp4", "mv out.mp4.part out-cut.mp4"), ("masks", "mv masks.part masks-cut")):
        with pytest.raises(ConfigError, match=rf"{name}\.part.*cut off.*{command}.*--force$"):
            check_results([Path(name)], [], force=False, ask=lambda _: False)
        assert keep_command(Path(f"{name}.part")) == command
    check_results([Path("out.mp4")], [], force=False, ask=lambda question: "mv out.mp4.part" in question)


def test_a_recording_that_runs_is_told_from_one_that_was_cut_off(here: Path) -> None:
    draft = Draft(Path("out.mp4"))
    with pytest.raises(ConfigError, match=r"out\.mp4.*another program"):
        check_results([Path("out.mp4")], [], force=False, ask=refuse)
    with pytest.raises(OSError, match="another program"):
        Draft(Path("out.mp4"))
    draft.keep()
    Draft(Path("out.mp4")).remove()


def test_a_draft_takes_its_name_when_it_is_finished_and_the_old_permissions(here: Path) -> None:
    (here / "old.mp4").write_bytes(b"old")
    (here / "old.mp4").chmod(0o640)
    draft = Draft(Path("old.mp4"))
    draft.path.write_bytes(b"new")
    assert (here / "old.mp4").read_bytes() == b"old"
    assert draft.path.name == "old.mp4.part"
    draft.finish()
    assert (here / "old.mp4").read_bytes() == b"new"
    assert (here / "old.mp4").stat().st_mode & 0o777 == 0o640
    assert not (here / "old.mp4.part").exists()


def test_a_draft_follows_the_link_of_its_result_but_none_of_its_own(here: Path) -> None:
    (here / "disk").mkdir()
    (here / "there.mp4").symlink_to("disk/real.mp4")
    draft = Draft(Path("there.mp4"))
    assert draft.path == here / "disk" / "real.mp4.part" == part_of(Path("there.mp4"))
    draft.path.write_bytes(b"new")
    draft.finish()
    assert (here / "there.mp4").is_symlink()
    assert (here / "disk" / "real.mp4").read_bytes() == b"new"
    (here / "trap.mp4.part").symlink_to("clip.mp4")
    with pytest.raises(OSError, match=r"trap\.mp4\.part"):
        Draft(Path("trap.mp4"))
    assert (here / "clip.mp4").read_bytes() == b"a clip"


def test_a_pipe_is_written_to_directly(here: Path) -> None:
    os.mkfifo(here / "pipe.mkv")
    draft = Draft(Path("pipe.mkv"))
    assert draft.path == here / "pipe.mkv"
    draft.remove()
    assert (here / "pipe.mkv").exists()


@pytest.mark.parametrize("is_there", [False, True])
def test_a_folder_gets_its_files_when_all_are_written(here: Path, is_there: bool) -> None:
    if is_there:
        (here / "masks").mkdir()
        (here / "masks" / "notes.txt").write_text("mine")
        (here / "masks" / "1.png").write_bytes(b"old")
    draft = FolderDraft(Path("masks"))
    (draft.path / "1.png").write_bytes(b"new")
    assert not (here / "masks").exists() or (here / "masks" / "1.png").read_bytes() == b"old"
    draft.finish()
    assert (here / "masks" / "1.png").read_bytes() == b"new"
    assert (here / "masks" / "notes.txt").exists() is is_there
    assert not (here / "masks.part").exists()
