"""`camdaemon setup` as the tests of its flow and of its devices call it."""

from __future__ import annotations

import shlex
from typing import Any

import pytest

from camdaemon.system.setup.perform import set_up
from camdaemon.system.setup.plan import plan_setup
from camdaemon.system.setup.steps import Wanted
from tests.system.fake_machine import FakeMachine

OPTIONS = "options v4l2loopback devices=1 video_nr=10 card_label=camdaemon exclusive_caps=1 max_buffers=4"


def run(fake: FakeMachine, wanted: Wanted | None = None, **more: Any) -> None:
    options: dict[str, Any] = {
        "dry_run": False,
        "yes": True,
        "install": False,
        "agree": lambda _: pytest.fail("nobody is to be asked"),
    }
    set_up(fake.machine, wanted or Wanted(), **options | more)


def commands(fake: FakeMachine, wanted: Wanted | None = None) -> list[str]:
    return [shlex.join(step.command) for step in plan_setup(fake.machine, wanted or Wanted()).steps]


def again_is_nothing(fake: FakeMachine, wanted: Wanted | None = None) -> None:
    fake.done.clear()
    run(fake, wanted)
    assert fake.done == []
