"""What happens to rooms, lights and cameras during a call, played over clips whose truth is known.

`python tests/plate_faults --clips FOLDER` plays all of it and prints a table; `test_painted.py` a short set over the
painted clip.

footage   frames with their true alpha and room, and a settled person for as long as it takes
faults    what happens: a bump, a lamp, a chair that is moved
play      the daemon's own frame processor, and the figures of what viewers see
report    the table
series    pictures of it, for the documentation
"""
