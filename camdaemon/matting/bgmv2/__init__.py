"""Background Matting V2 (Lin et al., CVPR 2021) for live frames; the networks themselves are in `camdaemon.model`.

matting         implements the protocol `Matting`: sizes, number formats, errors
weights         the default weights, checkpoints
cuda_graph      on a GPU: the network as one launch
cpu, cpu_cache  on a CPU: a network for bytes, and one for each size of the base input
cpu_base, published_cpu, slim_cpu   what it needs of a base network, of the published and of the slim one
hidden, tiles   its parts: dense maps and sparse features, the refiner by tiles
room, widths    which columns are certainly room, and engines for the others
half_maps, parts, tile_windows, polyphase   their arithmetic
engines, engine_cache   what runs the base network, and which is fastest
torch_engine, packed    in torch
openvino_engine, int8   in OpenVINO
openvino_devices, openvino_probe, device_notes   on Intel's GPU or NPU
"""
