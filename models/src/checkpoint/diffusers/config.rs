//! Reads the `config.json` of each part and of the scheduler: the sizes of the network, and how it
//! is sampled. It knows no weights.

use serde::Deserialize;

use super::files::Folder;
use crate::checkpoint::CheckpointError;
use crate::denoise::step::Prediction;
use crate::graph::NetworkConfig;
use crate::tokens::Vocabulary;
use crate::units::MEL_BINS;

/// The pipeline that this program supports.
const PIPELINE: &str = "SpectrogramDiffusionPipeline";
/// The largest size, which is far above that of any model, and so small that products do not
/// overflow.
const MOST: usize = 1 << 20;
/// The most layers of a part.
const MOST_LAYERS: usize = 1 << 10;

/// `model_index.json`
#[derive(Debug, Deserialize)]
pub(super) struct ModelIndex {
    #[serde(rename = "_class_name")]
    class: String,
    /// The version that saved it.
    #[serde(rename = "_diffusers_version", default)]
    pub version: String,
    #[serde(default)]
    melgan: (Option<String>, Option<String>),
}

impl ModelIndex {
    pub(super) fn read(folder: &Folder) -> Result<Self, CheckpointError> {
        let index: Self = folder.json("model_index.json")?;
        match index.class == PIPELINE {
            true => Ok(index),
            false => {
                let reason = format!("a {}; wanted a {PIPELINE}", index.class);
                Err(CheckpointError::refused(&folder.name_of("model_index.json"), reason))
            }
        }
    }

    /// Whether the pipeline has a mel decoder.
    pub(super) fn has_mel_decoder(&self) -> bool {
        self.melgan.1.is_some()
    }
}

/// The sizes in the configurations of all three parts.
#[derive(Debug, Deserialize)]
struct Sizes {
    #[serde(rename = "_class_name", default)]
    class: Option<String>,
    d_model: usize,
    num_layers: usize,
    num_heads: usize,
    d_kv: usize,
    d_ff: usize,
    /// Only in the two encoders.
    #[serde(default)]
    feed_forward_proj: Option<String>,
    #[serde(default)]
    is_decoder: bool,
}

#[derive(Debug, Deserialize)]
struct Notes {
    #[serde(flatten)]
    sizes: Sizes,
    vocab_size: usize,
    max_length: usize,
}

#[derive(Debug, Deserialize)]
struct Past {
    #[serde(flatten)]
    sizes: Sizes,
    input_dims: usize,
    targets_context_length: usize,
}

#[derive(Debug, Deserialize)]
struct Decoder {
    #[serde(flatten)]
    sizes: Sizes,
    input_dims: usize,
    targets_length: usize,
    max_decoder_noise_time: f64,
}

/// `scheduler/scheduler_config.json`
#[derive(Debug, Deserialize)]
pub(super) struct Scheduler {
    beta_schedule: String,
    #[serde(default)]
    prediction_type: Option<String>,
    #[serde(default = "yes")]
    clip_sample: bool,
    #[serde(default)]
    clip_sample_range: Option<f64>,
    #[serde(default)]
    thresholding: bool,
    #[serde(default)]
    trained_betas: Option<serde_json::Value>,
}

fn yes() -> bool {
    true
}

impl Scheduler {
    const NAME: &str = "scheduler/scheduler_config.json";

    /// What the network predicts, and whether clean frames are clipped to [-1, 1].
    pub(super) fn read(folder: &Folder) -> Result<(Prediction, bool), CheckpointError> {
        let scheduler: Self = folder.json(Self::NAME)?;
        let refused = |found: String, wanted: &str| {
            let reason = format!("{found}; this program knows {wanted}");
            Err(CheckpointError::refused(&folder.name_of(Self::NAME), reason))
        };
        let Self { beta_schedule, clip_sample, clip_sample_range, .. } = &scheduler;
        if beta_schedule != "squaredcos_cap_v2" || scheduler.trained_betas.is_some() {
            let given = if scheduler.trained_betas.is_some() { " with trained_betas" } else { "" };
            let found = format!("beta_schedule = {beta_schedule:?}{given}");
            return refused(found, "\"squaredcos_cap_v2\", the cosine that such models learn");
        }
        if scheduler.thresholding {
            return refused("thresholding = true".to_owned(), "clip_sample alone");
        }
        if let Some(range) = clip_sample_range.filter(|range| *clip_sample && *range != 1.0) {
            return refused(format!("clip_sample_range = {range}"), "1.0");
        }
        match scheduler.prediction_type.as_deref().unwrap_or("epsilon") {
            "epsilon" => Ok((Prediction::Eps, *clip_sample)),
            "v_prediction" => Ok((Prediction::V, *clip_sample)),
            other => {
                refused(format!("prediction_type = {other:?}"), "\"epsilon\" and \"v_prediction\"")
            }
        }
    }
}

/// The sizes of the network, from the configurations of its parts.
pub(super) fn network(folder: &Folder) -> Result<NetworkConfig, CheckpointError> {
    let notes: Notes = folder.json("notes_encoder/config.json")?;
    let past: Past = folder.json("continuous_encoder/config.json")?;
    let decoder: Decoder = folder.json("decoder/config.json")?;
    let parts = [
        ("notes_encoder/config.json", "SpectrogramNotesEncoder", &notes.sizes),
        ("continuous_encoder/config.json", "SpectrogramContEncoder", &past.sizes),
        ("decoder/config.json", "T5FilmDecoder", &decoder.sizes),
    ];
    let refused = |name: &str, reason: String| {
        Err(CheckpointError::Sizes { path: folder.name_of(name), reason })
    };
    for (name, class, sizes) in parts {
        if let Some(problem) = sizes.problem(class) {
            return refused(name, problem);
        }
    }
    for (name, _, sizes) in parts {
        let beside = sizes.beside(&decoder.sizes);
        if let Some((key, found, wanted)) = beside.into_iter().find(|(_, a, b)| a != b) {
            let reason = format!("{key} = {found}, but decoder/config.json says {wanted}");
            return refused(name, reason);
        }
    }
    let others = [
        ("notes_encoder/config.json", "vocab_size", notes.vocab_size),
        ("notes_encoder/config.json", "max_length", notes.max_length),
        ("continuous_encoder/config.json", "input_dims", past.input_dims),
        ("continuous_encoder/config.json", "targets_context_length", past.targets_context_length),
        ("decoder/config.json", "input_dims", decoder.input_dims),
        ("decoder/config.json", "targets_length", decoder.targets_length),
    ];
    for (name, key, size) in others {
        if !(1..=MOST).contains(&size) {
            return refused(name, format!("{key} = {size}; wanted 1 to {MOST}"));
        }
        if key == "input_dims" && size != MEL_BINS {
            return refused(name, format!("{key} = {size}; wanted {MEL_BINS} mel bands"));
        }
    }
    let vocabulary = Vocabulary::new(1).embeddings();
    if notes.vocab_size != vocabulary {
        let reason =
            format!("vocab_size = {}; wanted the published {vocabulary}", notes.vocab_size);
        return refused("notes_encoder/config.json", reason);
    }
    let Sizes { d_model, num_layers, num_heads, d_kv, d_ff, .. } = decoder.sizes;
    let network = NetworkConfig {
        vocab_size: notes.vocab_size,
        emb: d_model,
        heads: num_heads,
        head_dim: d_kv,
        mlp: d_ff,
        token_layers: notes.sizes.num_layers,
        context_layers: past.sizes.num_layers,
        decoder_layers: num_layers,
        max_tokens: notes.max_length,
        context_frames: past.targets_context_length,
        target_frames: decoder.targets_length,
        mel_bins: MEL_BINS,
        has_context: true,
        prior: false,
        max_noise_time: decoder.max_decoder_noise_time,
    };
    match network.problem() {
        Some(problem) => refused("decoder/config.json", problem),
        None => Ok(network),
    }
}

impl Sizes {
    /// The first problem with the sizes, if there is one.
    fn problem(&self, class: &str) -> Option<String> {
        if let Some(other) = self.class.as_ref().filter(|other| *other != class) {
            return Some(format!("a {other}; wanted a {class}"));
        }
        let sizes = [
            ("d_model", self.d_model, MOST),
            ("num_layers", self.num_layers, MOST_LAYERS),
            ("num_heads", self.num_heads, MOST),
            ("d_kv", self.d_kv, MOST),
            ("d_ff", self.d_ff, MOST),
        ];
        if let Some((key, size, most)) =
            sizes.into_iter().find(|(_, size, most)| !(1..=*most).contains(size))
        {
            return Some(format!("{key} = {size}; wanted 1 to {most}"));
        }
        if let Some(kind) = self.feed_forward_proj.as_ref().filter(|kind| *kind != "gated-gelu") {
            return Some(format!(
                "feed_forward_proj = {kind:?}; this program computes \"gated-gelu\""
            ));
        }
        self.is_decoder.then(|| "is_decoder = true; wanted an encoder".to_owned())
    }

    /// The sizes that must be equal in all parts, each beside that of another part.
    fn beside(&self, other: &Self) -> [(&'static str, usize, usize); 4] {
        [
            ("d_model", self.d_model, other.d_model),
            ("num_heads", self.num_heads, other.num_heads),
            ("d_kv", self.d_kv, other.d_kv),
            ("d_ff", self.d_ff, other.d_ff),
        ]
    }
}
