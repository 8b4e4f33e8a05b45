"""The network as static graphs in files beside the weights that they were made of. Loads neither torch nor OpenVINO.

NAME.safetensors has NAME.xml and NAME.bin beside it, the base network; NAME-refiner.* and NAME-hidden.*, by
`camdaemon.tools.graphs`; and NAME-int8.*, by `camdaemon.tools.quantize`. `manifest.json` in the same folder has their
checksums, that of the weights, and what tells the network from others. So what was made of other weights, or of an
older state of these, is never run.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from camdaemon.linux.files import replace_atomically
from camdaemon.model.layout import NetworkLayout

log = logging.getLogger(__name__)

Part = Literal["base", "refiner", "hidden", "int8"]


@dataclass(frozen=True, slots=True)
class GraphFiles:
    """Where the graphs of a network are.

    Attributes:
        layout: Of the network.
        mark: Checksum of the weights that they were made of.
        paths: The .xml of each part.
    """

    layout: NetworkLayout
    mark: str
    paths: Mapping[Part, Path]


def graph_paths(weights: Path, part: Part) -> tuple[Path, Path]:
    """Return the paths of a graph of `weights`: .xml and .bin."""
    xml = weights.with_name(f"{weights.stem}.xml" if part == "base" else f"{weights.stem}-{part}.xml")
    return xml, xml.with_suffix(".bin")


def list_parts(layout: NetworkLayout) -> list[Part]:
    """Return which graphs a network has, besides int8."""
    if layout.kernel is None:
        return ["base"]
    return ["base", "refiner"] if layout.doubts else ["base", "refiner", "hidden"]


def find_graphs(weights: Path, mark: str) -> GraphFiles | None:
    """Return the graphs beside `weights` that were made of weights with the checksum `mark`; None without them.

    One that is there and does not fit is logged.
    """
    entry = _find_entry(weights, "graphs", "base", mark)
    try:
        layout = None if entry is None else NetworkLayout(**entry["network"])
    except (KeyError, TypeError):
        layout = None
    if layout is None:
        return None
    return GraphFiles(layout, mark, {part: graph_paths(weights, part)[0] for part in list_parts(layout)})


def find_int8(weights: Path) -> Path | None:
    """Return the .xml of the int8 base network that was made of exactly these weights; None where there is none.

    One that is there and does not fit is logged.
    """
    xml, _ = graph_paths(weights, "int8")
    return None if not xml.is_file() or _find_entry(weights, "int8", "int8", checksum(weights)) is None else xml


def record_graphs(weights: Path, layout: NetworkLayout, mark: str) -> None:
    """Write what is known of the graphs of `weights` into the manifest beside them, which may be missing.

    Raises:
        OSError, ValueError: The manifest cannot be read or written.
    """
    files = [path for part in list_parts(layout) for path in graph_paths(weights, part)]
    _record(weights, "graphs", mark, files, {"network": asdict(layout)})


def record_int8(weights: Path) -> None:
    """Do what `record_graphs` does for the int8 network of `weights`."""
    _record(weights, "int8", checksum(weights), graph_paths(weights, "int8"), {})


def checksum(path: Path) -> str:
    """Return the SHA-256 of a file, which is read once for each of its states. Raises OSError."""
    state = path.stat()
    return _read_checksum(path, state.st_ino, state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=64)
def _read_checksum(path: Path, *state: int) -> str:  # noqa: ARG001 -- of the state, so that it is part of the key
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _find_entry(weights: Path, section: str, part: Part, mark: str) -> dict[str, Any] | None:
    """Return the manifest's entry for graphs of `weights`, if all its files are intact and of these weights."""
    xml, _ = graph_paths(weights, part)
    if not xml.is_file():
        return None
    manifest = _manifest(weights)
    try:
        entry: dict[str, Any] = json.loads(manifest.read_text("utf-8"))[section][weights.name]
        damaged = [name for name, each in entry["files"].items() if checksum(xml.with_name(name)) != each["sha256"]]
        why = f"{damaged[0]} has a wrong checksum" if damaged else "it was made of other weights"
        if not damaged and xml.name in entry["files"] and mark == entry["of"]:
            return entry
    except (OSError, ValueError) as exc:
        why = str(exc)
    except (KeyError, TypeError, AttributeError):
        why = f"{manifest} does not name it"
    log.info("engine skipped: %s: %s", xml, why)
    return None


def _record(weights: Path, section: str, mark: str, paths: Iterable[Path], more: dict[str, Any]) -> None:
    path = _manifest(weights)
    manifest: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    files = {each.name: {"sha256": checksum(each), "bytes": each.stat().st_size} for each in paths}
    manifest.setdefault(section, {})[weights.name] = {"of": mark, **more, "files": files}
    replace_atomically(path, json.dumps(manifest, indent=2, ensure_ascii=False) + "\n")


def _manifest(weights: Path) -> Path:
    return weights.with_name("manifest.json")
