"""`camdaemon export`: the network as a file for other runtimes.

formats      which there are: a row each, loads nothing
static       the network with fixed shapes, which all of them are made of; float16: its arithmetic
onnx_file, openvino_file, torch_files, litert_file, tensorrt_file
             write and run one family of formats each, behind `family.Family`
joined       the int8 base of camdaemon and a refiner in floats as one graph of OpenVINO
pictures     what an export is tried on; comparison: with torch, before it is kept
card         the page beside each export
export       all of it in order: checks, draft, comparison, card, name
score        by hand: error of exports against the truth
"""
