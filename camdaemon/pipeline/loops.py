"""The bodies of the three threads, in the order of a frame: capture → work → publish."""

from __future__ import annotations

import logging
import queue
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

from camdaemon.errors import DeviceError, StreamEnded, SuddenChange
from camdaemon.frames import card as cards
from camdaemon.frames.card import Card, CardCache
from camdaemon.frames.frame import Content, HostFrame
from camdaemon.frames.handoff import Closed, Mailbox, Pool
from camdaemon.frames.job import Job
from camdaemon.linux.threads import lower_priority
from camdaemon.output import Sink
from camdaemon.pipeline.camera_reader import CameraInput, CameraReader
from camdaemon.pipeline.look_ahead import Incoming
from camdaemon.pipeline.metrics import Metrics
from camdaemon.pipeline.preview import LivePreview
from camdaemon.pipeline.published import Kind
from camdaemon.pipeline.state import Mode, SharedState
from camdaemon.pipeline.worker import FrameProcessor

log = logging.getLogger(__name__)

_LINGER_S = 2.0  # from the last viewer to closing the camera: programs close and open again while they are set up
_FAILED = "a frame could not be processed. Run: journalctl --user -u camdaemon"
_HELD_BACK = "a frame without a matte of its own was held back"
_IDLE_S = 0.5  # between two cards while nothing needs the camera: keeps the device listed and readers from hanging


@dataclass(frozen=True, slots=True)
class OutputStage:
    """What the output thread is given."""

    sink: Sink
    card_cache: CardCache  # in the sink's format
    preview: LivePreview
    repeat_s: float | None  # seconds until the last frame is repeated; None: never (a file gets each frame once)
    stale_after_s: float  # age in seconds from which a frame is not shown any more
    is_lost: Callable[[], bool] = lambda: False  # whether what was written has found no sink


# ---- capture


def capture_loop(
    camera: CameraInput, pool: Pool, inbox: Mailbox[HostFrame], state: SharedState, metrics: Metrics
) -> None:
    """Run the capture thread, which owns the source and moves `state.camera`.

    Raises:
        StreamEnded: The clip or the limit of frames is over, or the pipeline stops.
        Closed: The inbox was closed.
    """
    reader, seq = CameraReader(camera, state, metrics), 0
    lower_priority()  # a frame in work waits for the slowest of its threads; the next frame has time until then
    try:
        while not state.camera.is_stopping and seq != camera.limit:
            if reader.source.live and state.camera.may_close(_LINGER_S):
                reader.close_until_needed()
                continue
            frame = pool.acquire()
            if not reader.read_or_reopen(frame):
                pool.release(frame)
                continue
            frame.seq, seq = seq, seq + 1
            state.camera.mark_running()
            metrics.record_captured()
            displaced = inbox.put(frame)
            if displaced is not None:
                pool.release(displaced)
                metrics.count("dropped")
        raise StreamEnded("stopped")
    finally:
        reader.source.close()


# ---- work


def work_loop(
    processor: FrameProcessor,
    inbox: Mailbox[HostFrame],
    inputs: Pool,
    outbox: Mailbox[HostFrame],
    outputs: Pool,
    state: SharedState,
) -> None:
    """Run the worker thread, which alone touches the accelerator. Raises Closed when a mailbox is closed."""
    with processor.engine.transfer.computing():
        incoming = Incoming(inbox)
        processor.peek = incoming.peek
        while True:
            frame = incoming.take()
            if frame is None:
                continue
            if processor.job is None:
                processor.job = _next_job(state.jobs)
            if processor.should_skip(frame):
                inputs.release(frame)
                processor.metrics.count("left_out")
                continue
            out = outputs.acquire()
            is_shown = _process(processor, frame, inputs, out, state)
            displaced = outbox.put(out) if is_shown else out
            if displaced is not None:
                outputs.release(displaced)
            _tend(processor, state)


def _tend(processor: FrameProcessor, state: SharedState) -> None:
    """Look after the plate; an unexpected exception is tolerated as one of a frame is."""
    try:
        processor.tend()
    except Exception:
        state.fault_limit.record()
        if state.fault_limit.is_exceeded:
            raise
        log.exception("the plate was not looked after")
        processor.metrics.count("faults")


def _next_job(jobs: queue.SimpleQueue[Job]) -> Job | None:
    """Take the first job that was not cancelled while it waited."""
    while not jobs.empty():
        job = jobs.get()
        if job.future.set_running_or_notify_cancel():
            return job
    return None


def _process(processor: FrameProcessor, frame: HostFrame, inputs: Pool, out: HostFrame, state: SharedState) -> bool:
    """Fill `out` from `frame`; with the card after an unexpected exception, unless there were too many.

    Returns:
        Whether to publish `out`; otherwise viewers go on seeing the frame before.
    """
    began = time.monotonic()
    try:
        processor.run(frame, inputs, state.scene, out)
        processor.record_time(time.monotonic() - began, out)
    except SuddenChange:
        processor.metrics.count("held_back")
        if state.published.last.kind is not Kind.PASSTHROUGH:
            return False
        # what viewers see is the room, which nobody asks for any more
        processor.card_cache.copy_to(cards.STARTING, out)
    except Exception:
        state.fault_limit.record()
        if state.fault_limit.is_exceeded:
            raise
        log.exception("frame %d failed, showing the card", out.seq)
        processor.metrics.count("faults")
        processor.card_cache.copy_to(replace(cards.NO_MATTE, reason=_FAILED), out)
    return True


# ---- publish


class Choice(NamedTuple):
    """What viewers get next."""

    card: Card | None  # None: the frame itself
    is_refused: bool = False  # the frame is fresh and not safe, which nothing but the last gate noticed


def publish_loop(
    stage: OutputStage, outbox: Mailbox[HostFrame], outputs: Pool, state: SharedState, metrics: Metrics
) -> None:
    """Run the output thread, which owns the sink. Whatever ends it, the card is written last.

    Raises:
        DeviceError: The sink is lost.
        Closed: The outbox was closed.
    """
    spare, last = HostFrame.empty(stage.sink.fmt, stage.sink.size), None
    ending, complaints = cards.FAULT, Complaints()
    try:
        if stage.sink.live:  # a virtual camera is listed from its first frame on, and need not wait for the camera's
            _write(presentable(None, spare, stage, state, metrics), stage, state)
            state.first_published.set()
        while True:
            new = outbox.take(_IDLE_S if state.camera.is_idle else stage.repeat_s)
            if new is not None and last is not None:
                outputs.release(last)
            last = last if new is None else new
            if last is not None and last.content is not Content.CARD and not state.camera.has_frames:
                outputs.release(last)  # the next viewer must not see a moment from before the camera was closed
                last = None
            state.published.begin()
            shown = presentable(last, spare, stage, state, metrics)
            with metrics.step("write"):
                _write(shown, stage, state)
            stage.preview.record_published(shown)
            if shown is spare and shown.card == cards.NO_MATTE:
                complaints.log_once("card", shown.card.reason)
            if new is None:
                metrics.record_repeated(has_camera=state.camera.has_frames)
            else:
                metrics.record_published(shown)
            state.first_published.set()
    except Closed as exc:
        ending = cards.OFF if exc.cause is None or isinstance(exc.cause, StreamEnded) else cards.FAULT
        raise
    finally:
        _write_last_card(stage, spare, ending)


class Complaints:
    """Logs each complaint at most once in `pause_s` seconds. Single owner: the thread that complains."""

    def __init__(self, pause_s: float = 60.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._pause_s, self._clock = pause_s, clock
        self._told: dict[str, float] = {}

    def log_once(self, event: str, why: str) -> None:
        """Log `why` as a warning, unless that was done a moment ago."""
        now = self._clock()
        if now - self._told.get(why, -self._pause_s) >= self._pause_s:
            self._told[why] = now
            log.warning("%s: %s", event, why)


def _write(frame: HostFrame, stage: OutputStage, state: SharedState) -> None:
    """Write `frame`, and say so to those who ask what viewers see."""
    stage.sink.write(frame)
    state.published.record(frame, is_lost=stage.is_lost())
    state.camera.record_published(is_card=frame.content is Content.CARD)


def choose(last: HostFrame | None, mode: Mode, missing: Card | None, is_fresh: bool) -> Choice:
    """Choose what viewers may see now. This is the last gate: it fails closed.

    Args:
        last: The newest frame of the worker, if any.
        mode: Of this moment, not of when `last` was made.
        missing: The card for having no frames from the camera; None while they come.
        is_fresh: Whether `last` is young enough to be shown.
    """
    if last is None:
        return Choice(missing or cards.STARTING)
    if last.content is Content.CARD and (is_fresh or missing is None):
        return Choice(None)  # a card may be old: what it says still holds
    if not is_fresh:
        return Choice(missing or cards.NO_MATTE)
    if mode is Mode.CARD:
        return Choice(cards.OFF)
    if last.may_publish(allow_raw=mode is Mode.PASSTHROUGH):
        return Choice(None)
    return Choice(cards.NO_MATTE, is_refused=True)


def presentable(
    last: HostFrame | None, spare: HostFrame, stage: OutputStage, state: SharedState, metrics: Metrics
) -> HostFrame:
    """Return `last` if viewers may see it now, else `spare` with the card of `choose` on it."""
    now = time.monotonic()
    is_fresh = last is not None and now - last.t <= stage.stale_after_s
    card, is_refused = choose(last, state.scene.mode, state.camera.card, is_fresh)
    if is_refused:
        metrics.count("refused")
    if card is None and last is not None:
        return last
    if card is cards.NO_MATTE and last is not None:
        why = _HELD_BACK if is_refused else _explain_age(state.camera.seconds_silent(), stage)
        card = replace(card, reason=why)
    is_paced = stage.repeat_s is not None  # else a card has the clip's time, as its frame would
    spare.t, spare.seq = (now, -1) if last is None else (now if is_paced else last.t, last.seq)
    stage.card_cache.copy_to(card or cards.NO_MATTE, spare)
    return spare


def _explain_age(silent_s: float, stage: OutputStage) -> str:
    """Say, for the user, why the newest frame is too old; the camera's last one came `silent_s` seconds ago."""
    if silent_s > stage.stale_after_s:
        return "the camera sends no pictures. Run: camdaemon doctor"
    return (
        f"this machine is too slow for {stage.sink.size}: a picture takes more than {stage.stale_after_s:g} s. "
        "Choose a smaller --size, or let OpenVINO compute. Run: camdaemon doctor"
    )


def _write_last_card(stage: OutputStage, spare: HostFrame, card: Card) -> None:
    try:
        if stage.sink.live:
            spare.t = time.monotonic()
            stage.card_cache.copy_to(card, spare)
            stage.sink.write(spare)
    except DeviceError as exc:
        log.warning("last card not shown: %s", exc)
    finally:
        stage.sink.close()
