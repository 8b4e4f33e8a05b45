"""The daemon as people meet it: a process, its command line, its exit codes. The source is our own pattern clip."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import av
import numpy as np
import pytest

from camdaemon.config.schema import Config, SceneConfig
from camdaemon.daemon.check import check_recordings
from camdaemon.errors import ConfigError
from camdaemon.frames import picture
from camdaemon.frames.frame import Size
from camdaemon.tools import demo
from camdaemon.tools.own_folder import OwnFolder

SMALL = ["--source", "pattern", "--size", "320x180", "--matting", "difference", "--plate", "auto"]


def camdaemon(*args: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "camdaemon", *args], capture_output=True, text=True, timeout=timeout, check=False
    )


@pytest.fixture(autouse=True)
def own_socket(tmp_path, monkeypatch):
    monkeypatch.setenv("CAMDAEMON_SOCKET", str(tmp_path / "run" / "c.sock"))


@contextmanager
def daemon(*args: str):
    """A running daemon that answers; it is stopped at the end, and its exit code must be 0 unless it was killed."""
    process = subprocess.Popen(
        [sys.executable, "-m", "camdaemon", "run", *args], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        end = time.monotonic() + 60
        while camdaemon("status").returncode:
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < end, "the daemon never answered"
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=30)
    assert process.returncode in (0, -signal.SIGKILL), log


def status() -> dict:
    return json.loads(camdaemon("status", "--json").stdout)


def wait_for(condition, seconds: float = 60.0) -> dict:
    end = time.monotonic() + seconds
    while True:
        now = status()
        if condition(now):
            return now
        assert time.monotonic() < end, now
        time.sleep(0.1)


def test_a_session_with_the_running_daemon(tmp_path):
    with daemon(*SMALL, "--sink", "null", "--loop") as process:
        now = wait_for(lambda now: now["counts"].get("published_composite", 0) > 3)
        assert now["plate"] == "taken"
        assert now["size"] == "320x180"
        assert now["latency_ms"]["p50"] > 0
        assert {"upload", "plate", "matte", "backdrop", "composite", "download", "write"} <= set(now["steps_ms"])

        wrong = camdaemon("backdrop", str(tmp_path / "gone.png"))
        assert wrong.returncode == 2
        assert "gone.png" in wrong.stderr
        assert status()["backdrop"] == now["backdrop"], "a wrong backdrop must change nothing"
        broken = tmp_path / "broken.png"
        broken.write_bytes(b"\x89PNG\r\n\x1a\n broken")
        assert camdaemon("backdrop", str(broken)).returncode == 2
        assert camdaemon("backdrop", "blur:9").returncode == 0
        assert status()["backdrop"] == "blur:9"

        assert camdaemon("mode", "sepia").returncode == 2
        assert camdaemon("mode", "card").returncode == 0
        assert status()["mode"] == "card"

        second = camdaemon("run", *SMALL, "--sink", "null")
        assert second.returncode == 1
        assert "another camdaemon is running" in second.stderr
        assert "camdaemon stop" in second.stderr

        assert camdaemon("stop").returncode == 0
        assert process.wait(60) == 0
    assert camdaemon("status").returncode == 1


def test_it_starts_again_after_being_killed():
    with daemon(*SMALL, "--sink", "null", "--loop") as process:
        process.kill()
        process.wait()
    with daemon(*SMALL, "--sink", "null", "--loop"):
        assert status()["source"] == "pattern"


def test_a_clip_into_a_file_at_full_speed_has_every_frame_and_the_backdrop(tmp_path):
    out = tmp_path / "out.mp4"
    done = camdaemon(
        "run", *SMALL, "--sink", str(out), "--backdrop", "color:#00ff00", "--fast", "--frames", "150", timeout=110
    )
    assert done.returncode == 0, done.stderr
    with av.open(str(out)) as video:
        frames = [frame.to_ndarray(format="rgb24").astype(int) for frame in video.decode(video=0)]
    assert len(frames) == 150
    green = [float((abs(f - (0, 255, 0)).max(2) < 16).mean()) for f in frames]
    assert green[0] == 0, "the first frame can only be the card"
    assert green[60] > 0.98, "the empty room must be all backdrop"
    assert 0.2 < green[-1] < 0.9, "the figure stands before the backdrop"


@pytest.mark.parametrize(
    ("args", "code", "says"),
    [
        (["--source", "/dev/video63"], 3, "camdaemon devices"),
        (["--source", "no-such.mp4"], 2, "camdaemon devices"),
        (["--source", "pattern", "--sink", "/dev/video63"], 3, "modprobe"),
        (["--source", "pattern", "--sink", "out.xyz"], 2, "camdaemon devices"),
        (["--source", "pattern", "--sink", "null", "--backdrop", "color:red"], 2, "color:#00ff00"),
        (["--source", "pattern", "--sink", "null", "--backdrop", "blur:x"], 2, "blur:24"),
        (["--source", "pattern", "--sink", "null", "--backdrop", "no.png"], 2, "--backdrop"),
        (["--source", "pattern", "--sink", "null", "--size", "321x180"], 2, "320x180"),
        (["--source", "pattern", "--sink", "null", "--plate", "no.png"], 2, "--plate auto"),
        (["--source", "pattern", "--sink", "null", "--weights", "no.pth"], 2, "--weights"),
        (["--source", "pattern", "--sink", "null", "--device", "cuda"], 2, "--device auto"),
        (["--source", "pattern", "--sink", "preview", "--fast"], 2, "--fast"),
    ],
)
def test_bad_input_is_one_clear_error(args, code, says, monkeypatch):
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setenv("DISPLAY", ":0")  # never opened: --fast is refused first
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    done = camdaemon("run", *args)
    assert done.returncode == code, done.stderr
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.count("camdaemon: ") == 1


def test_a_recording_is_no_file_that_is_read_and_overwrites_nothing_unasked(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("clip.mp4", "plate.png", "sofa.mp4", "w.mkv", "old.mkv", "cut.mp4.part"):
        (tmp_path / name).write_bytes(b"mine")
    (tmp_path / "link.mov").symlink_to("clip.mp4")
    config = Config(source="clip.mp4", plate="plate.png", weights="w.mkv", backdrop="sofa.mp4",
                    scenes={"late": SceneConfig(backdrop="old.mkv")})  # fmt: skip
    for sink in ("clip.mp4", f"{tmp_path}/clip.mp4", "link.mov", "sofa.mp4", "w.mkv", "old.mkv"):
        for sinks in ({"sink": sink}, {"sink": "null", "more_sinks": [sink]}):
            with pytest.raises(ConfigError, match="is read"):
                check_recordings(config.model_copy(update=sinks), force=True)
    with pytest.raises(ConfigError, match="same name"):
        check_recordings(Config(sink="new.mp4", more_sinks=["./new.mp4"]), force=True)
    for sink, named in (("old.mkv", r"old\.mkv"), ("cut.mp4", r"mv cut\.mp4\.part cut-cut\.mp4")):
        with pytest.raises(ConfigError, match=rf"{named}.*--force$"):
            check_recordings(Config(sink=sink), force=False)
        check_recordings(Config(sink=sink), force=True)
    check_recordings(Config(sink="new.mp4", more_sinks=["null", "/dev/video63"]), force=False)
    assert {path.read_bytes() for path in tmp_path.iterdir()} == {b"mine"}


def test_a_recording_that_is_killed_plays_and_is_named_at_the_next_start(tmp_path):
    out = tmp_path / "out.mp4"
    part = out.with_name("out.mp4.part")
    process = subprocess.Popen(
        [sys.executable, "-m", "camdaemon", "run", *SMALL, "--sink", str(out)], stderr=subprocess.DEVNULL
    )
    try:
        patience = time.monotonic() + 60
        while not (part.exists() and part.stat().st_size > 4000) and time.monotonic() < patience:
            time.sleep(0.1)
    finally:
        process.kill()
        process.wait()
    with av.open(str(part)) as video:
        assert next(video.decode(video=0)).width == 320
    before = part.read_bytes()
    done = camdaemon("run", *SMALL, "--sink", str(out))
    assert done.returncode == 2, done.stderr
    assert f"mv {part} {tmp_path}/out-cut.mp4" in done.stderr
    assert [part.read_bytes(), out.exists()] == [before, False]


def test_config_reports_three_mistakes_at_once(tmp_path):
    file = tmp_path / "config.toml"
    file.write_text('bakdrop = "blur"\ndevice = "cdua"\nsize = "1281x720"\n')
    done = camdaemon("config", "--check", "--config", str(file))
    assert done.returncode == 2
    assert "3 mistakes" in done.stderr
    assert "did you mean backdrop?" in done.stderr
    assert "did you mean cuda?" in done.stderr
    assert "1280x720" in done.stderr
    assert camdaemon("run", "--config", str(file)).returncode == 2


def test_config_shows_what_it_would_read(tmp_path):
    file = tmp_path / "config.toml"
    file.write_text('backdrop = "blur:9"\n[refine]\npixels = 1000\n')
    shown = camdaemon("config", "--config", str(file))
    assert 'backdrop = "blur:9"' in shown.stdout
    again = tmp_path / "again.toml"
    again.write_text(shown.stdout)
    assert camdaemon("config", "--check", "--config", str(again)).returncode == 0, "what it prints is a configuration"


def test_the_demo_makes_a_video_of_every_frame_and_a_sheet_and_replaces_only_its_own(tmp_path, monkeypatch, capsys):
    """Small, because however slow the machine is, no frame is skipped."""
    monkeypatch.setattr(demo, "SIZE", Size(192, 108))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    os.mkdir(tmp_path / "run", 0o700)
    monkeypatch.delenv("CAMDAEMON_SOCKET")
    out = tmp_path / "out"
    demo.demo(out, preview=False)
    assert "camdaemon run --source /dev/video0" in capsys.readouterr().err
    assert picture.read(out / "contact-sheet.png", "nothing").shape[1] == 1440
    with av.open(str(out / "demo.mp4")) as video:
        frames = [(frame.time, frame.to_ndarray(format="rgb24")) for frame in video.decode(video=0)]
    assert [time for time, _ in frames] == pytest.approx([number / 30 for number in range(360)], abs=0.001)
    assert frames[-1][1].shape == (108, 192, 3)
    assert np.std(frames[-1][1]) > 10
    OwnFolder(out).check(["demo.mp4", "contact-sheet.png"], force=False)
    (out / "demo.mp4").write_bytes(b"a film of somebody else")
    with pytest.raises(ConfigError, match=r"demo\.mp4.*--force$"):
        demo.demo(out, preview=False)
    assert (out / "demo.mp4").read_bytes() == b"a film of somebody else"
