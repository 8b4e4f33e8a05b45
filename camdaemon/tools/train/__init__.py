"""Training of the networks (`camdaemon train`), after Lin et al. 2021 §4.3 and appendix D.

Nothing heavy is imported before a run begins.

    recipe       the recipe, stated
    draws        the order of the pictures, randomness of a batch on the training device
    samples/     composites with exact labels, and the plates that the network is given with them, made from bytes in
                 worker processes
    losses       equations (1) to (5), a few more, and the two stages
    loop         steps, validation, resuming
    interruption Ctrl-C and other signals, between two steps
    folder       what a run's folder holds, and the recipe that it remembers
    checkpoints  files of a run, and the network it starts with
    distributed  several processes, mixed precision
    monitoring   scores, pictures, progress, log
"""
