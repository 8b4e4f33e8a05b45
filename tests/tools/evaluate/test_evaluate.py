"""Composites, clips and files through the mattings, and what the command writes."""

import json
import math
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import typer
from typer.testing import CliRunner

from camdaemon.config.schema import Config
from camdaemon.errors import ConfigError
from camdaemon.frames.composite import Matte
from camdaemon.frames.frame import Size
from camdaemon.tools.evaluate.cli import evaluate
from camdaemon.tools.evaluate.clips import find_clips, read_truth
from camdaemon.tools.evaluate.comparison import (
    score_clip,
    score_composites,
    score_files,
)
from camdaemon.tools.evaluate.composites import Composites, degrade_plate
from camdaemon.tools.evaluate.fault_scores import score_clip_with_faults, score_composites_with_faults
from camdaemon.tools.evaluate.faults import BROUGHT, FAULTS, NOTHING_KNOWN
from camdaemon.tools.evaluate.mattings import NamedMatting, Running, open_mattings
from camdaemon.tools.evaluate.scores import LeakedRoom, MattingScores
from camdaemon.tools.evaluate.tables import make_markdown
from camdaemon.tools.files.offline import OfflinePipeline
from tests.pattern.composites import write_folders
from tests.tools.written import write_video

SIZE = Size(256, 144)


def nothing(name: str, strip: object) -> None:
    pass


def write(path: Path, rgb: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), rgb[..., ::-1] if rgb.ndim == 3 else rgb)
    return path


def room(seed: int = 0) -> np.ndarray:
    small = np.random.default_rng(seed).integers(90, 200, (5, 8, 3), np.uint8)
    return cv2.resize(small, (160, 90), interpolation=cv2.INTER_CUBIC)


@pytest.fixture
def sets(tmp_path: Path) -> tuple[Path, Path]:
    """Folders of two people (dark blobs) and three rooms."""
    for number in range(2):
        alpha = np.zeros((60, 40), np.uint8)
        cv2.ellipse(alpha, (20, 40), (14, 34), 0, 0, 360, 255, -1, cv2.LINE_AA)
        write(tmp_path / "people" / f"p{number}.png", alpha)
        write(tmp_path / "people" / f"p{number}.jpg", np.full((60, 40, 3), (20, 40 * number, 30), np.uint8))
    for number in range(3):
        write(tmp_path / "plates" / f"r{number}.jpg", room(number))
    return tmp_path / "people", tmp_path / "plates"


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """A folder with one clip: the empty room for 40 frames, then a dark square for 10."""
    plate = cv2.resize(room(), (SIZE.width, SIZE.height))
    folder = tmp_path / "clips"
    folder.mkdir()
    film, alphas = [], []
    for number in range(50):
        alpha = np.zeros((SIZE.height, SIZE.width), np.uint8)
        if number >= 40:
            alpha[50:90, 30 + number : 130 + number] = 255
        film.append(np.where(alpha[..., None] > 0, np.uint8(20), plate))
        alphas.append(alpha)
    write_video(folder / "a.mp4", film)
    write_video(folder / "a-alpha.mp4", alphas)
    write(folder / "a-plate.png", plate)
    return folder


def test_a_composite_depends_on_its_number_and_the_seed_alone(sets: tuple[Path, Path]) -> None:
    three, five = ([*Composites(*sets, SIZE, count, 4)] for count in (3, 5))
    other = [*Composites(*sets, SIZE, 3, 5)]
    for one, same in zip(three, five, strict=False):
        assert one.name == same.name
        assert (one.frame == same.frame).all()
        assert (one.plate == same.plate).all()
    assert any((one.frame != another.frame).any() for one, another in zip(three, other, strict=True))


def test_a_composite_is_made_of_its_alpha(sets: tuple[Path, Path]) -> None:
    for case in Composites(*sets, SIZE, 6, 1):
        person = case.alpha == 1
        assert case.frame.shape == case.plate.shape == case.foreground.shape == (144, 256, 3)
        assert 0.02 < case.alpha.mean() < 0.9
        assert np.abs(case.frame[person].astype(int) - case.foreground[person]).mean() < 6
        assert case.frame[person].mean() < 80 < case.frame[case.alpha == 0].mean()


def test_a_worse_plate_is_moved_by_less_than_a_pixel_and_of_another_gamma() -> None:
    scene = np.full((40, 60, 3), 0.5, np.float32)
    scene[:, 30:] = 0.25
    for seed in range(8):
        plate = degrade_plate(scene, np.random.default_rng(seed))
        left, right = plate[:, 5:25].mean(), plate[:, 35:55].mean()
        gamma = np.log(left) / np.log(0.5)
        assert 0.85 <= gamma <= 1.15
        assert np.log(right) / np.log(0.25) == pytest.approx(gamma, abs=0.01)
        assert np.abs(plate[:, 28] - left).mean() < 0.03


def test_mattings_on_composites(sets: tuple[Path, Path]) -> None:
    seen: list[int] = []
    field = open_mattings(["difference"], [True, False], Running("cpu"))
    *_, rows = score_composites(
        "made", Composites(*sets, SIZE, 3, 1), field, lambda name, strip: seen.append(len(strip))
    )
    assert seen == [4, 4, 4]
    assert [row.matting for row in rows] == ["difference", "difference, unmatched"]
    for row in rows:
        assert len(row.cases) == 3
        assert row.means()["whole MAD"] < 250
        assert row.means()["FG MSE"] < 60
        assert row.leaks()["cards"] == 0
        assert row.leaks()["mean"] == pytest.approx(row.means()["leak"])
        assert row.leaks()["mean"] <= row.leaks()["p99"] <= row.leaks()["worst"] < 90
        assert math.isnan(row.leaks()["ever"])


def test_mattings_on_a_clip(clip: Path) -> None:
    field = [NamedMatting("difference", OfflinePipeline(Config(matting="difference", device="cpu")))]
    for take in (False, True):
        (found,) = find_clips(clip, take_plates=take)
        assert (found.plate == "auto") is take
        *_, (row,) = score_clip(found, field, 5, nothing)
        means = row.means()
        assert len(row.cases) == 50
        assert sum("whole SAD" in figures for figures in row.cases.values()) == 10
        assert means["whole MAD"] < 5
        assert 0 < means["dtSSD"] < 5
        assert "FG MSE" not in means
        assert len(row.values("leak")) == 50
        assert len(row.values("holes")) == 10  # nobody is there before
        assert row.leaks()["worst"] <= row.ever < 10


def test_a_room_has_leaked_if_it_did_once() -> None:
    room = np.array([[True, True, True, False]])
    leaked = LeakedRoom((1, 4))
    assert leaked.add(np.array([[1, 0, 0, 1]], np.float32), room) == pytest.approx(100 / 3)
    assert leaked.add(np.array([[0, 1, 0, 1]], np.float32), room) == pytest.approx(200 / 3)
    assert leaked.add(np.zeros((1, 4), np.float32), np.ones((1, 4), np.bool_)) == 50


def test_what_becomes_a_card_leaks_nothing(sets: tuple[Path, Path]) -> None:
    pipeline = OfflinePipeline(Config(matting="difference", device="cpu"))
    strict, open_ = NamedMatting("strict", pipeline, 0.001), NamedMatting("open", pipeline)
    *_, rows = score_composites("made", Composites(*sets, SIZE, 2, 1), [strict, open_], nothing)
    assert [row.leaks()["cards"] for row in rows] == [2, 0]
    assert not rows[0].values("leak")
    assert len(rows[1].values("leak")) == 2
    assert len(rows[0].values("whole SAD")) == 2


def test_leaks_of_a_set() -> None:
    row = MattingScores("x", "y", {str(number): {"leak": float(number), "card": 0.0} for number in range(101)})
    row.add("card", {"card": 1.0})
    leaks = row.leaks()
    assert (leaks["mean"], leaks["p99"], leaks["worst"], leaks["cards"]) == (50, 99, 100, 1)
    assert leaks[">10 %"] == pytest.approx(100 * 90 / 101)


def test_without_a_plate_a_matting_that_believes_gets_gray(sets: tuple[Path, Path], clip: Path) -> None:
    field = open_mattings(["difference"], [True], Running("cpu", plates=False, gated=False))
    *_, (row,) = score_composites("made", Composites(*sets, SIZE, 2, 1), field, nothing, plates=False)
    assert row.matting == "difference, gray plate"
    assert row.leaks()["mean"] > 20
    (found,) = find_clips(clip, take_plates=True)
    *_, (row,) = score_clip(found, field, 5, nothing, plates=False)
    assert row.matting == "difference, gray plate"


class Told:
    """A matting that doubts, and notes what it is told."""

    name, doubts = "told", True

    def __init__(self) -> None:
        self.known: list[torch.Tensor | None] = []

    def __call__(self, src: torch.Tensor, plate: torch.Tensor, confidence: torch.Tensor | None, seq: int) -> Matte:
        self.known.append(confidence)
        return Matte(torch.zeros_like(src[:, :1]), src, seq)


def test_a_matting_that_doubts_is_told_what_is_unknown(
    sets: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = OfflinePipeline(Config(matting="difference", device="cpu", match_exposure=False))
    told = Told()
    monkeypatch.setattr(pipeline, "matting", told)
    *_, rows = score_composites_with_faults(
        "made", Composites(*sets, SIZE, 1, 1), [NamedMatting("told", pipeline)], nothing
    )
    assert {row.matting for row in rows} == {"told"}
    said = dict(zip((row.fault for row in rows), told.known[1::2], strict=True))  # files: mirrored first
    assert {fault for fault, known in said.items() if known is not None} == {"parts unknown", NOTHING_KNOWN}
    parts, nothing_known = said["parts unknown"], said[NOTHING_KNOWN]
    assert parts is not None
    assert nothing_known is not None
    assert parts.shape == (1, 1, 9, 16)
    assert parts.dtype == torch.float32
    assert 0 < parts.mean() < 1
    assert nothing_known.max() == 0
    mirrored = dict(zip((row.fault for row in rows), told.known[::2], strict=True))["parts unknown"]
    assert mirrored is not None
    assert (mirrored.flip(3) == parts).all()


def test_every_fault_of_composites_and_clips(sets: tuple[Path, Path], clip: Path) -> None:
    field = open_mattings(["difference"], [True], Running("cpu", gated=False))
    sheets: list[str] = []
    cases = Composites(*sets, SIZE, 2, 1)
    *_, rows = score_composites_with_faults("made", cases, field, lambda name, strip: sheets.append(name))
    *_, again = score_composites_with_faults("made", cases, field, nothing)
    assert [row.fault for row in rows] == [*FAULTS, BROUGHT]
    assert [row.cases for row in rows] == [row.cases for row in again]
    assert all(len(row.cases) == 2 for row in rows)
    assert sheets == 2 * [f"made {fault}" for fault in (*FAULTS, BROUGHT)]
    leaks = {row.fault: row.leaks()["mean"] for row in rows}
    assert leaks["another room"] > 40
    assert leaks["right plate"] < leaks["object gone"] < leaks["another room"]
    (found,) = find_clips(clip, take_plates=True)
    *_, rows = score_clip_with_faults(found, cases, field, 5, nothing)
    assert [row.fault for row in rows] == [*FAULTS]
    assert all(len(row.cases) == 10 for row in rows)
    assert rows[0].ever < 10
    assert rows[1].ever > 40
    assert "| a | another room | difference |" in make_markdown(rows, {})
    assert "unknown / whole" not in make_markdown(rows, {})


def test_the_truth_of_a_clip_has_the_whole_range(clip: Path) -> None:
    alphas = [*read_truth(clip / "a-alpha.mp4", (256, 144))]
    assert len(alphas) == 50
    assert alphas[0].max() <= 1 / 255
    assert np.abs(alphas[45][55:85, 80:150] - 1).max() <= 1 / 255


def test_alphas_in_files(tmp_path: Path) -> None:
    alpha = np.zeros((40, 40), np.uint8)
    alpha[:, 20:] = 255
    write(tmp_path / "true" / "a.png", alpha)
    write(tmp_path / "found" / "a.png", (alpha.astype(np.uint16) * 257) // 2)
    *_, (row,) = score_files(tmp_path / "found", tmp_path / "true")
    assert row.means()["whole MAD"] == pytest.approx(250, abs=0.1)


def test_means_are_of_the_cases_that_have_a_figure() -> None:
    row = MattingScores("x", "y", {"a": {"SAD": 1.0, "Conn": float("nan")}, "b": {"SAD": 3.0}})
    assert row.means()["SAD"] == 2
    assert "| x | y | – / – |" in make_markdown([row], {})


def run(*arguments: object) -> None:
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(evaluate)
    result = CliRunner().invoke(app, [str(each) for each in arguments])
    if result.exception:
        raise result.exception


def test_the_command_writes_what_it_found(sets: tuple[Path, Path], clip: Path, tmp_path: Path) -> None:
    output, strips = tmp_path / "scores", tmp_path / "strips"
    made = ("--people", sets[0], "--plates", sets[1], "--count", 2, "--size", "128x72")
    run(*made, "--device", "cpu", "--output", output, "--pictures", strips)
    found = json.loads((output / "scores.json").read_text())
    assert [(row["on"], row["matting"]) for row in found["rows"]] == [
        ("composites", "bgmv2"),
        ("composites", "difference"),
    ]
    assert len(found["rows"][0]["cases"]) == 2
    assert "| composites | bgmv2 |" in (output / "scores.md").read_text()
    assert len([*strips.glob("*.png")]) == 2
    assert str(tmp_path) not in (output / "scores.md").read_text()
    assert found["rows"][1]["leak"]["cards"] == 0
    assert found["rows"][1]["mean"]["holes"] >= 0
    assert "live on a CPU: " in found["facts"]["default weights"]
    run("--clips", clip, "--every", 25, "--matting", "difference", "--exposure", "both", "--output", output)
    assert "| a | difference, unmatched |" in (output / "scores.md").read_text()


def test_the_command_scores_faults_and_makes_sheets(sets: tuple[Path, Path], tmp_path: Path) -> None:
    output, sheets = tmp_path / "scores", tmp_path / "sheets"
    made = ("--people", sets[0], "--plates", sets[1], "--count", 2, "--size", "128x72", "--matting", "difference")
    for _ in range(2):  # it replaces its own files
        run(*made, "--plate-faults", "--device", "cpu", "--output", output, "--pictures", sheets)
    found = json.loads((output / "scores.json").read_text())
    assert [row["plate"] for row in found["rows"]] == [*FAULTS, BROUGHT]
    assert len([*sheets.glob("composites-*.png")]) == len(FAULTS) + 1
    sheet = cv2.imread(str(sheets / "composites-another-room.png"))
    assert sheet is not None
    assert sheet.shape == (2 * 180, 4 * 320, 3)  # frame, plate, alpha, published


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "nothing.*--people DIR --plates DIR.*--clips DIR$"),
        (["--people", "x"], "--people, --plates .*together"),
        (["--people", "nowhere", "--plates", "nowhere"], "nowhere.*folder.*--people FOLDER --plates FOLDER$"),
        (["--clips", "."], "clip NAME.mp4.*--clips FOLDER$"),
        (["--predicted", ".", "--truth", "."], "PNG.*--truth FOLDER$"),
        (["--people", ".", "--plates", ".", "--matting", "magic"], "matting 'magic'.*--matting bgmv2"),
        (
            ["--people", ".", "--plates", ".", "--matting", "difference:x.pth"],
            "difference:x.pth.*weights.*--matting difference$",
        ),
        (["--people", ".", "--plates", ".", "--matting", "bgmv2:nowhere.pth"], "read.*weights.*nowhere.pth"),
        (["--clips", ".", "--plate", "room.png"], "plate of its own.*--plate none$"),
        (["--people", ".", "--plates", ".", "--engine", "torch", "--device", "cuda"], "--device (auto|cpu)"),
        (["--clips", ".", "--plate-faults"], "--people DIR --plates DIR$"),
        (["--people", ".", "--plates", ".", "--device", "gpu"], "device 'gpu'.*--device auto, cpu or cuda$"),
    ],
)
def test_mistakes_are_told(arguments: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=message):
        run(*arguments)
    assert not [*tmp_path.iterdir()]


def test_the_network_for_bytes_scores_as_the_one_for_floats(tmp_path: Path) -> None:
    size = Size(480, 272)
    cases = Composites(*write_folders(tmp_path, size), size, 3, 1)  # people: of blobs a network is not sure
    found = []
    for engine in (None, "torch"):
        field = open_mattings(["bgmv2"], [True], Running("cpu", live=True, engine=engine, precision="float32"))
        *_, (row,) = score_composites("painted", cases, field, nothing)
        found.append(row.means())
    assert found[0]["whole MAD"] == pytest.approx(found[1]["whole MAD"], abs=1)
    assert found[0] != found[1]


def test_a_missing_or_misshapen_alpha_is_named(tmp_path: Path) -> None:
    write(tmp_path / "true" / "a.png", np.zeros((8, 8), np.uint8))
    with pytest.raises(
        ConfigError, match=r"^1\D+1\b.*missing.*\ba\.png\b.*run: camdaemon image --src FOLDER --alpha FOLDER$"
    ):
        [*score_files(tmp_path / "found", tmp_path / "true")]
    write(tmp_path / "found" / "a.png", np.zeros((8, 9), np.uint8))
    with pytest.raises(ConfigError, match=r"\ba\.png.*9x8.*truth.*8x8"):
        [*score_files(tmp_path / "found", tmp_path / "true")]


def test_a_truth_that_is_too_short_is_an_error(clip: Path) -> None:
    (found,) = find_clips(clip, take_plates=False)
    write_video(found.alpha, [np.zeros((144, 256), np.uint8)])
    field = [NamedMatting("difference", OfflinePipeline(Config(matting="difference", device="cpu")))]
    with pytest.raises(ConfigError, match=r"a-alpha\.mp4.*ends.*\b1 frames\b"):
        [*score_clip(found, field, 5, nothing)]
