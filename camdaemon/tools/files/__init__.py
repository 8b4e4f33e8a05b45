"""Matting of pictures and videos in files: the stops of the live pipeline, without threads and without dropped frames.

offline       the stops, on the calling thread
image, video  the two commands
results       what can be written of one matte
writers       pictures, videos, folders of frames; never half a file
progress      progress bar and warnings
"""
