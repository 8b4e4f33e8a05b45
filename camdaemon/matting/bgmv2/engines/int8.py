"""The base network in int8: a file beside the weights that it was made of, by `camdaemon.tools.quantize`.

NAME.safetensors has NAME-int8.xml and NAME-int8.bin beside it. `manifest.json` in the same folder has their checksums
and that of the weights. So what was made of other weights, or of an older state of these, is never run.
"""

from __future__ import annotations

import hashlib
import json
import logging
from pathlib import Path
from typing import Any

from camdaemon.linux.files import replace_atomically

log = logging.getLogger(__name__)


def int8_paths(weights: Path) -> tuple[Path, Path]:
    """Return the paths of the int8 network of `weights`: .xml and .bin."""
    xml = weights.with_name(f"{weights.stem}-int8.xml")
    return xml, xml.with_suffix(".bin")


def find_int8(weights: Path) -> Path | None:
    """Return the .xml of the int8 network that was made of exactly these weights; None where there is none.

    One that is there and does not fit is logged.
    """
    xml, _ = both = int8_paths(weights)
    if not xml.is_file():
        return None
    try:
        entry = json.loads(_manifest(weights).read_text("utf-8"))["int8"][weights.name]
        damaged = [path.name for path in both if _checksum(path) != entry["files"][path.name]["sha256"]]
        why = f"{damaged[0]} has a wrong checksum" if damaged else "it was made of other weights"
        if not damaged and _checksum(weights) == entry["of"]:
            return xml
    except (OSError, ValueError) as exc:
        why = str(exc)
    except (KeyError, TypeError):
        why = f"{_manifest(weights)} does not name it"
    log.info("engine skipped: %s: %s", xml, why)
    return None


def record_int8(weights: Path) -> None:
    """Write the checksums of the int8 network of `weights` into the manifest beside it, which may be missing.

    Raises:
        OSError, ValueError: The manifest cannot be read or written.
    """
    path = _manifest(weights)
    manifest: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    made = {each.name: {"sha256": _checksum(each), "bytes": each.stat().st_size} for each in int8_paths(weights)}
    manifest.setdefault("int8", {})[weights.name] = {"of": _checksum(weights), "files": made}
    replace_atomically(path, json.dumps(manifest, indent=2, ensure_ascii=False) + "\n")


def _manifest(weights: Path) -> Path:
    return weights.with_name("manifest.json")


def _checksum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
