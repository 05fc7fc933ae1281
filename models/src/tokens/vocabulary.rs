//! The token ids and their meanings. It knows the ranges of the published vocabulary, but no
//! segment and no order.

/// Padding after the last token, which is masked.
const PAD: u32 = 0;
/// The end of a segment.
const EOS: u32 = 1;
/// Never written.
const UNKNOWN: u32 = 2;
/// The first id of an event.
const FIRST: u32 = 3;
/// The longest shift, in 10 ms steps.
const MAX_SHIFT: u32 = 1000;
/// Unused ids after the last event (the default `extra_ids` of seqio).
const EXTRA: usize = 100;

/// The ids of one vocabulary, in this order: 0 pad, 1 end, 2 unknown, shift 0..=1000, pitch
/// 0..=127, velocity 0..=`velocity_bins` (0 is a release), tie, program 0..=127, drum 0..=127.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vocabulary {
    velocity_bins: u32,
}

impl Vocabulary {
    /// The longest shift of one token, in 10 ms steps.
    pub const MAX_SHIFT_STEPS: u64 = MAX_SHIFT as u64;

    /// The vocabulary with a number of velocity bins, which is clamped to 1..=127. The published
    /// models have 1, which means only on and off.
    pub fn new(velocity_bins: u16) -> Self {
        Self { velocity_bins: u32::from(velocity_bins.clamp(1, 127)) }
    }

    /// The id of padding.
    pub fn pad(&self) -> u32 {
        PAD
    }

    /// The id of the end of a segment.
    pub fn eos(&self) -> u32 {
        EOS
    }

    /// The id of a shift, which is a number of steps from the start of the segment, or an age. The
    /// range is 0..=1000; larger numbers become 1000.
    pub fn shift(&self, steps: u64) -> u32 {
        FIRST + steps.min(Self::MAX_SHIFT_STEPS) as u32
    }

    fn first_pitch(&self) -> u32 {
        FIRST + MAX_SHIFT + 1
    }

    fn first_velocity(&self) -> u32 {
        self.first_pitch() + 128
    }

    /// The id of the end of the held keys.
    pub fn tie(&self) -> u32 {
        self.first_velocity() + self.velocity_bins + 1
    }

    fn first_drum(&self) -> u32 {
        self.tie() + 1 + 128
    }

    /// The id of a MIDI key (0..=127; larger numbers become 127).
    pub fn pitch(&self, key: u8) -> u32 {
        self.first_pitch() + u32::from(key.min(127))
    }

    /// The id of a MIDI velocity (0..=127; larger numbers become 127). Its bin is 0 for 0, and else
    /// `ceil(bins * velocity / 127)`.
    pub fn velocity(&self, velocity: u8) -> u32 {
        self.first_velocity() + (self.velocity_bins * u32::from(velocity.min(127))).div_ceil(127)
    }

    /// The id of a General MIDI program (0..=127; larger numbers become 127).
    pub fn program(&self, program: u8) -> u32 {
        self.tie() + 1 + u32::from(program.min(127))
    }

    /// The id of a drum key (0..=127; larger numbers become 127).
    pub fn drum(&self, key: u8) -> u32 {
        self.first_drum() + u32::from(key.min(127))
    }

    /// The number of event classes (1388 with one bin).
    pub fn classes(&self) -> usize {
        (self.first_drum() + 128 - FIRST) as usize
    }

    /// The number of ids, with special and extra ones (1491 with one bin).
    pub fn size(&self) -> usize {
        self.classes() + FIRST as usize + EXTRA
    }

    /// The rows of the embedding table: [`Vocabulary::size`] rounded up to a multiple of 128 (1536
    /// with one bin).
    pub fn embeddings(&self) -> usize {
        self.size().next_multiple_of(128)
    }

    /// An id in words, such as `shift 53`, `velocity 1` (a bin) or `tie`. Any id is allowed.
    pub fn describe(&self, id: u32) -> String {
        let ranges = [
            (self.first_drum() + 128, "extra"),
            (self.first_drum(), "drum"),
            (self.tie() + 1, "program"),
            (self.first_velocity(), "velocity"),
            (self.first_pitch(), "pitch"),
            (FIRST, "shift"),
        ];
        match id {
            PAD => "pad".to_owned(),
            EOS => "end".to_owned(),
            UNKNOWN => "unknown".to_owned(),
            _ if id == self.tie() => "tie".to_owned(),
            _ if id as usize >= self.size() => format!("outside {id}"),
            _ => ranges
                .iter()
                .find(|(first, _)| id >= *first)
                .map_or_else(String::new, |(first, name)| format!("{name} {}", id - first)),
        }
    }
}
