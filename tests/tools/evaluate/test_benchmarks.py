"""Published test sets: what is found in their folders, how it is degraded, and figures worked out by hand."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from camdaemon.errors import ConfigError
from camdaemon.frames.composite import Matte
from camdaemon.tools.evaluate.benchmarks import layouts
from camdaemon.tools.evaluate.benchmarks.figures import score_frame, score_photo
from camdaemon.tools.evaluate.benchmarks.samples import Degradation, Samples, read_sample
from camdaemon.tools.evaluate.benchmarks.scoring import score_clips, score_samples
from camdaemon.tools.evaluate.benchmarks.specs import choose_clip_work
from camdaemon.tools.evaluate.composites import Case
from camdaemon.tools.evaluate.tables import make_markdown
from tests.tools.evaluate.benchmark_data import (
    COLOR,
    SIDE,
    Nobody,
    White,
    make_aim,
    make_clips,
    make_distinctions,
    make_pairs,
    make_photomatte,
    make_rooms,
    open_stub,
    person,
    write,
)
from tests.tools.evaluate.test_evaluate import nothing, run


def test_only_the_people_of_a_set_are_tested(tmp_path: Path) -> None:
    aim = layouts.find_aim(make_aim(tmp_path / "aim"))
    assert len(aim) == 11
    assert {sample.colors.parent.parent.name for sample in aim} == {"Adobe-licensed images", "Other"}
    distinctions = layouts.find_distinctions(make_distinctions(tmp_path / "d"))
    assert [sample.name for sample in distinctions][:2] == ["test_4", "test_6"]
    assert len(distinctions) == 11
    assert len(layouts.find_photomatte(make_photomatte(tmp_path / "p"))) == 3


def test_the_folder_may_be_the_set_itself_or_hold_people_who_were_chosen(tmp_path: Path) -> None:
    home = make_aim(tmp_path / "aim") / "Combined_Dataset" / "Test_set"
    assert len(layouts.find_aim(home)) == 11
    assert len(layouts.find_distinctions(make_distinctions(tmp_path / "d") / "Test")) == 11
    assert len(layouts.find_photomatte(make_photomatte(tmp_path / "p") / "PhotoMatte85")) == 3
    make_pairs(tmp_path / "own/fgr", tmp_path / "own/pha", ("anna", "ben"))
    assert [sample.name for sample in layouts.find_aim(tmp_path / "own")] == ["anna", "ben"]


def test_a_missing_person_is_named(tmp_path: Path) -> None:
    make_distinctions(tmp_path)
    (tmp_path / "Test/GT/test_32.png").unlink()
    with pytest.raises(ConfigError, match=r"lacks 1 of the 11 people.*test_32\b"):
        layouts.find_distinctions(tmp_path)


def test_a_sample_is_read_as_published(tmp_path: Path) -> None:
    color, alpha = person(70, 67)
    write(tmp_path / "a.png", np.dstack([color, alpha]))
    write(tmp_path / "alpha.png", alpha)
    write(tmp_path / "opaque.png", color)
    for own in (None, tmp_path / "alpha.png"):
        colors, found = read_sample(layouts.Sample("a", tmp_path / "a.png", own), None)
        assert colors.shape == (64, 68, 3)  # cut to multiples of 4
        assert (found == alpha[:64, :68] / np.float32(255)).all()
        assert colors[found > 0] == pytest.approx(COLOR / 255)
    small, found = read_sample(layouts.Sample("a", tmp_path / "a.png", None), 35)
    assert found.shape == (32, 32)
    assert small[found > 0.1] == pytest.approx(COLOR / 255, abs=1e-3)
    with pytest.raises(ConfigError, match=r"opaque\.png.*alpha"):
        read_sample(layouts.Sample("opaque", tmp_path / "opaque.png", None), None)
    with pytest.raises(ConfigError, match="70x67"):
        read_sample(layouts.Sample("a", tmp_path / "opaque.png", make_rooms(tmp_path / "r") / "room0.png"), None)


def test_a_plate_is_degraded_within_what_the_appendix_prints() -> None:
    room = np.full((80, 80, 3), 0.5, np.float32)
    room[:, 40:] = 0.25
    for seed in range(20):
        plate = Degradation((0, 0)).apply(room, np.random.default_rng(seed))
        left, right = plate[:, 5:35].mean(), plate[:, 45:75].mean()
        darkest, brightest = (0.5**gamma + shift for gamma, shift in ((1.15, -0.02), (0.85, 0.02)))
        assert darkest <= left <= brightest
        # The column beside the edge has at most 0.3 of the other side: without gamma and noise 0.5 − 0.3 · 0.25.
        assert np.abs(plate[:, 39] - left).max() <= 0.36 * (left - right)
        noisy = Degradation().apply(room, np.random.default_rng(seed))
        assert 0.07 < noisy[:, 45:75].std() < 0.16


def test_the_same_seed_makes_the_same_composites(tmp_path: Path) -> None:
    people, rooms = layouts.find_distinctions(make_distinctions(tmp_path)), make_rooms(tmp_path / "rooms", 7)
    found = [[*Samples(people, sorted(rooms.iterdir()), 5, seed)] for seed in (1, 1, 2)]
    assert [len(each) for each in found] == [55, 55, 55]
    assert len({case.name for case in found[0]}) == 55  # five different rooms for each
    assert all((one.plate == same.plate).all() for one, same in zip(*found[:2], strict=True))
    assert [case.name for case in found[0]] != [case.name for case in found[2]]
    first = found[0][0]
    assert (first.frame[:, 40:] == COLOR).all()
    assert np.abs(first.frame[:, :30].astype(int) - first.plate[:, :30]).mean() > 5  # only the plate is worse


def test_photos_by_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    people = layouts.find_photomatte(make_photomatte(tmp_path, 1))
    cases = Samples(people, sorted(make_rooms(tmp_path / "rooms").iterdir()), 1, 1)
    *_, (row,) = score_samples("PhotoMatte85", cases, [open_stub(Nobody(), monkeypatch)], nothing)
    means = row.means()
    # Unknown is the one column of 64 pixels with alpha a = 128/255. Nobody's alpha is 0 there, so each lacks a.
    # SAD = 64a / 1000 = 0.0321, MSE = 1000 a² = 251.96; nothing is connected, so φ differs by a, and Conn is SAD's sum.
    a = 128 / 255
    assert means["unknown SAD"] == pytest.approx(64 * a / 1000, rel=1e-5)
    assert means["unknown MSE"] == pytest.approx(1000 * a**2, rel=1e-5)
    assert means["unknown Conn"] == pytest.approx(64 * a / 1000, rel=1e-5)
    assert means["FG MSE"] == pytest.approx(1000 * 0.2**2, rel=1e-5)  # black instead of 51/255
    # Of the whole picture, half of 64 columns is the person: MAD = 1000 (32 + a) / 64.
    assert means["whole MAD"] == pytest.approx(1000 * (32 + a) / 64, rel=1e-5)
    assert (means["holes"], means["leak"]) == (100, 0)
    page = make_markdown([row], {})
    assert "| PhotoMatte85 | nobody | 0.03 | 251.96 |" in page
    assert "| 32 | 40.00 |" in page  # Conn as a sum
    assert "| PhotoMatte85 | printed: ResNet-50 | 8.65 | 9.57 | 8736 | 6637 | 13.82 |" in page


def test_colors_count_where_there_is_a_person_in_the_mean_of_the_unknown_region() -> None:
    alpha = np.zeros((60, 60), np.float32)
    alpha[:, 15] = alpha[:, 21] = 0.5  # unknown are both columns and the five between, in which nobody is
    black = np.zeros((60, 60, 3), np.uint8)
    case = Case("two columns", black, black, alpha, np.full((60, 60, 3), COLOR, np.uint8))
    zeros = torch.zeros((1, 3, 60, 60))
    figures = score_photo(np.zeros_like(alpha), Matte(zeros[:, :1], zeros, 0), case)
    # Two of seven columns have an error of (51/255)² = 0.04 in each channel: 1000 · 0.04 · 2/7 = 11.43.
    assert figures["FG MSE"] == pytest.approx(1000 * 0.04 * 2 / 7)
    assert figures["unknown SAD"] == pytest.approx(2 * 60 * 0.5 / 1000)
    assert figures["unknown MSE"] == pytest.approx(1000 * 0.25 * 2 / 7)


def test_slopes_are_those_of_alphas_that_reach_0_and_1() -> None:
    alpha = np.zeros((20, 20), np.float32)
    alpha[:, 10:] = 1
    assert score_frame(alpha * np.float32(0.6) + np.float32(0.2), alpha)["whole Grad"] == pytest.approx(0, abs=1e-6)


def test_clips_by_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clips = layouts.find_videomatte(make_clips(tmp_path))
    nobody = open_stub(Nobody(), monkeypatch)
    *_, rows = score_clips("VideoMatte240K", clips, lambda width, height: [nobody], nothing)
    assert [row.on.removeprefix("VideoMatte240K") for row in rows] == [", videomatte_motion", ", videomatte_static", ""]
    means = rows[-1].means()
    # A quarter of the picture, of which half a column of 32 pixels was half the person's already, becomes the person.
    a, change = 128 / 255, np.sqrt((31 * 32 + 32 * (1 - 128 / 255) ** 2) / SIDE**2)
    # The first frame counts as 0, and nothing changes in the third.
    assert means["dtSSD"] == pytest.approx(100 * (0 + change + 0) / 3, rel=1e-5)
    first, later = (32 + a) / 64, (32 + a) / 64 + (31 + 1 - a) * 32 / SIDE**2
    assert means["whole MAD"] == pytest.approx(1000 * (first + 2 * later) / 3, rel=1e-5)
    assert means["leak"] == 0
    assert rows[-1].ever == 0
    assert len(rows[-1].cases) == 6
    assert "| VideoMatte240K | printed: MobileNetV2, 512x288 | 25.19 |" in make_markdown(rows, {})


def test_what_leaked_of_clips_is_the_mean_of_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = make_clips(tmp_path, ("videomatte_static",)) / "videomatte_static"
    shutil.copytree(home / "0000", home / "0001")
    write(home / "0001/com/0001.png", np.full((SIDE, SIDE, 3), 255, np.uint8))  # the matting takes white for a person
    white = open_stub(White(), monkeypatch)
    *_, (row,) = score_clips("VideoMatte240K", layouts.find_videomatte(home), lambda *_: [white], nothing)
    assert row.on == "VideoMatte240K"
    assert len(row.cases) == 6
    assert row.means()["leak"] == pytest.approx(100 / 6)
    # All of the first clip's room stayed hidden. Of the other's, what the second frame shows is the lower half.
    assert row.ever == pytest.approx((0 + 50) / 2, abs=1)


def test_the_work_on_clips_is_that_of_the_papers() -> None:
    assert (choose_clip_work(512, 288).scale, choose_clip_work(512, 288).pixels) == (1, 80_000)
    assert (choose_clip_work(1920, 1080).scale, choose_clip_work(1920, 1080).pixels) == (0.25, 80_000)
    assert (choose_clip_work(3840, 2160).scale, choose_clip_work(3840, 2160).pixels) == (0.125, 320_000)


def test_one_command_makes_the_tables_of_several_sets(tmp_path: Path) -> None:
    output = tmp_path / "scores"
    sets = (
        ("--benchmark", f"photomatte85={make_photomatte(tmp_path / 'p', 1)}"),
        ("--benchmark", f"videomatte240k={make_clips(tmp_path / 'v')}"),
    )
    rooms = make_rooms(tmp_path / "rooms")
    options = ("--matting", "bgmv2:published", "--matting", "difference", "--device", "cpu", "--plate-noise", "0-0")
    for _ in range(2):  # it replaces its own files, by the same
        run(*(each for pair in sets for each in pair), "--plates", rooms, *options, "--output", output)
    page, data = (output / "scores.md").read_text(), json.loads((output / "scores.json").read_text())
    assert "| PhotoMatte85 | bgmv2 published |" in page
    assert "| VideoMatte240K, videomatte_static | difference |" in page
    assert str(tmp_path) not in page
    assert "σ of 0 to 0" in data["facts"]["benchmarks"]
    assert len(data["rows"]) == 2 + 3 * 2
    found = {(row["on"], row["matting"]): row["mean"] for row in data["rows"]}
    assert found["PhotoMatte85", "difference"]["unknown SAD"] < 0.04
    assert found["VideoMatte240K", "difference"]["whole MAD"] < 20


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--benchmark", "aim=."], "aim.*--plates FOLDER"),
        (["--benchmark", "aim=.", "--plates", "."], r"laid out like aim\b.*Test_set/Adobe-licensed images/fg.*pha"),
        (["--benchmark", "distinctions646=.", "--plates", "."], "laid out like distinctions646.*Test/FG with GT"),
        (["--benchmark", "photomatte85=.", "--plates", "."], "laid out like photomatte85.*PNG"),
        (["--benchmark", "videomatte240k=."], "laid out like videomatte240k.*com.*pha.*bgr"),
        (["--benchmark", "photomatte=."], "benchmark 'photomatte'.*photomatte85.*--benchmark NAME=FOLDER"),
        (["--benchmark", "aim=nowhere"], "folder of aim.*nowhere"),
        (["--benchmark", "aim"], "folder of aim"),
        (["--benchmark", "aim=.", "--plate", "none"], "plates of their own"),
    ],
)
def test_mistakes_are_told(options: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=message):
        run(*options)
    assert not [*tmp_path.iterdir()]


def test_nothing_is_written_where_a_later_set_is_wrong(tmp_path: Path) -> None:
    sets = (f"photomatte85={make_photomatte(tmp_path / 'p', 1)}", f"aim={tmp_path / 'p'}")
    options = ("--benchmark", sets[0], "--benchmark", sets[1], "--plates", make_rooms(tmp_path / "rooms"))
    with pytest.raises(ConfigError, match="laid out like aim"):
        run(*options, "--matting", "difference", "--output", tmp_path / "scores")
    assert not (tmp_path / "scores").exists()


@pytest.mark.parametrize(
    ("noise", "rooms", "message"),
    [("0.2", 5, "noise"), ("0.2-0.1", 5, "noise"), ("0.1-0.2", 4, "5 rooms.*has 4.*--plates")],
)
def test_noise_and_rooms_are_checked_first(noise: str, rooms: int, message: str, tmp_path: Path) -> None:
    aim, plates = make_aim(tmp_path / "aim"), make_rooms(tmp_path / "rooms", rooms)
    with pytest.raises(ConfigError, match=message):
        run("--benchmark", f"aim={aim}", "--plates", plates, "--plate-noise", noise, "--output", tmp_path / "scores")
    assert not (tmp_path / "scores").exists()


def test_an_incomplete_clip_is_named(tmp_path: Path) -> None:
    make_clips(tmp_path, ("videomatte_static",))
    (tmp_path / "videomatte_static/0000/pha/0001.png").unlink()
    with pytest.raises(ConfigError, match="0000 lacks frame 0001 in pha"):
        layouts.find_videomatte(tmp_path)
