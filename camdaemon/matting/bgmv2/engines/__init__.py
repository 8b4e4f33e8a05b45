"""What runs a base network on a CPU, or on Intel's GPU or NPU.

factory         measures which engine is fastest here; `cache` keeps that
dense           what all engines run; `polyphase`: convolutions of enlarged maps
torch_engine    in torch, with weights packed once (`packed`)
openvino_engine in OpenVINO; `int8`: with weights of eight bits
openvino_devices, openvino_probe, device_notes   on Intel's GPU or NPU, tried first in a process of its own
"""
