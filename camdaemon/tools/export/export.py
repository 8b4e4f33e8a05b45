"""`camdaemon export`: checks, a draft, the comparison with torch, and only then the name."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from camdaemon.errors import ConfigError
from camdaemon.linux.results import check_results
from camdaemon.matting.bgmv2.engines.graphs import graph_paths
from camdaemon.matting.bgmv2.weights import load_weights
from camdaemon.model.layout import SIDE
from camdaemon.model.network import MattingNetwork
from camdaemon.tools.export import comparison
from camdaemon.tools.export.card import card_path, describe, make_card
from camdaemon.tools.export.comparison import Difference, compute_reference, measure
from camdaemon.tools.export.family import Family, Request, load_family
from camdaemon.tools.export.pictures import draw_samples
from camdaemon.tools.export.static import StaticNetwork, make_static
from camdaemon.tools.files.writers import replace_file


class Exported(NamedTuple):
    """What was written.

    Attributes:
        files: The export; the one to name is the last.
        card: The page beside it.
        difference: From torch.
    """

    files: list[Path]
    card: Path
    difference: Difference

    def __str__(self) -> str:
        size = sum(path.stat().st_size for path in self.files) / 1e6
        return f"{self.files[-1]}: {size:.1f} MB; {describe(self.difference)}\nWhat goes in and out: {self.card}"


def export(request: Request, families: Callable[[Request], Family] = load_family) -> Exported:
    """Write the network of `request.weights` for another runtime, compare it with torch, and give it its name.

    Args:
        request: What to export.
        families: Makes what writes and runs the files.

    Raises:
        ConfigError: The request cannot be met; nothing was written.
        CamdaemonError: The export computes something else than torch; nothing was kept.
    """
    _check(request)
    family = families(request)
    files, card = family.files(request.output), card_path(request.output)
    check_results([*files, card], [request.weights, *graph_paths(request.weights, "int8")], force=request.force)
    network = load_weights(str(request.weights))
    static = prepare(network, request)
    with ExitStack() as stack:
        page = stack.enter_context(replace_file(card))
        drafts = [stack.enter_context(replace_file(path)) for path in reversed(files)]
        draft = drafts[0]  # of the file to name: the others lie beside it
        family.write(static, draft)
        difference = compare(network, static, request, family, draft)
        comparison.check(difference, request.precision)
        example = family.example(static, request.output.name)
        page.write_text(make_card(request, static, difference, example), "utf-8")
    return Exported(files, card, difference)


def prepare(network: MattingNetwork, request: Request) -> StaticNetwork:
    """Return `network` with the fixed shapes of `request`."""
    return make_static(
        network,
        request.size,
        lines=request.lines,
        pixels=request.pixels,
        part=request.part,
        half=request.precision == "float16",
    )


def compare(network: MattingNetwork, static: StaticNetwork, request: Request, family: Family, path: Path) -> Difference:
    """Return how far the file at `path` is from `network` in torch, on pictures of the built-in clip."""
    samples = draw_samples(static, request.size)
    wanted = [compute_reference(network, static, sample, request.pixels) for sample in samples]
    return measure(wanted, list(family.run(static, path, samples)))


def _check(request: Request) -> None:
    """Check what can be checked without loading anything."""
    format_, output = request.format, request.output
    if output.suffix != format_.suffix:
        raise ConfigError(
            f"files of {format_.title} end in {format_.suffix}. Run with: --output {output.with_suffix(format_.suffix)}"
        )
    _check_choice(format_.title, "--part", request.part, format_.parts)
    _check_choice(format_.title, "--precision", request.precision, format_.precisions)
    most = request.size.width * request.size.height
    if request.part == "whole" and not SIDE**2 <= request.pixels <= most:
        raise ConfigError(
            f"{request.size} has {most} pixels, and at least {SIDE**2} are refined. Run with: --pixels {most}"
        )


def _check_choice(title: str, option: str, given: str, choices: Iterable[str]) -> None:
    if given not in choices:
        raise ConfigError(f"{title} is not written with {option} {given}. Run with: {option} {' or '.join(choices)}")
