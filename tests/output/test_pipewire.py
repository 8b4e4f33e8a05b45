"""The camera in PipeWire, with the real PipeWire and WirePlumber, read back by programs that take one format only."""

import contextlib
import functools
import signal
import threading

import numpy as np
import pytest

from camdaemon.errors import DeviceError
from camdaemon.frames import color
from camdaemon.frames.frame import Content, HostFrame, PixelFormat, Size
from camdaemon.output import find_sink, open_sink
from camdaemon.output.pipewire import PipeWireSink
from camdaemon.output.reopening import ReopeningSink
from camdaemon.output.tee import TeeSink
from tests.fakes import RecordingSink, Rig, marked
from tests.lab import footage
from tests.pipewire_readers import GstReader
from tests.pipewire_session import PipeWireSession, start_session, wait_until

SIZE = footage.SIZE


@pytest.fixture(scope="module")
def running():
    with start_session() as session:
        yield session


@pytest.fixture
def session(running, monkeypatch):
    monkeypatch.delenv("PIPEWIRE_RUNTIME_DIR")
    monkeypatch.setenv("XDG_RUNTIME_DIR", running.environ["XDG_RUNTIME_DIR"])
    return running


@pytest.fixture
def read(session):
    """Start programs that read, and end them."""
    with contextlib.ExitStack() as opened:

        def start(target: str, fmt: str, size: Size = SIZE) -> GstReader:
            reader = GstReader(session, target, fmt, size)
            opened.callback(reader.close)
            return reader

        yield start


def numbered(number: int) -> HostFrame:
    """A gray picture with the badge of `number`, in a frame of that number."""
    rgb = np.full((SIZE.height, SIZE.width, 3), (90, 140, 60), np.uint8)
    footage.write_number(rgb, number % footage.COUNT)
    made = HostFrame.empty(PixelFormat.I420, SIZE)
    color.rgb_to_host(rgb, PixelFormat.I420, made.data)
    made.seq = number
    return made


def numbers(reader: GstReader) -> list[int | None]:
    """The numbers on the badges of what was read; None where there is none."""
    return [footage.read_number(rgb) for rgb in reader.pictures()]


class Sending:
    """Writes numbered frames to `sink` and waits for each to arrive, so that no machine is too slow for it."""

    def __init__(self, sink) -> None:
        self.sink, self.sent = sink, 0

    def write(self) -> int:
        self.sink.write(numbered(self.sent))
        self.sent += 1
        return self.sent - 1

    def until_read(self, *readers: GstReader) -> int:
        """Write until each of `readers` has had a frame; return the number of the next frame."""

        def has_begun():
            self.write()
            return all(reader.frames for reader in readers)

        wait_until(has_begun, f"all readers read; {[reader.complaints() for reader in readers]}")
        return self.sent

    def in_step(self, count: int, *readers: GstReader) -> None:
        """Write `count` frames, each after all of `readers` have the one before."""
        for _ in range(count):
            seen = [len(reader.frames) for reader in readers]
            self.write()
            for reader, before in zip(readers, seen, strict=True):
                reader.wait_for(before + 1)


@pytest.fixture
def sink(session):
    opened = open_sink("pipewire:lab", SIZE, 30, paced=True)
    yield opened
    opened.close()


def test_the_kind_is_named_by_its_spec():
    assert find_sink("pipewire") is PipeWireSink
    assert find_sink("pipewire:My camera") is PipeWireSink


def test_without_pipewire_the_error_says_what_to_type():
    with pytest.raises(DeviceError, match=r"PipeWire.*Run: systemctl"):
        open_sink("pipewire", SIZE, 30, paced=True)


def test_pipewire_lists_a_camera_with_its_formats_in_their_order(session, sink):
    node = session.nodes()["lab"]
    properties = node["props"]
    assert (properties["media.class"], properties["media.role"]) == ("Video/Source", "Camera")
    assert properties["node.description"] == "lab"
    offered = node["params"]["EnumFormat"]
    assert [each["format"] for each in offered] == ["I420", "NV12", "YUY2", "BGRx"]
    assert {(each["size"]["width"], each["size"]["height"]) for each in offered} == {(640, 360)}
    cameras = [each for each in session.nodes().values() if each["props"].get("media.class") == "Video/Source"]
    assert len(cameras) == 1


def test_two_readers_of_different_formats_get_every_frame_once_and_in_order(sink, read):
    sending = Sending(sink)
    readers = {"I420": read("lab", "I420"), "BGRx": read("lab", "BGRx")}
    first = sending.until_read(*readers.values())
    sending.in_step(40, *readers.values())
    expected = [number % footage.COUNT for number in range(sending.sent)]
    for fmt, reader in readers.items():
        got = numbers(reader)
        assert got == expected[-len(got) :], fmt
        assert len(got) >= sending.sent - first


def test_a_third_and_a_fourth_reader_share_what_is_sent_already_or_get_their_own(session, sink, read):
    sending = Sending(sink)
    formats = ("NV12", "YUY2", "NV12")
    readers = [read("lab", fmt) for fmt in formats]
    sending.until_read(*readers)
    sending.in_step(5, *readers)
    expected = [number % footage.COUNT for number in range(sending.sent)]
    for reader in readers:
        assert numbers(reader)[-5:] == expected[-5:]
    senders = {name: info["props"] for name, info in session.nodes().items() if name.startswith("lab.")}
    assert set(senders) == {"lab.nv12", "lab.yuy2"}
    for properties in senders.values():
        assert properties["media.class"] != "Video/Source", "programs would list it"
        assert "node.description" not in properties, "browsers would list it"


def test_a_reader_that_names_no_camera_gets_this_one(sink, read):
    sending = Sending(sink)
    reader = read("", "I420")
    sending.until_read(reader)
    assert numbers(reader)[-1] is not None


def test_every_frame_shows_the_colors_that_were_written(sink, read):
    sending = Sending(sink)
    readers = {fmt: read("lab", fmt) for fmt in ("I420", "BGRx")}
    sending.until_read(*readers.values())
    for fmt, reader in readers.items():
        corner = reader.pictures()[-1][:20, :20].mean((0, 1))
        assert np.abs(corner - (90, 140, 60)).max() < 3, fmt


def test_viewers_are_known_from_the_first_to_the_last(sink, read):
    told: list[bool] = []
    stop = threading.Event()
    (follow,) = sink.viewers
    thread = threading.Thread(target=follow, args=(told.append, stop), daemon=True)
    thread.start()
    sending = Sending(sink)
    one, other = read("lab", "I420"), read("lab", "BGRx")
    sending.until_read(one, other)
    assert told == [True]
    one.close()
    sending.in_step(3, other)
    assert told == [True]
    other.kill()
    wait_until(lambda: told == [True, False], "the last viewer has gone")
    stop.set()
    thread.join(10)


def test_a_reader_that_is_killed_disturbs_no_other_one(sink, read):
    sending = Sending(sink)
    stays, dies = read("lab", "I420"), read("lab", "I420")
    sending.until_read(stays, dies)
    dies.kill()
    sending.in_step(20, stays)
    got = numbers(stays)
    assert got == [number % footage.COUNT for number in range(sending.sent)][-len(got) :]
    again = read("lab", "BGRx")
    sending.until_read(again)


def test_a_reader_that_hangs_costs_the_others_nothing_but_a_moment(sink, read):
    sending = Sending(sink)
    stays, hangs = read("lab", "I420"), read("lab", "BGRx")
    sending.until_read(stays, hangs)
    hangs.process.send_signal(signal.SIGSTOP)
    sending.in_step(40, stays)
    assert numbers(stays)[-40:] == [number % footage.COUNT for number in range(sending.sent)][-40:]
    hangs.process.send_signal(signal.SIGCONT)
    before = len(hangs.frames)
    wait_until(lambda: sending.write() and len(hangs.frames) > before + 20, "it reads on")


def test_readers_go_on_while_the_session_manager_restarts_and_others_come_afterwards(
    session: PipeWireSession, sink, read
):
    sending = Sending(sink)
    reader = read("lab", "I420")
    sending.until_read(reader)
    session.kill("wireplumber")
    sending.in_step(10, reader)
    session.start_wireplumber()
    sending.in_step(10, reader)
    got = numbers(reader)
    assert got == [number % footage.COUNT for number in range(sending.sent)][-len(got) :]
    other = read("lab", "BGRx")
    sending.until_read(other)


def test_readers_keep_the_last_frame_when_the_camera_goes(session, read):
    sink = open_sink("pipewire:short", SIZE, 30, paced=True)
    reader = read("short", "I420")
    sending = Sending(sink)
    sending.until_read(reader)
    sending.in_step(1, reader)
    sink.close()
    wait_until(lambda: "short" not in session.nodes(), "the camera is gone")
    assert numbers(reader)[-1] == (sending.sent - 1) % footage.COUNT
    sink.close()


def test_after_pipewire_was_killed_the_camera_comes_back_with_its_viewers(session: PipeWireSession, read):
    counted: list[str] = []
    reopen = functools.partial(open_sink, "pipewire:phoenix", SIZE, 30, paced=True)
    sink = ReopeningSink(reopen(), reopen, counted.append)
    told: list[bool] = []
    stop = threading.Event()
    threading.Thread(target=sink.viewers[0], args=(told.append, stop), daemon=True).start()
    try:
        sending = Sending(sink)
        sending.until_read(read("phoenix", "I420"))
        session.kill("pipewire")
        session.kill("wireplumber")
        wait_until(lambda: sending.write() and counted == ["sink_lost"], "it is noticed")
        wait_until(lambda: told == [True, False], "nobody watches")
        session.start_pipewire()
        session.start_wireplumber()
        wait_until(lambda: sending.write() and counted == ["sink_lost", "sink_back"], "it is back")
        sending.until_read(read("phoenix", "BGRx"))
        wait_until(lambda: told == [True, False, True], "somebody watches")
    finally:
        stop.set()
        sink.close()


class PublishingSink(RecordingSink):
    """Writes down what it also publishes in PipeWire."""

    name = "publishing"

    def __init__(self, session) -> None:
        super().__init__()
        self.readers: dict[str, GstReader] = {}
        self._camera = TeeSink([open_sink("pipewire:law", self.size, 30, paced=True), RecordingSink()])

    def write(self, frame):
        super().write(frame)
        self._camera.write(frame)

    def close(self):
        super().close()
        for fmt, reader in self.readers.items():
            wait_until(functools.partial(self._is_read, fmt, reader), f"the last frame arrives as {fmt}")
        self._camera.close()

    def _is_read(self, fmt: str, reader: GstReader) -> bool:
        return close_to(reader.pictures()[-1], self.frames[-1][2])


def test_no_reader_sees_the_marked_room_and_the_card_is_last(session, read):
    sink = PublishingSink(session)
    rig = Rig(sink=sink)
    readers = sink.readers = {fmt: read("law", fmt, sink.size) for fmt in ("I420", "BGRx")}
    rig.pipeline.start()
    rig.run_until(lambda: all(len(reader.frames) > 20 for reader in readers.values()))
    rig.state.scene = type(rig.state.scene)(rig.state.scene.backdrop, None)
    seen = {fmt: len(reader.frames) for fmt, reader in readers.items()}
    rig.run_until(lambda: all(len(reader.frames) > seen[fmt] + 5 for fmt, reader in readers.items()))
    rig.pipeline.stop()
    rig.assert_no_room()
    written = [present_rgb for _, _, present_rgb in rig.sink.frames]
    assert rig.sink.contents()[-1] is Content.CARD
    assert rig.matting.calls <= rig.source.count, "a frame was matted for each of the sinks"
    for reader in readers.values():
        pictures = reader.pictures()
        assert all(marked(rgb) == 0 for rgb in pictures)
        assert all(any(close_to(rgb, each) for each in written) for rgb in pictures[:: max(1, len(pictures) // 20)])


def close_to(rgb, other) -> bool:
    return float(np.abs(rgb.astype(int) - other).mean()) < 1.5


def test_a_picture_that_cannot_be_painted_is_never_an_older_one(session, sink, read):
    sending = Sending(sink)
    reader = read("lab", "I420")
    sending.until_read(reader)

    def fail(pixels, memory):
        raise ZeroDivisionError("fake bug")

    for _ in range(3):
        before = len(reader.frames)
        with pytest.raises(ZeroDivisionError):
            sink._camera.send(fail)
        sending.in_step(1, reader)
        assert len(reader.frames) - before in (1, 2)
    got = numbers(reader)
    real = [number for number in got if number is not None]
    assert len(real) == len(set(real)), "a picture came twice"
