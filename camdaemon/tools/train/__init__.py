"""Training of the networks (`camdaemon train`), after Lin et al. 2021 §4.3 and appendix D.

It imports models and errors only, and nothing heavy before a run begins.

layouts  → which pictures a data folder holds      packing → read once, cached in pieces, in memory
rotation → whose turn it is                        scenes  → a batch of composites with exact labels,
  geometry, light, camera, soft: what scenes are made with, all in batches on the training device
losses   → equations (1) to (5)                    loop    → steps, checkpoints, resume, several processes
recipe   → the recipe, stated                      validation, report → scores, pictures, progress
"""
