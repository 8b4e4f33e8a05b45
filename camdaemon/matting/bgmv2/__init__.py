"""Background Matting V2 (Lin et al., CVPR 2021) for live frames.

`matting.py` implements the seam; the networks themselves are in `camdaemon.model`.
"""
