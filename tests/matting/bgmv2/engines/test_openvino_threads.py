"""Engines of OpenVINO that are used for the first time by several threads at once."""

from __future__ import annotations

import subprocess
import sys

# Six threads, which pass Python's lock on at every chance: without what the factory does first, they wait for ever.
PROGRAM = """
import sys, threading
import numpy as np
from camdaemon.matting.bgmv2.engines import openvino_engine
from camdaemon.model.layout import NetworkLayout

graphs = openvino_engine.GraphSource(NetworkLayout(True, 3), "mark", {})
openvino_engine.OpenVinoRuntime(graphs, "float32")
ov = openvino_engine.ov
engines = []
for n in range(6):
    pair = ov.op.Parameter(ov.Type.f32, ov.PartialShape([1, 8, 8, 7]))
    results = [ov.opset8.relu(pair), ov.opset8.abs(pair)]
    compiled = ov.Core().compile_model(ov.Model(results, [pair], "twice"), "CPU")
    engines.append(openvino_engine.OpenVinoEngine(compiled, "float32"))
sys.setswitchinterval(1e-6)
together, given, found = threading.Barrier(6), np.random.default_rng(1).random((1, 8, 8, 7), np.float32), []

def run(engine):
    together.wait()
    found.append(engine(given))

threads = [threading.Thread(target=run, args=(engine,)) for engine in engines]
for thread in threads: thread.start()
for thread in threads: thread.join()
assert all(np.array_equal(each.visible, given[0]) for each in found)
print(len(found))
"""


def test_threads_that_are_the_first_to_use_it_do_not_wait_for_each_other() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=300, check=False)
    assert (done.returncode, done.stdout) == (0, "6\n"), done.stderr
