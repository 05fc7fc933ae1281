//! The buses of a stream. A bus is a sum of all notes with a weight for each. It makes no sound.

use crate::event::Part;

/// One bus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bus {
    /// All notes, each as loud as the model makes it.
    Mono,
    /// The left side, 0, or the right side, 1.
    Side(usize),
    /// The input of the reverb.
    Reverb,
    /// The input of the chorus.
    Chorus,
    /// One side of one part.
    Part(Part, usize),
}

/// The set of buses that a stream makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Buses {
    /// One bus without sides. Models are trained and measured with it.
    #[default]
    Mono,
    /// Left, right, reverb and chorus, in this order.
    Stereo,
    /// The buses of `Stereo`, and then left and right of each of the first sixteen parts.
    Stems,
}

impl Buses {
    /// The buses, in order.
    pub fn list(self) -> Vec<Bus> {
        let stereo = [Bus::Side(0), Bus::Side(1), Bus::Reverb, Bus::Chorus];
        match self {
            Self::Mono => vec![Bus::Mono],
            Self::Stereo => stereo.to_vec(),
            Self::Stems => {
                let parts = (0..16).flat_map(|part| [0, 1].map(|s| Bus::Part(Part(part), s)));
                stereo.into_iter().chain(parts).collect()
            }
        }
    }
}

impl Bus {
    /// Whether the bus reaches 16 kHz. The inputs of reverb and chorus do not.
    pub fn is_wide(self) -> bool {
        !matches!(self, Self::Reverb | Self::Chorus)
    }

    /// The side of the bus; none for mono, reverb and chorus.
    pub fn side(self) -> Option<usize> {
        match self {
            Self::Side(side) | Self::Part(_, side) => Some(side),
            _ => None,
        }
    }
}
