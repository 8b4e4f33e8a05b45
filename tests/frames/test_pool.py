"""Buffers that are used again: one owner each, and marked as the room until somebody knows better."""

import threading

import pytest

from camdaemon.frames.frame import Content, HostFrame, PixelFormat, Size
from camdaemon.frames.handoff import Pool


def make() -> HostFrame:
    return HostFrame.empty(PixelFormat.I420, Size(64, 64))


def test_the_frames_are_made_once_and_are_different_ones():
    made = []
    pool = Pool(lambda: made.append(make()) or made[-1], 3)
    held = [pool.acquire() for _ in range(3)]
    assert len({id(frame.data) for frame in held}) == 3
    for frame in held:
        pool.release(frame)
    again = [pool.acquire() for _ in range(3)]
    assert {id(frame) for frame in again} == {id(frame) for frame in made}
    assert len(made) == 3


def test_an_acquired_frame_counts_as_the_room_whatever_it_was_before():
    pool = Pool(make, 1)
    frame = pool.acquire()
    frame.seq, frame.t, frame.content, frame.matte_seq = 7, 3.0, Content.COMPOSITE, 7
    assert frame.may_publish(allow_raw=False)
    pool.release(frame)
    again = pool.acquire()
    assert again is frame
    assert (again.seq, again.t, again.content, again.matte_seq) == (-1, 0.0, Content.ROOM, None)
    assert not again.may_publish(allow_raw=False)


def test_a_double_release_is_a_bug_of_an_owner():
    pool = Pool(make, 2)
    frame = pool.acquire()
    pool.release(frame)
    with pytest.raises(RuntimeError, match="released twice"):
        pool.release(frame)
    assert pool.acquire() is not pool.acquire(), "the frame must not have two owners now"


def test_a_frame_from_elsewhere_is_refused_even_when_it_looks_the_same():
    pool = Pool(make, 2)
    pool.acquire()
    with pytest.raises(RuntimeError, match="not of this pool"):
        pool.release(make())


def test_an_empty_pool_says_so_after_the_timeout():
    pool = Pool(make, 1)
    pool.acquire()
    with pytest.raises(RuntimeError, match=r"no free frame in 0\.05 s"):
        pool.acquire(0.05)


def test_a_waiting_owner_gets_what_another_thread_gives_back():
    pool = Pool(make, 1)
    held, got = pool.acquire(), []
    waiter = threading.Thread(target=lambda: got.append(pool.acquire(10)))
    waiter.start()
    assert not got
    pool.release(held)
    waiter.join(5)
    assert got == [held]


def test_three_frames_shared_by_four_threads_are_never_held_twice():
    pool, held, guard, clashes = Pool(make, 3), set(), threading.Lock(), []

    def work():
        for _ in range(200):
            frame = pool.acquire()
            with guard:
                clashes.extend([frame] if id(frame) in held else [])
                held.add(id(frame))
            with guard:
                held.discard(id(frame))
            pool.release(frame)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert not clashes
    assert len({id(pool.acquire()) for _ in range(3)}) == 3, "all frames must be back"
