//! The units of time that every module uses. They know no clock: all time is counted in samples or
//! frames.

/// A position in the stream, in samples at the rate of the model (16 kHz for every published one).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct SamplePos(pub u64);

/// A position in the stream, in mel frames of [`HOP_SAMPLES`] samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct FrameIdx(pub u64);

/// The sample rate of the mel front end and of every model (Spectrogram Diffusion, section 3.1).
pub const SAMPLE_RATE_HZ: u32 = 16_000;
/// The samples from the start of a mel frame to the start of the next (20 ms).
pub const HOP_SAMPLES: usize = 320;
/// The samples in a tick (2.5 ms), in which the controls of parts move evenly.
pub const TICK_SAMPLES: usize = 40;
/// The ticks in one mel frame.
pub const TICKS_PER_FRAME: usize = HOP_SAMPLES / TICK_SAMPLES;
/// The samples that one mel frame covers (40 ms).
pub const FRAME_SAMPLES: usize = 640;
/// The mel bands of a frame.
pub const MEL_BINS: usize = 128;
/// The token steps in a second (10 ms each).
pub const STEPS_PER_SECOND: f64 = 100.0;
/// The token steps in one mel frame.
pub const STEPS_PER_FRAME: u64 = 2;

impl FrameIdx {
    /// The first sample of this frame.
    pub fn start(self) -> SamplePos {
        SamplePos(self.0 * HOP_SAMPLES as u64)
    }

    /// The tick at which this frame begins.
    pub fn tick(self) -> u64 {
        self.0 * TICKS_PER_FRAME as u64
    }

    /// The 10 ms token step at which this frame begins.
    pub fn step(self) -> u64 {
        self.0 * STEPS_PER_FRAME
    }
}

impl SamplePos {
    /// This position in seconds from the start of the stream.
    pub fn seconds(self) -> f64 {
        self.0 as f64 / f64::from(SAMPLE_RATE_HZ)
    }

    /// The tick in which this sample lies.
    pub fn tick(self) -> u64 {
        self.0 / TICK_SAMPLES as u64
    }
}
