"""`camdaemon setup`: makes a virtual camera that is there now and after every start of the machine.

`steps` are its words, `plan` (with `files`, `devices` and `packages`) decides what is missing, and `perform` shows the
plan, asks, and carries it out. The machine is read and changed through `camdaemon.system.machine.Machine`.
"""
