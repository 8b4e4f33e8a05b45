"""`python -m camdaemon` is `camdaemon`."""

from camdaemon.cli import main

main()
