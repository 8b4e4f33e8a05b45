"""The mattings that are compared, and how they run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from camdaemon.config.schema import Config, RefineConfig
from camdaemon.errors import ConfigError
from camdaemon.frames.composite import Matte
from camdaemon.frames.transfer import choose_device
from camdaemon.matting import find_matting
from camdaemon.matting.bgmv2.weights import find_weights
from camdaemon.plate.parts import Plate
from camdaemon.tools.files.offline import OfflinePipeline
from camdaemon.tools.files.rendering import explain_card


@dataclass(frozen=True, slots=True)
class Running:
    """How mattings run.

    Attributes:
        device: auto, cpu or cuda.
        live: With no more work than on live frames on that device.
        plates: They will get plates; the default weights depend on it.
        gated: A matte that covers too much counts as a card.
        engine: On bytes by this engine, as the daemon on a CPU; None: in floats.
        precision: Of the engine.
        work: What the networks refine, and their base input; None: by the effort.
        usually_matched: Names tell of an exposure that is matched or not, where that is not the usual.

    Raises:
        ConfigError: There is no such device, or it has no engines.
    """

    device: str = "auto"
    live: bool = False
    plates: bool = True
    gated: bool = True
    engine: str | None = None
    precision: str = "auto"
    work: RefineConfig | None = None
    usually_matched: bool = True

    def __post_init__(self) -> None:
        if self.device not in (known := get_args(Config.model_fields["device"].annotation)):
            options = ", ".join(known[:-1])
            raise ConfigError(f"there is no device {self.device!r}. Run with: --device {options} or {known[-1]}")
        if self.engine is not None and choose_device(self.device) != "cpu":
            raise ConfigError("engines are for a CPU. Run with: --device cpu")

    def open(self, config: Config) -> OfflinePipeline:
        """Open a matting."""
        return OfflinePipeline(config, live=self.live, in_bytes=self.engine is not None)


@dataclass(frozen=True, slots=True)
class NamedMatting:
    """A matting as it is compared.

    Attributes:
        name: In tables.
        pipeline: Computes its mattes.
        max_coverage: A matte that covers more of the picture would be a card; 1: none would.
    """

    name: str
    pipeline: OfflinePipeline
    max_coverage: float = 1.0

    def told(self, plate: Plate) -> str:
        """Return the name with what this matting makes of `plate`, if it cannot be told what is unknown."""
        believes = plate.confidence is not None and not self.pipeline.matting.doubts
        return f"{self.name}, gray plate" if believes else self.name

    def is_card(self, matte: Matte) -> bool:
        """Whether viewers would get a card instead."""
        return bool(explain_card(matte, self.max_coverage))


def open_mattings(specs: list[str], exposures: list[bool], running: Running) -> list[NamedMatting]:
    """Open every matting of `specs` with every exposure matching of `exposures`.

    Args:
        specs: Names of mattings, with the default weights, or NAME:WEIGHTS with others.
        exposures: Whether the plate is matched to each picture's exposure.
        running: How they run.

    Raises:
        ConfigError: A spec does not exist, or a matting cannot be opened.
    """
    limit = Config().max_coverage if running.gated else 1.0
    return [
        NamedMatting(
            _name(spec) + _tell(match, running.usually_matched),
            running.open(_config(spec, running, match=match)),
            limit,
        )
        for spec in specs
        for match in exposures
    ]


def _name(spec: str) -> str:
    kind, _, file = spec.partition(":")
    return f"{kind} {Path(file).stem}" if file else kind


def _tell(match: bool, usual: bool) -> str:
    return "" if match == usual else ", matched" if match else ", unmatched"


def _config(spec: str, running: Running, *, match: bool) -> Config:
    name, _, file = spec.partition(":")
    uses_weights = find_matting(name).uses_weights
    if file and not uses_weights:
        raise ConfigError(f"no such matting {spec!r}: {name} has no weights. Run with: --matting {name}")
    if uses_weights and not file and not running.plates:
        file = str(find_weights("default", "without_plate"))
    return Config.model_validate(
        {
            "matting": name,
            "weights": file or "default",
            "match_exposure": match,
            "device": running.device,
            "engine": running.engine or "auto",
            "precision": running.precision,
            "refine": running.work or RefineConfig(),
        }
    )
