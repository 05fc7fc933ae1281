"""How alive and how close the program's sound is, by numbers: `python -m
timbre_training.listening`.

Needs the packages in requirements.txt, and no torch. Everything made is kept in work/listen.
"""
