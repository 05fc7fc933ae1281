//! `timbred inspect model`: manifest, sizes and files of a model, which is verified and loaded on the way.

use std::fmt::Write;

use serde_json::json;
use timbre_models::bundle::{Bundle, Manifest};

use crate::error::Error;
use crate::models;

pub(super) fn run(name: Option<&str>, json: bool) -> Result<(), Error> {
    let bundle = models::find(name)?;
    // Loading checks every checksum, and every graph against the manifest.
    bundle.network()?;
    bundle.vocoder()?;
    let bytes = bundle.size()?;
    let text = match json {
        true => {
            let manifest = bundle.manifest();
            let [denoiser, vocoder] = parameters(manifest);
            let value = json!({
                "location": bundle.location(), "verified": true, "bytes": bytes,
                "parameters": {"denoiser": denoiser, "vocoder": vocoder}, "manifest": manifest,
            });
            format!("{value}\n")
        }
        false => in_words(&bundle, bytes),
    };
    super::print(&text)
}

/// Values in the weights of denoiser and vocoder.
fn parameters(manifest: &Manifest) -> [usize; 2] {
    let count = |list: Vec<(String, Vec<usize>)>| {
        list.iter().map(|(_, shape)| shape.iter().product::<usize>()).sum()
    };
    [count(manifest.network.parameters()), count(manifest.vocoder.parameters())]
}

fn in_words(bundle: &Bundle, bytes: u64) -> String {
    let m = bundle.manifest();
    let (n, t, s) = (&m.network, &m.tokens, &m.sampling);
    let [denoiser, vocoder] = parameters(m);
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
        ("parameters", format!("{denoiser} denoiser, {vocoder} vocoder")),
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
        ("vocoder", format!("width {}, {} blocks", m.vocoder.width, m.vocoder.blocks)),
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
