//! The notes for measuring the delay of keys: one to eight keys at a time, of instruments with fast
//! attacks. This file knows no server and no file.

/// How long keys are held, seconds.
pub const DOWN_S: f64 = 0.06;

/// The channels (counted from 0), their programs, and the lowest key of each: piano, guitar, organ,
/// trumpet, a square lead, drums.
pub const MIXED: [(u8, u8, u8); 6] =
    [(0, 0, 48), (1, 24, 45), (2, 19, 48), (3, 56, 55), (4, 80, 50), (9, 0, 36)];

/// The channel and the keys of chord `n`. Keys are a third or a fourth apart; drums are neighbours.
pub fn chord(n: usize) -> (u8, Vec<u8>) {
    let (channel, _, lowest) = MIXED[n % MIXED.len()];
    let (count, step) = if channel == 9 { (1 + n % 2, 2) } else { (1 + n / MIXED.len() % 8, 4) };
    let lowest = usize::from(lowest) + n * 5 % 7;
    let keys = (0..count).map(|at| lowest + at * step + at % 2);
    (channel, keys.map(|key| key as u8).collect())
}

/// The program of a channel; 0 for other channels.
pub fn program(channel: u8) -> u8 {
    MIXED.iter().find(|(of, ..)| *of == channel).map_or(0, |(_, program, _)| *program)
}
