"""The backdrop folder: what is listed and shown, and that an upload is a plain file in it, or refused and nothing."""

from __future__ import annotations

import io
import os
import random
import struct
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from camdaemon.control import uploads as module
from camdaemon.control.backdrops import READY_FILES, Gallery
from camdaemon.errors import ConfigError
from camdaemon.frames import picture, video
from camdaemon.frames.kinds import VIDEOS
from tests.films import CLOCKWISE, CORNERS, corners_of, quarters, write_film

picture.quiet_opencv()


def encoded(suffix: str, size: tuple[int, int] = (160, 90)) -> bytes:
    """A picture of noise, which no format can hold in a few bytes."""
    rgb = np.random.default_rng(1).integers(0, 255, (size[1], size[0], 3), np.uint8)
    return cv2.imencode(suffix, rgb)[1].tobytes()


def filmed(fmt: str = "mp4", frames: int = 3, size: tuple[int, int] = (64, 48)) -> bytes:
    """A video whose red becomes stronger from frame to frame."""
    file = io.BytesIO()
    with av.open(file, "w", format=fmt) as container:
        stream = container.add_stream("gif" if fmt == "gif" else "mpeg4", rate=10)
        stream.width, stream.height = size
        stream.pix_fmt = "rgb8" if fmt == "gif" else "yuv420p"
        for n in range(frames):
            picture = np.full((size[1], size[0], 3), (100 + 50 * n, 0, 0), np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture)))
        container.mux(stream.encode(None))
    return file.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, pixels: bytes, *more: bytes) -> bytes:
    """A PNG that says it is width × height, whatever it holds."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"".join((b"\x89PNG\r\n\x1a\n", head, *more, chunk(b"IDAT", zlib.compress(pixels)), chunk(b"IEND", b"")))


def playlist(file: Path) -> bytes:
    return f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile://{file}\n#EXT-X-ENDLIST\n".encode()


PNG, MP4 = encoded(".png"), filmed()


@pytest.fixture
def gallery(tmp_path: Path) -> Gallery:
    folder = tmp_path / "backdrops"
    folder.mkdir()
    return Gallery(folder)


@pytest.fixture
def outside(gallery: Gallery) -> Iterator[Path]:
    """A file beside the folder, which must be the same when the test is over, and still alone there."""
    file = gallery.folder.parent / "outside.png"
    file.write_bytes(b"mine")
    yield file
    assert file.read_bytes() == b"mine"
    assert set(gallery.folder.parent.iterdir()) <= {file, gallery.folder}


def put(gallery: Gallery, *names: str) -> None:
    for name in names:
        (gallery.folder / name).write_bytes(PNG)


def names(gallery: Gallery) -> list[str]:
    return [file.name for file in gallery.files()]


def written(gallery: Gallery) -> set[str]:
    """Everything in the folder, hidden or not."""
    return set(os.listdir(gallery.folder))


def test_files_come_by_name_and_say_what_they_are(gallery: Gallery) -> None:
    put(gallery, "b.PNG", "a.jpg", "C.webp", "d.Mp4", "e.gif", "Ä b.jpeg")
    files = gallery.files()
    assert [file.name for file in files] == ["a.jpg", "b.PNG", "C.webp", "d.Mp4", "e.gif", "Ä b.jpeg"]
    assert [file.kind for file in files] == ["image", "image", "image", "video", "video", "image"]
    assert [Path(file.spec) for file in files] == [gallery.folder / file.name for file in files]


def test_numbered_files_come_in_numeric_order_and_next_follows(gallery: Gallery) -> None:
    put(gallery, *(f"slide{number}.png" for number in (10, 1, 2, 11, 9)))
    ordered = [f"slide{number}.png" for number in (1, 2, 9, 10, 11)]
    assert names(gallery) == ordered
    assert gallery.neighbor(str(gallery.folder / "slide9.png"), 1).name == "slide10.png"


def test_what_is_no_backdrop_is_not_listed(gallery: Gallery) -> None:
    put(gallery, "a.png", ".hidden.png", ".png", "notes.txt", "png", "x.svg", "x.png.part")
    (gallery.folder / "folder.png").mkdir()
    os.mkfifo(gallery.folder / "fifo.png")
    (gallery.folder / os.fsdecode(b"no\xffutf8.png")).write_bytes(PNG)
    assert names(gallery) == ["a.png"]


def test_one_broken_link_does_not_empty_the_list(gallery: Gallery, outside: Path) -> None:
    put(gallery, "a.png")
    for name, target in {"gone.png": "nowhere.png", "loop.png": "loop.png", "long.png": "x" * 300}.items():
        (gallery.folder / name).symlink_to(target)
    (gallery.folder / "link.png").symlink_to(outside)  # the user's own doing, and good for showing
    assert names(gallery) == ["a.png", "link.png"]


def test_the_folder_is_looked_at_anew(gallery: Gallery) -> None:
    assert names(gallery) == []
    put(gallery, "a.png")
    assert names(gallery) == ["a.png"]
    gallery.folder = gallery.folder.parent
    assert names(gallery) == []


@pytest.mark.parametrize("there", ["missing", "file"])
def test_no_folder_is_an_empty_one(gallery: Gallery, there: str) -> None:
    gallery.folder /= "inner"
    if there == "file":
        gallery.folder.write_bytes(b"")
    assert gallery.files() == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_folder_is_an_empty_one(gallery: Gallery) -> None:
    put(gallery, "a.png")
    gallery.folder.chmod(0)
    try:
        assert gallery.files() == []
        with pytest.raises(ConfigError, match="see its rights"):
            gallery.add("b.png", PNG)
    finally:
        gallery.folder.chmod(0o700)


def test_neighbors_go_round_and_round_both_ways(gallery: Gallery) -> None:
    put(gallery, "a.png", "b.png", "c.png")
    spec = str(gallery.folder / "a.png")
    for step, walk in ((1, "bcab"), (-1, "cbac"), (2, "cbac"), (-4, "cbac")):
        here = spec
        for letter in walk:
            file = gallery.neighbor(here, step)
            assert file.name == f"{letter}.png"
            here = file.spec


@pytest.mark.parametrize("spec", ["plate", "color:#00ff00", "a.png", "/gone/b.png", ""])
def test_from_somewhere_else_the_first_or_the_last_comes(gallery: Gallery, spec: str) -> None:
    put(gallery, "a.png", "b.png", "c.png")
    assert gallery.neighbor(spec, 1).name == "a.png"
    assert gallery.neighbor(spec, -1).name == "c.png"


def test_a_single_file_is_its_own_neighbor(gallery: Gallery) -> None:
    put(gallery, "a.png")
    assert gallery.neighbor(str(gallery.folder / "a.png"), 1).name == "a.png"


def test_while_the_folder_is_empty_next_shows_what_comes_with_camdaemon(gallery: Gallery) -> None:
    first, last = READY_FILES[0], READY_FILES[-1]
    assert gallery.neighbor("plate", 1) == first
    assert gallery.neighbor(first.spec, -1) == last
    put(gallery, "mine.png")
    assert gallery.neighbor(first.spec, 1).name == "mine.png"


def test_what_comes_with_camdaemon_has_thumbnails(gallery: Gallery) -> None:
    for file in READY_FILES:
        assert decoded(gallery.thumbnail(file.name)).shape == (180, 320, 3)


def decoded(jpeg: bytes) -> np.ndarray:
    assert jpeg[:3] == b"\xff\xd8\xff"
    bgr = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert bgr is not None
    return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)


@pytest.mark.parametrize(
    ("size", "small"), [((800, 600), (320, 240)), ((100, 50), (100, 50)), ((3000, 2), (320, 1)), ((1, 500), (1, 500))]
)
def test_a_thumbnail_is_a_small_jpeg_of_the_same_shape(
    gallery: Gallery, size: tuple[int, int], small: tuple[int, int]
) -> None:
    (gallery.folder / "a.png").write_bytes(encoded(".png", size))
    assert decoded(gallery.thumbnail("a.png")).shape == (small[1], small[0], 3)


def test_a_thumbnail_has_the_pictures_colors(gallery: Gallery) -> None:
    picture.write(gallery.folder / "a.png", np.full((60, 80, 3), (200, 100, 0), np.uint8))
    assert np.abs(decoded(gallery.thumbnail("a.png")).astype(int) - (200, 100, 0)).max() < 8


@pytest.mark.parametrize("fmt", ["mp4", "matroska", "gif"])
def test_the_thumbnail_of_a_video_is_its_first_frame(gallery: Gallery, fmt: str) -> None:
    (gallery.folder / "a.mkv").write_bytes(filmed(fmt))  # shown whatever it is called
    found = decoded(gallery.thumbnail("a.mkv")).astype(int)
    assert found.shape == (48, 64, 3)
    assert np.abs(found - (100, 0, 0)).max() < 30


def test_the_thumbnail_of_a_phones_video_stands_upright(gallery: Gallery) -> None:
    write_film(gallery.folder / "a.mp4", [np.rot90(quarters(64, 96))] * 2, matrix=CLOCKWISE)
    found = decoded(gallery.thumbnail("a.mp4"))
    assert found.shape == (96, 64, 3)
    np.testing.assert_allclose(corners_of(found), CORNERS, atol=12)


def test_a_thumbnail_lies_over_the_calm_color_where_the_picture_is_transparent(gallery: Gallery) -> None:
    rgba = np.dstack([np.random.default_rng(1).integers(0, 256, (60, 80, 3), np.uint8), np.zeros((60, 80), np.uint8)])
    cv2.imwrite(str(gallery.folder / "a.png"), rgba)
    assert np.abs(decoded(gallery.thumbnail("a.png")).astype(int) - picture.CALM).max() < 4


@pytest.mark.parametrize("name", ["a.png", "a.webp", "a.mp4", "a.gif"])
@pytest.mark.parametrize("data", [b"", b"nonsense", PNG[:100]])
def test_a_broken_file_has_no_thumbnail(gallery: Gallery, name: str, data: bytes) -> None:
    (gallery.folder / name).write_bytes(data)
    with pytest.raises(ConfigError, match=r"cannot (read|play)"):
        gallery.thumbnail(name)


@pytest.mark.parametrize("name", ["b.png", "../outside.png", "", ".", ".hidden.png", "a.png/", "a\0.png"])
def test_a_thumbnail_is_of_a_listed_file_only(gallery: Gallery, outside: Path, name: str) -> None:
    put(gallery, "a.png", ".hidden.png")
    with pytest.raises(ConfigError, match="there is no"):
        gallery.thumbnail(name)


@pytest.mark.parametrize("suffix", [".jpg", ".JPEG", ".png", ".webp"])
def test_a_good_picture_is_kept_as_it_is(gallery: Gallery, suffix: str) -> None:
    data = encoded(suffix.lower())
    kept = gallery.add(f"My beach{suffix}", data)
    assert kept == f"My beach{suffix.lower()}"
    assert (gallery.folder / kept).read_bytes() == data
    assert written(gallery) == {kept}
    assert gallery.thumbnail(kept)


@pytest.mark.parametrize(("suffix", "fmt"), [(".mp4", "mp4"), (".mov", "mov"), (".mkv", "matroska"), (".gif", "gif")])
def test_a_good_video_is_kept_as_it_is(gallery: Gallery, suffix: str, fmt: str) -> None:
    data = filmed(fmt)
    assert gallery.add(f"waves{suffix}", data) == f"waves{suffix}"
    assert (gallery.folder / f"waves{suffix}").read_bytes() == data


BOMBS = {
    "a size of 3.6 thousand million pixels": png(60_000, 60_000, bytes(1000)),
    "a size just beyond the limit": png(10_000, 5_001, bytes(1000)),
    "a very long line": png(2_000_000, 2, bytes(12_000_002)),
    "less than it says": png(1000, 1000, bytes(1000)),
    "a text of 100 MB": png(10, 10, bytes(310), chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(100 << 20)))),
    "a profile of 100 MB": png(10, 10, bytes(310), chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(100 << 20)))),
}


@pytest.mark.parametrize(
    ("name", "data"),
    [
        *(pytest.param("a.png", data, id=says) for says, data in BOMBS.items()),
        ("a.png", b""),
        ("a.png", b"nonsense"),
        ("a.jpg", b"<svg xmlns='http://www.w3.org/2000/svg'/>"),
        ("a.png", MP4),
        ("a.webp", b"GIF89a" + bytes(100)),
        ("a.mp4", PNG),
        ("a.mp4", filmed("matroska")),
        ("a.gif", MP4),
        ("a.mp4", b""),
        ("a.mp4", MP4[: len(MP4) // 2]),
        *((f"a{suffix}", encoded(suffix)[:5000]) for suffix in (".jpg", ".png", ".webp")),
        *((f"a{suffix}", encoded(suffix)[:-300]) for suffix in (".jpg", ".png", ".webp")),
        *((name, PNG) for name in ("a.svg", "a.tif", "a", "", ".", "..", "/", "png", "a.png.exe", "a.", "a.p\0ng")),
        *((f"a{suffix}", b"ffconcat version 1.0\nfile 'a.png'\n") for suffix in VIDEOS),
    ],
)
def test_what_is_refused_leaves_nothing(gallery: Gallery, outside: Path, name: str, data: bytes) -> None:
    with pytest.raises(ConfigError):
        gallery.add(name, data)
    assert written(gallery) == set()


def test_a_picture_that_unpacks_to_more_than_it_says_harms_nobody(gallery: Gallery) -> None:
    """Its 200 MB of lines beyond the last are not read."""
    data = png(100, 100, bytes(200 << 20))
    with suppress(ConfigError):
        gallery.add("a.png", data)
    assert written(gallery) <= {"a.png"}


def test_too_many_bytes_are_refused_before_anything_looks_at_them(
    gallery: Gallery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_BYTES", len(PNG) - 1)
    with pytest.raises(ConfigError, match="Copy it to"):
        gallery.add("a.png", PNG)
    monkeypatch.setattr(module, "MOST_BYTES", len(PNG))
    assert gallery.add("a.png", PNG) == "a.png"


def test_a_video_with_too_many_pixels_is_refused(gallery: Gallery, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(video, "MOST_VIDEO_PIXELS", 64 * 48 - 1)
    with pytest.raises(ConfigError, match="too many pixels"):
        gallery.add("a.mp4", MP4)
    assert written(gallery) == set()


@pytest.mark.parametrize("suffix", VIDEOS)
def test_a_playlist_that_is_called_a_video_opens_no_other_file(gallery: Gallery, suffix: str) -> None:
    """The other file is a pipe that nobody writes to: whoever opens it for reading hangs, and is seen by a writer."""
    secret = gallery.folder.parent / "secret"
    os.mkfifo(secret)
    with pytest.raises(ConfigError, match="not a video"):
        gallery.add(f"a{suffix}", playlist(secret))
    with pytest.raises(OSError, match="No such device"):  # nobody has it open
        os.open(secret, os.O_WRONLY | os.O_NONBLOCK)
    assert written(gallery) == set()


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("../../etc/passwd.png", "passwd.png"),
        ("/etc/cron.d/job.png", "job.png"),
        ("..\\..\\windows\\x.png", "x.png"),
        ("C:\\x.png", "x.png"),
        ("a\0b.png", "a_b.png"),
        ("a\nb\r.png", "a_b_.png"),
        ("x" * 300 + ".png", "x" * 80 + ".png"),
        ("𝒜" * 300 + ".png", "𝒜" * 50 + ".png"),
        ("語" * 300 + ".png", "語" * 66 + ".png"),
        (".png", "backdrop.png"),
        ("...png", "backdrop.png"),
        ("/.png", "backdrop.png"),
        ("....//.png", "backdrop.png"),
        ("...hidden.png", "hidden.png"),
        (" . .png", "backdrop.png"),
        ("CON.png", "CON.png"),
        ("Über 9000 ☃.PNG", "Über 9000 _.png"),
        ("<img src=x>.png", "_img src_x_.png"),
        ("$(reboot);`x`|&.png", "__reboot___x___.png"),
        ("a\u202egnp.png", "a_gnp.png"),
        ("\ud800.png", "_.png"),
        ("~.png", "_.png"),
        ("x.tar.png", "x.tar.png"),
    ],
)
def test_whatever_it_is_called_it_lands_in_the_folder(gallery: Gallery, outside: Path, name: str, kept: str) -> None:
    assert gallery.add(name, PNG) == kept
    assert written(gallery) == {kept}
    assert names(gallery) == [kept]
    assert not (gallery.folder / kept).is_symlink()


def test_random_names_land_in_the_folder_or_are_refused(gallery: Gallery, outside: Path) -> None:
    dice = random.Random(1)
    pieces = ["..", "/", "\\", ".", "\0", "~", "etc", " ", "\n", "é", "\U0001f600", ".png", "%2e%2e%2f", "\udcff", "-"]
    for _ in range(300):
        before = written(gallery)
        name = "".join(dice.choices(pieces, k=dice.randint(0, 8)))
        try:
            kept = gallery.add(name, PNG)
        except ConfigError:
            assert written(gallery) == before
        else:
            assert written(gallery) == before | {kept}
            assert (gallery.folder / kept).parent.resolve() == gallery.folder.resolve()
            assert (gallery.folder / kept).is_file()


def test_nothing_is_overwritten(gallery: Gallery) -> None:
    other = encoded(".png", (20, 10))
    assert [gallery.add("a.png", data) for data in (PNG, other, PNG)] == ["a.png", "a-2.png", "a-3.png"]
    assert [(gallery.folder / name).read_bytes() for name in ("a.png", "a-2.png")] == [PNG, other]
    longest = "語" * 300 + ".png"
    assert gallery.add(longest, PNG) != gallery.add(longest, PNG)


@pytest.mark.parametrize("target", ["../outside.png", "../nowhere.png", "."])
def test_an_upload_never_goes_through_a_link(gallery: Gallery, outside: Path, target: str) -> None:
    link = gallery.folder / "a.png"
    link.symlink_to(target)
    assert gallery.add("a.png", PNG) == "a-2.png"
    assert link.is_symlink()
    assert not (gallery.folder / "a-2.png").is_symlink()


def test_a_thousand_of_one_name_are_enough(gallery: Gallery) -> None:
    for number in range(1, 1000):
        (gallery.folder / ("a.png" if number == 1 else f"a-{number}.png")).touch()
    with pytest.raises(ConfigError, match="Remove some"):
        gallery.add("a.png", PNG)
    assert len(written(gallery)) == 999


def test_a_missing_folder_is_made(gallery: Gallery) -> None:
    gallery.folder = gallery.folder / "one" / "two"
    gallery.add("a.png", PNG)
    assert names(gallery) == ["a.png"]


def test_a_folder_that_cannot_be_made_or_written_is_an_error(gallery: Gallery, outside: Path) -> None:
    gallery.folder, folder = outside / "inner", gallery.folder
    with pytest.raises(ConfigError, match=r"cannot write into .*inner"):
        gallery.add("a.png", PNG)
    gallery.folder = folder


def test_a_full_disk_leaves_nothing(gallery: Gallery, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "link", full)
    with pytest.raises(ConfigError, match="No space left"):
        gallery.add("a.png", PNG)
    assert written(gallery) == set()


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".mp4", ".mkv", ".gif"])
def test_bent_bytes_are_kept_or_refused_with_a_sentence(gallery: Gallery, suffix: str) -> None:
    fmt = {".mp4": "mp4", ".mkv": "matroska", ".gif": "gif"}.get(suffix)
    good, dice = filmed(fmt) if fmt else encoded(suffix, (32, 16)), random.Random(2)
    for _ in range(60):
        bent = bytearray(good)
        for _ in range(dice.randint(1, 12)):
            bent[dice.randrange(min(len(bent), 1000))] = dice.randrange(256)
        with suppress(ConfigError):
            gallery.thumbnail(gallery.add(f"a{suffix}", bytes(bent)))
    assert not [name for name in written(gallery) if name.startswith(".")]
