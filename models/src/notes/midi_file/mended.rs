//! What a MIDI file had that no standard allows, and where. Knows no file: the readers tell it.

use super::MidiFileError;

/// One kind of damage, as a person would name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// The file is a RIFF file (.rmi) that holds a MIDI file.
    #[error("the MIDI file lies inside a RIFF file")]
    Riff,
    /// The file begins with the 128 bytes that old Macintosh programs put before a file.
    #[error("the MIDI file lies behind a MacBinary header")]
    MacBinary,
    /// Format 2: patterns, which are played one after the other.
    #[error("the file has format 2, independent patterns, which are played one after the other")]
    Patterns,
    /// Something lies before the header.
    #[error("the MIDI header does not lie at the start of the file")]
    Before,
    /// The header is not there or not whole.
    #[error("the MIDI header is not whole")]
    Header,
    /// A format that no standard knows.
    #[error("the header names format {0}, wanted 0, 1 or 2; read as format 1")]
    Format(u16),
    /// A time division that gives no time.
    #[error(
        "the header has the time division {0:#06x}, wanted 1 to 32767 ticks a quarter note or \
         SMPTE time; read as {default} ticks a quarter note",
        default = super::timing::DEFAULT_DIVISION
    )]
    Division(u16),
    /// Fewer tracks than the header says.
    #[error("the header announces {declared} tracks, {found} are there")]
    TrackCount {
        /// Tracks in the header.
        declared: u16,
        /// Tracks found.
        found: usize,
    },
    /// A track that is not as long as it says.
    #[error("a track announces {announced} bytes, which is not where it ends")]
    TrackLength {
        /// The length that it gives.
        announced: u32,
    },
    /// Bytes between two tracks that belong to neither.
    #[error("no track begins where one should; the next one was looked for")]
    Between,
    /// The file ends inside an event or before the end of a track.
    #[error("the track ends inside an event")]
    CutOff,
    /// A number that goes on for more than four bytes.
    #[error("a length or time has more than four bytes")]
    Number,
    /// A data byte where an event should begin, and no status before it.
    #[error("a data byte where an event should begin")]
    NoStatus,
    /// Running status after a meta event or system exclusive, which end it.
    #[error("running status goes on after a meta event or system exclusive message")]
    Running,
    /// A data byte over 127.
    #[error("the data byte {0:#04x} is over 127")]
    DataByte(u8),
    /// A byte that has no place in a file, as MIDI clock or a song position.
    #[error("the status {0:#04x} has no place in a file")]
    System(u8),
    /// A meta event or system exclusive message that is longer than its track.
    #[error("an event is longer than its track")]
    TooLongEvent,
    /// A meta event whose content makes no sense.
    #[error("the content of a meta event of type {0:#04x} makes no sense")]
    Meta(u8),
    /// A tempo of 0 microseconds a quarter note, which is infinitely fast.
    #[error("tempo 0; the tempo before goes on")]
    ZeroTempo,
    /// An event that lies more than 24 hours after the start.
    #[error("an event lies more than 24 hours after the start")]
    TooLate,
}

/// Where the damage is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mend {
    /// Bytes from the start of the file.
    pub offset: usize,
    /// What is wrong there.
    pub damage: Damage,
}

impl std::fmt::Display for Mend {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "at byte {}: {}", self.offset, self.damage)
    }
}

/// All that was mended in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Mended {
    /// How many places.
    pub count: usize,
    /// The first of them to be found, track by track.
    pub first: Option<Mend>,
    /// What is no damage, but not a plain file of format 0 or 1 either.
    pub unusual: Option<Mend>,
}

impl Mended {
    pub(super) fn add(&mut self, offset: usize, damage: Damage) {
        self.count += 1;
        self.first.get_or_insert(Mend { offset, damage });
    }

    pub(super) fn unusual(&mut self, offset: usize, damage: Damage) {
        self.unusual.get_or_insert(Mend { offset, damage });
    }

    /// That the file is whole, of format 0 or 1, and nothing else.
    ///
    /// # Errors
    /// [`MidiFileError::Damaged`] with the first thing that is not so.
    pub fn strictly(&self) -> Result<(), MidiFileError> {
        match self.first.or(self.unusual) {
            Some(first) => Err(MidiFileError::Damaged { count: self.count.max(1), first }),
            None => Ok(()),
        }
    }
}

impl std::fmt::Display for Mended {
    /// `2 events mended, the first at byte 1234: ...`; nothing if nothing was.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.count, &self.first) {
            (_, None) => Ok(()),
            (1, Some(mend)) => write!(f, "1 event mended, {mend}"),
            (count, Some(mend)) => write!(f, "{count} events mended, the first {mend}"),
        }
    }
}
