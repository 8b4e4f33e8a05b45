"""The log as the journal, a pipe and a terminal get it, and the folding of what repeats."""

from __future__ import annotations

import io
import logging
import os
import re
import subprocess
import sys

import pytest

from camdaemon.cli.logs import Folding

PROGRAM = """
import logging, sys
from camdaemon.cli.logs import set_up
set_up(verbose="--verbose" in sys.argv)
log = logging.getLogger("camdaemon.test")
log.debug("chatter")
log.info("two\\n  lines")
log.warning("careful %s", "now")
try:
    raise ValueError("first\\nsecond")
except ValueError:
    log.exception("it broke")
logging.getLogger("asyncio").info("noise")
for _ in range(5):
    log.info("again")
"""


def logged(*arguments: str, environment: dict[str, str], to_journal: bool) -> list[str]:
    """What PROGRAM writes to a stderr that $JOURNAL_STREAM names, or does not."""
    reader, writer = os.pipe()
    with open(reader, "rb") as stderr:
        there = os.fstat(writer)
        stream = f"{there.st_dev}:{there.st_ino}" if to_journal else f"{there.st_dev}:{there.st_ino + 1}"
        variables = os.environ | {"JOURNAL_STREAM": stream} | environment
        command = [sys.executable, "-c", PROGRAM, *arguments]
        done = subprocess.Popen(command, stderr=writer, env=variables)
        os.close(writer)
        lines = stderr.read().decode().splitlines()
        assert done.wait(20) == 0
    return lines


def test_in_the_journal_every_line_has_its_priority_and_no_time():
    lines = logged(environment={}, to_journal=True)
    assert lines[:2] == ["<6>two lines", "<4>careful now"]
    assert lines[2:4] == ["<3>it broke", "<3>Traceback (most recent call last):"]
    assert lines[-4:-1] == ["<3>ValueError: first", "<3>second", "<6>again"]
    assert re.fullmatch("<6>… .*4 times.*", lines[-1])
    assert all(re.match(r"<[3-7]>", line) for line in lines)
    assert not any("noise" in line or "chatter" in line for line in lines)


def test_verbose_adds_the_chatter():
    assert "<7>chatter" in logged("--verbose", environment={}, to_journal=True)


def test_a_pipe_gets_time_and_level():
    lines = logged(environment={}, to_journal=False)
    assert re.fullmatch(r"\d\d:\d\d:\d\d info two lines", lines[0])
    assert re.fullmatch(r"\d\d:\d\d:\d\d warning careful now", lines[1])
    assert all(re.match(r"\d\d:\d\d:\d\d (info|warning|error) ", line) for line in lines)
    assert re.fullmatch(r"\d\d:\d\d:\d\d info … .*4 times.*", lines[-1])


def test_a_terminal_gets_colors_and_no_priorities():
    lines = logged(environment={"FORCE_COLOR": "1", "TERM": "xterm", "COLUMNS": "80"}, to_journal=False)
    text = "\n".join(lines)
    assert "\x1b[" in text
    assert "careful now" in text
    assert "<4>" not in text


@pytest.fixture
def folded():
    """A logger, a function for what it has shown since it was last called, and the seconds that go by."""
    now, written = [1000.0], io.StringIO()
    inner = logging.StreamHandler(written)
    inner.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    handler = Folding(inner, seconds=10.0, clock=lambda: now[0])
    log = logging.Logger("folded")
    log.addHandler(handler)

    def shown() -> list[str]:
        lines = written.getvalue().splitlines()
        written.seek(0)
        written.truncate()
        return lines

    yield log, shown, now
    handler.close()


def test_repeats_are_counted_and_said_before_the_next(folded):
    log, shown, now = folded
    for _ in range(3):
        log.warning("lost %s", 1)
        now[0] += 1
    assert shown() == ["WARNING lost 1"]
    log.info("back")
    repeats, back = shown()
    assert re.fullmatch("WARNING … .*2 times.*", repeats)
    assert back == "INFO back"


def test_after_its_time_the_same_message_is_shown_again(folded):
    log, shown, now = folded
    log.info("not yet")
    now[0] += 9.9
    log.info("not yet")
    assert shown() == ["INFO not yet"]
    now[0] += 0.1
    log.info("not yet")
    repeat, again = shown()
    assert re.fullmatch("INFO … .*once.*", repeat)
    assert again == "INFO not yet"
    now[0] += 11
    log.info("not yet")
    assert shown() == ["INFO not yet"]


def test_other_arguments_levels_loggers_and_errors_are_other_messages(folded):
    log, shown, _ = folded
    child = logging.Logger("another")
    child.handlers = log.handlers
    log.info("frame %d", 1)
    log.info("frame %d", 2)
    log.warning("frame %d", 2)
    child.warning("frame %d", 2)
    assert shown() == ["INFO frame 1", "INFO frame 2", "WARNING frame 2", "WARNING frame 2"]
    for error in (ValueError("a"), ValueError("b"), ValueError("b")):
        log.error("failed", exc_info=error)
    assert shown() == ["ERROR failed", "ValueError: a", "ERROR failed", "ValueError: b"]


def test_the_count_is_said_at_the_end_too(folded):
    log, shown, _ = folded
    log.info("again")
    log.info("again")
    log.handlers[0].close()
    first, repeat = shown()
    assert first == "INFO again"
    assert re.fullmatch("INFO … .*once.*", repeat)
    log.handlers[0].close()
    assert shown() == []


def test_a_message_that_cannot_be_put_together_does_not_break_the_log(folded, monkeypatch):
    log, shown, _ = folded
    monkeypatch.setattr(logging, "raiseExceptions", False)
    log.info("%d", "no number")
    log.info("after it")
    assert shown() == ["INFO after it"]
