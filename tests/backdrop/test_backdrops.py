"""Backdrops: every SPEC works, every wrong one says what to type, and none ever makes the worker wait."""

import threading
import time
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
import torch

from camdaemon.backdrop import make_backdrop
from camdaemon.backdrop.room import BlurBackdrop, blur_picture
from camdaemon.errors import ConfigError, DeviceError
from camdaemon.frames import picture, pixels
from camdaemon.frames.conversion import FrameConverter
from camdaemon.frames.frame import Size
from camdaemon.frames.kinds import READY
from camdaemon.frames.pixels import Array, as_bytes
from camdaemon.frames.transfer import HostTransfer
from camdaemon.frames.video import Video
from tests.kinds import EITHER, copied, floats, same

SIZE = Size(128, 72)
UPLOAD = HostTransfer(SIZE).upload_picture
PLATE = as_bytes(torch.rand(1, 3, 72, 128, generator=torch.Generator().manual_seed(1)))
GREYS = (30, 90, 150, 210)  # of the frames of the clip


pytestmark = pytest.mark.usefixtures("one_thread")


def shown(backdrop, of=as_bytes, plate: Array = PLATE) -> Array:
    """The backdrop's picture on a device that has its pictures as `of` makes them."""
    plate = of(plate)
    found = backdrop.picture(0.0, plate, lambda rgb: of(UPLOAD(rgb)))
    assert found.shape == (1, 3, 72, 128)
    assert pixels.is_beside(found, plate)
    assert found.dtype == plate.dtype
    assert 0 <= float(floats(found).amin()) <= float(floats(found).amax()) <= 1
    return found


def level(backdrop) -> float:
    return pixels.means(shown(backdrop))[0] * 255


@pytest.fixture
def image(tmp_path) -> Path:
    path = tmp_path / "beach.png"
    picture.write(path, np.full((200, 300, 3), (250, 120, 10), np.uint8))
    return path


def write_clip(path: Path, grays=GREYS, fps: int | Fraction = 20, start: int = 0) -> Path:
    """A clip of even gray frames; `start`: the number of its first frame, for clips that do not begin at 0 s."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=fps)
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = 160, 120, "yuv420p", 2_000_000
        for n, gray in enumerate(grays):
            frame = av.VideoFrame.from_ndarray(np.full((120, 160, 3), gray, np.uint8), format="rgb24")
            frame.pts = n + start
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.fixture
def clip(tmp_path) -> Path:
    return write_clip(tmp_path / "waves.mp4")


@pytest.fixture
def opened():
    """Makes a backdrop that is closed at the end of the test."""
    made = []

    def make(spec):
        made.append(make_backdrop(str(spec), SIZE))
        return made[-1]

    yield make
    for backdrop in made:
        backdrop.close()


@EITHER
@pytest.mark.parametrize(
    ("spec", "rgb"),
    [
        ("color:#ff8000", (255, 128, 0)),
        ("colour:#FF8000", (255, 128, 0)),
        ("color:0080ff", (0, 128, 255)),
        ("color:#000000", (0, 0, 0)),
    ],
)
def test_a_color_is_everywhere(opened, spec, rgb, of):
    backdrop = opened(spec)
    assert backdrop.spec == spec
    found = shown(backdrop, of)
    expected = torch.tensor(rgb)[None, :, None, None] / 255
    assert float((floats(found) - expected).abs().max()) < 1e-5
    assert shown(backdrop, of) is found, "it is uploaded once"


def test_the_plate_is_the_clean_room_itself(opened):
    assert shown(opened("plate")) is PLATE


@EITHER
@pytest.mark.parametrize("spec", ["blur", "blur:", "blur:1", "blur:7.5", "blur:200"])
def test_every_blur(opened, spec, of):
    backdrop = opened(spec)
    assert backdrop.spec == spec
    assert float(floats(shown(backdrop, of)).var()) < 0.6 * float(floats(PLATE).var())


@EITHER
def test_an_image_is_covered_and_shows_its_colors(opened, image, of):
    backdrop = opened(image)
    assert backdrop.spec == str(image)
    expected = torch.tensor((250, 120, 10))[None, :, None, None] / 255
    assert float((floats(shown(backdrop, of)) - expected).abs().max()) < 0.01
    assert shown(backdrop, of) is shown(backdrop, of)


@EITHER
@pytest.mark.parametrize("name", READY)
def test_a_backdrop_that_comes_with_camdaemon_is_named_without_a_path(opened, name, of):
    backdrop = opened(name)
    assert backdrop.spec == name
    found = shown(backdrop, of)
    assert found.shape == PLATE.shape
    assert float(floats(found).std()) > 0


def test_an_image_in_the_home_directory(opened, image, monkeypatch):
    monkeypatch.setenv("HOME", str(image.parent))
    assert shown(opened("~/beach.png")) is not None


def test_an_image_that_is_deleted_afterwards_stays(opened, image):
    backdrop = opened(image)
    image.unlink()
    assert pixels.means(shown(backdrop))[0] > 0.3


def test_a_picture_of_one_pixel_is_a_picture(tmp_path):
    path = tmp_path / "dot.png"
    picture.write(path, np.full((1, 1, 3), 90, np.uint8))
    for size in (SIZE, Size(1280, 480), Size(64, 256)):
        found = make_backdrop(str(path), size).picture(0.0, PLATE, UPLOAD)
        assert found.shape == (1, 3, size.height, size.width)


WRONG = [
    "",
    "nosuchfile.jpg",
    "/",
    "color",
    "color:",
    "color:green",
    "color:#12345",
    "color:#1234567",
    "color:#gggggg",
    "colour:red",
    "blur:0",
    "blur:0.5",
    "blur:201",
    "blur:-3",
    "blur:nan",
    "blur:inf",
    "blur:much",
    "plate:x",
    "Blur:3",
    "x\0y",
    "~no_such_user_here/beach.png",
    "x" * 300,
]


@pytest.mark.parametrize("spec", WRONG, ids=lambda spec: repr(spec[:30]))
def test_a_wrong_spec_says_what_to_type(spec):
    with pytest.raises(ConfigError, match=r"Run: .*--backdrop ('color:#|blur)") as wrong:
        make_backdrop(spec, SIZE)
    assert wrong.value.exit_code == 2


@pytest.mark.parametrize("name", ["broken.png", "broken.mp4", "broken.gif", "broken"])
@pytest.mark.parametrize("content", [b"", b"neither picture nor video", b"\x89PNG\r\n\x1a\n" + bytes(40)])
def test_a_broken_file_says_what_to_type(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"broken.*--backdrop"):
        make_backdrop(str(path), SIZE)


def test_a_folder_is_no_backdrop(tmp_path):
    with pytest.raises(ConfigError, match=r"Run: .*--backdrop"):
        make_backdrop(str(tmp_path), SIZE)
    (tmp_path / "folder.mp4").mkdir()
    with pytest.raises(ConfigError, match=r"Run: .*--backdrop"):
        make_backdrop(str(tmp_path / "folder.mp4"), SIZE)


def test_a_sound_is_no_video(tmp_path):
    path = tmp_path / "sound.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=44_100)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 2048), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 44_100
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with pytest.raises(ConfigError, match=r"--backdrop blur$"):
        make_backdrop(str(path), SIZE)


# ---- video


def wait_for(condition, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.005)


def backdrop_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "backdrop"]


def test_the_first_picture_of_a_video_is_there_at_once(opened, clip):
    backdrop = opened(clip)
    assert backdrop.spec == str(clip)
    assert level(backdrop) == pytest.approx(GREYS[0], abs=8)


def test_a_video_moves_and_begins_again(opened, clip):
    backdrop = opened(clip)
    wait_for(lambda: level(backdrop) > 180)
    wait_for(lambda: level(backdrop) < 60)


def test_a_video_whose_time_does_not_begin_at_zero_plays_at_once(opened, tmp_path):
    """A cut-out of a longer recording: its first picture has the time 100 s."""
    backdrop = opened(write_clip(tmp_path / "cut.mkv", fps=20, start=2000))
    wait_for(lambda: level(backdrop) > 180, seconds=3)


def test_a_video_of_one_picture_does_not_spin(opened, tmp_path):
    backdrop = opened(write_clip(tmp_path / "still.mp4", grays=[120]))
    before = time.process_time()
    time.sleep(0.3)
    assert time.process_time() - before < 0.2
    assert level(backdrop) == pytest.approx(120, abs=8)


def test_the_worker_never_waits_for_a_slow_video(opened, clip, monkeypatch):
    """A picture takes for ever to convert here; asking for it takes none of that."""
    real, stuck, go_on = FrameConverter.cover, threading.Event(), threading.Event()
    go_on.set()

    def cover(clip, frame, size):
        if not go_on.is_set():
            stuck.set()
            go_on.wait(60)
        return real(clip, frame, size)

    monkeypatch.setattr(FrameConverter, "cover", cover)
    backdrop = opened(clip)
    go_on.clear()
    assert stuck.wait(60)
    for _ in range(60):
        shown(backdrop)
    assert not go_on.is_set(), "it is still being converted"
    go_on.set()


def test_a_video_too_slow_for_this_machine_still_moves(opened, tmp_path, monkeypatch):
    """Decoding takes twice as long as the video lasts: pictures are left out, but not all of them but the first."""

    real = Video.play

    def play(clip, *, loop):
        for timed in real(clip, loop=loop):
            time.sleep(0.1)
            yield timed

    heavy = write_clip(tmp_path / "heavy.mp4", grays=range(20, 240, 18), fps=20)
    monkeypatch.setattr(Video, "play", play)
    backdrop = opened(heavy)
    wait_for(lambda: level(backdrop) > 100, seconds=4)


def test_a_video_that_is_deleted_while_it_plays_goes_on(opened, clip):
    backdrop = opened(clip)
    clip.unlink()
    wait_for(lambda: level(backdrop) > 180)
    wait_for(lambda: level(backdrop) < 60)


def test_a_video_that_breaks_stays_on_its_last_good_picture(opened, clip, monkeypatch, caplog):
    real, broken = FrameConverter.cover, threading.Event()

    def cover(clip, frame, size):
        if broken.is_set():
            raise DeviceError("cannot convert a frame")
        return real(clip, frame, size)

    monkeypatch.setattr(FrameConverter, "cover", cover)
    backdrop = opened(clip)
    wait_for(lambda: level(backdrop) > 60)
    broken.set()
    wait_for(lambda: not any(thread.is_alive() for thread in backdrop_threads()))
    assert level(backdrop) > 60
    assert shown(backdrop) is shown(backdrop)
    assert "last picture" in caplog.text


def test_close_ends_the_thread_also_while_it_waits_for_the_next_picture(tmp_path):
    backdrop = make_backdrop(str(write_clip(tmp_path / "slow.mp4", fps=Fraction(1, 600))), SIZE)
    assert len(backdrop_threads()) == 1
    backdrop.close()
    assert not backdrop_threads()
    backdrop.close()


@pytest.mark.parametrize("spec", ["color:#123456", "blur", "plate"])
def test_close_may_be_called_on_everything(spec):
    backdrop = make_backdrop(spec, SIZE)
    backdrop.close()
    backdrop.close()
    assert not backdrop_threads()


# ---- blur


@EITHER
@pytest.mark.parametrize("sigma", [1.0, 3.0, 14.0, 24.0, 80.0, 200.0])
def test_an_even_picture_stays_as_it_is(sigma, of):
    even = of(torch.tensor([0.2, 0.5, 0.9])[None, :, None, None].expand(1, 3, 72, 128))
    found = blur_picture(even, sigma)
    if of is as_bytes:
        assert same(found, even)
    assert float((floats(found) - floats(even)).abs().max()) < 1e-4


@EITHER
@pytest.mark.parametrize("sigma", [1.0, 2.5, 4.0, 6.0, 9.0, 14.0, 24.0])
@pytest.mark.parametrize("kind", ["noise", "edges"])
def test_the_blur_is_opencvs_gaussian(sigma, kind, of):
    rng = np.random.default_rng(5)
    if kind == "noise":
        sharp = cv2.resize(rng.random((18, 32, 3), np.float32), (256, 144), interpolation=cv2.INTER_LINEAR)
    else:
        sharp = np.zeros((144, 256, 3), np.float32)
        sharp[40:, 100:180], sharp[:70, 30:60], sharp[-20:] = 1.0, (0.9, 0.2, 0.4), (0.1, 0.8, 0.3)
    given = of(torch.from_numpy(sharp).permute(2, 0, 1)[None])
    sharp = floats(given)[0].permute(1, 2, 0).contiguous().numpy()
    expected = cv2.GaussianBlur(sharp, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
    found = floats(blur_picture(given, sigma))[0].permute(1, 2, 0).numpy()
    rounding = 0.5 if of is as_bytes else 0.0
    assert np.abs(found - expected).max() * 255 <= 2.5 + rounding


@EITHER
def test_the_blur_is_computed_once_for_each_plate(of):
    backdrop, plate = BlurBackdrop("blur:5", 5.0), of(PLATE)
    first = shown(backdrop, of, plate)
    assert shown(backdrop, of, plate) is first
    other = shown(backdrop, of, of(1 - floats(PLATE)))
    assert other is not first
    assert float((floats(other) - (1 - floats(first))).abs().max()) < 0.02


@pytest.mark.parametrize("plate", [PLATE, floats(PLATE), floats(PLATE).half()], ids=["u8", "f32", "f16"])
def test_the_blur_leaves_the_plate_and_its_type_alone(plate):
    before = copied(plate)
    blurred = blur_picture(plate, 10.0)
    assert pixels.is_beside(blurred, plate)
    assert blurred.dtype == plate.dtype
    assert same(plate, before)


@EITHER
def test_a_wide_picture_keeps_its_shape_when_blurred(of):
    assert blur_picture(of(torch.rand(1, 3, 64, 2160)), 200.0).shape == (1, 3, 64, 2160)
