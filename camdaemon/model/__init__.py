"""The networks of Background Matting V2 (Lin et al. 2021, arXiv 2012.07810), written from the paper; torch only.

    picture, plate (B,3,H,W) → base network at a fraction of the size (backbone, ASPP, decoder)
                             → coarse alpha, foreground residual, error, 32 hidden maps
                             → refiner: the 4×4 patches with the highest predicted error, at full resolution

`BackgroundMattingV2` is the network, `Selection` says which patches are refined, `load_network` reads a checkpoint in
the published layout (.pth or .safetensors), `fold_batch_norms` makes a network that is only run a little faster.
Nothing here holds state between frames, and nothing imports another part of camdaemon.
"""

from .checkpoint import Architecture, load_network, read_tensors, recognise
from .decoder import HIDDEN, VISIBLE, Decoder, resized_beside
from .folding import fold_batch_norms
from .network import BACKBONES, Backbone, BackgroundMattingV2, Output, base_by_lines, base_size
from .patches import SIDE, Selection, choose
from .refiner import Coarse, KernelSize, Refiner

__all__ = [
    "BACKBONES",
    "HIDDEN",
    "SIDE",
    "VISIBLE",
    "Architecture",
    "Backbone",
    "BackgroundMattingV2",
    "Coarse",
    "Decoder",
    "KernelSize",
    "Output",
    "Refiner",
    "Selection",
    "base_by_lines",
    "base_size",
    "choose",
    "fold_batch_norms",
    "load_network",
    "read_tensors",
    "recognise",
    "resized_beside",
]
