"""The plate, the photograph of the empty room: taken from live frames, matched to each frame, kept on disk."""
