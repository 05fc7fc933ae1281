//! What is played to measure how late keys are heard: one to eight keys at a time, of instruments
//! that come at once. Knows no server and no file.

/// Channels counted from 0, their programs, and the lowest key that is played: piano, guitar,
/// organ, trumpet, a square lead, drums.
pub const MIXED: [(u8, u8, u8); 6] =
    [(0, 0, 48), (1, 24, 45), (2, 19, 48), (3, 56, 55), (4, 80, 50), (9, 0, 36)];

/// The channel and the keys of chord `n`: keys lie a third or a fourth apart, drums side by side.
pub fn chord(n: usize) -> (u8, Vec<u8>) {
    let (channel, _, lowest) = MIXED[n % MIXED.len()];
    let (count, step) = if channel == 9 { (1 + n % 2, 2) } else { (1 + n / MIXED.len() % 8, 4) };
    let lowest = usize::from(lowest) + n * 5 % 7;
    let keys = (0..count).map(|at| lowest + at * step + at % 2);
    (channel, keys.map(|key| key as u8).collect())
}

/// The program of a channel, 0 where none is said.
pub fn program(channel: u8) -> u8 {
    MIXED.iter().find(|(of, ..)| *of == channel).map_or(0, |(_, program, _)| *program)
}
