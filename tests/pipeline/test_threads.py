"""The pipeline beyond test_fail_closed.py: limits, jobs, drops, latency, buffers, and how it stops."""

import re
import threading
import time
from concurrent.futures import Future
from typing import Any

import numpy as np
import pytest
import torch

from camdaemon.errors import ControlError, DeviceError, MattingError
from camdaemon.frames import card as cards
from camdaemon.frames.card import Card
from camdaemon.frames.frame import Content, Size
from camdaemon.pipeline import loops
from camdaemon.pipeline.camera_state import CameraState
from camdaemon.pipeline.state import Mode, Scene
from camdaemon.pipeline.worker import REFUSED
from camdaemon.tools.demo import MomentJob
from tests.fakes import MARKER, PERSON, SIZE, FakeSource, PerfectMatting, RecordingSink, Rig

CARD, COMPOSITE, ROOM = Content.CARD, Content.COMPOSITE, Content.ROOM


@pytest.fixture
def start():
    """Starts rigs; what still runs at the end of the test is stopped."""
    started = []

    def start(rig: Rig) -> Rig:
        started.append(rig)
        rig.pipeline.start()
        return rig

    yield start
    for rig in started:
        try:
            rig.pipeline.stop()
        except Exception:
            assert rig.pipeline.ended.is_set()
        assert not any(thread.is_alive() for thread in rig.pipeline._threads)


class CountingJob:
    """Wants `frames` frames; `wrong` is raised at the first one instead."""

    def __init__(self, frames=3, card=None, wrong=None):
        self.future: Future[Any] = Future()
        self.looks, self._frames, self._card, self._wrong = [], frames, card, wrong

    def card(self):
        return self._card

    def feed(self, look):
        if self._wrong:
            raise self._wrong
        self.looks.append((look.seq, look.alpha is not None, look.finished is not None))
        return len(self.looks) if len(self.looks) == self._frames else None


# ---- how long it runs


def test_a_limit_of_frames_is_an_orderly_end(start):
    rig = start(Rig(limit=7, keep_all=True))
    assert rig.pipeline.wait(60)
    rig.pipeline.stop()
    assert rig.source.count == 7
    assert max(seq for _, seq, _ in rig.sink.frames) == 6
    assert rig.metrics.snapshot()["counts"]["captured"] == 7


def test_stopping_twice_says_the_same_both_times(start):
    rig = start(Rig())
    rig.run_until(rig.published(COMPOSITE))
    rig.pipeline.stop()
    rig.pipeline.stop()
    rig = start(Rig(sink=RecordingSink(fail_at=3)))
    assert rig.pipeline.wait(60)
    for _ in range(2):
        with pytest.raises(DeviceError):
            rig.pipeline.stop()


def test_stopping_while_the_camera_is_lost_does_not_wait_for_it(start):
    rig = start(Rig(source=FakeSource(script={3: DeviceError("unplugged; type: true")})))
    rig.run_until(lambda: rig.state.camera.card is not None and rig.state.camera.card.title == "Camera lost")
    began = time.monotonic()
    rig.pipeline.stop()
    assert time.monotonic() - began < 60
    assert rig.sink.contents()[-1] is CARD


def test_a_stuck_thread_does_not_hold_up_the_end(start, monkeypatch, caplog):
    monkeypatch.setattr("camdaemon.pipeline.threads._JOIN_S", 0.1)
    hang = threading.Event()
    rig = start(Rig(source=FakeSource(script={5: lambda: hang.wait(60)})))
    rig.run_until(lambda: rig.source.count > 5)
    began = time.monotonic()
    rig.pipeline.stop()
    assert time.monotonic() - began < 60
    assert re.search(r"\bcapture\b.*stuck", caplog.text)
    assert rig.sink.contents()[-1] is CARD
    assert rig.sink.closed
    hang.set()
    rig.pipeline._threads[-1].join(60)


def test_the_card_shows_before_the_camera_has_delivered_anything(start):
    wait = threading.Event()
    rig = start(Rig(source=FakeSource(script={0: lambda: wait.wait(60)})))
    assert rig.state.first_published.wait(60)
    assert set(rig.sink.contents()) == {CARD}
    wait.set()


def test_a_file_that_ends_is_not_given_a_last_card(start):
    rig = Rig(source=FakeSource(10, live=False), keep_all=True, repeat_s=None, stale_after_s=1e9)
    rig.sink.live = False
    start(rig)
    assert rig.pipeline.wait(60)
    assert rig.sink.contents() == [COMPOSITE] * 10


# ---- frames


def test_a_slow_matting_drops_old_frames_and_shows_the_newest(start):
    """At a third of the camera's rate nothing queues: what is shown is never older than two frames' time."""

    def slow(n, matte):
        time.sleep(0.05)
        return matte

    rig = start(Rig(source=FakeSource(fps=60), matting=PerfectMatting(slow)))
    rig.run_until(rig.published(COMPOSITE, 12))
    rig.pipeline.stop()
    found = rig.metrics.snapshot()
    assert found["counts"]["dropped"] >= 12
    assert found["latency_ms"]["p50"] < 200
    assert found["steps_ms"]["matte"] >= 50
    seqs = [seq for content, seq, _ in rig.sink.frames if content is COMPOSITE]
    assert seqs == sorted(set(seqs)) or found["counts"]["repeated"] > 0


def test_the_camera_gives_way_to_the_frame_in_work(start, monkeypatch):
    gave_way = []
    monkeypatch.setattr(loops, "lower_priority", lambda: gave_way.append(threading.current_thread().name))
    assert start(Rig(limit=3, keep_all=True)).pipeline.wait(60)
    assert gave_way == ["capture"]


def test_a_slow_sink_does_not_slow_the_camera(start, monkeypatch):
    sink = RecordingSink()
    write = sink.write

    def slow(frame):
        time.sleep(0.1)
        write(frame)

    monkeypatch.setattr(sink, "write", slow)
    rig = start(Rig(source=FakeSource(fps=60), sink=sink))
    rig.run_until(rig.published(COMPOSITE, 5))
    assert rig.source.count > 20
    rig.pipeline.stop()
    rig.assert_no_room()


def test_no_buffer_is_lost_on_any_way_through(start):
    """Drops, cards, refused mattes and modes: after them the three frames of each pool still go round."""

    def often(n, matte):
        if n % 3 == 1:
            raise MattingError("the fake network failed; type: true")
        return matte

    rig = start(Rig(source=FakeSource(fps=300), matting=PerfectMatting(often)))
    for mode in (Mode.CARD, Mode.PASSTHROUGH, Mode.MATTE, Mode.CARD, Mode.MATTE):
        rig.state.scene = Scene(rig.state.scene.backdrop, rig.plate, mode)
        count = rig.source.count
        rig.run_until(lambda count=count: rig.source.count > count + 20)
    seen = len(rig.sink.frames)
    rig.run_until(rig.published(COMPOSITE, 3, since=seen))
    rig.pipeline.stop()


def test_when_the_camera_stalls_the_last_frame_is_repeated_and_counted(start):
    stall = threading.Event()
    rig = start(Rig(source=FakeSource(script={10: lambda: stall.wait(60)}), stale_after_s=30))
    rig.run_until(lambda: rig.source.count > 10)
    seen = len(rig.sink.frames) + 1
    rig.run_until(lambda: len(rig.sink.frames) > seen + 4)
    last = [(content, seq) for content, seq, _ in rig.sink.frames[seen:]]
    stall.set()
    assert set(last) == {(COMPOSITE, 9)}
    assert rig.metrics.snapshot()["counts"]["repeated"] >= 4


def test_the_composite_is_the_person_on_the_backdrop(start):
    rig = start(Rig(backdrop="color:#00ff00"))
    rig.run_until(rig.published(COMPOSITE, 2))
    rig.pipeline.stop()
    _, seq, rgb = next(each for each in rig.sink.frames if each[0] is COMPOSITE)
    x = 20 + seq % 40
    person, aside = rgb[24:56, x + 4 : x + 26].astype(int), rgb[:16].astype(int)
    assert np.abs(person - PERSON).max() <= 4
    assert np.abs(aside - (0, 255, 0)).max() <= 4


def test_a_camera_of_another_size_is_fitted_to_the_sinks(start):
    rig = start(Rig(source=FakeSource(size=Size(256, 144))))
    rig.run_until(rig.published(COMPOSITE, 3))
    rig.pipeline.stop()
    composites = [rgb.astype(int) for content, _, rgb in rig.sink.frames if content is COMPOSITE]
    assert all((np.abs(rgb - PERSON).max(2) <= 4).mean() > 0.02 for rgb in composites), "the person is missing"
    assert {rgb.shape for _, _, rgb in rig.sink.frames} == {(SIZE.height, SIZE.width, 3)}


def test_a_camera_that_comes_back_in_another_size_is_not_taken(start, caplog):
    caplog.set_level("INFO", "camdaemon")
    wrong = FakeSource(size=Size(256, 144))
    rig = Rig(source=FakeSource(script={3: DeviceError("unplugged; type: true")}), reopen=lambda: wrong)
    start(rig)
    rig.run_until(lambda: wrong.closed)
    assert wrong.count == 0
    rig.run_until(lambda: "256x144 instead of 128x72" in caplog.text)
    seen = len(rig.sink.frames)
    rig.run_until(rig.published(CARD, 1, since=seen))
    rig.pipeline.stop()
    rig.assert_no_room()


def test_a_trouble_that_lasts_is_logged_once(start, caplog):
    def always(n, matte):
        raise MattingError("the fake network failed: type: true")

    rig = start(Rig(matting=PerfectMatting(always)))
    rig.run_until(lambda: rig.matting.calls > 20)
    rig.pipeline.stop()
    assert caplog.text.count(REFUSED) == 1
    assert rig.metrics.snapshot()["counts"]["matting_errors"] > 15


# ---- jobs


def test_a_job_sees_every_frame_with_its_matte_and_the_show_goes_on(start):
    rig = start(Rig(keep_all=True))
    job = CountingJob(5)
    rig.pipeline.submit(job)
    assert job.future.result(60) == 5
    seqs = [seq for seq, _, _ in job.looks]
    assert seqs == list(range(seqs[0], seqs[0] + 5)), "no frame may be left out"
    assert {(alpha, finished) for _, alpha, finished in job.looks} == {(True, True)}
    rig.run_until(rig.published(COMPOSITE, 5))


def test_jobs_run_one_after_another_in_their_order(start):
    rig = start(Rig())
    jobs = [CountingJob(3) for _ in range(3)]
    for job in jobs:
        rig.pipeline.submit(job)
    for job in jobs:
        job.future.result(60)
    firsts, lasts = [job.looks[0][0] for job in jobs], [job.looks[-1][0] for job in jobs]
    assert all(last < first for last, first in zip(lasts, firsts[1:], strict=False))


def test_a_job_with_a_card_hides_the_person_and_gets_no_matte(start):
    rig = start(Rig())
    rig.run_until(rig.published(COMPOSITE))
    job = CountingJob(5, card=Card("Photographing"))
    rig.pipeline.submit(job)
    job.future.result(60)
    assert {(alpha, finished) for _, alpha, finished in job.looks} == {(False, False)}
    during = {seq for seq, _, _ in job.looks}
    rig.run_until(lambda: rig.sink.frames[-1][1] > max(during))
    assert all(content is CARD for content, seq, _ in rig.sink.frames if seq in during)


def test_the_exception_of_a_job_goes_to_whoever_submitted_it(start):
    rig = start(Rig())
    job, after = CountingJob(wrong=ZeroDivisionError("fake bug")), CountingJob(2)
    rig.pipeline.submit(job)
    rig.pipeline.submit(after)
    with pytest.raises(ZeroDivisionError):
        job.future.result(60)
    assert after.future.result(60) == 2, "the next job must still run"
    rig.run_until(rig.published(COMPOSITE))


def test_a_job_that_was_cancelled_before_its_turn_does_not_run(start):
    rig = start(Rig())
    first, cancelled, last = CountingJob(10), CountingJob(2), CountingJob(2)
    for job in (first, cancelled, last):
        rig.pipeline.submit(job)
    assert cancelled.future.cancel()
    assert last.future.result(60) == 2
    assert cancelled.looks == []


def test_stopping_tells_whoever_waits_for_a_job(start):
    rig = start(Rig())
    jobs = [CountingJob(10**6), CountingJob(1)]
    for job in jobs:
        rig.pipeline.submit(job)
    rig.run_until(lambda: jobs[0].looks)
    rig.pipeline.stop()
    for job in jobs:
        with pytest.raises(ControlError, match=r"stopping.*camdaemon run$"):
            job.future.result(1)


def test_a_job_after_the_end_is_refused(start):
    rig = start(Rig(limit=2))
    assert rig.pipeline.wait(60)
    with pytest.raises(ControlError, match=r"camdaemon run$"):
        rig.pipeline.submit(CountingJob())


def test_a_moment_shows_camera_matte_and_composite_of_one_frame(start):
    rig = start(Rig())
    job = MomentJob()
    rig.pipeline.submit(job)
    camera, alpha, composite = job.future.result(60)
    person = (camera == PERSON).all(2)
    assert 0.05 < person.mean() < 0.3
    assert np.array_equal(camera[~person], np.broadcast_to(MARKER, camera[~person].shape))
    assert np.array_equal(alpha[..., 0] > 127, person)
    assert np.abs(composite[~person].astype(int) - (0, 255, 0)).max() <= 1
    assert np.abs(composite[person].astype(int) - PERSON).max() <= 1


def test_a_moment_waits_for_a_matte(start):
    rig = start(Rig(plate=None))
    job = MomentJob()
    rig.pipeline.submit(job)
    rig.run_until(rig.published(CARD, 5))
    assert not job.future.done()
    rig.state.scene = Scene(rig.state.scene.backdrop, Rig().plate)
    assert job.future.result(60)[0].shape == (SIZE.height, SIZE.width, 3)


def test_only_the_worker_computes_and_in_the_context_of_the_device(start, monkeypatch):
    """On a GPU nothing is tracked there: gradients would cost memory with every frame."""
    rig = Rig()
    monkeypatch.setattr(rig.transfer, "computing", torch.inference_mode)
    start(rig)

    class Peek(CountingJob):
        def feed(self, look):
            tracks = torch.ones(1, requires_grad=True) + 1
            return (threading.current_thread().name, torch.is_inference_mode_enabled(), tracks.requires_grad)

    job = Peek()
    rig.pipeline.submit(job)
    assert job.future.result(60) == ("worker", True, False)


def test_while_nobody_watches_the_camera_is_closed_and_a_card_shows(start, monkeypatch):
    monkeypatch.setattr(loops, "_LINGER_S", 0.1)
    monkeypatch.setattr(loops, "_IDLE_S", 0.02)
    opened = []

    def reopen():
        opened.append(FakeSource())
        return opened[-1]

    rig = Rig(reopen=reopen)
    rig.state.camera = CameraState()
    start(rig)
    rig.run_until(lambda: rig.source.closed)
    assert rig.state.camera.card is cards.STANDBY
    idle = len(rig.sink.frames)
    rig.run_until(lambda: len(rig.sink.frames) > idle + 5)
    assert not opened, "nobody asked for it"
    calls = rig.matting.calls
    assert set(rig.sink.contents()[idle + 1 :]) == {Content.CARD}, "a card keeps the device listed"
    assert rig.matting.calls == calls, "no inference"
    rig.state.camera.add_reason("viewers")
    rig.run_until(rig.published(Content.COMPOSITE, since=idle))
    assert len(opened) == 1
    rig.state.camera.remove_reason("viewers")
    rig.run_until(lambda: opened[0].closed)
    with rig.state.camera.hold("plate"):
        rig.run_until(lambda: len(opened) == 2)


@pytest.mark.parametrize("turn", range(5))
def test_the_card_is_out_before_the_camera_closes(start, monkeypatch, turn):
    """Whoever comes next reads the virtual camera's last picture first."""
    monkeypatch.setattr(loops, "_LINGER_S", 0.1 + 0.01 * turn)
    rig = Rig()
    rig.state.camera = CameraState("viewers")
    last = []
    monkeypatch.setattr(rig.source, "close", lambda: last.append(rig.sink.contents()[-1]))
    start(rig)
    rig.run_until(rig.published(COMPOSITE))
    rig.state.camera.remove_reason("viewers")
    rig.run_until(lambda: bool(last))
    assert last == [CARD]


def test_a_short_gap_between_viewers_keeps_the_camera_open(start, monkeypatch):
    monkeypatch.setattr(loops, "_LINGER_S", 5.0)
    rig = Rig()
    rig.state.camera = CameraState("viewers")
    start(rig)
    rig.run_until(rig.published(Content.COMPOSITE))
    rig.state.camera.remove_reason("viewers")
    since = len(rig.sink.frames)
    rig.run_until(lambda: len(rig.sink.frames) > since + 3)
    rig.state.camera.add_reason("viewers")
    rig.run_until(rig.published(Content.COMPOSITE, since=since))
    assert not rig.source.closed


def test_before_the_machine_sleeps_the_camera_is_closed_at_once(start):
    opened = []

    def reopen():
        opened.append(FakeSource())
        return opened[-1]

    rig = Rig(reopen=reopen)
    rig.state.camera = CameraState("viewers")
    start(rig)
    rig.run_until(rig.published(Content.COMPOSITE))
    rig.state.camera.fall_asleep()
    assert rig.state.camera.wait_closed(1.5), "not only after the pause for viewers who come back"
    assert rig.source.closed
    rig.state.camera.wake_up()
    rig.run_until(rig.published(Content.COMPOSITE, since=len(rig.sink.frames)))
    assert len(opened) == 1


def test_a_lost_camera_is_not_looked_for_while_nobody_needs_it(start):
    asked: list[None] = []

    def reopen():
        asked.append(None)
        return FakeSource()

    rig = Rig(source=FakeSource(script={5: DeviceError("unplugged; type: true")}), reopen=reopen)
    rig.state.camera = CameraState("viewers")
    rig.source._script[4] = lambda: rig.state.camera.remove_reason("viewers")
    start(rig)
    assert rig.state.camera.wait_closed(5)
    assert not asked
    rig.state.camera.add_reason("viewers")
    rig.run_until(rig.published(Content.COMPOSITE, since=len(rig.sink.frames)))
    assert len(asked) == 1
