"""`camdaemon doctor`: finds what is wrong on this machine, each finding with its remedy. Changes nothing.

`findings` are its words; one file for each kind of finding; `examine` runs all checks and prints. The machine is read
through `camdaemon.system.machine.Machine`.
"""
