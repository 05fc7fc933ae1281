//! A WAV file that is whole after every flush, and after a write that failed. Knows no queue; used
//! by `timbred-recorder`.

use std::fs::OpenOptions;
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use hound::{SampleFormat, WavSpec, WavWriter};

use super::Disk;
use crate::audio::quantized;
use crate::mix::{Frame, SIDES};

const BITS: u16 = 24;
const FRAME_BYTES: u64 = 3 * SIDES as u64;
/// Bytes before the first sample, as hound writes them for 24 bits; the last four count the
/// samples' bytes.
const HEAD_BYTES: u64 = 68;
/// Samples of a file whose bytes can be counted in 32 bits.
pub(super) const MOST_FRAMES: u64 = (u32::MAX as u64 - 4096) / FRAME_BYTES;

/// The file.
pub(super) struct WavFile {
    writer: WavWriter<BufWriter<Guard>>,
    path: PathBuf,
    /// Samples that the header of the file on disk counts.
    counted: u64,
    /// Samples written.
    frames: u64,
}

impl WavFile {
    /// Begins a file.
    pub(super) fn new(disk: Box<dyn Disk>, path: &Path, rate_hz: u32) -> io::Result<Self> {
        let spec = WavSpec {
            channels: SIDES as u16,
            sample_rate: rate_hz,
            bits_per_sample: BITS,
            sample_format: SampleFormat::Int,
        };
        let guard = Guard { disk, has_failed: false };
        let writer = WavWriter::new(BufWriter::new(guard), spec).map_err(into_io)?;
        let mut file = Self { writer, path: path.to_owned(), counted: 0, frames: 0 };
        file.flush()?;
        Ok(file)
    }

    /// Samples written.
    pub(super) fn frames(&self) -> u64 {
        self.frames
    }

    /// Writes samples; beyond full scale they are held there.
    pub(super) fn write(&mut self, samples: impl Iterator<Item = Frame>) -> io::Result<()> {
        for frame in samples {
            for sample in frame {
                self.writer.write_sample(quantized(sample, BITS)).map_err(into_io)?;
            }
            self.frames += 1;
        }
        Ok(())
    }

    /// Brings everything to the disk; the header then counts all of it.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.writer.flush().map_err(into_io)?;
        self.counted = self.frames;
        Ok(())
    }

    /// Ends the file. After a failed write it ends where it was last flushed.
    pub(super) fn finish(mut self) -> io::Result<()> {
        let flushed = self.flush();
        let (path, counted) = (self.path.clone(), self.counted);
        // After a failure the guard lets nothing more through, whatever hound still wants to write.
        drop(self);
        flushed.or_else(|e| cut(&path, counted).and(Err(e)))
    }
}

/// Makes a file end after `frames` samples.
fn cut(path: &Path, frames: u64) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).open(path)?;
    let data = frames * FRAME_BYTES;
    file.set_len(HEAD_BYTES + data)?;
    for (at, count) in [(4, HEAD_BYTES - 8 + data), (HEAD_BYTES - 4, data)] {
        file.seek(SeekFrom::Start(at))?;
        file.write_all(&u32::try_from(count).unwrap_or(u32::MAX).to_le_bytes())?;
    }
    file.sync_data()
}

fn into_io(e: hound::Error) -> io::Error {
    match e {
        hound::Error::IoError(e) => e,
        e => io::Error::other(e),
    }
}

/// Lets nothing through after the first failure: what lies on the disk then stays as it is.
struct Guard {
    disk: Box<dyn Disk>,
    has_failed: bool,
}

impl Guard {
    fn try_to<T>(
        &mut self,
        act: impl FnOnce(&mut Box<dyn Disk>) -> io::Result<T>,
    ) -> io::Result<T> {
        if self.has_failed {
            return Err(io::Error::other("an earlier write failed"));
        }
        let done = act(&mut self.disk);
        // A signal in between is no failure; the caller tries again.
        self.has_failed = done.as_ref().is_err_and(|e| e.kind() != io::ErrorKind::Interrupted);
        done
    }
}

impl Write for Guard {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.try_to(|disk| disk.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.try_to(|disk| disk.flush().and_then(|()| disk.sync()))
    }
}

impl Seek for Guard {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.try_to(|disk| disk.seek(to))
    }
}
