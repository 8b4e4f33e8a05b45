"""Work that gives way to the frames."""

import os
import threading

import pytest

from camdaemon.priority import give_way, made_aside


def nice() -> int:
    return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())


def test_only_the_thread_that_asks_gives_way() -> None:
    before, inside = nice(), []

    def work() -> None:
        give_way()
        inside.append(nice())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert inside[0] > before or before == 19
    assert nice() == before


def test_what_is_made_aside_comes_back_with_its_result_or_its_error() -> None:
    assert made_aside(lambda: (threading.current_thread().name, 7), "aside") == ("aside", 7)
    with pytest.raises(KeyError, match="gone"):
        made_aside(lambda: {}["gone"], "aside")
