//! A tiny model of random weights, so that tests of the program need no trained one. Its sound has
//! no meaning.
#![allow(clippy::expect_used)]

use std::collections::BTreeMap;
use std::path::Path;

use timbre_models::bundle::manifest::{FORMAT, LiveMode, MelSettings, Mode, Sampling};
use timbre_models::bundle::{self, Manifest};
use timbre_models::denoise::noise::{NoiseSource, SeededNoise};
use timbre_models::denoise::sampler::SamplerKind;
use timbre_models::denoise::schedule::Spacing;
use timbre_models::denoise::step::Prediction;
use timbre_models::graph::{NetworkConfig, Params, PriorConfig, VocoderConfig, WeightFormat};
use timbre_models::notes::Kits;
use timbre_models::tokens::{HeldStyle, ProgramMap, Rounding, TokenOptions};
use timbre_models::units::MEL_BINS;

/// Writes the tiny model to `dir`.
///
/// # Panics
/// It cannot be written.
pub fn tiny_bundle(dir: &Path) {
    random_bundle(dir, tiny_manifest());
}

/// Writes a model of random weights to `dir`, with a manifest that uses our own vocoder.
///
/// # Panics
/// It cannot be written.
pub fn random_bundle(dir: &Path, manifest: Manifest) {
    let (network, format) = (&manifest.network, WeightFormat::F32);
    let denoiser = random(network.parameters(), 1.0);
    let mut graphs = bundle::denoiser_graphs(network, &denoiser, format).expect("weights that fit");
    if let Some(prior) = &manifest.prior {
        let weights = random(prior.parameters(manifest.kits.drums()), 1.0);
        graphs.extend(
            bundle::prior_graphs(prior, &manifest.kits, &weights, format)
                .expect("weights that fit"),
        );
    }
    if let Some(vocoder) = &manifest.vocoder {
        let weights = random(vocoder.parameters(), 0.1);
        graphs.extend(bundle::vocoder_graphs(vocoder, &weights, format).expect("weights that fit"));
    }
    bundle::write(dir, manifest, &graphs).expect("the tiny model is written");
}

/// The manifest of the tiny model, without its list of files.
pub fn tiny_manifest() -> Manifest {
    Manifest {
        format: FORMAT,
        name: "tiny".to_owned(),
        version: "1".to_owned(),
        description: "Random weights for tests".to_owned(),
        license: "CC0-1.0".to_owned(),
        mel: MelSettings::default(),
        tokens: TokenOptions {
            velocity_bins: 32,
            max_tokens: 511,
            rounding: Rounding::Floor,
            held: HeldStyle::KeyVelocityAge,
            program_map: ProgramMap::None,
        },
        network: NetworkConfig {
            vocab_size: 1536,
            emb: 16,
            heads: 2,
            head_dim: 8,
            mlp: 32,
            token_layers: 1,
            context_layers: 1,
            decoder_layers: 2,
            max_tokens: 512,
            context_frames: 64,
            target_frames: 64,
            mel_bins: MEL_BINS,
            has_context: true,
            prior: true,
            max_noise_time: 20_000.0,
        },
        sampling: Sampling {
            prediction: Prediction::V,
            sampler: SamplerKind::Ddim,
            spacing: Spacing::Trailing,
            guidance: 1.0,
            clip_x0: true,
        },
        song: Mode { hop_frames: 64, steps: 2, context_frames: None },
        live: Some(LiveMode {
            hop_frames: 2,
            steps: 1,
            context_frames: None,
            min_hop_frames: 1,
            max_hop_frames: 16,
            window: false,
        }),
        prior: Some(PriorConfig { width: 16, blocks: 1, note_width: 4, residual_nats: 2.0 }),
        vocoder: Some(VocoderConfig { width: 16, blocks: 2, upper_band: false }),
        mel_decoder: None,
        kits: Kits::default(),
        instruments: None,
        files: BTreeMap::new(),
    }
}

/// Seeded normal weights, scaled to keep the size of a signal and then by `scale`; norms are 1.
fn random(list: Vec<(String, Vec<usize>)>, scale: f32) -> Params {
    let mut params = Params::new();
    for (n, (name, shape)) in list.into_iter().enumerate() {
        let fan_in = shape.first().copied().unwrap_or(1) as f32;
        let is_norm = shape.len() == 1 && name != "bias";
        let mut values = vec![1.0; shape.iter().product()];
        if !is_norm {
            SeededNoise::new(7, n as u64).start(&mut values);
            values.iter_mut().for_each(|v| *v *= scale / fan_in.sqrt());
        }
        params.insert(name, shape, values);
    }
    params
}
