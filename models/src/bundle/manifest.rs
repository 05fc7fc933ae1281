//! `manifest.toml`: what a model is, what it can do, and the checksums of its files. Knows no graph
//! and no engine.
//!
//! Every key is documented where it is declared; unknown keys are errors.

mod check;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{BundleError, Instruments};
use crate::denoise::sampler::SamplerKind;
use crate::denoise::schedule::Spacing;
use crate::denoise::step::Prediction;
use crate::graph::{MelDecoderConfig, NetworkConfig, PriorConfig, VocoderConfig};
use crate::mel::FeatureRange;
use crate::tokens::TokenOptions;
use crate::units::{HOP_SAMPLES, MEL_BINS, SAMPLE_RATE_HZ};

/// The manifest format this build reads and writes.
pub const FORMAT: u32 = 1;
/// The largest manifest that is read.
const MAX_BYTES: usize = 1 << 20;

/// A model's manifest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Format of this file, 1.
    pub format: u32,
    /// Name, as in `--model NAME`: letters, digits, `-` and `_`.
    pub name: String,
    /// Version of the weights.
    pub version: String,
    /// One line about what it is.
    pub description: String,
    /// SPDX licence of the weights.
    pub license: String,
    /// The mel front end it was trained with.
    pub mel: MelSettings,
    /// How notes become tokens.
    pub tokens: TokenOptions,
    /// Sizes of the denoiser.
    pub network: NetworkConfig,
    /// How it is sampled unless told otherwise.
    pub sampling: Sampling,
    /// Full targets, offline or with a long hop.
    pub song: Mode,
    /// Short hops on its own past; absent where the model cannot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live: Option<LiveMode>,
    /// Sizes of the note prior that the denoiser refines; absent where the denoiser does it all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prior: Option<PriorConfig>,
    /// Sizes of the network of the project's own vocoder; absent where a mel decoder makes the
    /// sound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vocoder: Option<VocoderConfig>,
    /// What the file `vocoder` is where it is a mel decoder: natural-log mel [1, T, 128] -> T * 320
    /// samples.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mel_decoder: Option<MelDecoderConfig>,
    /// How well it plays which program; absent where nobody has measured it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instruments: Option<Instruments>,
    /// The model's files by role: `note_encoder`, `context_encoder`, `memory`, `film`, `step`,
    /// `prior`, `vocoder`, and where its own vocoder knows how notes begin `attacks`, how they live
    /// `life`.
    #[serde(default)]
    pub files: BTreeMap<String, FileEntry>,
}

/// `[mel]`: the front end; only the published one is supported.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MelSettings {
    /// 16000 Hz.
    pub sample_rate_hz: u32,
    /// 320 samples.
    pub hop_samples: usize,
    /// 128 bands.
    pub bins: usize,
    /// The log-mel range (nats) that the network sees as [-1, 1].
    pub range: FeatureRange,
}

impl Default for MelSettings {
    /// The published front end.
    fn default() -> Self {
        Self {
            sample_rate_hz: SAMPLE_RATE_HZ,
            hop_samples: HOP_SAMPLES,
            bins: MEL_BINS,
            range: FeatureRange::default(),
        }
    }
}

/// `[sampling]`: defaults of the step loop.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sampling {
    /// What the network predicts: `eps` or `v`.
    pub prediction: Prediction,
    /// `ddpm`, `ddim` or `dpm++2m`.
    pub sampler: SamplerKind,
    /// Where the steps lie: `trailing`, `uniform_t`, `uniform_log_snr` or `diffusers`.
    pub spacing: Spacing,
    /// Guidance weight; 1 is one network call a step.
    pub guidance: f64,
    /// Hold x0 inside [-1, 1].
    pub clip_x0: bool,
}

/// `[song]`: full targets.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mode {
    /// Frames a turn, at most the network's `target_frames`.
    pub hop_frames: usize,
    /// Denoising steps a turn, 1..=1000; 0 where the note prior is played as it is.
    pub steps: usize,
    /// Frames of its own past it hears, 0..=`network.context_frames`; absent: all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context_frames: Option<usize>,
}

/// `[live]`: short hops.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LiveMode {
    /// Frames a turn unless told otherwise.
    pub hop_frames: usize,
    /// Denoising steps a turn, 1..=1000; 0 where the note prior is played as it is.
    pub steps: usize,
    /// Frames of its own past it hears, 0..=`network.context_frames`; absent: all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context_frames: Option<usize>,
    /// Shortest hop it was trained for.
    pub min_hop_frames: usize,
    /// Longest hop that counts as live.
    pub max_hop_frames: usize,
    /// The network only knows full targets: hops are taken out of a sliding window of them, behind
    /// the frames already played. The hop then is as long as the machine needs. Not with a note
    /// prior.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub window: bool,
}

/// `[files.ROLE]`: a file beside the manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// Its name, in the manifest's own folder.
    pub file: String,
    /// SHA-256 in lower-case hexadecimal.
    pub sha256: String,
}

impl Manifest {
    /// Reads and checks a manifest; `path` only names it in errors.
    ///
    /// # Errors
    /// [`BundleError::Manifest`] with the line, or [`BundleError::Unfit`] with key, finding and
    /// remedy.
    pub fn parse(path: &str, bytes: &[u8]) -> Result<Self, BundleError> {
        let manifest = Self::draft(path, bytes)?;
        manifest.check_files(path)?;
        Ok(manifest)
    }

    /// [`Self::parse`] of a manifest whose files are yet to be made.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn draft(path: &str, bytes: &[u8]) -> Result<Self, BundleError> {
        let manifest_error =
            |reason: String| BundleError::Manifest { path: path.to_owned(), reason };
        if bytes.len() > MAX_BYTES {
            return Err(manifest_error(format!(
                "{} bytes; wanted at most {MAX_BYTES}",
                bytes.len()
            )));
        }
        let text = std::str::from_utf8(bytes).map_err(|e| {
            manifest_error(format!("not UTF-8 text after byte {}", e.valid_up_to()))
        })?;
        // The format comes first: a newer manifest must be told from a broken one.
        #[derive(Deserialize)]
        struct Head {
            format: Option<u32>,
        }
        if let Ok(Head { format: Some(found) }) = toml::from_str::<Head>(text)
            && found != FORMAT
        {
            return Err(BundleError::Unfit {
                path: path.to_owned(),
                key: "format".to_owned(),
                found: found.to_string(),
                wanted: FORMAT.to_string(),
                remedy: "use a timbred of the model's age, or import the model again".to_owned(),
            });
        }
        let manifest: Self = toml::from_str(text).map_err(|e| manifest_error(e.to_string()))?;
        manifest.check(path)?;
        Ok(manifest)
    }

    /// The manifest as text that [`Self::parse`] reads.
    pub fn to_toml(&self) -> String {
        // Every field is a plain value or a table of them: there is nothing that TOML cannot write.
        toml::to_string(self).unwrap_or_default()
    }
}

/// The roles that a model may leave out: how notes begin and how they live.
pub const ATTACKS: &str = "attacks";
/// See [`ATTACKS`].
pub const LIFE: &str = "life";
#[cfg(test)]
#[path = "manifest_tests.rs"]
mod tests;
