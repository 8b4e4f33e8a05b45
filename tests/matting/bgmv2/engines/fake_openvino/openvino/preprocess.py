"""Part of the stand-in for OpenVINO: nothing is converted here."""

PrePostProcessor = None
