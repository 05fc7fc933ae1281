//! `manifest.toml`: what a model is, what it can do, and the checksums of its files. It knows no
//! graph and no inference engine.
//!
//! Every key is documented where it is declared. Unknown keys are errors.

mod check;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{BundleError, Instruments};
use crate::denoise::sampler::SamplerKind;
use crate::denoise::schedule::Spacing;
use crate::denoise::step::Prediction;
use crate::graph::{MelDecoderConfig, NetworkConfig, PriorConfig, VocoderConfig};
use crate::mel::FeatureRange;
use crate::notes::Kits;
use crate::tokens::TokenOptions;
use crate::units::{HOP_SAMPLES, MEL_BINS, SAMPLE_RATE_HZ};

/// The format of the manifests that this program reads and writes.
pub const FORMAT: u32 = 1;
/// The largest manifest that is read, bytes.
const MAX_BYTES: usize = 1 << 20;

/// The manifest of a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The format of this file, 1.
    pub format: u32,
    /// The name, as in `--model NAME`: letters, digits, `-` and `_`.
    pub name: String,
    /// The version of the weights.
    pub version: String,
    /// A description in one line.
    pub description: String,
    /// The SPDX licence of the weights.
    pub license: String,
    /// The mel front end that it was trained with.
    pub mel: MelSettings,
    /// How notes become tokens.
    pub tokens: TokenOptions,
    /// The sizes of the denoiser.
    pub network: NetworkConfig,
    /// The default options of sampling.
    pub sampling: Sampling,
    /// Song mode: full targets, offline or with a long hop.
    pub song: Mode,
    /// Live mode: short hops; absent if the model cannot be played live.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live: Option<LiveMode>,
    /// The sizes of the note prior, to which the denoiser adds a residual; absent if the denoiser
    /// makes the whole mel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prior: Option<PriorConfig>,
    /// The sizes of the network of the project's own vocoder; absent if a mel decoder makes the
    /// sound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vocoder: Option<VocoderConfig>,
    /// The mel decoder in the file `vocoder`, if it is one: it makes T * 320 samples from
    /// natural-log mel [1, T, 128].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mel_decoder: Option<MelDecoderConfig>,
    /// Its drum kits beside the standard one.
    #[serde(default, skip_serializing_if = "Kits::is_empty")]
    pub kits: Kits,
    /// How well it plays each program; absent if that was not measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instruments: Option<Instruments>,
    /// The files of the model by role: `note_encoder`, `context_encoder`, `memory`, `film`, `step`,
    /// `prior`, `vocoder`, and for the project's own vocoder optionally `attacks` (the attack
    /// table) and `life` (the life table).
    #[serde(default)]
    pub files: BTreeMap<String, FileEntry>,
}

/// `[mel]`: the mel front end. Only the published one is supported.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MelSettings {
    /// 16000 Hz.
    pub sample_rate_hz: u32,
    /// 320 samples.
    pub hop_samples: usize,
    /// 128 bands.
    pub bins: usize,
    /// The log-mel range (nats) that is scaled to [-1, 1] for the network.
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

/// `[sampling]`: the default options of sampling.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sampling {
    /// What the network predicts: `eps` or `v`.
    pub prediction: Prediction,
    /// The method of a step: `ddpm`, `ddim` or `dpm++2m`.
    pub sampler: SamplerKind,
    /// How the steps are spaced: `trailing`, `uniform_t`, `uniform_log_snr` or `diffusers`.
    pub spacing: Spacing,
    /// Guidance weight. With 1, a step is one call of the network.
    pub guidance: f64,
    /// Whether x0 is clipped to [-1, 1].
    pub clip_x0: bool,
}

/// `[song]`: full targets.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mode {
    /// Frames in a hop, at most the network's `target_frames`.
    pub hop_frames: usize,
    /// Denoising steps for a hop, 1..=1000; with 0 the note prior is played as it is.
    pub steps: usize,
    /// Frames of context, 0..=`network.context_frames`; absent means all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context_frames: Option<usize>,
}

/// `[live]`: short hops.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LiveMode {
    /// The default number of frames in a hop.
    pub hop_frames: usize,
    /// Denoising steps for a hop, 1..=1000; with 0 the note prior is played as it is.
    pub steps: usize,
    /// Frames of context, 0..=`network.context_frames`; absent means all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context_frames: Option<usize>,
    /// Frames in the shortest hop that it was trained for.
    pub min_hop_frames: usize,
    /// Frames in the longest hop that counts as live.
    pub max_hop_frames: usize,
    /// Whether the network knows only full targets. Then hops are taken from a sliding window of
    /// them, after the frames already played, and a hop is as long as the machine needs. It cannot
    /// be used with a note prior.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub window: bool,
}

/// `[files.ROLE]`: a file beside the manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// The name of the file, in the folder of the manifest.
    pub file: String,
    /// SHA-256 in lower-case hexadecimal.
    pub sha256: String,
}

impl Manifest {
    /// Reads and checks a manifest; `path` is only its name in errors.
    ///
    /// # Errors
    /// [`BundleError::Manifest`] with the line, or [`BundleError::Unfit`] with the key, what was
    /// found and what to do.
    pub fn parse(path: &str, bytes: &[u8]) -> Result<Self, BundleError> {
        let manifest = Self::draft(path, bytes)?;
        manifest.check_files(path)?;
        Ok(manifest)
    }

    /// As [`Self::parse`], for a manifest whose files do not exist yet.
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
        // The format is checked first, so that a newer manifest is not reported as broken.
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

    /// The manifest as text that [`Self::parse`] can read.
    pub fn to_toml(&self) -> String {
        // Every field is a plain value or a table of them, so TOML can always write it.
        toml::to_string(self).unwrap_or_default()
    }
}

/// The roles of the attack table and of the life table, which a model may leave out.
pub const ATTACKS: &str = "attacks";
/// See [`ATTACKS`].
pub const LIFE: &str = "life";
#[cfg(test)]
#[path = "manifest_tests.rs"]
mod tests;
