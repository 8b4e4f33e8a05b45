"""Pictures and other small results as files: a reader finds the whole result, or none."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator, Mapping
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from camdaemon.errors import ConfigError
from camdaemon.linux.files import prepare_replacement

_ORDER = {3: cv2.COLOR_RGB2BGR, 4: cv2.COLOR_RGBA2BGRA}


@contextlib.contextmanager
def replace_file(path: Path) -> Iterator[Path]:
    """Replace `path` by what the block writes; see `prepare_replacement`.

    Yields:
        The path to write to, with the same ending.

    Raises:
        ConfigError: It cannot be written.
    """
    try:
        with prepare_replacement(path) as draft:
            yield draft
    except OSError as exc:
        raise cannot_write(path, exc) from None


def cannot_write(path: Path, exc: OSError) -> ConfigError:
    """Return the error for a result that cannot be written."""
    is_full = exc.errno in (errno.ENOSPC, errno.EDQUOT)
    what = "Make room on that disk. Run: df -h" if is_full else "Name a file in a folder of yours"
    return ConfigError(f"cannot write {path}: {exc.strerror or exc}. {what}")


def write_png(path: Path, pixels: NDArray[np.uint8 | np.uint16]) -> None:
    """Write uint8 or uint16, (H,W) gray, (H,W,3) RGB or (H,W,4) RGBA.

    Raises:
        ConfigError: It cannot be written.
    """
    write_pngs({path: pixels})


def write_pngs(pictures: Mapping[Path, NDArray[np.uint8 | np.uint16]]) -> None:
    """Write pictures that belong together, as `write_png` does: where one of them cannot be written, none is.

    Raises:
        ConfigError: One of them cannot be written.
    """
    with contextlib.ExitStack() as drafts:
        for path, pixels in pictures.items():
            ordered = pixels if pixels.ndim == 2 else cv2.cvtColor(pixels, _ORDER[pixels.shape[2]])
            _, data = cv2.imencode(".png", ordered)
            drafts.enter_context(replace_file(path)).write_bytes(data.tobytes())
