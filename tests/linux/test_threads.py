"""Work that gives way to the frames."""

import os
import re
import subprocess
import sys
import threading

import pytest

from camdaemon.linux import threads
from camdaemon.linux.threads import lower_priority, run_in_thread, run_low_priority

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


_BUILD = """
import contextlib, time
from pathlib import Path
from camdaemon.config.schema import Config
from camdaemon.daemon.build import Playing, build
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
build(Config(source="pattern", sink="null", size=Size(320, 180), engine="torch"), Playing())
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
