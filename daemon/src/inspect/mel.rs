//! `timbred inspect mel` turns a WAV file into its log-mel, as numbers or as a picture. It knows no
//! model.

use std::io::Write;
use std::path::Path;

use hound::{SampleFormat, WavReader};
use timbre_models::mel::{FeatureRange, MelFrontEnd};
use timbre_models::units::{MEL_BINS, SAMPLE_RATE_HZ};

use super::colour::colour;
use crate::audio::resample::resample;
use crate::error::Error;
use crate::render::output::{Kind, Length, SoundFile};
use crate::whole_file::WholeFile;

/// The sample rates that can be read, Hz.
const RATES_HZ: std::ops::RangeInclusive<u32> = 1_000..=768_000;
/// The wanted width of the picture, pixels. Frames become wider than the least width to reach it.
const WIDTH: usize = 1_200;
/// The least and the greatest width of a frame, pixels.
const FRAME_PIXELS: (usize, usize) = (2, 8);
/// The height of a band, pixels.
const BAND_PIXELS: usize = 3;
/// The most columns of a picture. With more frames, several share a column, which shows their mean.
const MAX_COLUMNS: usize = 8_000;

pub(super) fn run(file: &Path, out: &Path) -> Result<(), Error> {
    let ending = out.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase);
    let picture = match ending.as_deref() {
        Some("png") => true,
        Some("npy") => false,
        _ => {
            return Err(Error::Usage(format!(
                "--out {}: wanted a .png or .npy file",
                out.display()
            )));
        }
    };
    let (samples, rate_hz) = read_mono(file)?;
    let samples = resample(&samples, rate_hz, SAMPLE_RATE_HZ).map_err(|e| Error::input(file, e))?;
    let mel = MelFrontEnd::new().log_mel(&samples);
    let frames = mel.len() / MEL_BINS;
    let mut whole = WholeFile::create(out)?;
    match picture {
        true => {
            let mut bytes = vec![];
            draw(&mel).write(&mut bytes).map_err(|e| whole.failed(e))?;
            whole.file().write_all(&bytes).map_err(|e| whole.failed(e))?;
            whole.keep()?;
        }
        false => {
            let length = Length { samples: 0, channels: 1, frames };
            let (kind, format) = (Kind::Npy, crate::cli::SampleFormat::F32);
            let mut file = SoundFile::begin(whole, kind, format, SAMPLE_RATE_HZ, length)?;
            file.mel(&mel)?;
            file.finish()?;
        }
    }
    super::print(&format!("{}: {frames} frames of 20 ms, {MEL_BINS} bands\n", out.display()))
}

/// Reads a WAV file, averages its channels, and returns the samples and their rate.
fn read_mono(file: &Path) -> Result<(Vec<f32>, u32), Error> {
    let unread = |e: hound::Error| Error::input(file, format!("{e}; wanted a whole WAV file"));
    if file.is_dir() {
        return Err(Error::input(file, "is a folder; name a WAV file in it"));
    }
    let reader = WavReader::open(file).map_err(unread)?;
    let spec = reader.spec();
    if !RATES_HZ.contains(&spec.sample_rate) {
        let (found, wanted) = (spec.sample_rate, RATES_HZ);
        return Err(Error::input(file, format!("a rate of {found} Hz, wanted {wanted:?} Hz")));
    }
    let samples: Vec<f32> = match spec.sample_format {
        SampleFormat::Float => reader.into_samples::<f32>().collect::<Result<_, _>>(),
        SampleFormat::Int => {
            let scale = (0.5f64.powi(i32::from(spec.bits_per_sample) - 1)) as f32;
            reader.into_samples::<i32>().map(|s| s.map(|s| s as f32 * scale)).collect()
        }
    }
    .map_err(unread)?;
    if let Some(at) = samples.iter().position(|x| !x.is_finite()) {
        return Err(Error::input(file, format!("sample {at} is no number; export the file again")));
    }
    let channels = usize::from(spec.channels.max(1));
    let mono: Vec<f32> =
        samples.chunks_exact(channels).map(|c| c.iter().sum::<f32>() / channels as f32).collect();
    match mono.is_empty() {
        true => Err(Error::input(file, "no samples in it; nothing to show")),
        false => Ok((mono, spec.sample_rate)),
    }
}

/// A picture: rows from top to bottom, pixels from left to right.
struct Picture {
    width: usize,
    pixels: Vec<[u8; 3]>,
}

impl Picture {
    /// Writes the picture as PNG.
    fn write(&self, to: &mut Vec<u8>) -> Result<(), png::EncodingError> {
        let height = self.pixels.len() / self.width.max(1);
        let mut encoder = png::Encoder::new(to, self.width as u32, height as u32);
        encoder.set_color(png::ColorType::Rgb);
        encoder.write_header()?.write_image_data(self.pixels.as_flattened())
    }
}

/// Draws a log-mel: time to the right, low bands at the bottom, and the value range of the
/// published models from black to white.
fn draw(mel: &[f32]) -> Picture {
    let frames = mel.len() / MEL_BINS;
    let shared = frames.div_ceil(MAX_COLUMNS).max(1);
    let columns: Vec<Vec<f32>> = mel.chunks(shared * MEL_BINS).map(mean_frame).collect();
    let wide = (WIDTH / columns.len().max(1)).clamp(FRAME_PIXELS.0, FRAME_PIXELS.1);
    let range = FeatureRange::default();
    let width = columns.len() * wide;
    let pixel = |at: usize| {
        let (x, y) = (at % width, at / width);
        let band = MEL_BINS - 1 - (y / BAND_PIXELS).min(MEL_BINS - 1);
        let column = columns.get(x / wide);
        let log_mel = column.and_then(|c| c.get(band)).copied().unwrap_or_default();
        colour((range.scale_clipped(log_mel) + 1.0) / 2.0)
    };
    Picture { width, pixels: (0..width * MEL_BINS * BAND_PIXELS).map(pixel).collect() }
}

fn mean_frame(frames: &[f32]) -> Vec<f32> {
    let count = (frames.len() / MEL_BINS).max(1) as f32;
    let band = |b: usize| frames.iter().skip(b).step_by(MEL_BINS).sum::<f32>() / count;
    (0..MEL_BINS).map(band).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn low_bands_are_at_the_bottom_and_time_goes_right() {
        let floor = FeatureRange::default().min as f32;
        let mut mel = vec![floor; 10 * MEL_BINS];
        mel[9 * MEL_BINS] = 4.0;
        let picture = draw(&mel);
        assert_eq!((picture.width, picture.pixels.len()), (80, 80 * 384));
        assert_eq!(picture.pixels.last(), Some(&colour(1.0)));
        assert_eq!(picture.pixels.first(), Some(&colour(0.0)));
    }

    #[test]
    fn long_pieces_share_columns() {
        let mel = vec![1.0; 20_000 * MEL_BINS];
        assert!(draw(&mel).width <= 2 * MAX_COLUMNS);
    }
}
