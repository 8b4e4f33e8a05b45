"""The networks of Background Matting V2 (Lin et al. 2021, arXiv 2012.07810), written from the paper; torch only.

    picture, plate (B,3,H,W) → base network at a fraction of the size (backbone, ASPP, decoder)
                             → coarse alpha, foreground residual, error, 32 hidden maps
                             → refiner: the 4×4 patches with the highest predicted error, at full resolution

`BackgroundMattingV2` is the network, `Selection` says which patches are refined, `load_network` reads a checkpoint in
the published layout (.pth or .safetensors), `fold_batch_norms` makes a network faster that is only used for inference.
Nothing here holds state between frames, and nothing imports another part of camdaemon.
"""

from camdaemon.model.checkpoint import Architecture, detect_architecture, load_network, read_tensors
from camdaemon.model.decoder import HIDDEN, VISIBLE, Decoder, resize_and_concat
from camdaemon.model.folding import fold_batch_norms, scale_by_norms
from camdaemon.model.network import MattingNetwork, Output, base_size, base_size_for_lines, hide_unknown
from camdaemon.model.patches import SIDE, Selection, choose_patches
from camdaemon.model.published import BACKBONES, Backbone, BackgroundMattingV2
from camdaemon.model.refiner import Coarse, KernelSize, Refiner
from camdaemon.model.slim import SlimDecoder, SlimMatting

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
    "MattingNetwork",
    "Output",
    "Refiner",
    "Selection",
    "SlimDecoder",
    "SlimMatting",
    "base_size",
    "base_size_for_lines",
    "choose_patches",
    "detect_architecture",
    "fold_batch_norms",
    "hide_unknown",
    "load_network",
    "read_tensors",
    "resize_and_concat",
    "scale_by_norms",
]
