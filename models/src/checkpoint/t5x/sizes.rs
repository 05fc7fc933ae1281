//! The sizes of a network from the shapes of its arrays, and from `config.gin` what shapes do not
//! tell. It knows no files.

use std::collections::{BTreeMap, BTreeSet};

use super::gin::Gin;
use crate::graph::NetworkConfig;
use crate::tokens::Vocabulary;
use crate::units::MEL_BINS;

/// The width of a head in every published model, used if config.gin does not have it.
const HEAD_DIM: usize = 64;
/// The published `max_decoder_noise_time`.
const MAX_NOISE_TIME: f64 = 20_000.0;

/// The sizes of the network. An error says what was found and what was wanted.
pub(super) fn network(
    shapes: &BTreeMap<String, Vec<usize>>,
    gin: &Gin,
) -> Result<NetworkConfig, String> {
    let size = |name: &str, dimension: usize| {
        let shape = shapes.get(name).map(Vec::as_slice).unwrap_or_default();
        shape.get(dimension).copied().ok_or_else(|| {
            format!(
                "no array `{name}` of at least {} dimensions; wanted a music spectrogram diffusion \
                 model",
                dimension + 1
            )
        })
    };
    let layers = |part: &str| {
        let prefix = format!("{part}.layers_");
        let numbers = shapes.keys().filter_map(|name| {
            name.strip_prefix(&prefix)?.split('.').next()?.parse::<usize>().ok()
        });
        // The layers are counted, so that a made-up number cannot use all memory.
        numbers.collect::<BTreeSet<_>>().len()
    };
    let has_context = shapes.keys().any(|name| name.starts_with("continuous_encoder."));
    let joined = size("decoder.layers_0.self_attention.query.kernel", 1)?;
    let (heads, head_dim) = heads(joined, gin)?;
    let config = NetworkConfig {
        vocab_size: size("token_encoder.token_embedder.embedding", 0)?,
        emb: size("token_encoder.token_embedder.embedding", 1)?,
        heads,
        head_dim,
        mlp: size("decoder.layers_0.mlp.wi_0.kernel", 1)?,
        token_layers: layers("token_encoder"),
        context_layers: layers("continuous_encoder"),
        decoder_layers: layers("decoder"),
        max_tokens: size("token_encoder.Embed_0.embedding", 0)?,
        context_frames: match has_context {
            true => size("continuous_encoder.Embed_0.embedding", 0)?,
            false => 0,
        },
        target_frames: size("decoder.Embed_0.embedding", 0)?,
        mel_bins: size("decoder.spec_out_dense.kernel", 1)?,
        has_context,
        prior: false,
        max_noise_time: match gin.get("T5Config.max_decoder_noise_time") {
            Some(time) => time
                .parse()
                .map_err(|_| format!("max_decoder_noise_time = {time}; wanted a number"))?,
            None => MAX_NOISE_TIME,
        },
    };
    if config.mel_bins != MEL_BINS {
        return Err(format!("frames of {} mel bands; wanted {MEL_BINS}", config.mel_bins));
    }
    agree(&config, gin)?;
    Ok(config)
}

/// The number of velocity bins from config.gin, or else the published 1. The vocabulary must fit
/// it.
pub(super) fn velocity_bins(network: &NetworkConfig, gin: &Gin) -> Result<u16, String> {
    let bins = gin.number("NUM_VELOCITY_BINS").unwrap_or(1);
    let fits = |bins: &u16| Vocabulary::new(*bins).embeddings() == network.vocab_size;
    match u16::try_from(bins).ok().filter(|bins| (1..=127).contains(bins)).filter(fits) {
        Some(bins) => Ok(bins),
        None => Err(format!(
            "NUM_VELOCITY_BINS = {bins} with {} token embeddings, which does not fit together",
            network.vocab_size
        )),
    }
}

/// The number and the width of the attention heads. Their product is the width of the kernels.
fn heads(joined: usize, gin: &Gin) -> Result<(usize, usize), String> {
    let stated = (gin.number("T5Config.num_heads"), gin.number("T5Config.head_dim"));
    let (heads, head_dim) = match stated {
        (Some(heads), Some(head_dim)) => (heads, head_dim),
        (Some(heads), None) => (heads, joined / heads.max(1)),
        (None, head_dim) => {
            let head_dim = head_dim.unwrap_or(HEAD_DIM).max(1);
            (joined / head_dim, head_dim)
        }
    };
    if heads.checked_mul(head_dim) == Some(joined) && heads > 0 {
        return Ok((heads, head_dim));
    }
    Err(format!(
        "attention kernels {joined} wide, num_heads = {:?}, head_dim = {:?}; wanted num_heads \
         times head_dim to be the width",
        stated.0, stated.1
    ))
}

/// Checks that config.gin agrees with the arrays, and that this program supports the network.
fn agree(config: &NetworkConfig, gin: &Gin) -> Result<(), String> {
    let lengths = |key| gin.entry("TASK_FEATURE_LENGTHS", key);
    let numbers = [
        ("T5Config.emb_dim", gin.number("T5Config.emb_dim"), config.emb),
        ("T5Config.mlp_dim", gin.number("T5Config.mlp_dim"), config.mlp),
        (
            "T5Config.num_encoder_layers",
            gin.number("T5Config.num_encoder_layers"),
            config.token_layers,
        ),
        (
            "T5Config.num_decoder_layers",
            gin.number("T5Config.num_decoder_layers"),
            config.decoder_layers,
        ),
        ("TASK_FEATURE_LENGTHS inputs", lengths("inputs"), config.max_tokens),
        ("TASK_FEATURE_LENGTHS targets", lengths("targets"), config.target_frames),
    ];
    if let Some((name, Some(said), found)) =
        numbers.into_iter().find(|(_, said, found)| said.is_some_and(|n| n != *found))
    {
        return Err(format!(
            "{name} = {said}, but the arrays say {found}; config.gin is of another model"
        ));
    }
    let kinds = [
        ("T5Config.context_positions", "terminal_relative"),
        ("T5Config.decoder_cross_attend_style", "concat_encodings"),
    ];
    for (name, wanted) in kinds {
        if let Some(found) = gin.text(name).filter(|found| config.has_context && *found != wanted) {
            return Err(format!("{name} = '{found}'; this program computes '{wanted}'"));
        }
    }
    if let Some(found) = gin.get("T5Config.mlp_activations") {
        let plain: String =
            found.chars().filter(|c| !c.is_whitespace() && *c != '"' && *c != '\'').collect();
        if plain.trim_matches(['(', ')', '[', ']', ',']) != "gelu,linear" {
            return Err(format!(
                "T5Config.mlp_activations = {found}; this program computes ('gelu', 'linear')"
            ));
        }
    }
    Ok(())
}
