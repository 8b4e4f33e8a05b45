"""A loopback that another program feeds is a camera: devices lists it, doctor has nothing against it."""

from __future__ import annotations

import json
import subprocess
import sys

from inside.bench import Bench
from inside.module import VIRTUAL, WEBCAM


def play(bench: Bench) -> None:
    bench.webcam()
    bench.start()  # reads the webcam, feeds the virtual camera
    listed = {each["path"]: each["is_camera"] for each in json.loads(_camdaemon("devices", "--json"))}
    assert (listed[WEBCAM], listed[VIRTUAL]) == (True, False), listed
    found = json.loads(_camdaemon("doctor", "--json", "--camera", WEBCAM))
    wrong = [each for each in found if each["about"] in ("camera", "virtual") and each["level"] == "problem"]
    assert not wrong, wrong
    assert not [each for each in found if "close that program" in each["fix"]], found


def _camdaemon(*words: str) -> str:
    return subprocess.run(
        [sys.executable, "-m", "camdaemon", *words], capture_output=True, text=True, check=False
    ).stdout
