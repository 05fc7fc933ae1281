"""Measures how lively the sound of the program is and how close to the reference: `python -m
timbre_training.listening`.

Needs the packages in requirements.txt, and no torch. All results are stored in work/listen.
"""
