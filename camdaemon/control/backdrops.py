"""The backdrop folder: what lies in it, thumbnails, what comes next, and the next backdrop prepared ahead of time."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from contextlib import suppress
from pathlib import Path

import cv2

from camdaemon.backdrop import Backdrop, make_backdrop
from camdaemon.backdrop.still import ready_path
from camdaemon.backdrop.video import open_clip
from camdaemon.control.table import BackdropFile
from camdaemon.control.uploads import IMAGES, keep_upload
from camdaemon.errors import CamdaemonError, ConfigError
from camdaemon.frames import picture
from camdaemon.frames.frame import Size
from camdaemon.frames.kinds import READY, VIDEOS
from camdaemon.frames.picture import Picture
from camdaemon.linux.listing import list_files
from camdaemon.linux.threads import lower_priority, run_low_priority

log = logging.getLogger(__name__)

_THUMBNAIL = 320  # pixels wide

READY_FILES = [BackdropFile(name, name, "image") for name in READY]


class Gallery:
    """The pictures and videos directly in `folder`, which need not exist and may be replaced by another.

    Beside them, `READY_FILES` can be shown at any time.

    Any thread. Each call reads the folder again.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def files(self) -> list[BackdropFile]:
        """List the files by name, numbers as numbers, whatever their case; none for an unreadable folder.

        Hidden files are left out, and names that are not UTF-8, which no JSON can hold.
        """
        try:
            found = list_files(self.folder, (*IMAGES, *VIDEOS))
        except OSError:
            return []
        known = [path for path in found if _is_text(path) and os.path.isfile(path)]  # is_file raises for a broken link
        return [BackdropFile(path.name, str(path), _kind(path)) for path in known]

    def neighbor(self, spec: str, step: int) -> BackdropFile:
        """Return the file `step` places after the one called `spec`; wraps around.

        For another `spec` it is the first or the last file. While the folder has no files, the backdrops that come with
        camdaemon take their place.
        """
        files = self.files() or READY_FILES
        specs = [file.spec for file in files]
        with suppress(RuntimeError, ValueError):  # as it stands in the configuration
            spec = spec if spec in specs else str(Path(spec).expanduser().absolute())
        here = specs.index(spec) if spec in specs else (-1 if step > 0 else 0)
        return files[(here + step) % len(files)]

    def thumbnail(self, name: str) -> bytes:
        """Make a small JPEG of the file `name`. Raises ConfigError if there is none or it is broken."""
        file = next((file for file in [*self.files(), *READY_FILES] if file.name == name), None)
        if file is None:
            raise ConfigError(f"there is no {name!r} in {self.folder}. Run: camdaemon backdrops")
        path = ready_path(file.spec) if file in READY_FILES else Path(file.spec)
        rgb = _first_frame(path) if file.kind == "video" else picture.read(path, "another file", over=picture.CALM)
        height, width = rgb.shape[:2]
        share = min(1.0, _THUMBNAIL / width, 4 * _THUMBNAIL / height)
        small = cv2.resize(
            rgb, (max(1, round(width * share)), max(1, round(height * share))), interpolation=cv2.INTER_AREA
        )
        _, data = cv2.imencode(".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 80])
        return data.tobytes()

    def add(self, name: str, data: bytes) -> str:
        """Keep an uploaded file under a safe form of `name`, which is returned; see `uploads.keep_upload`."""
        return keep_upload(self.folder, name, data)


class PreparedBackdrops:
    """Makes backdrops of one size, pictures also ahead of time: the next one shows within a frame. Any thread."""

    def __init__(self, size: Size) -> None:
        self._size = size
        self._lock = threading.Lock()  # guards the two below; held for assignments alone
        self._expected: set[str] = set()
        self._kept: dict[str, tuple[int, Backdrop]] = {}  # by spec, all expected; with the file's time of change in ns

    def take(self, spec: str) -> Backdrop:
        """Return the backdrop of `spec`, which is the caller's from now on. Raises ConfigError."""
        with self._lock:
            self._expected.discard(spec)  # if it is being made right now, it comes too late
            kept = self._kept.pop(spec, None)
        if kept is not None and kept[0] == _changed_ns(spec):
            return kept[1]
        return run_low_priority(lambda: make_backdrop(spec, self._size), "asked")

    def expect(self, specs: list[str]) -> None:
        """Have the pictures in the files `specs` made in the background, and forget all others."""
        with self._lock:
            self._kept = {spec: kept for spec, kept in self._kept.items() if spec in specs}
            missing = [spec for spec in specs if spec not in self._expected]
            self._expected = set(specs)
        if missing:
            # No daemon: the interpreter waits for it at its end. A thread that dies inside OpenCV aborts the process.
            threading.Thread(target=self._make, args=(missing,), name="prepare").start()

    def neighbor(self, gallery: Gallery, spec: str, step: int) -> tuple[BackdropFile, Backdrop]:
        """Return the nearest file from `spec` in that direction that can be shown, and its backdrop.

        A broken file is skipped. Raises ConfigError if there is none.
        """
        first = file = gallery.neighbor(spec, step)
        while True:
            try:
                return file, self.take(file.spec)
            except ConfigError as exc:
                log.warning("backdrop skipped: %s", exc)
                file = gallery.neighbor(file.spec, step)
                if file == first:
                    raise

    def expect_neighbors(self, gallery: Gallery, spec: str) -> None:
        """`expect` the pictures before and after `spec`."""
        with suppress(ConfigError):
            near = [gallery.neighbor(spec, step) for step in (1, -1)]
            self.expect([file.spec for file in near if file.kind == "image" and file.spec != spec])

    def _make(self, specs: list[str]) -> None:
        """Make what is still expected. The body of a thread."""
        lower_priority()
        for spec in specs:
            if not self._is_expected(spec):
                continue
            changed_ns = _changed_ns(spec)
            try:
                made = make_backdrop(spec, self._size)
            except CamdaemonError:
                continue  # the command that asks for it gets the error
            with self._lock:
                if spec in self._expected:
                    self._kept[spec] = (changed_ns, made)

    def _is_expected(self, spec: str) -> bool:
        with self._lock:
            return spec in self._expected


def _is_text(path: Path) -> bool:
    try:
        return bool(str(path).encode())
    except UnicodeEncodeError:
        return False


def _kind(path: Path) -> str:
    return "image" if path.suffix.lower() in IMAGES else "video"


def _changed_ns(spec: str) -> int:
    try:
        return Path(spec).stat().st_mtime_ns
    except OSError:
        return -1


def _first_frame(path: Path) -> Picture:
    with contextlib.closing(open_clip(path)) as video:
        return video.convert.picture(video.first)
