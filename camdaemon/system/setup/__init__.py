"""`camdaemon setup`: a virtual camera that is there now and after every start of the machine.

`machine` is how the system is read and changed; `loopback`, `accounts` and `packages` are what it says; `plan` (with
`files` and `devices`) and `removal` decide the steps; `perform` shows them, asks and does them.
"""
