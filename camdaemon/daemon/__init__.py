"""The daemon: builds the parts, runs the pipeline, starts the control surfaces, stops all in reverse order."""
