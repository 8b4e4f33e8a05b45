"""Many films: which ones, how their results are called, one that is broken, and what options make of them."""

from pathlib import Path
from shutil import copy

import pytest

from camdaemon.cli.video import video
from camdaemon.errors import ConfigError, MattingError
from camdaemon.tools.files.results import ResultPaths
from camdaemon.tools.films import batch
from camdaemon.tools.films.batch import check_names, find_films, find_picture_kind, name_results, take_shard
from camdaemon.tools.films.job import FilmJob
from camdaemon.tools.films.source import FrameSequence
from tests.films import quarters, write_film
from tests.tools.films.made import room, run

WORDS = ("--matting", "difference", "--device", "cpu")


def matte(*words: object) -> str:
    return run(video, "--plate", "plate.png", *WORDS, *words)


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_films_are_found_in_natural_order_and_each_once(films: Path) -> None:
    copy("films/take1.mp4", "films/[raw].mp4")
    found = find_films(["films/take2.mp4", "films/t*.mp4", "films/[raw].mp4", "films/../films/none.mp4"])
    assert [path.name for path in found] == ["take2.mp4", "take1.mp4", "take10.mp4", "[raw].mp4", "none.mp4"]
    assert find_films(["films", f"{films}/**/take?.mp4"]) == [Path("films"), films / "take1.mp4", films / "take2.mp4"]
    with pytest.raises(ConfigError, match=r"no film is called like films/x\*\. Run: ls films/x\*$"):
        find_films(["films/x*"])


@pytest.mark.parametrize("count", [0, 1, 7, 12])
@pytest.mark.parametrize("machines", [1, 2, 5, 12])
def test_machines_share_the_films(count: int, machines: int) -> None:
    paths = [Path(str(number)) for number in range(count)]
    shares = [take_shard(paths, f"{number + 1}/{machines}") for number in range(machines)]
    assert sorted(path for share in shares for path in share) == sorted(paths)
    assert max(map(len, shares)) - min(map(len, shares)) <= 1
    assert take_shard(paths, None) == paths


@pytest.mark.parametrize("shard", ["0/2", "3/2", "1", "1/", "/2", "-1/2", "1/2/3", "²/4", "a/b", ""])
def test_what_is_no_share_is_told(shard: str) -> None:
    with pytest.raises(ConfigError, match=r"no shard.*--shard 1/4$"):
        take_shard([Path("a")], shard)


@pytest.mark.parametrize(
    ("film", "kinds", "expected"),
    [
        ("a.mp4", "alpha,foreground composite", 
         {"alpha": "a-alpha.mkv", "foreground": "a-foreground.mov", "composite": "a-composite.mp4"}),
        ("a.b.mp4", "alpha.mp4, error", {"alpha": "a.b-alpha.mp4", "error": "a.b-error.mkv"}),
        ("a.b.mp4", "alpha.png,foreground.webm", {"alpha": "a-b-alpha", "foreground": "a.b-foreground.webm"}),
        ("a", "refined.exr", {"refined": "a-refined"}),
        ("films", "alpha.exr,composite.mov", {"alpha": "films-alpha", "composite": "films-composite.mov"}),
        ("films/.", "alpha", {"alpha": "films-alpha.mkv"}),
        ("films/../films", "alpha", {"alpha": "films-alpha.mkv"}),
    ],
)  # fmt: skip
def test_results_are_called_like_their_film(film: str, kinds: str, expected: dict[str, str], films: Path) -> None:
    found = name_results(Path(film), Path("out"), kinds)
    assert found.paths() == {kind: Path("out") / name for kind, name in expected.items()}


def test_kinds_say_what_pictures_folders_get() -> None:
    assert find_picture_kind("png") == "png"
    assert find_picture_kind("exr", "alpha,composite") == "exr"
    assert find_picture_kind("png", "alpha.exr,composite.mp4") == "exr"
    assert find_picture_kind("exr", "alpha.png foreground.png") == "png"
    with pytest.raises(ConfigError, match=r"one kind.*--kinds alpha\.png$"):
        find_picture_kind("png", "alpha.png,foreground.exr")


def test_films_of_one_name_are_told_before_any_is_matted(films: Path) -> None:
    copy("films/take1.mp4", "films/take1.mov")
    opened = [FrameSequence.open(Path(f"films/take1.{ending}")) for ending in ("mp4", "mov")]
    jobs = [FilmJob(film, ResultPaths(Path("out/take1-alpha.mkv")), "auto", "blur") for film in opened]
    check_names(jobs[:1] * 2)
    with pytest.raises(ConfigError, match=r"take1\.mp4 and films/take1\.mov would both become out/take1-alpha\.mkv"):
        check_names(jobs)
    with pytest.raises(ConfigError, match="would both become"):
        matte("--src", "films/take1.*", "--output-dir", "out")
    assert not Path("out").exists()


def test_broken_films_stop_no_other_and_are_done_later(films: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("films/take2.mp4").write_text("no film")
    halves = [write_film(Path(f"{side}.ts"), [quarters(side, side)] * 3).read_bytes() for side in (72, 128)]
    Path("films/take3.ts").write_bytes(b"".join(halves))
    words = ("--src", "films/take*", "--output-dir", "out", "--kinds", "alpha")
    told: list[str] = []
    monkeypatch.setattr(batch, "warn", told.append)
    with pytest.raises(
        MattingError, match=r"^2 of 4 films failed, and 2 are done: take2\.mp4, take3.*--resume$"
    ) as raised:
        matte(*words)
    assert raised.value.exit_code == 1
    assert [line.partition(":")[0] for line in told] == ["take2.mp4", "take3.ts"]
    assert names(Path("out")) == ["take1-alpha.mkv", "take10-alpha.mkv"]
    before = {name: Path("out", name).stat().st_mtime_ns for name in names(Path("out"))}
    copy("films/take1.mp4", "films/take2.mp4")
    write_film(Path("films/take3.ts"), [room()] * 3)
    assert [line.partition(":")[0] for line in matte(*words, "--resume").splitlines()] == [
        "take1.mp4", "3 frames", "3 frames", "take10.mp4"
    ]  # fmt: skip
    assert {name: Path("out", name).stat().st_mtime_ns for name in before} == before
    assert names(Path("out")) == [f"take{number}-alpha.mkv" for number in (1, 10, 2, 3)]


def test_a_folder_that_is_there_already_is_not_taken_for_a_result(films: Path) -> None:
    Path("out").mkdir()
    Path("out/notes.txt").write_text("keep me")
    words = ("--src", "films/take1.mp4", "--alpha", "out", "--resume")
    assert matte(*words).startswith("3 frames")
    assert names(Path("out")) == ["000000.png", "000001.png", "000002.png", "notes.txt"]
    assert "done before" in matte(*words)


def test_results_beside_their_films_are_no_films(films: Path) -> None:
    words = ("--src", "films/*.mp4", "--output-dir", "films", "--kinds", "composite")
    matte(*words, "--shard", "1/2")  # take1 and take10
    assert names(films) == ["take1-composite.mp4", "take1.mp4", "take10-composite.mp4", "take10.mp4", "take2.mp4"]
    said = matte(*words, "--shard", "2/2")
    assert "2 of 5 films are results of the others, and are left out" in said
    assert matte(*words, "--resume").count("done before") == 3
    assert len(names(films)) == 6
    before = {name: (films / name).read_bytes() for name in names(films)}
    matte(*words, "--force")
    assert {name: (films / name).read_bytes() for name in names(films)} == before
    with pytest.raises(ConfigError, match="overwritten while it is read"):
        matte("--src", "films/take1.mp4", "--composite", "films/take1.mp4", "--force")
