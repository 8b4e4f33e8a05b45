"""Intel's GPU and NPU: used where they compute what the CPU does, and never the end of us. OpenVINO is a stand-in."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from camdaemon.linux.programs import ask
from camdaemon.matting.bgmv2.engines import device_notes, factory, openvino_devices
from camdaemon.matting.bgmv2.engines.dense import BaseMaps, make_dense_base
from camdaemon.matting.bgmv2.engines.factory import BaseEngineFactory

pytestmark = pytest.mark.usefixtures("one_thread")

FAKE = Path(__file__).parent / "fake_openvino"
ENGINE = "camdaemon.matting.bgmv2.engines.openvino_engine"
SIZE = (32, 48)
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
    base = make_dense_base(network, even=True)

    def compute(given: Any) -> list[Any]:
        return [each.permute(0, 2, 3, 1).numpy() for each in base(torch.from_numpy(given).permute(0, 3, 1, 2))]

    monkeypatch.setattr(fake, "network", compute)
    monkeypatch.setattr(openvino_engine, "convert", lambda network: fake.Model())
    yield fake
    for name in [name for name in sys.modules if name == ENGINE or name.partition(".")[0] == "openvino"]:
        del sys.modules[name]
    sys.modules.update(before)
    package.__dict__.pop("openvino_engine", None)
    if had is not None:
        package.openvino_engine = had


@pytest.fixture
def build(network, openvino) -> Callable[..., Any]:
    """build('GPU'): an engine on it, as after a start of the program."""

    def made(device: str, size: tuple[int, int] = SIZE) -> Any:
        from camdaemon.matting.bgmv2.engines.openvino_engine import OpenVinoEngineFactory

        with torch.inference_mode():
            return OpenVinoEngineFactory(network).build_on(device, size, torch.float32)

    return made


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
    assert (engine.name, engine.dtype) == ("openvino GPU", torch.float32)
    given = torch.rand(1, 6, *SIZE).contiguous(memory_format=torch.channels_last)
    with torch.inference_mode():
        wanted = make_dense_base(network, even=True)(given)[0][0].permute(1, 2, 0)
        assert float((engine(given).visible - wanted).abs().max()) < 1e-5
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
    base = make_dense_base(network, even=True)
    with pytest.raises(RuntimeError, match="differ"):
        openvino_devices.compare(
            lambda given: BaseMaps(torch.full((*SIZE, 5), torch.nan), torch.zeros(16, 24, 48)), base, SIZE
        )


def test_float16_is_within_the_tolerance(network):
    base, tolerated = make_dense_base(network, even=True), openvino_devices.TOLERANCE
    half = make_dense_base(network, even=True)

    def rounded(given: torch.Tensor) -> BaseMaps:
        hooks = [
            each.register_forward_hook(lambda module, args, y: y.half().float())
            for each in half.modules()
            if isinstance(each, torch.nn.Conv2d)
        ]
        try:
            return BaseMaps(*(each[0].permute(1, 2, 0) for each in half(given)))
        finally:
            for hook in hooks:
                hook.remove()

    openvino_devices.compare(rounded, base, SIZE)
    with pytest.raises(RuntimeError):
        openvino_devices.compare(
            lambda given: BaseMaps(*(each + 2 * tolerated * each.std() for each in rounded(given))), base, SIZE
        )


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
        engine(torch.zeros(1, 6, *SIZE))
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


CHOICES = [("auto", "auto", {"openvino GPU", "openvino NPU"}), ("openvino", "auto", set()), ("auto", "float32", set())]


@pytest.mark.parametrize(("engine", "precision", "offered"), CHOICES)
def test_devices_are_offered_where_the_choice_is_ours(network, openvino, monkeypatch, engine, precision, offered):
    monkeypatch.setattr(factory, "has_bfloat16", lambda: False)
    made = BaseEngineFactory(network, engine, precision)
    assert {name for name in made._builders if "PU" in name} == offered


def test_the_fastest_device_is_remembered(network, openvino, monkeypatch, tries):
    measure = factory._measure_fastest

    def prefer_the_gpu(candidates: dict[str, Any], size: tuple[int, int], pair: torch.Tensor) -> str:
        measure(candidates, size, pair)
        candidates["openvino GPU"].seconds = 0.0
        return "openvino GPU"

    monkeypatch.setattr(factory, "has_bfloat16", lambda: False)
    monkeypatch.setattr(factory, "_measure_fastest", prefer_the_gpu)
    with torch.inference_mode():
        assert BaseEngineFactory(network, "auto", "auto").build(SIZE).name == "openvino GPU"
        assert tries == ["GPU", "NPU"]
        assert BaseEngineFactory(network, "auto", "auto").build(SIZE).name == "openvino GPU"
    assert tries == ["GPU", "NPU"], "the next start neither tries nor measures"
    device_notes.skip("GPU", "it failed")
    monkeypatch.setattr(factory, "_measure_fastest", measure)
    with torch.inference_mode():
        assert BaseEngineFactory(network, "auto", "auto").build(SIZE).name != "openvino GPU"
