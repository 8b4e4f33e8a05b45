"""What runs a network on a CPU, or its base on Intel's GPU or NPU.

engine          what an engine is: callables in numpy
opening         those that there are for a file of weights; `factory` measures which is fastest; `cache` keeps that
graphs          files of static graphs beside the weights, without torch; `conversion` makes them
openvino_engine runs them in OpenVINO
openvino_devices, openvino_probe, device_notes   on Intel's GPU or NPU, tried first in a process of its own
torch_engine    in torch, with weights packed once (`packed`)
dense, windows  the modules that torch runs and graphs are made of; `polyphase`: convolutions of enlarged maps
"""
