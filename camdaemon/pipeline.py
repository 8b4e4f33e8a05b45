"""Three threads and the two mailboxes between them.

capture → inbox → worker (journey.py) → outbox → output. Output is driven by arrival; its clock is only the time-out
that repeats the last good frame. A loop that dies closes its mailboxes with its exception, and the card is shown last.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import torch

from camdaemon import card as cards
from camdaemon.capture import Source
from camdaemon.deck import Deck
from camdaemon.errors import ControlError, DeviceError, StreamEnded
from camdaemon.frame import Content, HostFrame
from camdaemon.job import Job
from camdaemon.journey import Journey
from camdaemon.mailbox import Closed, Mailbox
from camdaemon.metrics import Metrics
from camdaemon.output import Sink
from camdaemon.pool import Pool
from camdaemon.show import Mode, Show
from camdaemon.viewfinder import Viewfinder

log = logging.getLogger(__name__)
_JOIN_S = 3.0


def capture_loop(camera: Camera, pool: Pool, inbox: Mailbox[HostFrame], show: Show, metrics: Metrics) -> None:
    """Body of the capture thread, which owns the source. Ends with StreamEnded (clip, limit) or Closed (inbox)."""
    source, seq = camera.first, 0
    try:
        while not show.stopping.is_set() and seq != camera.limit:
            frame = pool.acquire()
            try:
                with metrics.step("capture"):
                    source.read(frame)
            except DeviceError as lost:
                pool.release(frame)
                if not source.live:
                    raise
                source.close()
                source = _reopened(camera, lost, show, metrics)
                continue
            frame.seq, seq, show.trouble = seq, seq + 1, None
            metrics.captured()
            displaced = inbox.put(frame)
            if displaced is not None:
                pool.release(displaced)
                metrics.count("dropped")
        raise StreamEnded("stopped")
    finally:
        source.close()


def _reopened(camera: Camera, lost: DeviceError, show: Show, metrics: Metrics) -> Source:
    """Try until the camera is back, with back-off from 0.5 to 5 s; the card shows meanwhile."""
    show.trouble, pause = cards.LOST, 0.5
    log.warning("camera lost, trying to reopen it: %s", lost)
    while not show.stopping.wait(pause):
        try:
            source = camera.reopen()
            if (source.fmt, source.size) != (camera.first.fmt, camera.first.size):
                source.close()
                raise DeviceError(f"it came back with {source.fmt} {source.size} instead of {camera.first.size}")
        except DeviceError as still:
            pause = min(2 * pause, 5.0)
            log.info("not yet: %s", still)
        else:
            metrics.count("reconnects")
            log.warning("camera is back: %s", source.name)
            return source
    raise StreamEnded("stopped while the camera was lost")


def work_loop(
    journey: Journey, inbox: Mailbox[HostFrame], inputs: Pool, outbox: Mailbox[HostFrame], outputs: Pool, show: Show
) -> None:
    """Body of the worker thread, which alone touches the accelerator. Ends with Closed when a mailbox is closed."""
    with torch.inference_mode():
        while True:
            frame = inbox.take()
            if frame is None:
                continue
            while journey.job is None and not show.jobs.empty():
                job = show.jobs.get()
                journey.job = job if job.future.set_running_or_notify_cancel() else None
            out = outputs.acquire()
            journey.run(frame, inputs, show.scene, out)
            displaced = outbox.put(out)
            if displaced is not None:
                outputs.release(displaced)


def publish_loop(stage: Stage, outbox: Mailbox[HostFrame], outputs: Pool, show: Show, metrics: Metrics) -> None:
    """Body of the output thread, which owns the sink. Shows only what `HostFrame.may_be_published` allows, and the card
    last, whatever happens. Raises DeviceError when the sink is lost."""
    spare, last = HostFrame.empty(stage.sink.fmt, stage.sink.size), None
    ending = cards.FAULT
    try:
        if stage.sink.live:  # a virtual camera is listed from its first frame on: that one need not wait for the camera
            stage.sink.write(presentable(None, spare, stage, show, metrics))
            show.first_published.set()
        while True:
            new = outbox.take(stage.repeat_s)
            if new is not None:
                if last is not None:
                    outputs.release(last)
                last = new
            shown = presentable(last, spare, stage, show, metrics)
            with metrics.step("write"):
                stage.sink.write(shown)
            stage.viewfinder.published(shown)
            if new is None:
                metrics.repeated(camera=show.trouble is None)
            else:
                metrics.published(shown)
            show.first_published.set()
    except Closed as end:
        ending = cards.OFF if end.cause is None or isinstance(end.cause, StreamEnded) else cards.FAULT
        raise
    finally:
        _last_card(stage, spare, ending)


def presentable(last: HostFrame | None, spare: HostFrame, stage: Stage, show: Show, metrics: Metrics) -> HostFrame:
    """`last` if viewers may see it now, else `spare` with the fitting card on it (law 4, the last gate)."""
    now, mode = time.monotonic(), show.scene.mode
    fresh = last is not None and now - last.t <= stage.stale_after_s
    if last is None:
        card = show.trouble or cards.STARTING
    elif last.content is Content.CARD and (fresh or show.trouble is None):
        return last  # a card may be old: what it says still holds
    elif not fresh:
        card = show.trouble or cards.NO_MATTE
    elif mode is Mode.CARD:
        card = cards.OFF
    elif last.may_be_published(raw_asked_for=mode is Mode.PASSTHROUGH):
        return last
    else:
        metrics.count("refused")
        card = cards.NO_MATTE
    spare.t, spare.seq = now, last.seq if last is not None else -1
    stage.deck.deal(card, spare)
    return spare


def _last_card(stage: Stage, spare: HostFrame, card: cards.Card) -> None:
    try:
        if stage.sink.live:
            spare.t = time.monotonic()
            stage.deck.deal(card, spare)
            stage.sink.write(spare)
    except DeviceError as gone:
        log.warning("the last card was not shown: %s", gone)
    finally:
        stage.sink.close()


@dataclass(frozen=True, slots=True)
class Camera:
    """What the capture thread is given: the source opened at start, how to get it back, how many frames to deliver."""

    first: Source
    reopen: Callable[[], Source]
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class Stage:
    """What the output thread is given: the sink, the cards in its format, and its two time-outs in seconds.

    repeat_s None: never repeat (a file gets each frame once).
    """

    sink: Sink
    deck: Deck
    viewfinder: Viewfinder
    repeat_s: float | None
    stale_after_s: float


@dataclass(slots=True)
class Pipeline:
    """Starts, watches and stops the three threads. `start`, `stop` and `wait` are for the thread that made it."""

    camera: Camera
    journey: Journey
    stage: Stage
    show: Show
    metrics: Metrics
    keep_all: bool = False  # a file at full speed: hand-offs wait instead of dropping
    ended: threading.Event = field(default_factory=threading.Event)
    cause: BaseException | None = None
    _inbox: Mailbox[HostFrame] = field(init=False)
    _outbox: Mailbox[HostFrame] = field(init=False)
    _threads: list[threading.Thread] = field(default_factory=list)

    def start(self) -> None:
        """Start the output first, so that the card shows before the camera does."""
        self._inbox, self._outbox = Mailbox(keep_all=self.keep_all), Mailbox(keep_all=self.keep_all)
        source, sink, transfer = self.camera.first, self.stage.sink, self.journey.transfer
        inputs = transfer.pool(source.fmt, source.size)
        outputs = transfer.pool(sink.fmt, sink.size)
        bodies: dict[str, Callable[[], None]] = {
            "output": lambda: publish_loop(self.stage, self._outbox, outputs, self.show, self.metrics),
            "worker": lambda: work_loop(self.journey, self._inbox, inputs, self._outbox, outputs, self.show),
            "capture": lambda: capture_loop(self.camera, inputs, self._inbox, self.show, self.metrics),
        }
        for name, body in bodies.items():
            thread = threading.Thread(target=self._run, args=(name, body), name=name, daemon=True)
            self._threads.append(thread)
            thread.start()

    def submit(self, job: Job) -> None:
        """Have `job` fed with live frames. Any thread. Raises ControlError once the pipeline has ended."""
        if self.ended.is_set():
            raise ControlError("the pipeline has stopped; start it with: camdaemon run")
        self.show.jobs.put(job)

    def wait(self, timeout: float | None = None) -> bool:
        """Whether the pipeline has ended, after at most `timeout` seconds."""
        return self.ended.wait(timeout)

    def stop(self) -> None:
        """Flag, inbox, capture and worker, outbox, output with its last card. Joins are bounded; may be called twice.

        Re-raises the exception that a thread died of, unless it was an orderly end.
        """
        self.show.stopping.set()
        self._inbox.close()
        for thread in reversed(self._threads):
            if thread.name == "output":
                self._outbox.close()
            thread.join(_JOIN_S)
            if thread.is_alive():
                log.error("thread %s is stuck; leaving it behind", thread.name)
        self._abandon_jobs()
        if self.cause is not None:
            raise self.cause

    def _run(self, name: str, body: Callable[[], None]) -> None:
        """A thread's outermost frame: whatever ends it closes what feeds it and what it feeds."""
        cause: BaseException | None = None
        try:
            body()
        except Closed as end:
            cause = end.cause
        except StreamEnded as end:
            cause = end
        except BaseException as fault:
            cause = fault
            self.cause = self.cause or fault
            log.error("the %s thread died", name, exc_info=not isinstance(fault, DeviceError))
        self._inbox.close(cause)
        if name != "capture":  # after the camera's end the worker still has a frame to finish
            self._outbox.close(cause)
        if name == "output":
            self.ended.set()

    def _abandon_jobs(self) -> None:
        jobs = [self.journey.job] if self.journey.job is not None else []
        while not self.show.jobs.empty():
            jobs.append(self.show.jobs.get())
        for job in jobs:
            if not job.future.done():
                job.future.set_exception(ControlError("camdaemon is stopping; start it with: camdaemon run"))
