"""Background Matting V2 (Lin et al., CVPR 2021) for live frames; the networks themselves are in `camdaemon.model`.

matting     implements the protocol `Matting`: sizes, number formats, errors
weights     the weights that come with camdaemon, checkpoints
cuda_graph  on a GPU: the network as one launch
cpu/        on a CPU: a network for bytes
engines/    what runs its base, and which is fastest
"""
