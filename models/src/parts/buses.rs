//! The buses of a stream: a bus is nothing but a weight for each note. Knows no sound.

use crate::event::Part;

/// One bus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bus {
    /// Everything, with its level.
    Mono,
    /// The left side, 0, or the right, 1.
    Side(usize),
    /// What the reverb hears.
    Reverb,
    /// What the chorus hears.
    Chorus,
    /// One side of one part.
    Part(Part, usize),
}

/// Which buses a stream makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Buses {
    /// One, without sides: what models are trained and measured with.
    #[default]
    Mono,
    /// Left, right, reverb, chorus, in this order.
    Stereo,
    /// The same, and behind them left and right of each of the first sixteen parts.
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
    /// Whether it goes up to 16 kHz; what only sets a room going does not.
    pub fn is_wide(self) -> bool {
        !matches!(self, Self::Reverb | Self::Chorus)
    }

    /// The side it is heard from, if it is heard from one.
    pub fn side(self) -> Option<usize> {
        match self {
            Self::Side(side) | Self::Part(_, side) => Some(side),
            _ => None,
        }
    }
}
