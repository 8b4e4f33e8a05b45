"""Mattes of pictures and videos in files: the stops of the live journey, without threads and dropped frames.

`studio` the stops, `image` and `video` the two commands, `files` writing so that nothing is left half-written.
"""
