"""The networks of Background Matting V2 (Lin et al. 2021, arXiv 2012.07810), written from the paper; torch only.

    picture, plate (B,3,H,W) → base network at a fraction of the size (backbone, ASPP, decoder)
                             → coarse alpha, foreground residual, error, 32 hidden maps
                             → refiner: the 4×4 patches with the highest predicted error, at full resolution

`published` and `slim` have the networks, `network` what both are; `checkpoint` reads a file in the published layout
(.pth or .safetensors), `folding` makes a network faster that is only used for inference. `layout` is what is known of
them without torch: this file imports nothing, so that it may be used where there is none.
Nothing here holds state between frames, and nothing imports another part of camdaemon.
"""
