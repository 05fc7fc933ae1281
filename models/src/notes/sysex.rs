//! The system exclusive messages for a synthesizer, as typed values. It knows no channel.
//!
//! Sources: General MIDI 1 and 2, the MIDI tuning standard, and the resets of Roland GS and Yamaha
//! XG.

/// The standard of a reset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standard {
    /// General MIDI 1 or 2.
    Gm,
    /// Roland GS.
    Gs,
    /// Yamaha XG.
    Xg,
}

/// A message that is understood.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum SysEx {
    /// Resets everything.
    Reset(Standard),
    /// A channel becomes a drum channel or a melodic one (GS).
    Rhythm {
        /// The channel, counted from 0.
        channel: u8,
        /// Whether it plays drums.
        is_rhythm: bool,
    },
    /// The master volume, 0..=1; amplitude goes with its square.
    MasterVolume(f32),
    /// The master tuning, semitones. Fine and coarse tuning add up.
    MasterTuning {
        /// The tuning.
        semitones: f32,
        /// Whether it is the coarse tuning.
        is_coarse: bool,
    },
    /// The tuning of one key, semitones beside equal temperament.
    KeyTuning {
        /// The key.
        key: u8,
        /// The tuning.
        semitones: f32,
    },
    /// The tuning of the twelve notes of an octave, from C on.
    OctaveTuning {
        /// Bit n is channel n, counted from 0.
        channels: u16,
        /// The tuning of each note, semitones beside equal temperament.
        semitones: [f32; 12],
    },
}

/// Reads a message, with or without its F0 and F7; real-time bytes in it are ignored. Its content
/// goes to `out`, several times if it tunes several keys. Returns whether it was understood.
///
/// # Real time
/// Messages longer than [`LONGEST`] are ignored. It allocates nothing.
pub fn decode(bytes: &[u8], out: &mut impl FnMut(SysEx)) -> bool {
    let mut kept = [0u8; LONGEST];
    let mut count = 0;
    for byte in bytes.iter().copied().filter(|byte| *byte < 0xF0) {
        let Some(slot) = kept.get_mut(count) else { return false };
        *slot = byte;
        count += 1;
    }
    let message = kept.get(..count).unwrap_or_default();
    if message.iter().any(|byte| *byte > 0x7F) {
        return false;
    }
    match *message {
        [0x7E, _, 0x09, 1..=3] => out(SysEx::Reset(Standard::Gm)),
        [0x41, _, 0x42, 0x12, 0x40, 0x00, 0x7F, 0x00, 0x41] => out(SysEx::Reset(Standard::Gs)),
        [0x43, device, 0x4C, 0x00, 0x00, 0x7E, 0x00] if device & 0xF0 == 0x10 => {
            out(SysEx::Reset(Standard::Xg));
        }
        [0x41, _, 0x42, 0x12, 0x40, part @ 0x10..=0x1F, 0x15, kind, sum] => {
            let all = [0x40, part, 0x15, kind, sum];
            if all.iter().map(|byte| u32::from(*byte)).sum::<u32>() % 128 != 0 {
                return false;
            }
            // Blocks count parts from 1, but part 10 is block 0.
            let block = part & 0x0F;
            let channel = match block {
                0 => 9,
                1..=9 => block - 1,
                _ => block,
            };
            out(SysEx::Rhythm { channel, is_rhythm: kind != 0 });
        }
        [0x7F, _, 0x04, 0x01, _, high] => out(SysEx::MasterVolume(f32::from(high) / 127.0)),
        [0x7F, _, 0x04, 0x03, low, high] => {
            let semitones = (fourteen(low, high) - 8192.0) / 8192.0;
            out(SysEx::MasterTuning { semitones, is_coarse: false });
        }
        [0x7F, _, 0x04, 0x04, _, high] => {
            let semitones = f32::from(high) - 64.0;
            out(SysEx::MasterTuning { semitones, is_coarse: true });
        }
        [0x7F, _, 0x08, 0x02, _, count, ref rest @ ..] => return keys(count, rest, out),
        [0x7E | 0x7F, _, 0x08, 0x07, _, _, count, ref rest @ ..] => return keys(count, rest, out),
        [0x7E, _, 0x08, 0x01, _, ref rest @ ..] => return dump(rest, out),
        [0x7E | 0x7F, _, 0x08, 0x08, a, b, c, ref cents @ ..] => {
            let Ok(cents) = <[u8; 12]>::try_from(cents) else { return false };
            let semitones = cents.map(|cents| (f32::from(cents) - 64.0) / 100.0);
            out(SysEx::OctaveTuning { channels: channels(a, b, c), semitones });
        }
        [0x7E | 0x7F, _, 0x08, 0x09, a, b, c, ref cents @ ..] => {
            let Ok(cents) = <[u8; 24]>::try_from(cents) else { return false };
            let semitones = std::array::from_fn(|note| {
                let (high, low) = (cents[2 * note], cents[2 * note + 1]);
                (fourteen(low, high) - 8192.0) / 8192.0
            });
            out(SysEx::OctaveTuning { channels: channels(a, b, c), semitones });
        }
        _ => return false,
    }
    true
}

/// The length of the longest message that is read, a dump of the tunings of all keys, bytes.
pub const LONGEST: usize = 5 + 16 + 3 * 128 + 1;

/// A number of fourteen bits.
fn fourteen(low: u8, high: u8) -> f32 {
    f32::from(high) * 128.0 + f32::from(low)
}

/// The channels of an octave tuning: 15 and 16, 8 to 14, 1 to 7.
fn channels(a: u8, b: u8, c: u8) -> u16 {
    u16::from(a & 3) << 14 | u16::from(b) << 7 | u16::from(c)
}

/// Tunings of single keys: the key, then the key whose pitch it gets, and a fraction of fourteen
/// bits.
fn keys(count: u8, rest: &[u8], out: &mut impl FnMut(SysEx)) -> bool {
    if rest.len() != 4 * usize::from(count) || count == 0 {
        return false;
    }
    for change in rest.chunks_exact(4) {
        if let [key, ref pitch @ ..] = *change {
            tuned(key, pitch, out);
        }
    }
    true
}

/// A dump of all keys: a name of sixteen letters, three bytes a key, and a checksum.
fn dump(rest: &[u8], out: &mut impl FnMut(SysEx)) -> bool {
    let Some(pitches) = rest.get(16..16 + 3 * 128).filter(|_| rest.len() == 16 + 3 * 128 + 1)
    else {
        return false;
    };
    for (key, pitch) in (0..).zip(pitches.chunks_exact(3)) {
        tuned(key, pitch, out);
    }
    true
}

/// The tuning of one key; 7F 7F 7F means no change.
fn tuned(key: u8, pitch: &[u8], out: &mut impl FnMut(SysEx)) {
    if let [like, high, low] = *pitch
        && (like, high, low) != (0x7F, 0x7F, 0x7F)
    {
        let semitones = f32::from(like) - f32::from(key) + fourteen(low, high) / 16384.0;
        out(SysEx::KeyTuning { key, semitones });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(bytes: &[u8]) -> Vec<SysEx> {
        let mut all = vec![];
        let understood = decode(bytes, &mut |message| all.push(message));
        assert_eq!(understood, !all.is_empty());
        all
    }

    #[test]
    fn resets_of_all_makers() {
        let resets: [(&[u8], Standard); 5] = [
            (&[0xF0, 0x7E, 0x7F, 9, 1, 0xF7], Standard::Gm),
            (&[0x7E, 0x10, 9, 3], Standard::Gm),
            (&[0xF0, 0x7E, 0x7F, 9, 2, 0xF7], Standard::Gm),
            (&[0xF0, 0x41, 0x10, 0x42, 0x12, 0x40, 0, 0x7F, 0, 0x41, 0xF7], Standard::Gs),
            (&[0xF0, 0x43, 0x10, 0x4C, 0, 0, 0x7E, 0, 0xF7], Standard::Xg),
        ];
        for (bytes, standard) in resets {
            assert_eq!(decoded(bytes), [SysEx::Reset(standard)], "{bytes:02x?}");
        }
    }

    #[test]
    fn what_is_wrong_or_cut_off_says_nothing() {
        let whole = [0xF0, 0x7F, 0x7F, 0x04, 0x01, 0, 64, 0xF7];
        assert_eq!(decoded(&whole), [SysEx::MasterVolume(64.0 / 127.0)]);
        // A clock byte in the middle is ignored.
        assert_eq!(decoded(&[0xF0, 0x7F, 0xF8, 0x7F, 0x04, 0x01, 0, 0xFE, 64, 0xF7]).len(), 1);
        for end in 0..whole.len() - 2 {
            assert!(decoded(&whole[..end]).is_empty());
        }
        let wrong_sum = [0x41, 0x10, 0x42, 0x12, 0x40, 0x11, 0x15, 2, 0x19];
        assert!(decoded(&wrong_sum).is_empty());
        assert!(decoded(&[0x7F; 100_000]).is_empty());
        for length in [0, 1, 11, 13, 23, 25] {
            let mut octave = vec![0x7F, 0x7F, 0x08, 0x08, 3, 127, 127];
            octave.extend(vec![64; length]);
            assert!(decoded(&octave).is_empty(), "{length}");
        }
    }

    #[test]
    fn tunings_are_in_semitones() {
        let semitone_up = [0xF0, 0x7F, 0x7F, 8, 2, 0, 1, 60, 61, 0, 0, 0xF7];
        assert_eq!(decoded(&semitone_up), [SysEx::KeyTuning { key: 60, semitones: 1.0 }]);
        let half = [0x7F, 0x7F, 8, 2, 0, 2, 60, 60, 64, 0, 61, 0x7F, 0x7F, 0x7F];
        assert_eq!(decoded(&half), [SysEx::KeyTuning { key: 60, semitones: 0.5 }]);
        let mut octave = vec![0xF0, 0x7F, 0x7F, 8, 8, 0, 0, 1];
        octave.extend([64, 54, 64, 64, 64, 64, 64, 64, 64, 64, 64, 74, 0xF7]);
        let [SysEx::OctaveTuning { channels: 1, semitones }] = decoded(&octave)[..] else {
            panic!("no octave")
        };
        assert!((semitones[1] + 0.1).abs() < 1e-6 && (semitones[11] - 0.1).abs() < 1e-6);
        assert_eq!(
            decoded(&[0x7F, 0x7F, 4, 4, 0, 62]),
            [SysEx::MasterTuning { semitones: -2.0, is_coarse: true }]
        );
        let gs = [0x41, 0x10, 0x42, 0x12, 0x40, 0x1A, 0x15, 2, 0x0F];
        assert_eq!(decoded(&gs), [SysEx::Rhythm { channel: 10, is_rhythm: true }]);
    }
}
