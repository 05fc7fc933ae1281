//! The damage in a MIDI file, and where it is. It knows no file; the readers report it.

use super::MidiFileError;

/// A kind of damage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// The file is a RIFF file (.rmi) with a MIDI file in it.
    #[error("the MIDI file lies inside a RIFF file")]
    Riff,
    /// The file begins with the 128 bytes that old Macintosh programs put before a file.
    #[error("the MIDI file lies behind a MacBinary header")]
    MacBinary,
    /// The file has format 2: patterns, which are played one after the other.
    #[error("the file has format 2, independent patterns, which are played one after the other")]
    Patterns,
    /// There are bytes before the header.
    #[error("the MIDI header does not lie at the start of the file")]
    Before,
    /// The header is missing or incomplete.
    #[error("the MIDI header is not whole")]
    Header,
    /// The format is unknown.
    #[error("the header names format {0}, wanted 0, 1 or 2; read as format 1")]
    Format(u16),
    /// The time division is not usable.
    #[error(
        "the header has the time division {0:#06x}, wanted 1 to 32767 ticks a quarter note or \
         SMPTE time; read as {default} ticks a quarter note",
        default = super::timing::DEFAULT_DIVISION
    )]
    Division(u16),
    /// There are fewer tracks than the header says.
    #[error("the header announces {declared} tracks, {found} are there")]
    TrackCount {
        /// The number of tracks in the header.
        declared: u16,
        /// The number of tracks found.
        found: usize,
    },
    /// The length of a track is wrong.
    #[error("a track announces {announced} bytes, which is not where it ends")]
    TrackLength {
        /// The length in the file.
        announced: u32,
    },
    /// There are bytes between two tracks that belong to neither.
    #[error("no track begins where one should; the next one was looked for")]
    Between,
    /// The file ends inside an event or before the end of a track.
    #[error("the track ends inside an event")]
    CutOff,
    /// A number is longer than four bytes.
    #[error("a length or time has more than four bytes")]
    Number,
    /// A data byte is where an event should begin, and there is no status before it.
    #[error("a data byte where an event should begin")]
    NoStatus,
    /// Running status continues after a meta event or system exclusive message, which end it.
    #[error("running status goes on after a meta event or system exclusive message")]
    Running,
    /// A data byte is above 127.
    #[error("the data byte {0:#04x} is over 127")]
    DataByte(u8),
    /// A byte that is not allowed in a file, such as MIDI clock or a song position.
    #[error("the status {0:#04x} has no place in a file")]
    System(u8),
    /// A meta event or system exclusive message is longer than its track.
    #[error("an event is longer than its track")]
    TooLongEvent,
    /// The content of a meta event makes no sense.
    #[error("the content of a meta event of type {0:#04x} makes no sense")]
    Meta(u8),
    /// The tempo is 0 microseconds per quarter note, which is infinitely fast.
    #[error("tempo 0; the tempo before goes on")]
    ZeroTempo,
    /// An event is more than 24 hours after the start.
    #[error("an event lies more than 24 hours after the start")]
    TooLate,
}

/// One place with damage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mend {
    /// Bytes from the start of the file.
    pub offset: usize,
    /// The damage there.
    pub damage: Damage,
}

impl std::fmt::Display for Mend {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "at byte {}: {}", self.offset, self.damage)
    }
}

/// All damage that was mended in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Mended {
    /// The number of places.
    pub count: usize,
    /// The first one that was found, track by track.
    pub first: Option<Mend>,
    /// Something that is no damage, but not a plain file of format 0 or 1 either.
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

    /// Checks that the file is undamaged, of format 0 or 1, and nothing else.
    ///
    /// # Errors
    /// [`MidiFileError::Damaged`] with the first thing that is wrong.
    pub fn strictly(&self) -> Result<(), MidiFileError> {
        match self.first.or(self.unusual) {
            Some(first) => Err(MidiFileError::Damaged { count: self.count.max(1), first }),
            None => Ok(()),
        }
    }
}

impl std::fmt::Display for Mended {
    /// `2 events mended, the first at byte 1234: ...`; empty if nothing was mended.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.count, &self.first) {
            (_, None) => Ok(()),
            (1, Some(mend)) => write!(f, "1 event mended, {mend}"),
            (count, Some(mend)) => write!(f, "{count} events mended, the first {mend}"),
        }
    }
}
