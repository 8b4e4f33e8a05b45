"""The folder of backdrops: what lies in it, what comes next, thumbnails, and keeping what somebody uploads."""

from __future__ import annotations

import io
import os
import re
import tempfile
import warnings
from contextlib import suppress
from pathlib import Path

import av
import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError

from camdaemon.backdrop import ONLY_VIDEOS
from camdaemon.control.verbs import BackdropFile
from camdaemon.errors import ConfigError
from camdaemon.frames import picture
from camdaemon.frames.kinds import VIDEOS
from camdaemon.frames.picture import Picture

IMAGES = {".jpg": "JPEG", ".jpeg": "JPEG", ".png": "PNG", ".webp": "WEBP"}
MOST_BYTES = 64 << 20
_MOST_PIXELS = 50_000_000  # of an uploaded picture; 8K is 33 million
_MOST_VIDEO_PIXELS = 4096 * 2304
# The format is forced: a playlist that is called .mp4 could make the reader open other files.
_FORMATS = {".mkv": "matroska", ".webm": "matroska", ".avi": "avi", ".gif": "gif"}
_THUMBNAIL = 320  # pixels wide


class Gallery:
    """The pictures and videos directly in `folder`, which need not exist and may be replaced by another.

    Any thread; looks anew at every call.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def files(self) -> list[BackdropFile]:
        """All of them, by name, small and large letters alike. An unreadable folder is an empty one.

        Left out: hidden files, and names that are no UTF-8, which no JSON can hold.
        """
        try:
            found = [path for path in self.folder.iterdir() if not path.name.startswith(".") and _is_text(path)]
        except OSError:
            return []
        kinds = {path: _kind(path) for path in found if os.path.isfile(path)}  # is_file raises for an unreadable link
        known = sorted((path for path, kind in kinds.items() if kind), key=lambda path: (path.name.lower(), path.name))
        return [BackdropFile(path.name, str(path), kinds[path]) for path in known]

    def neighbour(self, spec: str, step: int) -> BackdropFile:
        """The file `step` places after the one called `spec` (the first or last for another spec); ConfigError if none.

        Round and round: after the last comes the first.
        """
        files = self.files()
        if not files:
            raise ConfigError(
                f"there are no pictures or videos in {self.folder}; put some there, or name another folder in the "
                'configuration: backdrops = "/home/you/Pictures/backdrops"'
            )
        specs = [file.spec for file in files]
        with suppress(RuntimeError, ValueError):  # as it stands in the configuration
            spec = spec if spec in specs else str(Path(spec).expanduser().absolute())
        here = specs.index(spec) if spec in specs else (-1 if step > 0 else 0)
        return files[(here + step) % len(files)]

    def thumbnail(self, name: str) -> bytes:
        """See control.verbs.Gallery."""
        file = next((file for file in self.files() if file.name == name), None)
        if file is None:
            raise ConfigError(f"there is no {name!r} in {self.folder}; see what there is with: camdaemon backdrops")
        path = Path(file.spec)
        rgb = _first_frame(path) if file.kind == "video" else picture.read(path, "another file")
        height, width = rgb.shape[:2]
        share = min(1.0, _THUMBNAIL / width)
        small = cv2.resize(
            rgb, (max(1, round(width * share)), max(1, round(height * share))), interpolation=cv2.INTER_AREA
        )
        _, data = cv2.imencode(".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 80])
        return data.tobytes()

    def add(self, name: str, data: bytes) -> str:
        """See control.verbs.Gallery. The file is whole in the folder or not there at all; nothing is overwritten."""
        if len(data) > MOST_BYTES:
            raise ConfigError(
                f"{name!r} has {len(data) >> 20} MB, at most {MOST_BYTES >> 20} can be sent; copy it to {self.folder}"
            )
        stem, suffix = _safe(name)
        if suffix in IMAGES:
            _check_image(name, data)
        elif suffix in VIDEOS:
            _check_video(name, data, _FORMATS.get(suffix, "mov"))
        else:
            raise ConfigError(
                f"{name!r} is no picture or video by its name; try one of {', '.join((*IMAGES, *VIDEOS))}"
            )
        return self._keep(stem, suffix, data)

    def _keep(self, stem: str, suffix: str, data: bytes) -> str:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=self.folder, prefix=".upload-") as draft:
                draft.write(data)
                draft.flush()
                for number in range(1, 1000):
                    final = f"{stem}{suffix}" if number == 1 else f"{stem}-{number}{suffix}"
                    try:
                        os.link(draft.name, self.folder / final)  # fails where a file is: two uploads cannot collide
                    except FileExistsError:
                        continue
                    return final
        except OSError as exc:
            raise ConfigError(
                f"cannot write into {self.folder}: {exc.strerror}; see its rights and free space"
            ) from None
        raise ConfigError(f"there are a thousand files called {stem}{suffix} in {self.folder}; remove some")


def _is_text(path: Path) -> bool:
    try:
        return bool(str(path).encode())
    except UnicodeEncodeError:
        return False


def _kind(path: Path) -> str:
    suffix = path.suffix.lower()
    return "image" if suffix in IMAGES else "video" if suffix in VIDEOS else ""


def _safe(name: str) -> tuple[str, str]:
    """A name from anywhere → (stem, suffix) of one plain file name: letters, digits, space, dot, dash, underscore.

    The stem has at most 200 bytes, so that a number and the suffix fit into a file system's 255.
    """
    last = re.split(r"[/\\]", name)[-1]
    stem, dot, suffix = last.rpartition(".")
    stem = re.sub(r"[^\w .-]", "_", stem if dot else last).strip(" .")[:80]
    stem = stem.encode()[:200].decode("utf-8", "ignore").strip(" .")
    return stem or "backdrop", f".{suffix.lower()}" if dot else ""


def _check_image(name: str, data: bytes) -> None:
    """Refuse what is none of our picture formats, or would unpack to very many pixels. Only its head is read first."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of large pictures; the limit here is ours
            with Image.open(io.BytesIO(data), formats=sorted(set(IMAGES.values()))) as head:
                width, height = head.size
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        raise ConfigError(f"{name!r} is not a JPEG, PNG or WebP picture that can be read; try another file") from None
    if width * height > _MOST_PIXELS:
        raise ConfigError(
            f"{name!r} has {width}x{height} pixels, more than {_MOST_PIXELS // 10**6} million; make it smaller"
        )
    if cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_REDUCED_COLOR_8) is None:
        raise ConfigError(f"{name!r} is broken: its head is right, its picture cannot be read; try another file")


def _check_video(name: str, data: bytes, fmt: str) -> None:
    try:
        with av.open(io.BytesIO(data), "r", fmt, options={"max_pixels": str(_MOST_VIDEO_PIXELS)}) as container:
            codec = container.streams.video[0].codec_context
            if codec is None:
                raise ValueError("an unknown codec")
            if not 0 < codec.width * codec.height <= _MOST_VIDEO_PIXELS:  # 0x0 where max_pixels stopped the reader
                raise ConfigError(f"{name!r} has too many pixels, or says not how many; make it 3840x2160 or smaller")
            next(container.decode(video=0))
    except (av.FFmpegError, StopIteration, IndexError, ValueError):
        raise ConfigError(f"{name!r} is not a video that can be played; try another file") from None


def _first_frame(path: Path) -> Picture:
    try:
        with av.open(str(path), options=ONLY_VIDEOS) as container:
            frame = next(container.decode(video=0))
            return np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
    except (av.FFmpegError, StopIteration, IndexError, ValueError):
        raise ConfigError(f"{path} is not a video that can be played; remove it or replace it") from None
