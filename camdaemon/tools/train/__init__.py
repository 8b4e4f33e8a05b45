"""Training of the networks (`camdaemon train`), after Lin et al. 2021 §4.3 and appendix D.

Nothing heavy is imported before a run begins.

    recipe       the recipe, stated
    layouts      which pictures a data folder holds
    packing      those pictures, read once and cached
    draws        randomness of a batch, order of the pictures
    samples      a batch of composites with exact labels, made on the training device with
                 geometry, augment, soft (foregrounds for the refiner), degrade (what a webcam does to a picture)
    losses       equations (1) to (5), and the two stages
    loop         steps, validation, resuming
    interruption Ctrl-C and other signals, between two steps
    folder       what a run's folder holds, and the recipe that it remembers
    checkpoints  files of a run, and the network it starts with
    distributed  several processes, mixed precision
    monitoring   scores, pictures, progress, log
"""
