"""The daemon: builds the parts, runs the pipeline, starts the control surfaces, and stops everything in reverse order."""
