//! Chooses with which sample format, rate, channels, and frames at a time a sound device is opened.

use alsa::pcm::{Access, Format, HwParams};
use alsa::{Direction, PCM, ValueOr};
use cpal::{SampleFormat, SupportedStreamConfigRange};

/// The sample formats that are supported, best first.
const FORMATS: [SampleFormat; 8] = [
    SampleFormat::F32,
    SampleFormat::I32,
    SampleFormat::I24,
    SampleFormat::I16,
    SampleFormat::F64,
    SampleFormat::U16,
    SampleFormat::U8,
    SampleFormat::I8,
];
/// How many buffers the library fills ahead.
const PERIODS: i64 = 2;

/// The options with which a device is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fit {
    pub(super) format: SampleFormat,
    pub(super) rate_hz: u32,
    pub(super) channels: u16,
}

/// The options of a device that are nearest to those wanted; none if it has no supported sample
/// format.
pub(super) fn fit(
    configs: &[SupportedStreamConfigRange],
    rate_hz: u32,
    channels: u16,
) -> Option<Fit> {
    // The rate matters most, as another one costs a conversion. Then there should be no fewer
    // channels than wanted, and few more.
    let off = |config: &SupportedStreamConfigRange| {
        let near_hz = rate_hz.clamp(config.min_sample_rate(), config.max_sample_rate());
        let fewer = config.channels() < channels;
        let format = FORMATS.iter().position(|format| *format == config.sample_format())?;
        Some((near_hz.abs_diff(rate_hz), fewer, config.channels().abs_diff(channels), format))
    };
    let best = configs.iter().filter(|c| off(c).is_some()).min_by_key(|c| off(c))?;
    Some(Fit {
        format: best.sample_format(),
        rate_hz: rate_hz.clamp(best.min_sample_rate(), best.max_sample_rate()),
        channels: best.channels(),
    })
}

/// The number of frames at a time nearest to `wanted` that an ALSA device of this name takes at
/// this rate; none if the device does not say.
pub(super) fn alsa_frames(name: &str, fit: Fit, wanted: u32) -> Option<u32> {
    let _quiet = alsa::Output::local_error_handler();
    let pcm = PCM::new(name, Direction::Playback, true).ok()?;
    let params = HwParams::any(&pcm).ok()?;
    params.set_access(Access::RWInterleaved).ok()?;
    let formats = alsa_formats(fit.format);
    formats.iter().find(|format| params.set_format(**format).is_ok())?;
    params.set_rate(fit.rate_hz, ValueOr::Nearest).ok()?;
    params.set_channels(fit.channels.into()).ok()?;
    let range = (params.get_period_size_min().ok()?, params.get_period_size_max().ok()?);
    nearest(wanted, range, params.get_buffer_size_max().ok()?)
}

/// The nearest number of frames in a range of which two must fit into the whole buffer.
fn nearest(wanted: u32, (least, most): (i64, i64), buffer_most: i64) -> Option<u32> {
    let most = if buffer_most > 0 { most.min(buffer_most / PERIODS) } else { most };
    let least = least.max(1);
    (most >= least).then(|| i64::from(wanted).clamp(least, most)).and_then(|n| n.try_into().ok())
}

/// What ALSA calls a sample format, in either order of bytes.
fn alsa_formats(format: SampleFormat) -> &'static [Format] {
    match format {
        SampleFormat::F32 => &[Format::FloatLE, Format::FloatBE],
        SampleFormat::F64 => &[Format::Float64LE, Format::Float64BE],
        SampleFormat::I32 => &[Format::S32LE, Format::S32BE],
        SampleFormat::I24 => &[Format::S24LE, Format::S24BE],
        SampleFormat::I16 => &[Format::S16LE, Format::S16BE],
        SampleFormat::U16 => &[Format::U16LE, Format::U16BE],
        SampleFormat::U8 => &[Format::U8],
        SampleFormat::I8 => &[Format::S8],
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use cpal::SupportedBufferSize;

    use super::*;

    fn config(channels: u16, from: u32, to: u32, f: SampleFormat) -> SupportedStreamConfigRange {
        SupportedStreamConfigRange::new(channels, from, to, SupportedBufferSize::Unknown, f)
    }

    #[test]
    fn the_nearest_that_the_device_takes() {
        assert_eq!(nearest(256, (1024, 1024), 16_384), Some(1024), "dmix takes one size only");
        assert_eq!(nearest(2048, (1024, 1024), 16_384), Some(1024));
        assert_eq!(nearest(256, (32, 8192), 16_384), Some(256));
        assert_eq!(nearest(16, (32, 8192), 16_384), Some(32));
        assert_eq!(nearest(8192, (32, 8192), 4096), Some(2048), "two must fit");
        assert_eq!(nearest(256, (0, i64::MAX), 0), Some(256), "a plugin without limits");
        assert_eq!(nearest(256, (1024, 512), 16_384), None);
        assert_eq!(nearest(256, (1024, 4096), 1024), None);
    }

    #[test]
    fn rate_then_channels_then_the_finest_samples() {
        use SampleFormat::{F32, I16, I24, I32};
        let stereo = config(2, 44_100, 48_000, I16);
        let found = |configs: &[_], rate, channels| {
            fit(configs, rate, channels).map(|f| (f.format, f.rate_hz, f.channels))
        };
        assert_eq!(found(&[stereo], 48_000, 2), Some((I16, 48_000, 2)));
        assert_eq!(found(&[stereo], 96_000, 2), Some((I16, 48_000, 2)));
        let fine = config(2, 44_100, 48_000, I32);
        assert_eq!(found(&[stereo, fine], 48_000, 2), Some((I32, 48_000, 2)));
        let packed = config(2, 44_100, 48_000, I24);
        assert_eq!(found(&[stereo, packed], 48_000, 2), Some((I24, 48_000, 2)));
        // An interface with ten outputs offers no mode with two.
        assert_eq!(found(&[config(10, 48_000, 48_000, I32)], 48_000, 2), Some((I32, 48_000, 10)));
        let mono = config(1, 48_000, 48_000, F32);
        assert_eq!(found(&[mono, stereo], 48_000, 2), Some((I16, 48_000, 2)));
        assert_eq!(found(&[mono], 48_000, 2), Some((F32, 48_000, 1)));
        assert_eq!(found(&[], 48_000, 2), None);
        assert_eq!(found(&[config(2, 1, 2, SampleFormat::DsdU8)], 48_000, 2), None);
    }
}
