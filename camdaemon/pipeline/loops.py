"""The bodies of the three threads, in a frame's order: capture → work → publish. What they share is in `show`."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

from camdaemon.capture import Source
from camdaemon.errors import DeviceError, StreamEnded
from camdaemon.frames import card as cards
from camdaemon.frames.card import CardCache
from camdaemon.frames.frame import Content, HostFrame
from camdaemon.frames.handoff import Closed, Mailbox, Pool
from camdaemon.linux.threads import lower_priority
from camdaemon.output import Sink
from camdaemon.pipeline.metrics import Metrics
from camdaemon.pipeline.preview import LivePreview
from camdaemon.pipeline.state import Mode, SharedState
from camdaemon.pipeline.worker import FrameProcessor

log = logging.getLogger(__name__)
_LINGER_S = 2.0  # after the last viewer: programs close and open again while they are set up
_LOOK_S = 0.5  # between two looks at the stop flag while nobody watches
_IDLE_S = 0.5  # between two cards while nobody watches: enough to be listed, and for readers not to hang


@dataclass(frozen=True, slots=True)
class CameraInput:
    """What the capture thread is given: the source opened at start, how to get it back, how many frames to deliver."""

    first: Source
    reopen: Callable[[], Source]
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class OutputStage:
    """What the output thread is given: the sink, the cards in its format, and its two time-outs in seconds.

    repeat_s None: never repeat (a file gets each frame once).
    """

    sink: Sink
    card_cache: CardCache
    preview: LivePreview
    repeat_s: float | None
    stale_after_s: float


def capture_loop(
    camera: CameraInput, pool: Pool, inbox: Mailbox[HostFrame], state: SharedState, metrics: Metrics
) -> None:
    """Body of the capture thread, which owns the source. Ends with StreamEnded (clip, limit) or Closed (inbox)."""
    source, seq, needed = camera.first, 0, 0.0
    lower_priority()  # a frame in work waits for all of its threads, the next frame has time until that one is done
    try:
        while not state.stopping.is_set() and seq != camera.limit:
            now = time.monotonic()
            needed = now if state.demand.there else needed
            if source.live and (state.demand.asleep or now - needed > _LINGER_S):
                source = _rested(source, camera, state, metrics)
                continue
            frame = pool.acquire()
            try:
                with metrics.step("capture"):
                    source.read(frame)
            except DeviceError as exc:
                pool.release(frame)
                if not source.live:
                    raise
                source.close()
                source = _reopened(camera, exc, state, metrics)
                continue
            except Exception as exc:
                pool.release(frame)
                if not source.live or not state.fault_limit.record():
                    raise
                log.exception("the camera's reader failed, trying it anew")
                source.close()
                source = _reopened(camera, DeviceError(str(exc)), state, metrics)
                continue
            frame.seq, seq, state.trouble = seq, seq + 1, None
            metrics.captured()
            displaced = inbox.put(frame)
            if displaced is not None:
                pool.release(displaced)
                metrics.count("dropped")
        raise StreamEnded("stopped")
    finally:
        source.close()


def _rested(source: Source, camera: CameraInput, state: SharedState, metrics: Metrics) -> Source:
    """Close the camera until somebody needs it; a card shows meanwhile, and before: a virtual camera keeps its last
    picture for whoever comes next."""
    state.veiled.clear()
    state.trouble = cards.STANDBY
    state.veiled.wait(_LOOK_S)
    source.close()
    state.resting.set()
    log.info("%s: the camera is closed", "the machine goes to sleep" if state.demand.asleep else "nobody watches")
    while not state.demand.wait(_LOOK_S):
        if state.stopping.is_set():
            raise StreamEnded("stopped while nobody watched")
    state.resting.clear()
    log.info("somebody watches (%s): the camera opens", ", ".join(state.demand.reasons()))
    metrics.count("wakes")
    try:
        return _opened(camera)
    except DeviceError as exc:
        return _reopened(camera, exc, state, metrics)


def _opened(camera: CameraInput) -> Source:
    """The camera again, as it was; DeviceError when it is gone or comes back as another."""
    source = camera.reopen()
    if (source.fmt, source.size) != (camera.first.fmt, camera.first.size):
        source.close()
        raise DeviceError(f"it came back with {source.fmt} {source.size} instead of {camera.first.size}")
    return source


def _reopened(camera: CameraInput, lost: DeviceError, state: SharedState, metrics: Metrics) -> Source:
    """Try until the camera is back, with back-off from 0.5 to 5 s; the card shows meanwhile."""
    state.trouble, pause = cards.LOST, 0.5
    log.warning("camera lost, trying to reopen it: %s", lost)
    while not state.stopping.wait(pause):
        if not state.demand.there:  # it is closed already, and nobody needs it
            state.resting.set()
            continue
        state.resting.clear()
        try:
            source = _opened(camera)
        except DeviceError as exc:
            pause = min(2 * pause, 5.0)
            log.info("not yet: %s", exc)
        else:
            metrics.count("reconnects")
            log.warning("camera is back: %s", source.name)
            return source
    raise StreamEnded("stopped while the camera was lost")


def work_loop(
    processor: FrameProcessor,
    inbox: Mailbox[HostFrame],
    inputs: Pool,
    outbox: Mailbox[HostFrame],
    outputs: Pool,
    state: SharedState,
) -> None:
    """Body of the worker thread, which alone touches the accelerator. Ends with Closed when a mailbox is closed."""
    with torch.inference_mode():
        while True:
            frame = inbox.take()
            if frame is None:
                continue
            while processor.job is None and not state.jobs.empty():
                job = state.jobs.get()
                processor.job = job if job.future.set_running_or_notify_cancel() else None
            if processor.should_skip(frame):
                inputs.release(frame)
                processor.metrics.count("left_out")
                continue
            out, began = outputs.acquire(), time.monotonic()
            try:
                processor.run(frame, inputs, state.scene, out)
                processor.record_time(time.monotonic() - began, out)
            except Exception:
                if not state.fault_limit.record():
                    raise
                log.exception("frame %d failed, and the card shows instead", out.seq)
                processor.metrics.count("faults")
                processor.card_cache.copy_to(cards.NO_MATTE, out)
            displaced = outbox.put(out)
            if displaced is not None:
                outputs.release(displaced)


def publish_loop(
    stage: OutputStage, outbox: Mailbox[HostFrame], outputs: Pool, state: SharedState, metrics: Metrics
) -> None:
    """Body of the output thread, which owns the sink. Shows only what `HostFrame.may_be_published` allows, and the card
    last, whatever happens. Raises DeviceError when the sink is lost."""
    spare, last = HostFrame.empty(stage.sink.fmt, stage.sink.size), None
    ending = cards.FAULT
    try:
        if stage.sink.live:  # a virtual camera is listed from its first frame on: that one need not wait for the camera
            stage.sink.write(presentable(None, spare, stage, state, metrics))
            state.first_published.set()
        while True:
            idle = state.veiled.is_set() and not state.demand.there
            new = outbox.take(_IDLE_S if idle else stage.repeat_s)
            if new is not None:
                if last is not None:
                    outputs.release(last)
                last = new
            if last is not None and state.trouble is not None and last.content is not Content.CARD:
                outputs.release(last)  # the camera was closed: whoever comes back must not see that moment again
                last = None
            shown = presentable(last, spare, stage, state, metrics)
            with metrics.step("write"):
                stage.sink.write(shown)
            (state.veiled.set if shown.content is Content.CARD else state.veiled.clear)()
            stage.preview.published(shown)
            if new is None:
                metrics.repeated(camera=state.trouble is None)
            else:
                metrics.published(shown)
            state.first_published.set()
    except Closed as exc:
        ending = cards.OFF if exc.cause is None or isinstance(exc.cause, StreamEnded) else cards.FAULT
        raise
    finally:
        _last_card(stage, spare, ending)


def presentable(
    last: HostFrame | None, spare: HostFrame, stage: OutputStage, state: SharedState, metrics: Metrics
) -> HostFrame:
    """`last` if viewers may see it now, else `spare` with the fitting card on it (law 4, the last gate)."""
    now, mode = time.monotonic(), state.scene.mode
    fresh = last is not None and now - last.t <= stage.stale_after_s
    if last is None:
        card = state.trouble or cards.STARTING
    elif last.content is Content.CARD and (fresh or state.trouble is None):
        return last  # a card may be old: what it says still holds
    elif not fresh:
        card = state.trouble or cards.NO_MATTE
    elif mode is Mode.CARD:
        card = cards.OFF
    elif last.may_publish(allow_raw=mode is Mode.PASSTHROUGH):
        return last
    else:
        metrics.count("refused")
        card = cards.NO_MATTE
    spare.t, spare.seq = now, last.seq if last is not None else -1
    stage.card_cache.copy_to(card, spare)
    return spare


def _last_card(stage: OutputStage, spare: HostFrame, card: cards.Card) -> None:
    try:
        if stage.sink.live:
            spare.t = time.monotonic()
            stage.card_cache.copy_to(card, spare)
            stage.sink.write(spare)
    except DeviceError as exc:
        log.warning("the last card was not shown: %s", exc)
    finally:
        stage.sink.close()
