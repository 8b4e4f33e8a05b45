"""Intel's GPU and NPU: used where they compute what the CPU does, and never the end of us. OpenVINO is a stand-in."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from camdaemon.linux.programs import ask
from camdaemon.matting.bgmv2.engines import device_notes, factory, openvino_devices
from camdaemon.matting.bgmv2.engines.dense import DenseBase, SlimDense, make_dense_base
from camdaemon.matting.bgmv2.engines.engine import BaseMaps
from camdaemon.matting.bgmv2.engines.factory import EngineFactory
from camdaemon.matting.bgmv2.engines.graphs import GraphFiles
from camdaemon.model.layout import NetworkLayout

pytestmark = pytest.mark.usefixtures("one_thread")

FAKE = Path(__file__).parent / "fake_openvino"
ENGINE = "camdaemon.matting.bgmv2.engines.openvino_engine"
SIZE, SHAPE = (32, 48), [1, 32, 48, 6]
NODES = {"GPU": "/dev/dri/renderD128", "NPU": "/dev/accel/accel0"}


@pytest.fixture
def openvino(network, monkeypatch):
    """The stand-in, which computes what torch does; its engines' module is loaded with it."""
    import camdaemon.matting.bgmv2.engines as package

    ours = [name for name in sys.modules if name == ENGINE or name.partition(".")[0] == "openvino"]
    before = {name: sys.modules.pop(name) for name in ours}
    had = package.__dict__.pop("openvino_engine", None)
    monkeypatch.syspath_prepend(str(FAKE))
    monkeypatch.setenv("PYTHONPATH", str(FAKE), prepend=":")
    monkeypatch.setenv("FAKE_OPENVINO", '{"GPU": "works", "NPU": "works"}')
    monkeypatch.setattr(openvino_devices, "find_intel", lambda: NODES)
    import openvino as fake  # type: ignore[import-untyped, import-not-found, unused-ignore]

    from camdaemon.matting.bgmv2.engines import openvino_engine

    monkeypatch.setattr(openvino_engine, "_load_bindings", lambda: None)  # the stand-in has none
    base = make_dense_base(network)

    def compute(given: Any) -> list[Any]:
        with torch.inference_mode():
            return [each.permute(0, 2, 3, 1).numpy() for each in base(torch.from_numpy(given).permute(0, 3, 1, 2))]

    monkeypatch.setattr(fake, "network", compute)
    yield fake
    for name in [name for name in sys.modules if name == ENGINE or name.partition(".")[0] == "openvino"]:
        del sys.modules[name]
    sys.modules.update(before)
    package.__dict__.pop("openvino_engine", None)
    if had is not None:
        package.openvino_engine = had


@pytest.fixture
def graphs(openvino, tmp_path) -> Callable[[], Any]:
    """graphs(): the network's, as after a start of the program."""

    def made() -> Any:
        from camdaemon.matting.bgmv2.engines.openvino_engine import GraphSource

        (tmp_path / "own.xml").write_text("a network")
        layout = NetworkLayout(doubts=False, kernel=3)
        return GraphSource.of_files(GraphFiles(layout, "mark", {"base": tmp_path / "own.xml"}), None)

    return made


@pytest.fixture
def build(graphs) -> Callable[..., Any]:
    """build('GPU'): an engine on it, as after a start of the program."""

    def made(device: str, size: tuple[int, int] = SIZE) -> Any:
        from camdaemon.matting.bgmv2.engines.openvino_engine import OpenVinoDeviceRuntime

        return OpenVinoDeviceRuntime(graphs(), "float32", device).build_base(size)

    return made


def computed(base: DenseBase | SlimDense, given: NDArray[np.float32]) -> BaseMaps:
    """What torch computes."""
    with torch.inference_mode():
        found = base(torch.from_numpy(given).permute(0, 3, 1, 2))
    return BaseMaps(*(each[0].permute(1, 2, 0).numpy() for each in found))


@pytest.fixture
def tries(monkeypatch) -> list[str]:
    """The devices that were tried in a process of its own."""
    made: list[str] = []

    def counted(command: list[str], timeout_s: float) -> Any:
        made.append(command[3])
        return ask(command, timeout_s)

    monkeypatch.setattr(openvino_devices, "ask", counted)
    return made


def usable(openvino: Any) -> list[str]:
    return openvino_devices.list_usable(openvino.Core())


def test_a_device_that_computes_what_the_cpu_does_is_used(build, openvino, network, tries):
    assert usable(openvino) == ["GPU", "NPU"]
    engine = build("GPU")
    assert engine.name == "openvino GPU"
    given = np.random.default_rng(1).random(SHAPE, np.float32)
    wanted = computed(make_dense_base(network), given)
    assert float(np.abs(engine(given).visible - wanted.visible).max()) < 1e-5
    build("GPU")
    assert tries == ["GPU"], "once in a week"
    build("GPU", (32, 64))
    build("NPU")
    assert tries == ["GPU", "GPU", "NPU"], "for each size and device"
    assert usable(openvino) == ["GPU", "NPU"], "no note is left"


@pytest.mark.parametrize(
    ("behavior", "says"), [("aborts", "ended the process that tried it"), ("hangs", "not compiled the network after")]
)
def test_a_driver_that_aborts_or_hangs_does_so_elsewhere_and_once(build, openvino, monkeypatch, tries, behavior, says):
    monkeypatch.setenv("FAKE_OPENVINO", json.dumps({"GPU": behavior, "NPU": "works"}))
    if behavior == "hangs":
        monkeypatch.setattr(openvino_devices, "_LIMIT_S", 3.0)
    with pytest.raises(RuntimeError, match=says):
        build("GPU")
    assert says in device_notes.read_skipped()["GPU"]
    assert usable(openvino) == ["NPU"]
    later = time.time() + 8 * 86400
    monkeypatch.setattr(device_notes, "time", SimpleNamespace(time=lambda: later))
    assert usable(openvino) == ["GPU", "NPU"], "a week later it may have another driver"


def test_a_driver_that_refuses_may_accept_another_network(build, openvino, monkeypatch):
    monkeypatch.setenv("FAKE_OPENVINO", '{"GPU": "refuses"}')
    with pytest.raises(RuntimeError, match=r"GPU refuses the network: Exception from src/plugin\.cpp$"):
        build("GPU")
    assert usable(openvino) == ["GPU"]


def test_a_device_that_computes_something_else_is_not_used(build, openvino, monkeypatch):
    monkeypatch.setenv("FAKE_OPENVINO", '{"GPU": "wrong"}')
    with pytest.raises(RuntimeError, match=r"visible maps differ from the CPU's by 0\.\d+ "):
        build("GPU")


def test_nan_is_a_difference(network):
    base = make_dense_base(network)
    nothing = BaseMaps(np.full((*SIZE, 5), np.nan, np.float32), np.zeros((16, 24, 48), np.float32))
    with pytest.raises(RuntimeError, match="differ"):
        openvino_devices.compare(lambda given: nothing, partial(computed, base), SHAPE)


def test_float16_is_within_the_tolerance(network):
    base, tolerated = make_dense_base(network), openvino_devices.TOLERANCE
    half = make_dense_base(network)

    def rounded(given: NDArray[np.float32]) -> BaseMaps:
        hooks = [
            each.register_forward_hook(lambda module, args, y: y.half().float())
            for each in half.modules()
            if isinstance(each, torch.nn.Conv2d)
        ]
        try:
            return computed(half, given)
        finally:
            for hook in hooks:
                hook.remove()

    def far(given: NDArray[np.float32]) -> BaseMaps:
        return BaseMaps(*(each + 2 * tolerated * each.std() for each in rounded(given)))

    openvino_devices.compare(rounded, partial(computed, base), SHAPE)
    with pytest.raises(RuntimeError):
        openvino_devices.compare(far, partial(computed, base), SHAPE)


def test_an_abort_of_our_own_process_is_known_to_the_next(openvino):
    program = (
        "from camdaemon.matting.bgmv2.engines.device_notes import noted\nimport os\nwith noted('GPU'):\n    os.abort()"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode < 0
    assert "ended camdaemon" in device_notes.read_skipped()["GPU"]
    openvino.Core.asked = 0
    assert usable(openvino) == ["NPU"]
    assert openvino.Core.asked == 1


def test_what_a_living_process_prepares_is_no_abort(openvino):
    with device_notes.noted("GPU", "NPU"):
        assert usable(openvino) == ["GPU", "NPU"]
    with pytest.raises(ZeroDivisionError), device_notes.noted("GPU"):
        raise ZeroDivisionError
    assert device_notes.read_skipped() == {}


def test_a_failure_in_the_frame_loop_costs_the_device(build, openvino, monkeypatch):
    engine = build("GPU")
    monkeypatch.setenv("FAKE_OPENVINO", '{"GPU": "fails later"}')
    with pytest.raises(RuntimeError, match="queue was lost"):
        engine(np.zeros(SHAPE, np.float32))
    assert device_notes.read_skipped() == {"GPU": "it failed: [GPU] the queue was lost"}


@pytest.mark.parametrize(
    "text", ["", "[]", '{"skipped": {"GPU": 1}}', '{"skipped": []}', '{"skipped": {"GPU": [1, 2]}}']
)
def test_notes_of_something_else_are_none(text):
    device_notes.notes_file().parent.mkdir(parents=True)
    device_notes.notes_file().write_text(text)
    assert device_notes.read_skipped() == {}
    device_notes.skip("GPU", "it failed")
    assert device_notes.read_skipped() == {"GPU": "it failed"}


def test_openvino_is_not_asked_on_machines_without_such_a_device(openvino, monkeypatch):
    monkeypatch.setattr(openvino_devices, "find_intel", dict)
    openvino.Core.asked = 0
    assert usable(openvino) == []
    assert openvino.Core.asked == 0
    assert not device_notes.notes_file().exists()


def test_a_device_without_a_driver_is_left_alone(openvino, monkeypatch):
    monkeypatch.setenv("FAKE_OPENVINO", '{"GPU.0": "works", "GPU.1": "works"}')
    assert usable(openvino) == ["GPU"]
    monkeypatch.setenv("FAKE_OPENVINO", '{"list": "fails"}')
    assert usable(openvino) == []


def test_the_fastest_device_is_remembered(graphs, openvino, monkeypatch, tries):
    from camdaemon.matting.bgmv2.engines.openvino_engine import OpenVinoDeviceRuntime, OpenVinoRuntime

    def engines() -> EngineFactory:
        found = graphs()
        devices = [OpenVinoDeviceRuntime(found, "float32", each) for each in usable(openvino)]
        return EngineFactory(found.layout, found.mark, [OpenVinoRuntime(found, "float32"), *devices])

    measure = factory._measure_fastest

    def prefer_the_gpu(candidates: dict[str, Any], size: tuple[int, int], pair: NDArray[np.float32]) -> str:
        measure(candidates, size, pair)
        candidates["openvino GPU"].seconds = 0.0
        return "openvino GPU"

    monkeypatch.setattr(factory, "_measure_fastest", prefer_the_gpu)
    assert engines().build(SIZE).name == "openvino GPU"
    assert tries == ["GPU", "NPU"]
    assert engines().build(SIZE).name == "openvino GPU"
    assert tries == ["GPU", "NPU"], "the next start neither tries nor measures"
    device_notes.skip("GPU", "it failed")
    monkeypatch.setattr(factory, "_measure_fastest", measure)
    assert engines().build(SIZE).name != "openvino GPU"


def test_without_a_file_no_other_process_can_try_a_device(graphs, openvino, tries):
    from camdaemon.matting.bgmv2.engines.openvino_engine import GraphSource, OpenVinoDeviceRuntime

    found = GraphSource(NetworkLayout(doubts=False, kernel=3), "mark", {}, {"base": openvino.Model()})
    with pytest.raises(RuntimeError, match="no file"):
        OpenVinoDeviceRuntime(found, "float32", "GPU").build_base(SIZE)
    assert tries == []
