"""PipeWire through libpipewire-0.3 and ctypes: the library, pods, streams and the list of objects.

No maintained Python binding publishes a camera. What is used here is the library's stable interface: exported
functions, the events' version, the layout of pods and buffers, and the tables of methods behind a proxy.
"""
