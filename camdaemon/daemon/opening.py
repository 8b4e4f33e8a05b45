"""The two ends of the pipeline: camera and sinks, opened first, so that viewers see a card while the rest is loaded.

What computes (plate, matting, control surfaces) takes longer to import than all of this, and is imported after it.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from camdaemon.capture import Source, open_source
from camdaemon.capture.holding import ControlsHolder
from camdaemon.config.schema import EVERY_SINK, Config
from camdaemon.daemon.check import check_parts
from camdaemon.errors import ConfigError, DeviceError
from camdaemon.frames.card import STARTING, CardCache
from camdaemon.frames.frame import CAMERA_SIZE, HostFrame, Size
from camdaemon.linux.folders import expand_home
from camdaemon.output import Sink, find_sink, open_sink
from camdaemon.output.reopening import ReopeningSink
from camdaemon.output.tee import TeeSink
from camdaemon.pipeline.camera_reader import CameraInput
from camdaemon.pipeline.metrics import Metrics

log = logging.getLogger(__name__)

_REPEAT_S = 0.5  # between two cards while the rest is loaded

OpenSink = Callable[[Size, float], Sink]  # size, fps → an open sink


@dataclass(frozen=True, slots=True)
class Playing:
    """How this run goes, which is not configuration."""

    frames: int | None = None  # camera frames until the end; None: no limit
    paced: bool = True  # in real time; else as fast as possible, with every frame kept
    loop: bool = True  # a clip starts again at its end


@dataclass(frozen=True, slots=True)
class Ends:
    """What is open. Owned by whoever opened it, until a pipeline has it.

    Attributes:
        camera: The source, and how to open it again.
        sink: All sinks, as one.
        size: Of the published frames.
        card_cache: Draws cards for the sink.
        metrics: Of the run.
    """

    camera: CameraInput
    sink: Sink
    size: Size
    card_cache: CardCache
    metrics: Metrics

    def close(self) -> None:
        """Close both, where no pipeline has them."""
        self.camera.first.close()
        self.sink.close()

    @contextlib.contextmanager
    def showing_card(self) -> Iterator[None]:
        """Have programs that read a device of ours see a card while the block runs; a window waits for its own thread.

        The card is repeated, because v4l2loopback takes a second and a half of silence for a daemon that was killed.
        The output thread, which the sinks belong to, begins after the block.
        """
        devices = _list_devices(self.sink)
        stop = threading.Event()
        self._write_card(devices)
        thread = threading.Thread(target=self._repeat_card, args=(devices, stop), name="card", daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def _repeat_card(self, devices: Sequence[Sink], stop: threading.Event) -> None:
        """Write the card until `stop` is set. Body of a thread."""
        while not stop.wait(_REPEAT_S):
            self._write_card(devices)

    def _write_card(self, devices: Sequence[Sink]) -> None:
        frame = HostFrame.empty(self.sink.fmt, self.sink.size)
        frame.t = time.monotonic()
        self.card_cache.copy_to(STARTING, frame)
        for device in devices:
            device.write(frame)


def open_ends(
    config: Config, playing: Playing, sink_for: OpenSink | None = None, holder: ControlsHolder | None = None
) -> Ends:
    """Open camera and sinks.

    Args:
        config: Of this run.
        playing: How a clip plays, and for how long.
        sink_for: Opens the sink instead of those of `config`.
        holder: Holds the camera as the plate in use needs it, whenever the camera is opened.

    Raises:
        ConfigError: An option, a file or a combination of them is wrong. Nothing is left open.
        DeviceError: A camera or virtual camera cannot be opened. Nothing is left open.
    """
    check_parts(config)
    with contextlib.ExitStack() as opened:
        camera = _open_camera(config, playing, holder)
        source = camera.first
        opened.callback(source.close)
        size = choose_size(config, source)
        log.info("camera %s: %s %s at %g fps", source.name, source.fmt, source.size, source.fps)
        if size != source.size:
            log.info("frame size: %s, scaled from the source's %s (another: --size WIDTHxHEIGHT)", size, source.size)
        metrics = Metrics(paced=playing.paced)
        sink = sink_for(size, source.fps) if sink_for else _open_sinks(config, playing, size, source.fps, metrics)
        opened.callback(sink.close)
        if not playing.paced and (source.live or sink.live):
            raise ConfigError("--fast is for a clip that goes into a file; leave it out, or use --sink out.mp4")
        opened.pop_all()
    return Ends(camera, sink, size, CardCache(sink.fmt, size), metrics)


def choose_size(config: Config, source: Source) -> Size:
    """Return the size of the frames: as configured, else a clip's own, and at most CAMERA_SIZE for a camera."""
    if config.size is not None or not source.live:
        return config.size or source.size
    return CAMERA_SIZE.limit(source.size.width, source.size.height)


def _open_camera(config: Config, playing: Playing, holder: ControlsHolder | None) -> CameraInput:
    """Open the source, and say how to open it again."""

    def reopen() -> Source:
        source = open_source(config.source, config.size, config.fps, loop=playing.loop, paced=playing.paced)
        if source.live and holder is not None:  # a camera that was plugged in again is automatic again
            from camdaemon.daemon.plates import find_controls

            holder.reapply(find_controls(config, source, choose_size(config, source)))
        return source

    first = reopen()
    count: int | None = getattr(first, "count", None)  # a clip's; a camera has none
    limits = [limit for limit in (playing.frames, count) if limit is not None]
    return CameraInput(first, reopen, playing.frames, min(limits, default=None))


def _open_sinks(config: Config, playing: Playing, size: Size, fps: float, metrics: Metrics) -> Sink:
    """Open every sink, as one. A sink that can be reopened is, when it is lost while the daemon runs."""
    with contextlib.ExitStack() as opened:
        found: list[Sink] = []
        keeps_sound = not playing.paced and not playing.loop
        for spec in config.sinks:
            reopen = partial(open_sink, spec, size, fps, paced=playing.paced)
            try:
                sink = _open_film(spec, size, fps, config) if keeps_sound and find_sink(spec).is_file else reopen()
            except DeviceError as exc:
                if config.sink != EVERY_SINK or not found:  # nobody asked for this one, and there is another
                    raise
                log.warning("sink left out: %s", exc)
                continue
            opened.callback(sink.close)
            found.append(ReopeningSink(sink, reopen, metrics.count) if sink.can_reopen else sink)
        opened.pop_all()
    if config.sink == EVERY_SINK:
        log.info("sinks that are there: %s (others: --sink)", ", ".join(sink.name for sink in found))
    return found[0] if len(found) == 1 else TeeSink(found)


def _open_film(spec: str, size: Size, fps: float, config: Config) -> Sink:
    """Open a file that gets every frame of a clip, with the clip's sound if it has any."""
    from camdaemon.output.file import FileSink
    from camdaemon.output.film import Film
    from camdaemon.output.sound import open_sound

    clip, path = expand_home(config.source), expand_home(spec)
    sound = open_sound(clip, path, lambda why: log.warning("%s", why)) if clip.is_file() else None
    return FileSink(Film(path, size, fps, sound=sound), size, paced=False)


def watch_loss(sink: Sink) -> Callable[[], bool]:
    """Return what says whether `sink`, or one of those that it writes to, is lost at the moment."""
    devices = _list_devices(sink)
    return lambda: any(device.is_lost for device in devices)


def _list_devices(sink: Sink) -> list[ReopeningSink]:
    """Return those of `sink`, or of what it writes to, that other programs read, and that may be lost."""
    parts = sink.sinks if isinstance(sink, TeeSink) else (sink,)
    return [part for part in parts if isinstance(part, ReopeningSink)]
