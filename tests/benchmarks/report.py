"""The figures for people: tables for a terminal of 80 columns, and a few sentences on what they mean."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

from rich import box
from rich.table import Table

from camdaemon.tools.files.writers import replace_file

_TITLES = {"network": "Network alone", "stops": "Each stop, one after the other", "end to end": "End to end"}
_NETWORKS = {"resnet50": "ResNet-50", "resnet101": "ResNet-101", "mobilenetv2": "MobileNetV2"}
_SIZES = {"1920x1080": "HD", "3840x2160": "4K"}


def tables(found: dict[str, Any]) -> Iterator[Table]:
    """Return the tables of what `measure` or `reproduce` found."""
    for name, part in found.get("parts", {}).items():
        yield _part(_TITLES[name], part)
    if "paper" in found:
        yield from _paper(found["paper"])


def sentences(found: dict[str, Any]) -> Iterator[str]:
    """Return one fact each: the machine, what was measured, memory, the floor, how equal both sides are."""
    on = found["machine"]
    gpu = f", {on['gpu']}" if on["gpu"] else ""
    yield f"{on['cpu']}, {on['cores']} cores{gpu}; torch {on['torch']}, threads: {on['threads']}"
    if "subject" in found:
        measured = found["subject"]
        weights = (
            f"{measured['backbone']}, random weights" if measured["backbone"] else f"weights {measured['weights']}"
        )
        engine = f"{measured['engine']} {measured['precision']}"
        yield f"{measured['size']}, {weights}, {measured['mode']}, {engine}; {measured['footage']}"
    if "soak" in found:
        yield from _soak(found["soak"])
    elif "plate" in found:
        yield from _plate(found)
    elif "difference" in found:
        yield from _compared(found)
    yield from _remarks(found.get("paper", []))
    if "soak" not in found and "plate" not in found:
        yield "ratio: how many times as fast as the baseline; the median of the rounds (lowest to highest)"
    if found["busy"]:
        yield found["busy"]


def _compared(found: dict[str, Any]) -> Iterator[str]:
    apart = found["difference"]
    yield (
        f"alpha differs from the baseline's by {apart['mean']:.3f}/255 in the mean, "
        f"{apart['p999']:.2f}/255 at the 99.9th percentile, {apart['most']:.1f}/255 at most"
    )
    yield from _floor(found["floor"])
    if "device" in found:
        yield _device(found["device"])
    yield f"memory of the process before the baseline was made: {found['resident_mb']:.0f} MB resident"


def _device(device: dict[str, Any]) -> str:
    if not device["camdaemon_ms"] or not device["baseline_ms"]:
        return "the GPU's own time is not known: its profiler (CUPTI) reports nothing here"
    low, high = device["ratio_range"]
    return (
        f"the GPU needs {device['camdaemon_ms']:.3f} ms per frame, from bytes in to bytes out, all kernels and copies; "
        f"baseline {device['baseline_ms']:.3f} ms, ratio {device['ratio']:.2f}× ({low:.2f}–{high:.2f})"
    )


def _soak(run: dict[str, Any]) -> Iterator[str]:
    late, period = run["ms"]["latency"], run["period_ms"]
    yield (
        f"{run['frames']} frames, one each {period:.2f} ms: {run['dropped']} dropped, {run['fps']:.2f} per second "
        f"published, CPU {run['cpu_percent']:.0f} % of a core"
    )
    shares = ", ".join(f"{late[q]:.2f} ms at {q} ({late[q] / period:.2f} periods)" for q in ("p50", "p95", "p99"))
    yield f"from capture to publishing: {shares}"
    if run["warm_resident_mb"]:
        yield f"resident: {run['warm_resident_mb']:.1f} MB after 20 s, {run['resident_mb']:.1f} MB at the end"
    if run["gpu_memory_mb"]:
        yield f"GPU memory: {run['gpu_memory_mb']:.0f} MB at most"


def _plate(found: dict[str, Any]) -> Iterator[str]:
    for name, run in found["plate"].items():
        yield (
            f"{name}: a frame {run['frame_ms']:.1f} ms; looking after the plate {run['tend_ms']:.2f} ms a frame, mean "
            f"({run['share']:.1%} of it), {run['longest_ms']:.1f} ms at most; at the end "
            f"{run['known_percent']:.0f} % is known"
        )
    for name, run in found["movements"].items():
        yield (
            f"{name}: found in {run['find_ms']:.1f} ms ({run['of_a_frame']:.0%} of a frame), plate moved in "
            f"{run['warp_ms']:.1f} ms; structures alike {run['fit_before']:.2f}, then {run['fit']:.2f}"
        )


def _remarks(rows: list[dict[str, Any]]) -> Iterator[str]:
    """Return what the paper's rows do not say by themselves."""
    for row in rows:
        if "note" in row:
            network, patches, batch, *_ = _cells(row)
            yield f"not measured: {network}, {patches} patches, batch {batch}: it {row['note']}"
    if any(row["camdaemon_precision"] != row["precision"] for row in rows if "camdaemon_precision" in row):
        yield "the baseline uses the row's number format, camdaemon the one it chooses: part of the ratios is that"


def _floor(floor: dict[str, Any]) -> Iterator[str]:
    yield (
        f"operations of one frame: base {floor['base'] / 1e9:.2f} GMAC, refiner {floor['refiner'] / 1e9:.2f} GMAC for "
        f"{floor['patches']} patches ({floor['shared'] / 1e9:.2f} if they shared what overlaps); bytes: "
        f"{floor['layers'] / 1e6:.0f} MB layer by layer, {floor['least'] / 1e6:.0f} MB at the very least"
    )
    yield (
        f"floor: {floor['ms']:.2f} ms at this machine's measured {floor['peak_gmacs_per_s']:.0f} GMAC/s and "
        f"{floor['peak_gbytes_per_s']:.0f} GB/s, which is {floor['share']:.0%} of the network's time"
    )


def _part(title: str, part: dict[str, Any]) -> Table:
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("ms")
    for heading in ("p50", "p95", "p99", "baseline", "ratio", "(range)"):
        table.add_column(heading, justify="right", no_wrap=True)
    daemon, baseline = part["camdaemon"], part["baseline"]
    for stop, ms in daemon["ms"].items():
        other = baseline["ms"].get(stop)
        table.add_row(
            stop,
            *(f"{ms[q]:.2f}" for q in ("p50", "p95", "p99")),
            "–" if other is None else f"{other['p50']:.2f}",
            *_ratio(part, stop),
        )
    table.add_section()
    table.add_row("fps", f"{daemon['fps']:.1f}", "", "", f"{baseline['fps']:.1f}", *_ratio(part, "fps"))
    table.add_row("CPU %", f"{daemon['cpu_percent']:.0f}", "", "", f"{baseline['cpu_percent']:.0f}", "", "")
    if daemon["gpu_memory_mb"]:
        table.add_row("GPU MB", f"{daemon['gpu_memory_mb']:.0f}", "", "", f"{baseline['gpu_memory_mb']:.0f}", "", "")
    if daemon["dropped"] or baseline["dropped"]:
        table.add_row("dropped", str(daemon["dropped"]), "", "", str(baseline["dropped"]), "", "")
    return table


def _ratio(part: dict[str, Any], stop: str) -> tuple[str, str]:
    if stop not in part["ratio"]:
        return "–", ""
    low, high = part["ratio_range"][stop]
    return f"{part['ratio'][stop]:.2f}×", f"({low:.2f}–{high:.2f})"


def _paper(rows: list[dict[str, Any]]) -> Iterator[Table]:
    """Return one table for each table and GPU of the paper."""
    for (number, gpu), group in groupby(rows, lambda row: (row["table"], row["published_gpu"])):
        title = f"Table {number} of Lin et al. 2021 ({gpu}), frames per second"
        table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
        for heading in ("network", "patches", "batch"):
            table.add_column(heading, no_wrap=True)
        for heading in ("paper", "GMAC (paper)", "base", "ours", "ratio"):
            table.add_column(heading, justify="right", no_wrap=True)
        for row in group:
            table.add_row(*_cells(row))
        yield table


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    gmac = "" if row["published_gmac"] is None else f" ({row['published_gmac']})"
    return (
        f"{_NETWORKS[row['backbone']]} {_SIZES.get(row['size'], row['size'])}",
        "full" if row["patches"] is None else f"{row['patches']:,}",
        f"{row['batch']} {row['precision'].replace('float', 'fp')}",
        f"{row['published_fps']:g}",
        f"{row['gmac']:.1f}{gmac}" if "gmac" in row else "",
        f"{row['baseline_fps']:.4g}" if "baseline_fps" in row else "–",
        f"{row['camdaemon_fps']:.4g}" if "camdaemon_fps" in row else "",
        f"{row['ratio']:.2f}×" if "ratio" in row else "",
    )


def write_json(path: Path, found: dict[str, Any]) -> None:
    """Write everything, also what the tables leave out. Raises ConfigError if it cannot be written."""
    with replace_file(path) as partial:
        partial.write_text(json.dumps(found, indent=1, allow_nan=False) + "\n", "utf-8")
