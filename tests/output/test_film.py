"""Films: whole under their name, playable as NAME.part where they are cut off; each picture's time, and the sound."""

import errno
import signal
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from camdaemon.errors import ConfigError, DeviceError
from camdaemon.frames.frame import Size
from camdaemon.output.film import SUFFIXES, Film
from camdaemon.output.sound import open_sound
from tests.films import write_film

SIZE = Size(128, 72)
UNEVEN = [0.0, 0.033, 0.1, 0.9, 0.901, 2.5]


def picture(level: int) -> av.VideoFrame:
    return av.VideoFrame.from_ndarray(np.full((108, 128), level, np.uint8), format="yuv420p")


def times_of(path: Path) -> list[float]:
    with av.open(str(path)) as container:
        return [float(frame.time or 0) for frame in container.decode(video=0)]


def packets_of(path: Path) -> list[bytes]:
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(audio=0) if packet.size]


def boxes_of(path: Path) -> list[str]:
    """The names of an MP4's outermost boxes."""
    data, at, found = path.read_bytes(), 0, []
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        found.append(data[at + 4 : at + 8].decode())
        at += size if size > 1 else int.from_bytes(data[at + 8 : at + 16], "big")
    return found


def sounds_from(path: Path) -> float:
    """When the first sample that is no silence is played, in seconds after the first picture."""
    with av.open(str(path)) as container:
        for frame in container.decode(audio=0):
            loud = np.abs(frame.to_ndarray().astype(float)).max(0) > (
                0.1 if frame.format.name.startswith("flt") else 3000
            )
            if loud.any():
                return float(frame.time or 0) + int(loud.argmax()) / frame.sample_rate - times_of(path)[0]
    raise AssertionError("it is silent")


@pytest.fixture(params=SUFFIXES)
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return tmp_path / f"film{request.param}"


def test_it_takes_its_name_when_it_is_whole(path: Path) -> None:
    path.write_bytes(b"the one before")
    film = Film(path, SIZE, 10)
    for number, t in enumerate(UNEVEN):
        film.write(picture(30 * number + 20), t)
    assert path.read_bytes() == b"the one before"
    film.finish()
    film.finish()
    assert [each.name for each in path.parent.iterdir()] == [path.name]
    assert times_of(path) == pytest.approx(UNEVEN, abs=0.001)


def test_a_finished_mp4_is_an_ordinary_one(tmp_path: Path) -> None:
    """Not in fragments, which editors and older players do not seek in."""
    film = Film(tmp_path / "film.mp4", SIZE, 10)
    for number in range(40):
        film.write(picture(number), number / 10)
    film.finish()
    assert {"moov", "mdat"} <= set(boxes := boxes_of(tmp_path / "film.mp4"))
    assert "moof" not in boxes
    with av.open(str(tmp_path / "film.mp4")) as container:
        assert container.streams.video[0].frames == 40
        assert container.duration == pytest.approx(4_000_000, abs=1000)


def test_what_was_cut_off_stays_as_a_part_that_plays(path: Path) -> None:
    film = Film(path, SIZE, 10)
    for number, t in enumerate(UNEVEN):
        film.write(picture(30 * number + 20), t)
    assert film.cut_off()
    assert [each.name for each in path.parent.iterdir()] == [film.part.name] == [f"{path.name}.part"]
    assert times_of(film.part) == pytest.approx(UNEVEN, abs=0.001)


def test_what_was_killed_plays_up_to_its_last_seconds(path: Path) -> None:
    script = f"""
import os, signal
from pathlib import Path
import av, numpy as np
from camdaemon.frames.frame import Size
from camdaemon.output.film import Film

film, random = Film(Path({str(path)!r}), Size(128, 72), 30), np.random.default_rng(0)
for number in range(300):
    film.write(av.VideoFrame.from_ndarray(random.integers(0, 99, (108, 128), np.uint8), format="yuv420p"), number / 30)
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", script], check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL
    assert not path.exists()
    found = times_of(path.with_name(f"{path.name}.part"))
    assert len(found) >= 300 - 30 * 3
    assert found == pytest.approx([number / 30 for number in range(len(found))], abs=0.001)


def test_without_a_picture_nothing_is_left(path: Path) -> None:
    path.write_bytes(b"the one before")
    assert not Film(path, SIZE, 10).cut_off()
    Film(path, SIZE, 10).finish()
    assert [each.read_bytes() for each in path.parent.iterdir()] == [b"the one before"]


def test_a_disk_that_is_full_at_the_end_leaves_the_part(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_space(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    film = Film(path, SIZE, 10)
    film.write(picture(90), 0.0)
    monkeypatch.setattr("camdaemon.linux.drafts.take_name", no_space)
    with pytest.raises(DeviceError, match=r"No space.*df -h$"):
        film.finish()
    assert times_of(film.part) == [0.0]


def test_two_writers_of_one_film_do_not_mix(path: Path) -> None:
    film = Film(path, SIZE, 10)
    with pytest.raises(ConfigError, match="another program"):
        Film(path, SIZE, 10)
    film.cut_off()


def clip_with_sound(path: Path, codec: str, begin: float = 0.0, rate: int = 48000) -> Path:
    """Three seconds of pictures from `begin` seconds on, and of sound from 0 on, the first second of it silent."""
    with av.open(str(path), "w") as container:
        video: Any = container.add_stream("mpeg4" if path.suffix != ".webm" else "libvpx", rate=10)
        video.width, video.height, video.pix_fmt = 128, 72, "yuv420p"
        audio: Any = container.add_stream(codec, rate=rate)
        wave = np.sin(np.arange(3 * rate) * 2 * np.pi * 440 / rate) * 0.5
        wave[:rate] = 0
        for number in range(30):
            frame = picture(16 if number < 10 else 235)
            frame.pts, frame.time_base = round((number / 10 + begin) * 1000), Fraction(1, 1000)
            container.mux(video.encode(frame))
        context = audio.codec_context
        fifo = av.AudioFifo()
        whole = av.AudioFrame.from_ndarray((wave * 32767).astype(np.int16)[None], format="s16", layout="mono")
        whole.sample_rate = rate
        resampler = av.AudioResampler(context.format, "mono", rate)
        for each in resampler.resample(whole):
            fifo.write(each)
        size = context.frame_size or 1024
        while (chunk := fifo.read(size)) is not None:
            container.mux(audio.encode(chunk))
        container.mux(video.encode(None))
        container.mux(audio.encode(None))
    return path


def never(text: str) -> None:
    raise AssertionError(text)


def copy(clip: Path, film_path: Path) -> Path:
    film = Film(film_path, SIZE, 10, sound=open_sound(clip, film_path, never))
    for number in range(30):
        film.write(picture(16 if number < 10 else 235), number / 10)
    film.finish(whole_sound=True)
    return film_path


@pytest.mark.parametrize(
    ("source", "codec"),
    [("clip.mp4", "aac"), ("clip.mkv", "libopus"), ("clip.webm", "libopus"), ("clip.mov", "pcm_s16le")],
)
@pytest.mark.parametrize("begin", [0.0, 0.7])
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_sound_is_copied_as_it_is_and_in_step(
    tmp_path: Path, source: str, codec: str, begin: float, suffix: str
) -> None:
    clip = clip_with_sound(tmp_path / source, codec, begin)
    film = copy(clip, tmp_path / f"film{suffix}")
    assert packets_of(film) == packets_of(clip)
    assert sounds_from(film) == pytest.approx(sounds_from(clip), abs=0.003)
    assert sounds_from(film) == pytest.approx(1.0 - begin, abs=0.03)
    first = times_of(film)[0]
    assert [t - first for t in times_of(film)] == pytest.approx([number / 10 for number in range(30)], abs=0.0015)


def test_a_film_that_ends_early_has_no_sound_after_it(tmp_path: Path) -> None:
    clip = clip_with_sound(tmp_path / "clip.mp4", "aac")
    film = Film(tmp_path / "film.mp4", SIZE, 10, sound=open_sound(clip, tmp_path / "film.mp4", never))
    for number in range(15):
        film.write(picture(16), number / 10)
    film.finish()
    with av.open(str(tmp_path / "film.mp4")) as container:
        assert (container.duration or 0) / 1e6 == pytest.approx(1.5, abs=0.05)


def test_a_clip_without_sound_needs_no_word(tmp_path: Path) -> None:
    clip = write_film(tmp_path / "mute.mp4", [np.zeros((72, 128, 3), np.uint8)] * 3)
    assert open_sound(clip, tmp_path / "film.mp4", never) is None


def test_sound_that_the_container_cannot_hold_is_one_warning(tmp_path: Path) -> None:
    clip = clip_with_sound(tmp_path / "clip.mkv", "pcm_u8", rate=8000)
    told: list[str] = []
    assert open_sound(clip, tmp_path / "film.mp4", told.append) is None
    assert len(told) == 1
    assert "pcm_u8" in told[0]
    assert told[0].endswith("film.mkv")
    assert open_sound(clip, tmp_path / "film.mkv", never) is not None
