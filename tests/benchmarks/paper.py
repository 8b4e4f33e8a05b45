"""The rows of the paper's tables on speed (Lin et al. 2021, Tables 3, 7, 9 and 10), measured here: the network alone.

The published figures are frames per second of the authors' GPUs. Ours are those of this machine: of the baseline in the
row's number format, and of camdaemon, one frame at a time, in the format that it chooses.
"""

from __future__ import annotations

import gc
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import torch

from camdaemon.daemon.build import matting_settings
from camdaemon.daemon.progress import show_progress
from camdaemon.frames import pixels
from camdaemon.frames.frame import Size
from camdaemon.frames.picture import quiet_opencv
from camdaemon.frames.transfer import Device, choose_device
from camdaemon.matting.bgmv2.matting import BackgroundMatting
from tests.benchmarks import machine, network
from tests.benchmarks.comparison import Comparison, alternate
from tests.benchmarks.processor import BaselineMatting
from tests.benchmarks.settings import Settings, write_random_weights

HD, UHD = Size(1920, 1080), Size(3840, 2160)
_SCALE = {HD: 0.25, UHD: 0.125}
_PATCHES = {HD: 5_000, UHD: 20_000}
_TI, _SUPER = "RTX 2080 Ti", "RTX 2060 Super"


class Setting(NamedTuple):
    """What is run."""

    backbone: str
    size: Size
    patches: int | None  # None: the full frame
    batch: int = 1
    precision: str = "float32"


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table, as published."""

    table: int
    setting: Setting
    fps: float
    gpu: str = _TI
    gmac: float | None = None


def _usual(backbone: str, size: Size, batch: int = 1, precision: str = "float32") -> Setting:
    return Setting(backbone, size, _PATCHES[size], batch, precision)


ROWS = (
    Row(3, _usual("resnet50", HD), 60.0, gmac=34.3),
    Row(3, _usual("resnet101", HD), 42.5, gmac=44.0),
    Row(3, _usual("mobilenetv2", HD), 100.6, gmac=9.9),
    Row(3, _usual("resnet50", UHD), 33.2, gmac=41.5),
    Row(3, _usual("resnet101", UHD), 29.8, gmac=51.2),
    Row(3, _usual("mobilenetv2", UHD), 45.4, gmac=17.0),
    Row(7, Setting("resnet50", HD, 2_500), 62.9),
    Row(7, Setting("resnet50", HD, 5_000), 60.0),
    Row(7, Setting("resnet50", HD, 7_500), 55.7),
    Row(7, Setting("resnet50", HD, None), 42.8),
    *(
        Row(9, _usual(backbone, size), fps, gpu)
        for gpu, published in ((_TI, (60.0, 33.2, 100.6, 45.4)), (_SUPER, (42.8, 23.3, 75.6, 31.3)))
        for (backbone, size), fps in zip(
            (("resnet50", HD), ("resnet50", UHD), ("mobilenetv2", HD), ("mobilenetv2", UHD)), published, strict=True
        )
    ),
    Row(10, _usual("mobilenetv2", HD), 100.6),
    Row(10, _usual("mobilenetv2", HD, 8), 138.4),
    Row(10, _usual("mobilenetv2", HD, 8, "float16"), 200.0),
    Row(10, _usual("mobilenetv2", UHD, 8, "float16"), 64.2),
)


def reproduce(settings: Settings, rows: tuple[Row, ...] = ROWS) -> dict[str, Any]:
    """Measure each setting of `rows` once. Raises ConfigError.

    Device, threads, frames, rounds, engine and precision are those of `settings`.
    """
    quiet_opencv()
    device = choose_device(settings.device)
    busy = machine.warn_if_busy()
    different = list(dict.fromkeys(row.setting for row in rows))
    with (
        tempfile.TemporaryDirectory(prefix="camdaemon-bench-") as folder,
        machine.use_threads(settings.threads) as threads,
        show_progress("the paper's rows", len(different)) as tick,
    ):
        found: dict[Setting, dict[str, Any]] = {}
        for setting in different:
            found[setting] = _measure(setting, settings, device, Path(folder))
            tick()
        facts = machine.describe(device, threads)
    return {"machine": facts, "busy": busy, "paper": [_describe(row) | found[row.setting] for row in rows]}


def needs_gpu(setting: Setting) -> bool:
    """Whether a CPU is pointless: a batch for throughput, or a number format in which it is slow."""
    return setting.batch > 1 or setting.precision == "float16"


def _describe(row: Row) -> dict[str, Any]:
    setting = row.setting
    return {
        "table": row.table,
        "backbone": setting.backbone,
        "size": str(setting.size),
        "patches": setting.patches,
        "batch": setting.batch,
        "precision": setting.precision,
        "published_gpu": row.gpu,
        "published_fps": row.fps,
        "published_gmac": row.gmac,
    }


def _measure(setting: Setting, settings: Settings, device: Device, folder: Path) -> dict[str, Any]:
    if needs_gpu(setting) and device == "cpu":
        return {"note": "needs a GPU"}
    mode, refined = ("full", None) if setting.patches is None else ("sampling", 16 * setting.patches)
    weights = write_random_weights(setting.backbone, folder)
    of = replace(settings, source="pattern", weights="published", backbone=setting.backbone, size=setting.size)
    config = replace(of, mode=mode, pixels=refined, scale=_SCALE[setting.size], device=device).config(weights)
    shape = (setting.batch, 3, setting.size.height, setting.size.width)
    src, plate = (torch.rand(shape, device=device).to(getattr(torch, setting.precision)) for _ in range(2))
    try:
        baseline = BaselineMatting(config, setting.size, device, src.dtype)
        floor = network.count(baseline, (src, plate))
        counted = {"gmac": round((floor.base + floor.refiner) / setting.batch / 1e9, 2)}
        if setting.batch > 1:  # live there is one frame at a time
            runs = [
                network.time_mattes(baseline, [(src, plate)], settings.frames, device) for _ in range(settings.rounds)
            ]
            return counted | {"baseline_fps": round(setting.batch * median(run.fps for run in runs), 2)}
        matting: Any = BackgroundMatting.open(matting_settings(config), device)
        matting.warm_up(setting.size)
        own_src, own_plate = (part.half() if device == "cuda" else pixels.as_bytes(part) for part in (src, plate))
        baseline(src, plate)
        compared = alternate(
            lambda: network.time_mattes(
                lambda a, b: matting(a, b, None, 0), [(own_src, own_plate)], settings.frames, device
            ),
            lambda: network.time_mattes(baseline, [(src, plate)], settings.frames, device),
            settings.rounds,
            lambda: None,
        )
        return counted | _speeds(compared, matting.engine)
    except torch.OutOfMemoryError:
        return {"note": "needs more memory"}
    finally:
        gc.collect()


def _speeds(compared: Comparison, engine: str) -> dict[str, Any]:
    return {
        "baseline_fps": round(median(run.fps for run in compared.baseline), 2),
        "camdaemon_fps": round(median(run.fps for run in compared.camdaemon), 2),
        "camdaemon_engine": engine.split(maxsplit=1)[0],
        "camdaemon_precision": engine.split()[1],
        "ratio": round(median(compared.ratios()["fps"]), 3),
    }
