"""Background Matting V2 (Lin et al., CVPR 2021) for live frames; the networks themselves are in `camdaemon.model`.

matting     the kind's entry: which of the two below
cpu/        in bytes, on a CPU: numpy around an engine
engines/    what runs the network there, and which is fastest
floats      in floats, in torch: on an accelerator, and for the offline tools; `cuda_graph`: as one launch
sizes       what the effort decides; `failures`: what goes wrong, as an error for people
weights     the weights that come with camdaemon, checkpoints
"""
