"""Matting of pictures and videos in files: the stops of the live pipeline, without threads and without dropped frames.

offline            the stops, on the calling thread
listing, pairs     the pictures of a folder, and their plates
pair_matter        one of those pairs
image, jobs        all of them: `camdaemon image`
fitting            sizes that fit each other
results            what can be written of one matte
writers            pictures; never half a file
progress           warnings
"""
