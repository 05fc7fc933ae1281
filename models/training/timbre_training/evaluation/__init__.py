"""Measures the sound of the program against FluidSynth playing the same notes: `python -m
timbre_training.evaluation`."""
