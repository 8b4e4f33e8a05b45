"""Frames and pixels: what travels from camera to virtual camera, and the arithmetic that every stop shares.

Imports nothing above it; see `frame.py` for who owns a buffer and `pixels.py` for dtypes and ranges.
"""
