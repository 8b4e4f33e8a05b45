"""Reading, matting and writing at the same time: in order, a few frames ahead, and whatever fails ends everything."""

import threading
from collections.abc import Iterator

import pytest

from camdaemon.tools.films.conveyor import Ahead, Line, Stopped, Writers

NAMES = ["test-reader", "test-alpha", "test-color"]


class Broken(Exception):
    pass


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    yield
    assert not [thread.name for thread in threading.enumerate() if thread.name in NAMES]


def count_to(number: int, then: Exception | None = None) -> Iterator[int]:
    yield from range(number)
    if then is not None:
        raise then


def test_what_is_read_comes_in_order_and_may_be_looked_at_before() -> None:
    ahead = Ahead(count_to(50), NAMES[0])
    seen = []
    for number in ahead:
        assert ahead.peek() == (number + 1 if number < 49 else None)
        assert ahead.peek() == (number + 1 if number < 49 else None)
        seen.append(number)
    assert seen == [*range(50)]
    assert list(ahead) == []
    ahead.stop()


def test_iterating_again_goes_on_where_it_was_left() -> None:
    ahead = Ahead(count_to(10), NAMES[0])
    for number in ahead:
        if number == 3:
            break
    assert ahead.peek() == 4
    assert list(ahead) == [4, 5, 6, 7, 8, 9]
    ahead.stop()


def test_what_reading_raises_comes_after_what_was_read() -> None:
    ahead = Ahead(count_to(3, Broken("the film")), NAMES[0])
    seen = []

    def take_all() -> None:
        for number in ahead:
            seen.append(number)
            assert ahead.peek() == (number + 1 if number < 2 else None)

    with pytest.raises(Broken, match="the film"):
        take_all()
    assert seen == [0, 1, 2]
    ahead.stop()


class Source:
    """Counts without an end, and remembers how far ahead of its reader it ever was."""

    def __init__(self, fills_with: int) -> None:
        self.made = self.taken = self.farthest = 0
        self.is_closed = False
        self.is_full = threading.Event()
        self._fills_with = fills_with

    def __iter__(self) -> Iterator[int]:
        try:
            while True:
                self.made += 1
                self.farthest = max(self.farthest, self.made - self.taken)
                if self.made == self._fills_with:
                    self.is_full.set()
                yield self.made
        finally:
            self.is_closed = True


def test_no_more_is_read_ahead_than_the_queue_holds() -> None:
    source = Source(fills_with=3)
    ahead = Ahead(source, NAMES[0], size=2)
    assert source.is_full.wait(60)  # two wait, and one is held by the reader
    for number in ahead:
        source.taken = number
        if number == 200:
            break
    ahead.stop()
    assert 3 <= source.farthest <= 4, "one more between it is taken and that it is counted"


def test_stopping_ends_a_reader_whose_queue_is_full() -> None:
    source = Source(fills_with=3)
    ahead = Ahead(source, NAMES[0], size=2)
    assert source.is_full.wait(60)
    ahead.stop()
    assert source.is_closed
    with pytest.raises(Stopped):
        ahead.peek()


def test_each_writer_does_its_works_in_order() -> None:
    done: dict[str, list[int]] = {name: [] for name in NAMES[1:]}
    writers = Writers(done)
    with writers.running():
        for number in range(60):
            for name, list_ in done.items():
                writers.give(name, lambda number=number, list_=list_: list_.append(number))  # type: ignore[misc]
        writers.finish()
        assert done == {name: [*range(60)] for name in done}


def fail() -> None:
    raise Broken("the disk")


def test_what_a_writer_raises_is_raised_by_what_gives_it_more() -> None:
    writers = Writers(NAMES[1:])
    held = threading.Event()

    def give_without_end() -> None:
        with writers.running():
            writers.give(NAMES[2], held.set)
            writers.give(NAMES[1], fail)
            while True:  # its own queue fills at the latest
                writers.give(NAMES[1], held.set)

    with pytest.raises(Broken, match="the disk"):
        give_without_end()


def test_what_a_writer_raises_last_is_raised_at_the_end() -> None:
    writers = Writers(NAMES[1:])
    with writers.running():
        writers.give(NAMES[1], fail)
        with pytest.raises(Broken, match="the disk"):
            writers.finish()


def test_whoever_fails_between_ends_the_writers_and_drops_what_waits() -> None:
    writers = Writers(NAMES[1:], size=3)
    held, release, late = threading.Event(), threading.Event(), []

    def hold() -> None:
        held.set()
        release.wait(60)

    def fail_between() -> None:
        ahead = Ahead(count_to(10**9), NAMES[0])
        with writers.running():
            writers.give(NAMES[1], hold)
            assert held.wait(60)
            for _ in range(3):  # which fills the queue
                writers.give(NAMES[1], lambda: late.append(1))
            try:
                raise Broken("the network")
            finally:
                ahead.stop()
                writers.stop()
                release.set()

    with pytest.raises(Broken, match="the network"):
        fail_between()
    assert not late


def test_a_line_that_was_stopped_neither_gives_nor_takes() -> None:
    line: Line[int] = Line(1)
    line.put(1)
    full = threading.Thread(target=line.stop, name=NAMES[0])
    full.start()
    with pytest.raises(Stopped):
        line.put(2)
    full.join()
    with pytest.raises(Stopped):
        line.take()
