//! Writes a WAV file of known length, sample by sample. A file of more than 4 GiB is RF64 (EBU Tech
//! 3306). It knows no file.

use std::io::{self, Write};

use super::Length;
use crate::audio::quantized;
use crate::cli::SampleFormat;

/// The greatest size that a field of a WAV file can hold.
const MOST: u64 = u32::MAX as u64;
/// The bytes of the name and the length of a chunk.
const CHUNK_HEAD: usize = 8;
/// The bytes of `RIFF`, the length, and `WAVE`.
const RIFF_HEAD: usize = 12;
/// The size of a `ds64` chunk: three lengths of eight bytes each, and the size of a table, which is
/// empty.
const DS64_BYTES: u32 = 28;

/// The bytes of all samples.
fn data_bytes(length: Length, format: SampleFormat) -> u64 {
    length.samples * length.channels as u64 * u64::from(super::bits(format) / 8)
}

/// Whether a file of this length must be RF64.
pub(super) fn is_large(length: Length, format: SampleFormat) -> bool {
    data_bytes(length, format) + 1024 > MOST
}

/// Everything before the samples of a file.
pub(super) fn header(format: SampleFormat, rate_hz: u32, length: Length) -> Vec<u8> {
    let is_float = format == SampleFormat::F32;
    let spec = hound::WavSpec {
        channels: length.channels as u16,
        sample_rate: rate_hz,
        bits_per_sample: super::bits(format),
        sample_format: match is_float {
            true => hound::SampleFormat::Float,
            false => hound::SampleFormat::Int,
        },
    };
    let mut head = spec.into_header_for_infinite_file();
    let data_bytes = data_bytes(length, format);
    let is_large = is_large(length, format);
    if is_large {
        let ds64_bytes = (CHUNK_HEAD + DS64_BYTES as usize) as u64;
        let riff_bytes = (head.len() - CHUNK_HEAD) as u64 + ds64_bytes + data_bytes;
        let mut ds64 = b"ds64".to_vec();
        ds64.extend(DS64_BYTES.to_le_bytes());
        for count in [riff_bytes, data_bytes, length.samples] {
            ds64.extend(count.to_le_bytes());
        }
        ds64.extend([0; 4]);
        head.splice(..4, *b"RF64");
        head.splice(RIFF_HEAD..RIFF_HEAD, ds64);
    }
    let count = |bytes: u64| if is_large { u32::MAX } else { bytes as u32 }.to_le_bytes();
    let riff = count((head.len() - CHUNK_HEAD) as u64 + data_bytes);
    head.splice(4..CHUNK_HEAD, riff);
    let data = head.len() - 4;
    head.splice(data.., count(data_bytes));
    head
}

/// Encodes samples as they follow the header. Integer formats clamp samples above full scale.
pub(super) fn write(out: &mut impl Write, format: SampleFormat, samples: &[f32]) -> io::Result<()> {
    for &sample in samples {
        match format {
            SampleFormat::I16 => out.write_all(&quantized(sample, 16).to_le_bytes()[..2])?,
            SampleFormat::I24 => out.write_all(&quantized(sample, 24).to_le_bytes()[..3])?,
            SampleFormat::F32 => out.write_all(&sample.to_le_bytes())?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn mono(samples: u64) -> Length {
        Length { samples, channels: 1, frames: 0 }
    }

    #[test]
    fn every_format_comes_back() {
        for format in [SampleFormat::I16, SampleFormat::I24, SampleFormat::F32] {
            let samples: Vec<f32> = (0..999).map(|n| (n as f32 * 0.1).sin() * 0.9).collect();
            let mut bytes = header(format, 44_100, mono(samples.len() as u64));
            write(&mut bytes, format, &samples).unwrap();
            let mut reader = hound::WavReader::new(bytes.as_slice()).unwrap();
            assert_eq!(reader.spec().sample_rate, 44_100);
            let back: Vec<f32> = match format {
                SampleFormat::F32 => reader.samples::<f32>().map(Result::unwrap).collect(),
                _ => {
                    let full = (1u32 << (super::super::bits(format) - 1)) as f32;
                    reader.samples::<i32>().map(|x| x.unwrap() as f32 / full).collect()
                }
            };
            assert_eq!(back.len(), samples.len());
            assert!(back.iter().zip(&samples).all(|(a, b)| (a - b).abs() < 4e-5));
        }
    }

    #[test]
    fn a_large_file_counts_in_64_bits() {
        let samples = 3_000_000_000u64;
        let head = header(SampleFormat::I16, 48_000, mono(samples));
        assert_eq!(&head[..20], b"RF64\xff\xff\xff\xffWAVEds64\x1c\0\0\0");
        let count = |at: usize| u64::from_le_bytes(head[at..at + 8].try_into().unwrap());
        assert_eq!(count(20), head.len() as u64 - 8 + samples * 2);
        assert_eq!((count(28), count(36)), (samples * 2, samples));
        assert_eq!(&head[48..52], b"fmt ");
        assert_eq!(&head[head.len() - 8..], b"data\xff\xff\xff\xff");
        assert!(!is_large(mono(2_000_000_000), SampleFormat::I16));
    }
}
