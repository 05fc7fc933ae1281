//! The tuning of keys, which is the same for all channels. It knows no channel.

/// The semitones of each key beside equal temperament.
pub type Tuning = [f32; 128];

/// Equal temperament, A4 at 440 Hz.
pub const EQUAL: Tuning = [0.0; 128];

/// The tuning of keys, now and after a reset.
#[derive(Debug, Clone)]
pub(super) struct Tunings {
    now: Box<Tuning>,
    after_reset: Box<Tuning>,
}

impl Tunings {
    /// Equal temperament.
    pub(super) fn new() -> Self {
        Self { now: Box::new(EQUAL), after_reset: Box::new(EQUAL) }
    }

    /// The tuning of a key, semitones.
    pub(super) fn of(&self, key: u8) -> f32 {
        self.now.get(usize::from(key)).copied().unwrap_or(0.0)
    }

    /// Sets the tuning of a key until a reset.
    pub(super) fn set(&mut self, key: u8, semitones: f32) {
        if let Some(tuning) = self.now.get_mut(usize::from(key)) {
            *tuning = semitones;
        }
    }

    /// Sets the tuning of a key so that it stays after a reset.
    pub(super) fn keep(&mut self, key: u8, semitones: f32) {
        self.set(key, semitones);
        if let Some(tuning) = self.after_reset.get_mut(usize::from(key)) {
            *tuning = semitones;
        }
    }

    /// Undoes all tunings that are not to stay.
    pub(super) fn reset(&mut self) {
        *self.now = *self.after_reset;
    }
}
