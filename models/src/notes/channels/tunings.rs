//! How keys are tuned, whatever channel plays them. Knows no channel.

/// Semitones of each key beside equal temperament.
pub type Tuning = [f32; 128];

/// Equal temperament itself, A4 at 440 Hz.
pub const EQUAL: Tuning = [0.0; 128];

/// The tunings of keys.
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

    /// Semitones of a key.
    pub(super) fn of(&self, key: u8) -> f32 {
        self.now.get(usize::from(key)).copied().unwrap_or(0.0)
    }

    /// A message tunes a key.
    pub(super) fn set(&mut self, key: u8, semitones: f32) {
        if let Some(tuning) = self.now.get_mut(usize::from(key)) {
            *tuning = semitones;
        }
    }

    /// A key is tuned so that no reset takes it back.
    pub(super) fn keep(&mut self, key: u8, semitones: f32) {
        self.set(key, semitones);
        if let Some(tuning) = self.after_reset.get_mut(usize::from(key)) {
            *tuning = semitones;
        }
    }

    /// What messages said is forgotten.
    pub(super) fn reset(&mut self) {
        *self.now = *self.after_reset;
    }
}
