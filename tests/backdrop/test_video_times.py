"""When the frames of a backdrop video show: at their own times, not at an average rate. The clock here is ours."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from camdaemon.backdrop import make_backdrop
from camdaemon.backdrop import video as module
from camdaemon.backdrop.video import ClipBackdrop
from camdaemon.errors import DeviceError
from camdaemon.frames import picture, pixels
from camdaemon.frames.frame import Size
from camdaemon.frames.picture import Picture
from camdaemon.frames.transfer import HostTransfer
from camdaemon.frames.video import Video
from tests.films import write_film

SIZE = Size(64, 64)
PLATE = pixels.as_planes(np.zeros((64, 64, 3), np.uint8))


def film(path: Path, times: Sequence[float | None], **more: Any) -> Path:
    """Frame i is gray, 20 + 20 i."""
    grays = [np.full((64, 64, 3), 20 + 20 * number, np.uint8) for number in range(len(times))]
    return write_film(path, grays, times=times, **more)


def number_of(rgb: Picture) -> int:
    return round((float(np.mean(rgb)) - 20) / 20)


class Stage:
    """The clock, the event that stops the thread and the mailbox: waiting is what makes time pass."""

    def __init__(self, until: float) -> None:
        self.now, self._until = 50.0, 50.0 + until
        self.shown: list[tuple[float, int]] = []

    def monotonic(self) -> float:
        return self.now

    def wait(self, seconds: float) -> bool:
        self.now += seconds
        return self.now >= self._until

    def put(self, rgb: Picture) -> None:
        self.shown.append((round(self.now - 50, 3), number_of(rgb)))


def play(path: Path, until: float, monkeypatch: pytest.MonkeyPatch) -> list[tuple[float, int]]:
    """When which frame was shown live, up to `until` seconds."""
    stage = Stage(until)
    monkeypatch.setattr(module, "time", stage)
    monkeypatch.setattr(module, "lower_priority", lambda: None)
    module._play(module.open_clip(path), SIZE, cast("Any", stage), cast("Any", stage))
    return stage.shown


def play_offline(path: Path, moments: Sequence[float]) -> list[int]:
    """Which frame is shown at each of `moments`, seconds, by the time of the frames it is for."""
    backdrop, upload = ClipBackdrop(str(path), SIZE), HostTransfer(SIZE).upload_picture
    found = [number_of(picture.copy_to_host(backdrop.picture(at, PLATE, upload))) for at in moments]
    backdrop.close()
    return found


SLOWER = (0.0, 0.1, 0.2, 0.7, 1.2, 1.7)


@pytest.mark.parametrize("name", ["a.mkv", "a.mp4"])
def test_a_varying_rate_is_kept_and_the_last_frame_shown_for_its_time(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = film(tmp_path / name, SLOWER)
    shown = play(path, 3.6, monkeypatch)
    assert shown[:6] == [(at, number) for number, at in enumerate(SLOWER)]
    again = shown[6][0]
    assert 1.75 < again < 2.3
    assert (
        shown[6:12]
        == [(pytest.approx(again + at, abs=2e-3), number) for number, at in enumerate(SLOWER)][: len(shown) - 6]
    )
    assert len(shown) > 9
    assert play_offline(path, [0, 0.09, 0.1, 0.3, 0.69, 0.7, 1.3, 1.71, again + 0.01, again + 0.71]) == [
        0, 0, 1, 2, 2, 3, 4, 5, 0, 3,
    ]  # fmt: skip


def test_a_video_whose_first_time_is_not_zero_plays_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = film(tmp_path / "a.mkv", (100.0, 100.1, 100.5))
    assert play(path, 0.55, monkeypatch) == [(0, 0), (0.1, 1), (0.5, 2)]
    assert play_offline(path, [0, 0.2, 0.5]) == [0, 1, 2]


def test_without_pacing_a_video_runs_by_the_frames_it_is_for(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mkv", SLOWER)
    assert isinstance(make_backdrop(str(path), SIZE, paced=False), ClipBackdrop)
    assert not isinstance(make_backdrop("color:#102030", SIZE, paced=False), ClipBackdrop)


def test_offline_a_video_that_breaks_stays_on_its_last_frame(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise DeviceError("a.mkv is broken")

    monkeypatch.setattr(Video, "_decoded_again", broken)
    assert play_offline(film(tmp_path / "a.mkv", [0, 0.1, 0.2]), [0, 0.1, 0.2, 5, 9]) == [0, 1, 2, 2, 2]
    assert caplog.text.count("last picture stays") == 1


def test_a_machine_that_is_too_slow_shows_a_few_frames_and_keeps_the_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each frame takes 0.3 s to decode, and lasts 0.1 s."""
    path, stage, real = film(tmp_path / "a.mkv", [n / 10 for n in range(11)]), Stage(4.0), Video.play

    def slow(video: Video, *, loop: bool) -> Any:
        for timed in real(video, loop=loop):
            stage.now += 0.3
            yield timed

    monkeypatch.setattr(Video, "play", slow)
    monkeypatch.setattr(module, "time", stage)
    monkeypatch.setattr(module, "lower_priority", lambda: None)
    module._play(module.open_clip(path), SIZE, cast("Any", stage), cast("Any", stage))
    assert [number for _, number in stage.shown][:11] == list(range(11)), "each came more than 0.25 s after the last"


def test_a_video_that_breaks_while_it_plays_says_so_and_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path = film(tmp_path / "a.mkv", [n / 10 for n in range(4)])

    def broken(*_: object) -> None:
        raise DeviceError("a.mkv is broken")

    monkeypatch.setattr(Video, "_decoded_again", broken)
    assert len(play(path, 9.0, monkeypatch)) == 4
    assert "last picture stays" in caplog.text
