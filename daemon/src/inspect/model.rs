//! `timbred inspect model` prints the manifest, sizes and files of a model, after it has verified
//! and loaded the model.

use std::fmt::Write;
use std::sync::Arc;

use serde_json::json;
use timbre_models::bundle::{Bundle, Manifest};
use timbre_models::vocoder::tables::Tables;

use crate::error::Error;
use crate::models;

pub(super) fn run(name: Option<&str>, json: bool) -> Result<(), Error> {
    let bundle = models::find(name)?;
    // Loading verifies all checksums, and compares each graph with the manifest.
    let tables = Arc::new(Tables::new());
    bundle.network()?;
    let lives = Arc::new(bundle.lives()?);
    bundle.prior(tables.clone(), lives.clone())?;
    bundle.vocoder(tables, lives)?;
    let bytes = bundle.size()?;
    let text = match json {
        true => {
            let manifest = bundle.manifest();
            let [denoiser, prior, vocoder] = parameters(manifest);
            let value = json!({
                "location": bundle.location(), "verified": true, "bytes": bytes,
                "parameters": {"denoiser": denoiser, "prior": prior, "vocoder": vocoder},
                "manifest": manifest,
            });
            format!("{value}\n")
        }
        false => in_words(&bundle, bytes),
    };
    super::print(&text)
}

/// How many values the weights of the denoiser, of the note prior (0 if there is none) and of the
/// vocoder (0 for a mel decoder, which only tract can read) have.
fn parameters(manifest: &Manifest) -> [usize; 3] {
    let count = |list: Vec<(String, Vec<usize>)>| {
        list.iter().map(|(_, shape)| shape.iter().product::<usize>()).sum()
    };
    let prior = manifest.prior.map(|p| p.parameters(manifest.kits.drums())).unwrap_or_default();
    let vocoder = manifest.vocoder.map(|v| v.parameters()).unwrap_or_default();
    [count(manifest.network.parameters()), count(prior), count(vocoder)]
}

fn vocoder_in_words(manifest: &Manifest) -> String {
    match (manifest.vocoder, manifest.mel_decoder.unwrap_or_default()) {
        (Some(vocoder), _) => format!("width {}, {} blocks", vocoder.width, vocoder.blocks),
        (None, decoder) => format!(
            "a mel decoder that hears {} frames back and {} ahead",
            decoder.past_frames, decoder.future_frames
        ),
    }
}

fn in_words(bundle: &Bundle, bytes: u64) -> String {
    let m = bundle.manifest();
    let (n, t, s) = (&m.network, &m.tokens, &m.sampling);
    let [denoiser, prior, vocoder] = parameters(m);
    let mode = |hop: usize, steps: usize| format!("hops of {} ms, {steps} steps", hop * 20);
    let live = m.live.map_or("none".to_owned(), |l| {
        let range = format!("{} to {} ms", l.min_hop_frames * 20, l.max_hop_frames * 20);
        format!("{} (hops of {range} are possible)", mode(l.hop_frames, l.steps))
    });
    let context = match n.has_context {
        true => format!("{} frames of its own past", n.context_frames),
        false => "none".to_owned(),
    };
    let rows = [
        ("model", format!("{} {}", m.name, m.version)),
        ("", m.description.clone()),
        ("licence", m.license.clone()),
        ("place", bundle.location()),
        ("size", format!("{:.1} MB in {} files, all verified", bytes as f64 / 1e6, m.files.len())),
        ("parameters", format!("{denoiser} denoiser, {prior} note prior, {vocoder} vocoder")),
        (
            "denoiser",
            format!(
                "width {}, {} heads of {}, mlp {}, layers {} notes + {} context + {} decoder",
                n.emb,
                n.heads,
                n.head_dim,
                n.mlp,
                n.token_layers,
                n.context_layers,
                n.decoder_layers
            ),
        ),
        (
            "tokens",
            format!(
                "{} at most, {} velocities, vocabulary {}",
                t.max_tokens, t.velocity_bins, n.vocab_size
            ),
        ),
        ("context", context),
        ("sampling", format!("{}, steps {}, guidance {}", s.sampler, s.spacing, s.guidance)),
        ("song mode", mode(m.song.hop_frames, m.song.steps)),
        ("live mode", live),
        ("vocoder", vocoder_in_words(m)),
        ("drum kits", m.kits.programs().map(|p| p.to_string()).collect::<Vec<_>>().join(", ")),
    ];
    let mut text = String::new();
    for (what, value) in rows {
        // Writing into a string cannot fail.
        let _ = writeln!(text, "{what:11} {value}");
    }
    for (role, file) in &m.files {
        let _ = writeln!(text, "{role:16} {}  sha256 {}", file.file, file.sha256);
    }
    text
}
