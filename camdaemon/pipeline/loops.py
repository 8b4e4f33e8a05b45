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
from camdaemon.frames.deck import Deck
from camdaemon.frames.frame import Content, HostFrame
from camdaemon.frames.handoff import Closed, Mailbox
from camdaemon.frames.pool import Pool
from camdaemon.linux.threads import give_way
from camdaemon.output import Sink
from camdaemon.pipeline.metrics import Metrics
from camdaemon.pipeline.preview import Viewfinder
from camdaemon.pipeline.state import Mode, Show
from camdaemon.pipeline.worker import Journey

log = logging.getLogger(__name__)
_LINGER_S = 2.0  # after the last viewer: programs close and open again while they are set up
_LOOK_S = 0.5  # between two looks at the stop flag while nobody watches
_IDLE_S = 0.5  # between two cards while nobody watches: enough to be listed, and for readers not to hang


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


def capture_loop(camera: Camera, pool: Pool, inbox: Mailbox[HostFrame], show: Show, metrics: Metrics) -> None:
    """Body of the capture thread, which owns the source. Ends with StreamEnded (clip, limit) or Closed (inbox)."""
    source, seq, needed = camera.first, 0, 0.0
    give_way()  # a frame in work waits for all of its threads, the next frame has time until that one is done
    try:
        while not show.stopping.is_set() and seq != camera.limit:
            now = time.monotonic()
            needed = now if show.demand.there else needed
            if source.live and (show.demand.asleep or now - needed > _LINGER_S):
                source = _rested(source, camera, show, metrics)
                continue
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
            except Exception as fault:
                pool.release(frame)
                if not source.live or not show.patience.forgives():
                    raise
                log.exception("the camera's reader failed, trying it anew")
                source.close()
                source = _reopened(camera, DeviceError(str(fault)), show, metrics)
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


def _rested(source: Source, camera: Camera, show: Show, metrics: Metrics) -> Source:
    """Close the camera until somebody needs it; a card shows meanwhile, and before: a virtual camera keeps its last
    picture for whoever comes next."""
    show.veiled.clear()
    show.trouble = cards.STANDBY
    show.veiled.wait(_LOOK_S)
    source.close()
    show.resting.set()
    log.info("%s: the camera is closed", "the machine goes to sleep" if show.demand.asleep else "nobody watches")
    while not show.demand.wait(_LOOK_S):
        if show.stopping.is_set():
            raise StreamEnded("stopped while nobody watched")
    show.resting.clear()
    log.info("somebody watches (%s): the camera opens", ", ".join(show.demand.reasons()))
    metrics.count("wakes")
    try:
        return _opened(camera)
    except DeviceError as lost:
        return _reopened(camera, lost, show, metrics)


def _opened(camera: Camera) -> Source:
    """The camera again, as it was; DeviceError when it is gone or comes back as another."""
    source = camera.reopen()
    if (source.fmt, source.size) != (camera.first.fmt, camera.first.size):
        source.close()
        raise DeviceError(f"it came back with {source.fmt} {source.size} instead of {camera.first.size}")
    return source


def _reopened(camera: Camera, lost: DeviceError, show: Show, metrics: Metrics) -> Source:
    """Try until the camera is back, with back-off from 0.5 to 5 s; the card shows meanwhile."""
    show.trouble, pause = cards.LOST, 0.5
    log.warning("camera lost, trying to reopen it: %s", lost)
    while not show.stopping.wait(pause):
        if not show.demand.there:  # it is closed already, and nobody needs it
            show.resting.set()
            continue
        show.resting.clear()
        try:
            source = _opened(camera)
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
            if journey.leaves_out(frame):
                inputs.release(frame)
                journey.metrics.count("left_out")
                continue
            out, began = outputs.acquire(), time.monotonic()
            try:
                journey.run(frame, inputs, show.scene, out)
                journey.took(time.monotonic() - began, out)
            except Exception:
                if not show.patience.forgives():
                    raise
                log.exception("frame %d failed, and the card shows instead", out.seq)
                journey.metrics.count("faults")
                journey.deck.deal(cards.NO_MATTE, out)
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
            idle = show.veiled.is_set() and not show.demand.there
            new = outbox.take(_IDLE_S if idle else stage.repeat_s)
            if new is not None:
                if last is not None:
                    outputs.release(last)
                last = new
            if last is not None and show.trouble is not None and last.content is not Content.CARD:
                outputs.release(last)  # the camera was closed: whoever comes back must not see that moment again
                last = None
            shown = presentable(last, spare, stage, show, metrics)
            with metrics.step("write"):
                stage.sink.write(shown)
            (show.veiled.set if shown.content is Content.CARD else show.veiled.clear)()
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
