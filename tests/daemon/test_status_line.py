"""The status line: made of metrics, the scene and the engine's snapshot, never of what the worker owns."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from camdaemon.daemon import progress, status_line
from camdaemon.daemon.status_line import render, show_status_line
from camdaemon.frames import card as cards
from camdaemon.frames.card import CardCache
from camdaemon.frames.frame import Content, HostFrame
from camdaemon.pipeline.engine import EngineSnapshot
from tests.fakes import Rig


def test_it_reads_nothing_that_the_worker_owns() -> None:
    rig = Rig()
    processor = rig.pipeline.processor
    processor.snapshot = EngineSnapshot("cuda:0", "some", "half as much", is_reduced=True)
    del processor.engine, processor.job  # as if the worker were about to replace them
    assert "half as much" in render(rig.pipeline).plain


def test_a_full_effort_is_not_mentioned() -> None:
    rig = Rig()
    assert rig.pipeline.engine.effort not in render(rig.pipeline).plain


def test_every_step_of_a_frame_has_its_time() -> None:
    rig = Rig()
    rig.pipeline.start()
    try:
        rig.run_until(rig.published(Content.COMPOSITE, 3))
        steps: Any = rig.metrics.snapshot()["steps_ms"]
        shown = render(rig.pipeline).plain
    finally:
        rig.pipeline.stop()
    assert all(f" {name} " in shown for name in steps if name != "capture"), "waiting for the camera is no step"
    assert " gate " in shown


def test_it_says_what_was_written_and_why() -> None:
    rig = Rig()
    frame = HostFrame.empty(rig.sink.fmt, rig.sink.size)
    frame.content = Content.COMPOSITE
    rig.state.published.record(frame)
    assert render(rig.pipeline).plain.startswith("Live")
    CardCache(rig.sink.fmt, rig.sink.size).copy_to(cards.make_invitation("press F9"), frame)
    rig.state.published.record(frame)
    assert render(rig.pipeline).plain.startswith("Card")
    assert "press F9" in render(rig.pipeline).plain


def test_where_stderr_is_no_terminal_it_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "camdaemon")
    with show_status_line(Rig().pipeline) as update:
        update()
        update()
        assert not caplog.records
    assert len(caplog.records) == 1
    assert "fps" in caplog.text


def test_a_clip_at_full_speed_has_a_bar_that_counts_what_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    terminal = Console(file=screen, force_terminal=True, width=100)
    monkeypatch.setattr(progress, "console", terminal)
    monkeypatch.setattr(status_line, "console", terminal)
    pipeline = Rig().pipeline
    pipeline.keep_all, pipeline.camera = True, replace(pipeline.camera, total=40)
    with show_status_line(pipeline) as update:
        for _ in range(10):
            pipeline.metrics.record_captured()
        update()
    assert "10/40" in screen.getvalue()
    assert "left" in screen.getvalue()
