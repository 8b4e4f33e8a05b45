"""Everything that works on files instead of a live camera: mattes of files, evaluation, training, the demo."""
