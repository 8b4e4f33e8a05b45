"""`camdaemon doctor`: what is right and what is wrong on this machine, each with its remedy. Nothing is changed.

One file for each kind of finding; `examine` asks them all, `report` prints. The machine is read through
`camdaemon.system.setup.machine.Machine`.
"""
