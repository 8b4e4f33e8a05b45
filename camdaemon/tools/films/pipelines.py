"""The pipelines that matte films: in bytes where a film and its results have 8 bits, else in floats."""

from __future__ import annotations

import hashlib
import sys
from importlib.util import find_spec
from typing import Any, Literal

from camdaemon.config.schema import Config
from camdaemon.errors import ConfigError
from camdaemon.frames.frame import Size
from camdaemon.frames.transfer import choose_device
from camdaemon.linux.threads import count_compute_threads, share_processors
from camdaemon.matting import Purpose, find_matting
from camdaemon.matting.bgmv2.cpu.matting import CpuMatting
from camdaemon.matting.bgmv2.engines.graphs import find_graphs
from camdaemon.matting.bgmv2.weights import find_weights, load_file, mark_of
from camdaemon.tools.files.offline import OfflinePipeline
from camdaemon.tools.files.uploader import ADD_TORCH, has_torch
from camdaemon.tools.films.job import FilmJob

Work = Literal["live", "files", "best"]
_PRECISIONS = ("float32", "bfloat16", "int8")


def _share_processors(frames: int) -> None:
    """Divide the processors among `frames`, also for torch, which has one number of threads for all that is made."""
    share_processors(frames)
    if (torch := sys.modules.get("torch")) is not None:
        torch.set_num_threads(count_compute_threads())


class Pipelines:
    """The pipelines of a batch, made when they are needed. Used by one thread.

    Args:
        config: Matting, weights, device, engine.
        work: How much goes into each frame: as much as the daemon does, the best for files, or that twice, mirrored.
        plates: Whether there are plates.
        align: Whether plates follow the camera.
    """

    def __init__(self, config: Config, work: Work, *, plates: bool, align: bool) -> None:
        self._config, self._work, self._plates, self._align = config, work, plates, align
        self._device = choose_device(config.device)
        self._doubts = self._find_doubts()
        self._made: dict[tuple[bool, str], OfflinePipeline] = {}

    def find(self, job: FilmJob, before: str) -> tuple[OfflinePipeline, str]:
        """Return the pipeline for a film.

        Args:
            job: The film.
            before: The engine that it was begun with, if it was.

        Returns:
            The pipeline, and its engine. Live work takes the fastest engine, which is measured; so that a film that
            resumes gets the same, that is what it is told.

        Raises:
            ConfigError: The matting cannot be made so.
            MattingError: The device cannot do it.
        """
        in_bytes = self._device == "cpu" and self._choose_bytes(job)
        config = self._choose_engine(before)
        key = in_bytes, f"{config.engine} {config.precision}"
        # Several frames are in work, or encoding takes as long as matting. A plate that is aligned needs each in turn.
        shares = (in_bytes and not self._align) or not find_matting(config.matting).uses_weights
        _share_processors(2 if shares else 1)
        if key not in self._made:
            self._made[key] = OfflinePipeline(
                config,
                live=self._work == "live",
                plates=self._plates,
                in_bytes=in_bytes,
                align=self._align,
                best=self._work == "best",
            )
        pipeline = self._made[key]
        if not in_bytes:
            return pipeline, f"{self._device} floats, {pipeline.find_batch(*job.film.size)} at once"
        size = Size.around(*job.film.size)
        if self._work == "live" or not isinstance(pipeline.matting, CpuMatting):
            pipeline.matting.warm_up(size)
        else:
            pipeline.matting.build(size)
        return pipeline, getattr(pipeline.matting, "engine", "")

    def _choose_bytes(self, job: FilmJob) -> bool:
        """Return whether a film is matted in bytes on a CPU. Raises ConfigError: it cannot be, and torch is missing."""
        needs_floats = job.film.deep or job.wanted.needs_maps
        if not has_torch():
            if needs_floats:
                what = "a film of more than 8 bits" if job.film.deep else "the network's own maps"
                raise ConfigError(f"{what} needs torch, which is not installed. {ADD_TORCH}")
            return True
        return not needs_floats and self._work != "best" and (self._work == "live" or not self._doubts)

    @property
    def _purpose(self) -> Purpose:
        return "without_plate" if not self._plates else "live" if self._work == "live" else "files"

    def _find_doubts(self) -> bool:
        """Tell whether the network is told how far to trust a plate: its byte formulation is the daemon's alone."""
        if not find_matting(self._config.matting).uses_weights:
            return False
        weights = find_weights(self._config.weights, self._purpose, self._device)
        graphs = find_graphs(weights, mark_of(weights))
        return graphs.layout.doubts if graphs is not None else load_file(weights).doubts

    def _choose_engine(self, before: str) -> Config:
        engine, _, precision = before.partition(" ")
        if self._work != "live":
            engine = self._config.engine
            if engine == "auto":
                engine = "openvino" if find_spec("openvino") is not None else "torch"
            return self._config.model_copy(update={"engine": engine, "precision": "float32"})
        if engine in ("torch", "openvino") and precision in _PRECISIONS:
            return self._config.model_copy(update={"engine": engine, "precision": precision})
        return self._config

    def facts(self) -> dict[str, Any]:
        """Return what decides about mattes, as JSON; see `FilmJob.settings`."""
        config, weights = self._config, ""
        if find_matting(config.matting).uses_weights:
            path = find_weights(config.weights, self._purpose, self._device)
            with path.open("rb") as file:
                weights = f"{path.name} ({hashlib.file_digest(file, 'sha256').hexdigest()[:16]})"
        return {
            "matting": config.matting,
            "weights": weights,
            "effort": self._work,
            "refine": config.refine.model_dump(mode="json"),
            "match exposure": config.match_exposure,
            "align": self._align,
        }
