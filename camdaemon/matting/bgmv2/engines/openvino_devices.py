"""Intel's GPU and NPU through OpenVINO: whether they are there, and whether they may be trusted.

A driver can abort the process, hang, or compute something else. So a device is

1. looked for by its node, since asking OpenVINO takes a fifth of a second, and only then by OpenVINO;
2. tried in a process of its own, for each network and size, which is remembered for a week;
3. noted on the disk while it is prepared here (`device_notes`), so that the next start knows of an abort;
4. compared with the CPU.

Imports no OpenVINO. `OpenVinoDeviceRuntime` calls it, in any thread.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from camdaemon.linux.accelerators import find_intel
from camdaemon.linux.folders import find_folder
from camdaemon.linux.programs import ask
from camdaemon.matting.bgmv2.engines.device_notes import noted, read_skipped, remember_tried, skip, was_tried
from camdaemon.matting.bgmv2.engines.engine import BaseMaps, Floats

log = logging.getLogger(__name__)

# Root mean square of the difference from float32 on the CPU, in standard deviations of each map. Rounding to float16
# after every layer gives up to 0.016 with the networks of this project, two channels in the wrong order 0.3 and more.
TOLERANCE = 0.05
_LIMIT_S = 60.0  # for compiling and one run; compilers take 1 to 20 s


def list_usable(core: Any) -> list[str]:
    """Return 'GPU' and 'NPU' where Intel has one here, its driver works, and no note speaks against it.

    Args:
        core: OpenVINO's `Core`. Not asked on machines without such a device.
    """
    there, skipped = set(find_intel()), read_skipped()
    for device in sorted(there & skipped.keys()):
        log.info("engine skipped: openvino %s: %s", device, skipped[device])
    there -= skipped.keys()
    if not there:
        return []
    with noted(*there):  # drivers are loaded here
        try:
            available = {name.partition(".")[0] for name in core.available_devices}  # several GPUs are GPU.0, GPU.1
        except RuntimeError as exc:
            log.info("engine skipped: OpenVINO does not list its devices: %s", exc)
            return []
    return sorted(there & available)


def compile_settings() -> dict[str, str]:
    """Return OpenVINO's settings for a device. Other processes find the compiled networks too."""
    cache = find_folder("cache") / "openvino"
    return {"INFERENCE_PRECISION_HINT": "f16", "PERFORMANCE_HINT": "LATENCY", "CACHE_DIR": str(cache)}


def try_apart(device: str, xml: Path, shape: list[int], mark: str) -> None:
    """Compile and run the network of `xml` in a process of its own, unless that went well in the last week.

    Args:
        device: 'GPU' or 'NPU'.
        xml: The network's graph.
        shape: Of the input.
        mark: Of the network's weights.

    Raises:
        RuntimeError: It did not go well. If the process was aborted or hung, the device is left out from now on.
    """
    key = f"{device} {mark[:16]} {'x'.join(map(str, shape))}"
    if was_tried(key):
        return
    program = str(Path(__file__).with_name("openvino_probe.py"))
    given = [device, str(xml), json.dumps(shape), json.dumps(compile_settings())]
    done = ask([sys.executable, "-P", program, *given], _LIMIT_S)
    if not done.code:
        remember_tried(key)
        return
    if done.code == 124:
        why = f"its driver had not compiled the network after {_LIMIT_S:g} s"
    elif done.code < 0:
        why = f"its driver ended the process that tried it (signal {-done.code})"
    else:  # OpenVINO's own words
        raise RuntimeError(f"{device} refuses the network: {(done.err.splitlines() or ['no reason given'])[-1]}")
    skip(device, why)
    raise RuntimeError(f"{device}: {why}")


def compare(engine: Callable[[Floats], BaseMaps], exact: Callable[[Floats], BaseMaps], shape: list[int]) -> None:
    """Compare an engine's maps with those of an `exact` one, float32 on the CPU, for a scene of `shape` (1,h,w,C).

    Raises:
        RuntimeError: They differ by more than `TOLERANCE`.
    """
    scene = np.ascontiguousarray(_make_scene(*shape[1:3])[..., : shape[3]])
    for name, found, right in zip(BaseMaps._fields, engine(scene), exact(scene), strict=True):
        off = float(np.sqrt(np.mean(np.square(found - right))) / right.std())
        if not off <= TOLERANCE:  # nor is NaN
            raise RuntimeError(f"its {name} maps differ from the CPU's by {off:.3f} standard deviations")


def _make_scene(height: int, width: int) -> Floats:
    """Return picture, plate and confidence, (1,h,w,7): somebody before a room of soft colors, and some noise.

    Pure noise would not do: networks are not made for it, and rounding is four times as visible there.
    """
    rng = np.random.default_rng(1)

    def draw(rows: int, columns: int) -> Floats:
        colors = rng.random((rows, columns, 3), np.float32)
        return np.asarray(cv2.resize(colors, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)

    plate = 0.1 + 0.8 * draw(9, 16)
    y, x = np.linspace(-1, 1, height)[:, None], np.linspace(-1, 1, width)
    away = 1 - (x / 0.35) ** 2 - ((y - 0.6) / 0.9) ** 2  # an ellipse that the lower edge cuts
    inside = (1 / (1 + np.exp(-8 * away)))[..., None]
    picture = plate + inside * (draw(5, 8) - plate) + rng.normal(0, 0.02, plate.shape)
    whole = np.concatenate([np.clip(picture, 0, 1), plate, np.ones((height, width, 1))], 2)
    return whole[None].astype(np.float32)
