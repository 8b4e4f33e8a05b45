"""Third-party programs that watch the virtual camera."""

from __future__ import annotations

import subprocess

import cv2
import numpy as np
from inside.bench import Bench
from inside.judge import ROOM, STRANGE, Judge

from camdaemon.frames.frame import Size

SIZE = Size(640, 360)


def ffmpeg(bench: Bench, path: str, count: int) -> list[str]:
    """Return what ffmpeg saw in `count` pictures, one word each. Raises AssertionError for the room."""
    words = [
        "ffmpeg",
        "-nostdin",
        "-v",
        "error",
        "-f",
        "v4l2",
        "-i",
        path,
        "-frames:v",
        str(count),
        "-vsync",
        "passthrough",
    ]
    process = subprocess.run(
        [*words, "-f", "rawvideo", "-pix_fmt", "yuv420p", "-"], capture_output=True, timeout=60, check=False
    )
    length = SIZE.width * SIZE.height * 3 // 2
    assert len(process.stdout) == count * length, f"ffmpeg: {process.stderr.decode()[-300:]}"
    rows = np.frombuffer(process.stdout, np.uint8).reshape(count, SIZE.height * 3 // 2, SIZE.width)
    return _judge_all(
        "ffmpeg", bench, [np.asarray(cv2.cvtColor(each, cv2.COLOR_YUV2RGB_I420), np.uint8) for each in rows]
    )


def opencv(bench: Bench, path: str, count: int) -> list[str]:
    """Do the same as `ffmpeg`, with OpenCV."""
    capture = cv2.VideoCapture(path, cv2.CAP_V4L2)
    pictures: list[np.ndarray] = []
    try:
        for _ in range(count):
            ok, bgr = capture.read()
            assert ok, f"OpenCV read no picture after {len(pictures)}"
            assert bgr.shape == (SIZE.height, SIZE.width, 3), f"OpenCV got {bgr.shape}"
            pictures.append(np.ascontiguousarray(bgr[..., ::-1]))
    finally:
        capture.release()
    return _judge_all("opencv", bench, pictures)


def _judge_all(program: str, bench: Bench, pictures: list[np.ndarray]) -> list[str]:
    judge = Judge(SIZE)
    words = [judge(picture).word for picture in pictures]
    bench.note(**{program: f"{words.count('composite')} of {len(words)}"})
    assert not {ROOM, STRANGE} & set(words), f"{program} saw {words}"
    assert "composite" in words, f"{program} saw {words}"
    return words
