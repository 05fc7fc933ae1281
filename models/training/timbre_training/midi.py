"""Writes notes as a MIDI file, exact to 50 microseconds, so that `timbred` and FluidSynth play the
same. Knows no audio."""
import mido

from .notes import DRUM, END, KEY, PROGRAM, START, VELOCITY

TICKS_PER_SECOND = 20_000


def write(path, notes, end_s=None):
    """notes [n, 6] of at most 15 programs and one kit at a time -> a MIDI file of format 0 that
    ends at `end_s` or with its last note."""
    programs = sorted({int(n[PROGRAM]) for n in notes if not n[DRUM]})
    channels = dict(zip(programs, [c for c in range(16) if c != 9], strict=False))
    kit = 0
    events = []
    for n in notes:
        channel, key = (9 if n[DRUM] else channels[int(n[PROGRAM])]), int(n[KEY])
        if n[DRUM] and n[PROGRAM] != kit:
            kit = int(n[PROGRAM])
            change = mido.Message("program_change", channel=9, program=kit)
            events.append((round(n[START] * TICKS_PER_SECOND), 0.5, change))
        on = mido.Message("note_on", channel=channel, note=key, velocity=int(n[VELOCITY]))
        events.append((round(n[START] * TICKS_PER_SECOND), 1, on))
        off = mido.Message("note_off", channel=channel, note=key)
        events.append((round(n[END] * TICKS_PER_SECOND), 0, off))
    track = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=500_000)])
    track += [mido.Message("program_change", channel=c, program=p) for p, c in channels.items()]
    now = 0
    for at, _, message in sorted(events, key=lambda e: e[:2]):
        track.append(message.copy(time=at - now))
        now = at
    if end_s:  # synthesizers play on until the last event
        rest = max(0, round(end_s * TICKS_PER_SECOND) - now)
        track.append(mido.MetaMessage("text", text="end", time=rest))
    song = mido.MidiFile(type=0, ticks_per_beat=TICKS_PER_SECOND // 2)
    song.tracks.append(track)
    song.save(path)
