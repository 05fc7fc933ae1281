"""What the program plays, measured against FluidSynth playing the same notes:
`python -m timbre_training.evaluation`."""
