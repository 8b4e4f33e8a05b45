"""Samples to train on: composites with exact labels, made while training, on the bytes of pictures.

layouts   which pictures a data folder holds
packing   those pictures, read once and cached
scene     one composite with its labels: geometry (where things stand), augment (color and light), arms and their
          limbs (raised apart from the body), decor and things (of rooms), soft (edges for the refiner)
faults    the plate that the network is given with it, right or not, and its confidence
degrade   what a webcam does to both
loader    batches, made in worker processes
"""
