"""Control: every surface (HTTP, command line, keys, panel) speaks the verbs of `verbs.py` and nothing else.

Surfaces import words only and are handed the object that executes the verbs, so `camdaemon status` never loads torch.
    verbs.py     the vocabulary                       lock.py     where the daemon is reached; that there is only one
    commands.py  what executes it, under one lock     api.py      HTTP over a Unix socket, in the daemon
                                                      client.py   the other end, in the command line
"""
