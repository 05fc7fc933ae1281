//! Encodes a FLAC file of known length, block by block. It knows no file.

use std::io::{self, Write};

use flacenc::bitsink::ByteSink;
use flacenc::component::{BitRepr, Stream, StreamInfo};
use flacenc::config::Encoder;
use flacenc::encode_fixed_size_frame;
use flacenc::error::{Verified, Verify};
use flacenc::source::{Context, Fill, FrameBuf};

use super::Length;
use crate::audio::quantized;

/// The state of the encoder between two blocks.
pub(super) struct Flac {
    settings: Verified<Encoder>,
    info: StreamInfo,
    /// Samples that do not yet fill a block.
    waiting: Vec<i32>,
    context: Context,
    block: FrameBuf,
    bits: u16,
    channels: usize,
    smallest: usize,
    largest: usize,
}

fn failed(e: impl std::fmt::Display) -> io::Error {
    io::Error::other(e.to_string())
}

impl Flac {
    /// Makes an encoder for a known length, and writes the header.
    pub(super) fn begin(
        out: &mut impl Write,
        bits: u16,
        rate_hz: u32,
        length: Length,
    ) -> io::Result<Self> {
        let mut settings = Encoder::default();
        // Each file uses one core, because several files are rendered at the same time.
        settings.multithread = false;
        let settings = settings.into_verified().map_err(|(_, e)| failed(e))?;
        let block = settings.block_size;
        let mut info =
            StreamInfo::new(rate_hz as usize, length.channels, bits.into()).map_err(failed)?;
        info.set_block_sizes(block, block).map_err(failed)?;
        // The sizes of frames are unknown until `finish`.
        info.set_frame_sizes(0, 0).map_err(failed)?;
        info.set_total_samples(usize::try_from(length.samples).map_err(failed)?);
        let flac = Self {
            info,
            waiting: Vec::with_capacity(block * length.channels),
            context: Context::new(bits.into(), length.channels),
            block: FrameBuf::with_size(length.channels, block).map_err(failed)?,
            settings,
            bits,
            channels: length.channels,
            smallest: usize::MAX,
            largest: 0,
        };
        out.write_all(&flac.header()?)?;
        Ok(flac)
    }

    /// Takes samples, and writes each block that is full.
    pub(super) fn write(&mut self, out: &mut impl Write, samples: &[f32]) -> io::Result<()> {
        for &sample in samples {
            self.waiting.push(quantized(sample, self.bits));
            if self.waiting.len() == self.settings.block_size * self.channels {
                self.frame(out)?;
            }
        }
        Ok(())
    }

    /// Writes the remaining samples. Returns a header that also has what is known only at the end
    /// (the sum of all samples and the sizes of frames), which can replace the first one.
    pub(super) fn finish(mut self, out: &mut impl Write) -> io::Result<Vec<u8>> {
        if !self.waiting.is_empty() {
            self.frame(out)?;
        }
        if self.largest > 0 {
            self.info.set_frame_sizes(self.smallest, self.largest).map_err(failed)?;
        }
        self.info.set_md5_digest(&self.context.md5_digest());
        self.header()
    }

    fn header(&self) -> io::Result<Vec<u8>> {
        let mut sink = ByteSink::new();
        Stream::with_stream_info(self.info.clone()).write(&mut sink).map_err(failed)?;
        Ok(sink.into_inner())
    }

    fn frame(&mut self, out: &mut impl Write) -> io::Result<()> {
        self.block.fill_interleaved(&self.waiting).map_err(failed)?;
        self.context.fill_interleaved(&self.waiting).map_err(failed)?;
        self.waiting.clear();
        let number = self.context.current_frame_number().unwrap_or_default();
        let frame = encode_fixed_size_frame(&self.settings, &self.block, number, &self.info);
        let mut sink = ByteSink::new();
        frame.map_err(failed)?.write(&mut sink).map_err(failed)?;
        let bytes = sink.as_slice();
        (self.smallest, self.largest) =
            (self.smallest.min(bytes.len()), self.largest.max(bytes.len()));
        out.write_all(bytes)
    }
}
