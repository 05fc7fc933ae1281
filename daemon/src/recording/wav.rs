//! A WAV file that is valid after every flush, and also after a write that failed. It knows no
//! queue, and the thread `timbred-recorder` uses it.

use std::fs::OpenOptions;
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use hound::{SampleFormat, WavSpec, WavWriter};

use super::Disk;
use crate::audio::quantized;
use crate::mix::{Frame, SIDES};

const BITS: u16 = 24;
const FRAME_BYTES: u64 = 3 * SIDES as u64;
/// How many bytes hound writes before the first sample for 24 bits. The last four of them are the
/// number of bytes of all samples.
const HEAD_BYTES: u64 = 68;
/// The most samples of a file, whose bytes must be counted in 32 bits.
pub(super) const MOST_FRAMES: u64 = (u32::MAX as u64 - 4096) / FRAME_BYTES;

/// The file.
pub(super) struct WavFile {
    writer: WavWriter<BufWriter<Guard>>,
    path: PathBuf,
    /// The number of samples in the header of the file on the disk.
    counted: u64,
    /// The number of samples written.
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

    /// The number of samples written.
    pub(super) fn frames(&self) -> u64 {
        self.frames
    }

    /// Writes samples, and limits them to full scale.
    pub(super) fn write(&mut self, samples: impl Iterator<Item = Frame>) -> io::Result<()> {
        for frame in samples {
            for sample in frame {
                self.writer.write_sample(quantized(sample, BITS)).map_err(into_io)?;
            }
            self.frames += 1;
        }
        Ok(())
    }

    /// Writes everything to the disk, and then the header that counts it.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.writer.flush().map_err(into_io)?;
        self.counted = self.frames;
        Ok(())
    }

    /// Ends the file. After a failed write it ends where it was last flushed.
    pub(super) fn finish(mut self) -> io::Result<()> {
        let flushed = self.flush();
        let (path, counted) = (self.path.clone(), self.counted);
        // After a failure the guard stops everything that hound still wants to write.
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

/// Stops all writing after the first failure, so that the file on the disk stays as it is.
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
        // An interruption by a signal is no failure, because the caller tries again.
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
