"""Fail closed, as an invariant: whatever goes wrong, no published frame shows the marked room."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import numpy as np
import pytest

from camdaemon.control.commands import Commands
from camdaemon.errors import ConfigError, DeviceError, MattingError, PlateRefused
from camdaemon.frames.composite import Matte
from camdaemon.frames.frame import Content, HostFrame, PixelFormat
from camdaemon.frames.picture import write
from camdaemon.pipeline.state import FaultLimit, Mode
from camdaemon.plate.parts import Plate
from tests.fakes import MARKER, FakeSource, OutOfMemory, PerfectMatting, RecordingSink, Rig, marked, room
from tests.present import present

CARD, COMPOSITE, ROOM = Content.CARD, Content.COMPOSITE, Content.ROOM


def stop(rig: Rig) -> list:
    rig.pipeline.stop()
    rig.assert_no_room()
    assert rig.sink.closed
    assert rig.source.closed
    assert rig.sink.contents()[-1] is CARD, "the card must be shown last"
    return rig.sink.frames


def test_the_marker_would_be_seen():
    """The test of the test: a passthrough frame shows the marker, so a leak cannot hide."""
    rig = Rig()
    rig.pipeline.start()
    rig.state.scene = type(rig.state.scene)(rig.state.scene.backdrop, rig.plate, Mode.PASSTHROUGH)
    rig.run_until(rig.published(ROOM, 3))
    rig.pipeline.stop()
    shares = [marked(rgb) for content, _, rgb in rig.sink.frames if content is ROOM]
    assert min(shares) > 0.5
    assert marked(room()) == 1.0


def test_a_good_run_shows_the_person_and_starts_and_ends_with_the_card():
    rig = Rig()
    rig.pipeline.start()
    rig.run_until(rig.published(COMPOSITE, 20))
    frames = stop(rig)
    assert frames[0][0] is CARD
    composites = [rgb for content, _, rgb in frames if content is COMPOSITE]
    assert all((abs(rgb.astype(int) - 120).max(2) < 12).mean() > 0.08 for rgb in composites), "the person is missing"
    seqs = [seq for content, seq, _ in frames if content is COMPOSITE]
    assert seqs == sorted(seqs)


def raising(error):
    def sabotage(n, matte):
        if 5 <= n < 15:
            raise error
        return matte

    return sabotage


def with_alpha(value):
    def sabotage(n, matte):
        if 5 <= n < 15:
            return Matte(np.full_like(matte.alpha, value), matte.foreground, matte.seq)
        return matte

    return sabotage


def room_everywhere(n, matte):
    """Return a matte that takes the whole frame for the person, in the camera's colors."""
    if 5 <= n < 15:
        mad = np.ones_like(matte.foreground) * (np.array(MARKER, np.float32) / 255)[:, None, None]
        return Matte(np.ones_like(matte.alpha), mad, matte.seq)
    return matte


class Stale:
    """Returns the matte of an older frame."""

    def __init__(self):
        self.first = None

    def __call__(self, n, matte):
        self.first = self.first or matte
        return self.first if 5 <= n < 15 else matte


FAILURES = {
    "matting-error": lambda: raising(MattingError("the fake network failed; type: true")),
    "out-of-memory": lambda: raising(OutOfMemory("fake")),
    "nan": lambda: with_alpha(float("nan")),
    "inf": lambda: with_alpha(float("inf")),
    "all-foreground": lambda: room_everywhere,
    "stale": Stale,
}


@pytest.mark.parametrize("sabotage", [make() for make in FAILURES.values()], ids=list(FAILURES))
def test_a_frame_without_a_trustworthy_matte_is_the_card_and_the_pipeline_continues(sabotage):
    rig = Rig(matting=PerfectMatting(sabotage))
    rig.pipeline.start()
    rig.run_until(rig.published(COMPOSITE, 5))
    rig.run_until(lambda: rig.matting.calls > 25)
    stop(rig)
    contents = rig.sink.contents()
    assert CARD in contents[contents.index(COMPOSITE) : -1], "the bad frames were not covered"
    after = contents[contents.index(CARD, contents.index(COMPOSITE)) :]
    assert COMPOSITE in after, "it did not come back"
    assert rig.counts()["matting_errors"] >= 9


@pytest.mark.parametrize("where", ["matting", "source"])
def test_an_unexpected_exception_ends_with_the_card_and_is_raised(where):
    def boom(*_):
        raise ZeroDivisionError("fake bug")

    if where == "matting":
        rig = Rig(matting=PerfectMatting(lambda n, matte: boom() if n == 5 else matte))
    else:
        rig = Rig(source=FakeSource(script={8: boom}))
    rig.pipeline.start()
    assert rig.pipeline.wait(60)
    with pytest.raises(ZeroDivisionError):
        stop(rig)


def back_once_the_card_shows(rig: Rig) -> FakeSource:
    """The camera is away for long enough that viewers notice, however busy the machine is."""
    if rig.sink.contents()[-1] is not CARD:
        raise DeviceError("the fake camera is still gone; type: true")
    return FakeSource()


@pytest.mark.parametrize("where", ["matting", "source"])
def test_an_unexpected_exception_in_a_live_run_shows_the_card_and_the_pipeline_continues(where):
    def boom(*_):
        raise ZeroDivisionError("fake bug")

    if where == "matting":
        rig = Rig(matting=PerfectMatting(lambda n, matte: boom() if n in (5, 9) else matte))
    else:
        source = FakeSource(script={8: lambda: rig.run_until(rig.published(COMPOSITE)) or boom()})
        rig = Rig(source=source, reopen=lambda: back_once_the_card_shows(rig), stale_after_s=60)
    rig.state.fault_limit = FaultLimit(3)
    rig.pipeline.start()
    rig.run_until(rig.published(COMPOSITE, 3))
    rig.run_until(lambda: rig.counts().get("faults" if where == "matting" else "reconnects", 0) > 0)
    rig.run_until(rig.published(COMPOSITE, 5, since=len(rig.sink.frames)))
    stop(rig)
    assert CARD in rig.sink.contents()[rig.sink.contents().index(COMPOSITE) : -1]
    rig.assert_no_room()


def test_an_accelerator_that_fails_is_given_up_for_another():
    def out_of_memory(*_):
        raise OutOfMemory("fake")

    rig = Rig(matting=PerfectMatting(lambda n, matte: out_of_memory() if n >= 4 else matte))
    processor, asked = rig.pipeline.processor, []

    def another():
        asked.append(rig.matting.calls)
        return None if len(asked) == 1 else replace(processor.engine, matting=PerfectMatting())

    processor.make_engine = another
    rig.pipeline.start()
    rig.run_until(lambda: len(asked) == 2)
    rig.run_until(rig.published(COMPOSITE, 5, since=len(rig.sink.frames)))
    stop(rig)
    assert asked == [9, 14], "after five failures in a row, and five more when there was none"
    assert rig.counts()["engines"] == 1
    rig.assert_no_room()


def test_a_matte_that_is_refused_for_what_it_shows_costs_no_engine():
    """The matte of a bumped camera covers everything; that is no fault of the accelerator."""
    rig = Rig(matting=PerfectMatting(lambda n, matte: replace(matte, alpha=np.ones_like(matte.alpha))))
    asked: list[None] = []
    rig.pipeline.processor.make_engine = lambda: asked.append(None)
    rig.pipeline.start()
    rig.run_until(lambda: rig.counts().get("matting_errors", 0) > 12)
    stop(rig)
    assert not asked
    rig.assert_no_room()


def test_too_many_unexpected_exceptions_end_the_run():
    def boom(*_):
        raise ZeroDivisionError("fake bug")

    rig = Rig(matting=PerfectMatting(lambda n, matte: boom() if n >= 5 else matte))
    rig.state.fault_limit = FaultLimit(3)
    rig.pipeline.start()
    assert rig.pipeline.wait(60)
    with pytest.raises(ZeroDivisionError):
        stop(rig)
    assert rig.counts()["faults"] == 3
    rig.assert_no_room()


def test_a_backdrop_whose_file_is_gone_keeps_the_old_one_and_leaks_nothing(tmp_path):
    picture = tmp_path / "office.png"
    write(picture, np.full((72, 128, 3), 60, np.uint8))
    rig = Rig()
    commands = Commands(rig.pipeline, rig.config, rig.sink.size, None, lambda: None)
    rig.pipeline.start()
    rig.run_until(rig.published(COMPOSITE, 3))
    commands.backdrop(str(picture))
    picture.unlink()  # it was read when it was chosen
    seen = len(rig.sink.frames) + 2
    rig.run_until(rig.published(COMPOSITE, 5, since=seen))
    with pytest.raises(ConfigError, match="--backdrop"):
        commands.backdrop(str(picture))
    assert rig.state.scene.backdrop.spec == str(picture)
    seen = len(rig.sink.frames)
    rig.run_until(rig.published(COMPOSITE, 3, since=seen))
    stop(rig)


def test_a_backdrop_that_fails_while_it_is_shown_ends_with_the_card():
    class Broken:
        spec = "broken"
        needs_plate = False

        def picture(self, t, plate, upload):
            raise ZeroDivisionError("fake bug")

        def close(self):
            pass

    rig = Rig()
    rig.pipeline.start()
    rig.run_until(rig.published(COMPOSITE, 3))
    rig.state.scene = replace(rig.state.scene, backdrop=Broken())
    assert rig.pipeline.wait(60)
    with pytest.raises(ZeroDivisionError):
        stop(rig)


def test_without_a_plate_only_the_card():
    rig = Rig(plate=None)
    rig.pipeline.start()
    rig.run_until(rig.published(CARD, 20))
    stop(rig)
    assert set(rig.sink.contents()) == {CARD}


def test_while_the_plate_is_taken_only_the_card_and_then_the_new_plate(tmp_path):
    rig = Rig(plate=None, source=FakeSource(enters=60))
    commands = Commands(rig.pipeline, rig.config, rig.sink.size, None, lambda: None)
    rig.pipeline.start()
    assert "taken" in commands.plate(countdown=0.2)
    assert COMPOSITE not in rig.sink.contents()
    rig.run_until(rig.published(COMPOSITE, 5))
    assert abs(present(rig.state.scene.plate).rgb.astype(int) - room()).max() <= 1
    stop(rig)


def test_a_refused_plate_keeps_the_old_one():
    rig = Rig()  # the person walks about all the time
    commands = Commands(rig.pipeline, rig.config, rig.sink.size, None, lambda: None)
    rig.pipeline.start()
    rig.run_until(rig.published(COMPOSITE, 3))
    with pytest.raises(PlateRefused, match=r"moves.*%.*Run: camdaemon plate"):
        commands.plate(countdown=0)
    assert rig.state.scene.plate is rig.plate
    seen = len(rig.sink.frames)
    rig.run_until(rig.published(COMPOSITE, 3, since=seen))
    stop(rig)


def test_camera_lost_shows_the_card_and_comes_back():
    second = FakeSource()
    tries = []

    def reopen():
        tries.append(time.monotonic())
        if len(tries) < 2:
            raise DeviceError("still gone; type: true")
        return second

    rig = Rig(source=FakeSource(script={10: DeviceError("unplugged; type: true")}), reopen=reopen)
    rig.pipeline.start()
    rig.run_until(rig.published(COMPOSITE, 3))
    rig.run_until(lambda: second.count > 5)
    rig.run_until(lambda: rig.sink.contents()[-1] is COMPOSITE)
    stop(rig)
    contents = rig.sink.contents()
    assert CARD in contents[contents.index(COMPOSITE) : -5]
    assert second.closed
    assert len(tries) == 2


def test_a_stalled_camera_shows_the_card_after_the_timeout():
    stall = threading.Event()
    rig = Rig(source=FakeSource(script={10: lambda: stall.wait(1.0)}))
    rig.pipeline.start()
    rig.run_until(rig.published(COMPOSITE, 5))
    seen = len(rig.sink.frames)
    rig.run_until(rig.published(CARD, 1, since=seen))
    stall.set()
    rig.run_until(lambda: rig.sink.contents()[-1] is COMPOSITE)
    stop(rig)


def test_a_clip_that_ends_is_an_orderly_end_with_the_card():
    rig = Rig(source=FakeSource(30, live=False))
    rig.pipeline.start()
    assert rig.pipeline.wait(60)
    stop(rig)
    assert COMPOSITE in rig.sink.contents()


def test_stopping_in_the_middle_of_a_frame():
    reached, go_on = threading.Event(), threading.Event()

    def slow(n, matte):
        if n == 5:
            reached.set()
            go_on.wait(60)
        return matte

    rig = Rig(matting=PerfectMatting(slow))
    rig.pipeline.start()
    assert reached.wait(60)
    threading.Timer(0.2, go_on.set).start()
    stop(rig)


def test_card_mode_covers_at_once_even_when_the_camera_hangs():
    hang = threading.Event()
    rig = Rig(source=FakeSource(script={10: lambda: hang.wait(2)}), stale_after_s=60)
    commands = Commands(rig.pipeline, rig.config, rig.sink.size, None, lambda: None)
    rig.pipeline.start()
    rig.run_until(lambda: rig.source.count > 10)
    commands.mode("card")
    seen = len(rig.sink.frames) + 1
    rig.run_until(lambda: len(rig.sink.frames) > seen + 3)
    assert set(rig.sink.contents()[seen:]) == {CARD}
    hang.set()
    stop(rig)


def test_the_room_stays_only_as_long_as_passthrough_is_asked_for():
    rig = Rig()
    commands = Commands(rig.pipeline, rig.config, rig.sink.size, None, lambda: None)
    rig.pipeline.start()
    commands.mode("passthrough")
    rig.run_until(rig.published(ROOM, 3))
    commands.mode("matte")
    seen = len(rig.sink.frames) + 1  # one write may have been under way
    rig.run_until(rig.published(COMPOSITE, 5, since=seen))
    rig.pipeline.stop()
    assert all(marked(rgb) == 0 for _, _, rgb in rig.sink.frames[seen:])


def test_a_lost_virtual_camera_ends_the_run_with_its_error():
    rig = Rig(sink=RecordingSink(fail_at=5))
    rig.pipeline.start()
    assert rig.pipeline.wait(60)
    with pytest.raises(DeviceError, match="virtual camera is gone"):
        rig.pipeline.stop()
    rig.assert_no_room()
    assert rig.source.closed


def test_a_file_at_full_speed_gets_every_frame_once():
    rig = Rig(source=FakeSource(50, live=False, fps=10_000), keep_all=True, repeat_s=None)
    rig.sink.live = False
    rig.pipeline.start()
    assert rig.pipeline.wait(20)
    rig.pipeline.stop()
    rig.assert_no_room()
    assert [seq for _, seq, _ in rig.sink.frames] == list(range(50))


@pytest.mark.parametrize(
    ("content", "seq", "matte_seq", "raw", "may"),
    [
        (CARD, 3, None, False, True),
        (COMPOSITE, 3, 3, False, True),
        (COMPOSITE, 3, 2, False, False),
        (COMPOSITE, 3, None, True, False),
        (ROOM, 3, None, False, False),
        (ROOM, 3, None, True, True),
    ],
)
def test_the_last_gate(content, seq, matte_seq, raw, may):
    frame = HostFrame.empty(PixelFormat.I420, RecordingSink().size)
    frame.content, frame.seq, frame.matte_seq = content, seq, matte_seq
    assert frame.may_publish(allow_raw=raw) is may


def test_a_plate_of_the_room_alone_is_not_published_while_it_is_the_plate():
    """The plate shows the room, too: with a color as backdrop none of it may be published."""
    rig = Rig(plate=Plate(room()))
    rig.pipeline.start()
    rig.run_until(rig.published(COMPOSITE, 5))
    stop(rig)


def test_when_the_camera_is_closed_its_last_moment_is_not_shown_again():
    """A viewer that connects afterwards gets the card, however recent the last composite is."""
    rig = Rig(stale_after_s=30.0)
    rig.pipeline.start()
    rig.run_until(rig.published(COMPOSITE, 3))
    rig.state.camera.fall_asleep()
    assert rig.state.camera.wait_closed(5)
    since = len(rig.sink.frames) + 2  # one may be on its way
    rig.run_until(lambda: len(rig.sink.frames) > since + 3)
    assert set(rig.sink.contents()[since:]) == {CARD}
    stop(rig)
    rig.assert_no_room()
