"""The hand-off: newest wins, nothing is lost without its owner knowing, and an end is an end for both sides.

And the pool: one owner for each buffer, which is marked as the room until the opposite is known.
"""

import threading
import time
from typing import Any

import pytest

from camdaemon.frames.frame import Content, HostFrame, PixelFormat, Size
from camdaemon.frames.handoff import Closed, Mailbox, Pool


def take_all(box, into):
    """Take until the box is closed."""
    while True:
        try:
            into.append(box.take(10))
        except Closed:
            return


def test_the_newest_item_wins_and_the_displaced_one_comes_back():
    box: Mailbox[Any] = Mailbox()
    assert box.put("old") is None
    assert box.put("new") == "old"
    assert box.take() == "new"
    assert box.take(0) is None


def test_taking_from_an_empty_box_ends_at_the_timeout():
    start = time.monotonic()
    assert Mailbox().take(0.05) is None
    assert 0.045 <= time.monotonic() - start < 60


@pytest.mark.parametrize("item", [0, "", [], False])
def test_an_item_that_counts_as_false_is_still_an_item(item):
    box: Mailbox[Any] = Mailbox()
    box.put(item)
    start = time.monotonic()
    assert box.take(600) is item
    assert time.monotonic() - start < 60, "it was there, there was nothing to wait for"


def test_a_put_wakes_the_one_who_waits():
    box: Mailbox[Any] = Mailbox()
    taken: list[Any] = []
    taker = threading.Thread(target=lambda: taken.append(box.take(10)))
    taker.start()
    box.put("frame")
    taker.join(60)
    assert taken == ["frame"]


def test_what_lay_in_the_box_can_be_taken_after_the_close_and_then_comes_the_cause():
    box: Mailbox[Any] = Mailbox()
    fault = ValueError("why")
    box.put("last")
    box.close(fault)
    assert box.take(0) == "last"
    for _ in range(2):
        with pytest.raises(Closed) as end:
            box.take(0)
        assert end.value.cause is fault


def test_an_orderly_end_has_no_cause_and_the_first_word_stands():
    box: Mailbox[Any] = Mailbox()
    box.close()
    box.close(ValueError("too late"))
    with pytest.raises(Closed) as end:
        box.take()
    assert end.value.cause is None


@pytest.mark.parametrize("keep_all", [False, True])
def test_put_after_close_raises_and_leaves_the_item_with_its_owner(keep_all):
    box: Mailbox[Any] = Mailbox(keep_all=keep_all)
    box.put("inside")
    box.close(ValueError("gone"))
    with pytest.raises(Closed) as end:
        box.put("mine")
    assert isinstance(end.value.cause, ValueError)
    assert box.take(0) == "inside", "the refused item must not be in the box"
    with pytest.raises(Closed):
        box.take(0)


@pytest.mark.parametrize("side", ["take", "put"])
def test_close_wakes_the_one_who_waits(side):
    box: Mailbox[Any] = Mailbox(keep_all=True)
    ends: list[Any] = []
    if side == "put":
        box.put("full")

    def wait():
        try:
            box.take() if side == "take" else box.put("waiting")
        except Closed as exc:
            ends.append(exc.cause)

    waiter = threading.Thread(target=wait)
    waiter.start()
    time.sleep(0.02)
    fault = OSError("unplugged")
    box.close(fault)
    waiter.join(60)
    assert ends == [fault]


def test_keep_all_waits_and_loses_nothing():
    box: Mailbox[Any] = Mailbox(keep_all=True)
    received: list[Any] = []

    def give():
        for i in range(1000):
            assert box.put(i) is None, "with keep_all nothing may be displaced"
        box.close()

    giver = threading.Thread(target=give)
    giver.start()
    take_all(box, received)
    giver.join(60)
    assert received == list(range(1000))


def test_keep_all_really_waits_until_the_slot_is_free():
    box: Mailbox[Any] = Mailbox(keep_all=True)
    done = threading.Event()
    box.put("first")
    giver = threading.Thread(target=lambda: (box.put("second"), done.set()))
    giver.start()
    assert not done.wait(0.05)
    assert box.take(0) == "first"
    assert done.wait(60)
    giver.join(60)
    assert box.take(0) == "second"


def test_every_item_has_exactly_one_owner_with_two_threads_at_full_speed():
    box: Mailbox[Any] = Mailbox()
    displaced: list[Any] = []
    received: list[Any] = []

    def give():
        for i in range(1000):
            back = box.put(i)
            if back is not None:
                displaced.append(back)
        box.close()

    giver = threading.Thread(target=give)
    giver.start()
    take_all(box, received)
    giver.join(60)
    assert sorted(displaced + received) == list(range(1000)), "an item was lost, or had two owners"
    assert received == sorted(received), "an older item came after a newer one"
    assert received[-1] == 999


# ---- the pool


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
    with pytest.raises(RuntimeError, match=r"no free.* 0\.05 s"):
        pool.acquire(0.05)


def test_a_waiting_owner_gets_what_another_thread_gives_back():
    pool = Pool(make, 1)
    held, got = pool.acquire(), []
    waiter = threading.Thread(target=lambda: got.append(pool.acquire(10)))
    waiter.start()
    assert not got
    pool.release(held)
    waiter.join(60)
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
        thread.join(60)
    assert not clashes
    assert len({id(pool.acquire()) for _ in range(3)}) == 3, "all frames must be back"


def test_waking_ends_one_wait_without_an_item():
    box: Mailbox[str] = Mailbox()
    box.wake()
    assert box.take(10) is None, "who was not waiting yet is woken the next time"
    taken = []
    thread = threading.Thread(target=lambda: taken.append(box.take(10)))
    thread.start()
    box.wake()
    thread.join(60)
    assert taken == [None]
    box.put("a")
    assert box.take(0) == "a"
