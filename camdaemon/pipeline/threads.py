"""Three threads and the two mailboxes between them.

capture → inbox → worker → outbox → output. Output is driven by arrival; its clock is only the time-out that repeats the
last frame. A thread that dies closes its mailboxes with its exception, and the card is shown last.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from camdaemon.errors import ControlError, DeviceError, StreamEnded
from camdaemon.frames.frame import HostFrame
from camdaemon.frames.handoff import Closed, Mailbox
from camdaemon.frames.job import Job
from camdaemon.pipeline.camera_reader import CameraInput
from camdaemon.pipeline.engine import EngineSnapshot
from camdaemon.pipeline.loops import OutputStage, capture_loop, publish_loop, work_loop
from camdaemon.pipeline.metrics import Metrics
from camdaemon.pipeline.state import SharedState
from camdaemon.pipeline.worker import FrameProcessor

log = logging.getLogger(__name__)
_JOIN_S = 3.0  # the longest wait for one thread at the end
# How long a thread waits for Python's lock before it asks for it. Of 5 ms, the default, several go into every frame.
SWITCH_S = 0.0005


@dataclass(slots=True)
class Pipeline:
    """Starts, watches and stops the three threads. `start`, `stop` and `wait` are for the thread that made it.

    Attributes:
        camera: For the capture thread.
        processor: Single owner: the worker thread, once the pipeline runs.
        stage: For the output thread.
        state: Shared by all threads.
        metrics: Written by the three threads.
        keep_all: Whether hand-offs wait instead of dropping frames, for a file at full speed.
        ended: Set once the output thread has ended, with the last card shown.
        cause: The first exception that a thread died of; None for an orderly end.
    """

    camera: CameraInput
    processor: FrameProcessor
    stage: OutputStage
    state: SharedState
    metrics: Metrics
    keep_all: bool = False
    ended: threading.Event = field(default_factory=threading.Event)
    cause: BaseException | None = None
    _inbox: Mailbox[HostFrame] = field(init=False)
    _outbox: Mailbox[HostFrame] = field(init=False)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._inbox, self._outbox = Mailbox(keep_all=self.keep_all), Mailbox(keep_all=self.keep_all)

    def start(self) -> None:
        """Start the threads, output first, so that the card shows before the camera does."""
        sys.setswitchinterval(SWITCH_S)
        source, sink, transfer = self.camera.first, self.stage.sink, self.processor.engine.transfer
        inputs = transfer.pool(source.fmt, source.size, 4)  # the worker holds two
        outputs = transfer.pool(sink.fmt, sink.size)
        bodies: dict[str, Callable[[], None]] = {
            "output": lambda: publish_loop(self.stage, self._outbox, outputs, self.state, self.metrics),
            "worker": lambda: work_loop(self.processor, self._inbox, inputs, self._outbox, outputs, self.state),
            "capture": lambda: capture_loop(self.camera, inputs, self._inbox, self.state, self.metrics),
        }
        for name, body in bodies.items():
            thread = threading.Thread(target=self._run, args=(name, body), name=name, daemon=True)
            self._threads.append(thread)
            thread.start()

    @property
    def engine(self) -> EngineSnapshot:
        """What the accelerator does at this moment. Any thread."""
        return self.processor.snapshot

    def submit(self, job: Job) -> None:
        """Have the worker feed `job` with live frames. Any thread. Raises ControlError once the pipeline has ended."""
        if self.ended.is_set():
            raise ControlError("the pipeline has stopped; start it with: camdaemon run")
        self.state.jobs.put(job)
        self.state.first_submitted.set()

    def refresh_output(self) -> None:
        """Have the last gate choose once more, now, what viewers see: the mode has changed. Any thread."""
        if self.stage.repeat_s is not None:  # a file gets each frame once
            self._outbox.wake()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the end of the pipeline, at most `timeout` seconds; return whether it has ended."""
        return self.ended.wait(timeout)

    def stop(self) -> None:
        """Stop capture, then the worker, then output with its last card. Joins are bounded; may be called twice.

        Raises:
            BaseException: The one that a thread died of, unless the end was orderly.
        """
        self.state.camera.stop()
        self._inbox.close()
        for thread in reversed(self._threads):
            if thread.name == "output":
                self._outbox.close()
            thread.join(_JOIN_S)
            if thread.is_alive():
                log.error("thread %s is stuck: left behind", thread.name)
        self._abandon_jobs()
        if self.cause is not None:
            raise self.cause

    def _run(self, name: str, body: Callable[[], None]) -> None:
        """Run the body of a thread; whatever ends it, close what feeds it and what it feeds."""
        cause: BaseException | None = None
        try:
            body()
        except Closed as exc:
            cause = exc.cause
        except StreamEnded as exc:
            cause = exc
        except BaseException as exc:
            cause = exc
            self.cause = self.cause or exc
            log.error("%s thread died", name, exc_info=not isinstance(exc, DeviceError))
        self._inbox.close(cause)
        if name != "capture":  # after the camera's end the worker still has a frame to finish
            self._outbox.close(cause)
        if name == "output":
            self.ended.set()
            self.state.first_published.set()

    def _abandon_jobs(self) -> None:
        jobs = [self.processor.job] if self.processor.job is not None else []
        while not self.state.jobs.empty():
            jobs.append(self.state.jobs.get())
        for job in jobs:
            if not job.future.done():
                job.future.set_exception(ControlError("camdaemon is stopping; start it with: camdaemon run"))
