"""Work that gives way to the frames."""

import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from camdaemon.linux import threads
from camdaemon.linux.threads import (
    count_compute_threads,
    lower_priority,
    run_in_thread,
    run_low_priority,
    share_processors,
)

NOTHING: dict[str, int] = {}


def nice() -> int:
    return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())


def test_only_the_thread_that_asks_gives_way() -> None:
    before, inside = nice(), []

    def work() -> None:
        lower_priority()
        inside.append(nice())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert inside[0] > before or before == 19
    assert nice() == before


def test_what_is_made_aside_comes_back_with_its_result_or_its_error() -> None:
    assert run_low_priority(lambda: (threading.current_thread().name, 7), "aside") == ("aside", 7)
    with pytest.raises(KeyError, match="gone"):
        run_low_priority(lambda: NOTHING["gone"], "aside")


def test_what_is_made_apart_does_not_give_way_and_its_thread_is_gone() -> None:
    before = threading.active_count()
    assert run_in_thread(lambda: (threading.current_thread().name, nice()), "apart") == ("apart", nice())
    with pytest.raises(KeyError, match="gone"):
        run_in_thread(lambda: NOTHING["gone"], "apart")
    assert threading.active_count() == before


@pytest.mark.parametrize(("own", "wanted"), [(1, 1), (2, 1), (5, 2), (8, 4)])
def test_each_of_two_frames_gets_half_of_the_processors(own: int, wanted: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """However often an engine is made."""
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(threads, "count_cores", lambda cpus: own)
    try:
        for _ in range(2):
            share_processors()
            assert count_compute_threads() == wanted
        share_processors(1)
        assert count_compute_threads() == own, "one has all of them"
        monkeypatch.setenv("OMP_NUM_THREADS", "3")
        share_processors()
        assert count_compute_threads() == 3, "whoever sets it knows better"
        monkeypatch.setenv("OMP_NUM_THREADS", "5,2")  # of nested teams: the outer one's
        assert count_compute_threads() == 5
        for nonsense in ("", "0", "many", "-2"):
            monkeypatch.setenv("OMP_NUM_THREADS", nonsense)
            assert count_compute_threads() == wanted
    finally:
        share_processors(1)


def test_two_threads_of_one_core_count_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for cpu in range(8):
        topology = tmp_path / f"cpu{cpu}" / "topology"
        topology.mkdir(parents=True)
        (topology / "thread_siblings").write_text(f"{0b10001 << cpu % 4:02x}\n")
    monkeypatch.setattr(threads, "_CPUS", tmp_path)
    monkeypatch.setattr(threads, "count_cores", threads.count_cores.__wrapped__)  # it remembers
    assert threads.count_cores(frozenset(range(8))) == 4
    assert threads.count_cores(frozenset({1, 5, 2})) == 2, "those that the process may use"
    monkeypatch.setattr(threads, "_CPUS", tmp_path / "unknown")
    assert threads.count_cores(frozenset(range(8))) == 8


_BUILD = """
import contextlib, time
from pathlib import Path
from camdaemon.config.schema import Config
from camdaemon.daemon.build import build
from camdaemon.daemon.opening import Playing, open_ends
from camdaemon.frames.frame import Size
from camdaemon.frames.picture import quiet_opencv

def names():
    for task in Path("/proc/self/task").iterdir():
        with contextlib.suppress(OSError):  # it ended meanwhile
            yield (task / "comm").read_text()

def threads(most):
    for _ in range(100):  # the kernel takes a moment to forget one that has ended
        count = sum(not name.startswith("av:") for name in names())  # the clip's decoder has threads of its own
        if count <= most:
            break
        time.sleep(0.05)
    return count

quiet_opencv()
before = threads(0)
config, playing = Config(source="pattern", sink="null", size=Size(320, 180), engine="torch"), Playing()
build(config, playing, open_ends(config, playing))
print(before, threads(before))
"""


def test_the_main_thread_keeps_no_team_of_torchs() -> None:
    """With it there would be more of torch's threads than processors, and the worker's would sleep at every turn."""
    command = [sys.executable, "-c", _BUILD]
    before, after = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.split()
    assert after == before


def test_a_thread_that_does_not_end_is_waited_for_no_longer_and_named(monkeypatch, caplog):
    monkeypatch.setattr(threads, "JOIN_S", 0.01)
    go_on = threading.Event()
    thread = threading.Thread(target=go_on.wait, name="stuck", daemon=True)
    thread.start()
    threads.join_or_warn(thread)
    [told] = caplog.messages
    assert re.search(r"stuck.*not end.* 0\.01 s", told)
    go_on.set()
    monkeypatch.undo()
    caplog.clear()
    threads.join_or_warn(thread)
    assert not thread.is_alive()
    assert caplog.messages == []


# ---- how many compute


@pytest.fixture
def cpus(tmp_path, monkeypatch):
    """cpus(pairs): as many processors, each two of which are one core where `pairs` says so; all may be used."""
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(threads, "_CPUS", tmp_path)
    monkeypatch.setattr(threads, "_share", 1)
    threads.count_cores.cache_clear()

    def made(count: int, *, pairs: bool, known: bool = True) -> None:
        threads.count_cores.cache_clear()
        monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(count)))
        for cpu in range(count if known else 0):
            (tmp_path / f"cpu{cpu}" / "topology").mkdir(parents=True)
            first = cpu // 2 if pairs else cpu
            (tmp_path / f"cpu{cpu}" / "topology" / "thread_siblings").write_text(f"{first:x}\n")

    yield made
    threads.count_cores.cache_clear()


@pytest.mark.parametrize(
    ("count", "pairs", "known", "found"),
    [(4, False, True, 4), (8, True, True, 4), (1, False, True, 1), (6, False, False, 6)],
)
def test_an_engine_computes_with_as_many_threads_as_there_are_cores(cpus, count, pairs, known, found):
    cpus(count, pairs=pairs, known=known)
    assert threads.count_compute_threads() == found


@pytest.mark.parametrize(("frames", "found"), [(1, 4), (2, 2), (3, 1), (9, 1)])
def test_frames_in_work_at_the_same_time_share_the_cores(cpus, frames, found):
    cpus(8, pairs=True)
    threads.share_processors(frames)
    assert threads.count_compute_threads() == found
    threads.share_processors(1)
    assert threads.count_compute_threads() == 4


@pytest.mark.parametrize(("asked", "found"), [("3", 3), ("6,2", 6), (" 2 ", 2), ("", 4), ("0", 4), ("many", 4)])
def test_the_users_own_number_decides(cpus, monkeypatch, asked, found):
    cpus(4, pairs=False)
    monkeypatch.setenv("OMP_NUM_THREADS", asked)
    assert threads.count_compute_threads() == found
    threads.share_processors(2)
    assert threads.count_compute_threads() == (found if found != 4 else 2)
