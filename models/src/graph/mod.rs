//! Builds the network as ONNX graphs from a size and a set of weights. It knows no checkpoint
//! format and no files: callers pass weights and get bytes.
//!
//! The network is split into graphs by how often they run: two encoders and `memory` once a hop,
//! `film` once for each step of a schedule, and `step` once or twice per denoising step.
//!
//! | graph | in | out |
//! | --- | --- | --- |
//! | `note_encoder` | `ids` int64 [1, N] | `notes` [1, N, emb] |
//! | `context_encoder` | `frames` [1, C, mel] | `context` [1, C, emb] |
//! | `memory` | `encodings` [1, M, emb] | per layer `k_i` [1, heads, head_dim, M], `v_i` [1, heads, M, head_dim] |
//! | `film` | `time` `[1]` | `film` [1, layers, 2, 2 emb] |
//! | `step` | `z` [1, L, mel], with a note prior `prior` [1, L, mel], `film`, `k_i`, `v_i` | `out` [1, L, mel] |
//!
//! The network of the vocoder has its own graph, `vocoder`. So do its tables, `attacks` and `life`,
//! and the network of the note prior, `prior`.
//!
//! Source: `music_spectrogram_diffusion/models/diffusion/{models,network}.py` (T5.1.1 style).

#[cfg(feature = "engine")]
mod attacks;
#[cfg(feature = "engine")]
mod builder;
mod config;
#[cfg(feature = "engine")]
pub(crate) mod gelu;
#[cfg(feature = "engine")]
pub(crate) mod int8;
#[cfg(feature = "engine")]
mod life;
mod params;
#[cfg(feature = "engine")]
mod pieces;
#[cfg(feature = "engine")]
mod prior;
mod prior_config;
#[cfg(feature = "engine")]
mod signature;
#[cfg(feature = "engine")]
mod vocoder;
mod vocoder_config;

#[cfg(feature = "engine")]
pub(crate) use attacks::{build_attacks, check_attacks};
pub use config::NetworkConfig;
#[cfg(feature = "engine")]
pub(crate) use life::{LifeParts, build_life, read_life};
#[cfg(feature = "checkpoint")]
pub(crate) use params::check_shapes;
pub use params::{Param, ParamError, Params, Weights};
#[cfg(feature = "engine")]
pub use pieces::WeightFormat;
#[cfg(feature = "engine")]
pub(crate) use pieces::{build, is_own_step};
#[cfg(feature = "engine")]
pub(crate) use prior::{build_prior, check_prior};
pub use prior_config::{
    FEATURES, FIRST_DRUM, GAINS, LOWEST_KEY, NOTE_ROWS, PriorConfig, TABLE_KEYS,
};
#[cfg(feature = "engine")]
pub use signature::GraphKind;
#[cfg(feature = "engine")]
pub(crate) use signature::{check_signature, written};
#[cfg(feature = "engine")]
pub(crate) use vocoder::{build_vocoder, check_vocoder};
pub use vocoder_config::{
    ATTACK_LEVELS, DRUM_ATTACKS, HISTORY, LIFE_FACTS, LIFE_GROUPS, LIFE_ROWS, MAX_REACH,
    MelDecoderConfig, NOISE_BANDS, OUTPUTS, UPPER_OUTPUTS, VocoderConfig,
};
