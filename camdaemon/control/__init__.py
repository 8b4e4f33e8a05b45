"""Control: what a person can ask of a running daemon, and every surface to ask it from.

`table` has a row for each command, `commands` the functions that do them. The surfaces (`api`, `client`, `actions`,
`hotkeys/`, `panel/`) are made from the table and handed the object that does the commands. They import no floor that
holds it, so `camdaemon status` never loads torch.
"""
