"""Films and folders of frames, matted for whoever cuts them: `camdaemon video`.

batch                          many films: found, named, shared among machines
job, record                    one film: what is wanted of it, and how far it is
film, conveyor                 its frames, read, matted and written at the same time, in parts
source, plates                 what is read
encodings, frames, encoder     how results are encoded
film_writer, sequence_writer   what is written, each in its work folder (work); join makes a film of its parts
hardware, pipe                 encoders of graphics cards
"""
