//! Checks manifests: sizes, ranges, and files that belong together. It reads no file.

use super::{ATTACKS, LIFE, Manifest};
use crate::bundle::{BundleError, Instruments};
use crate::denoise::schedule::MAX_STEPS;
use crate::graph::MAX_REACH;
use crate::tokens::Vocabulary;
use crate::units::{HOP_SAMPLES, MEL_BINS, SAMPLE_RATE_HZ};

/// The largest size in a manifest.
const MAX_SIZE: usize = 1 << 16;

/// A value of a manifest that does not fit.
struct Problem {
    key: String,
    found: String,
    wanted: String,
}

fn unfit(key: &str, found: impl ToString, wanted: impl Into<String>) -> Option<Problem> {
    let (found, wanted) = (found.to_string(), wanted.into());
    Some(Problem { key: key.to_owned(), found, wanted })
}

impl Manifest {
    /// Checks everything that can be checked without the files of the model.
    pub(super) fn check(&self, path: &str) -> Result<(), BundleError> {
        let problem = self.head_problem().or_else(|| self.network_problem());
        let problem = problem.or_else(|| self.parts_problem()).or_else(|| self.modes_problem());
        let Some(Problem { key, found, wanted }) = problem else { return Ok(()) };
        Err(BundleError::Unfit {
            path: path.to_owned(),
            key,
            found,
            wanted,
            remedy: "correct the manifest, or install the model again".to_owned(),
        })
    }

    /// The first problem with the name and the mel.
    fn head_problem(&self) -> Option<Problem> {
        let named = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if self.name.is_empty() || !self.name.chars().all(named) {
            return unfit("name", format!("{:?}", self.name), "letters, digits, - and _");
        }
        let mel = (self.mel.sample_rate_hz, self.mel.hop_samples, self.mel.bins);
        let published = (SAMPLE_RATE_HZ, HOP_SAMPLES, MEL_BINS);
        if mel != published || self.network.mel_bins != MEL_BINS {
            return unfit("mel", format!("{mel:?}"), format!("{published:?} (rate, hop, bins)"));
        }
        let range = self.mel.range;
        if !(range.min.is_finite() && range.max.is_finite() && range.min < range.max) {
            return unfit("mel.range", format!("{range:?}"), "finite min below max");
        }
        None
    }

    /// The first problem with the sizes of the network, its tokens and its sampling.
    fn network_problem(&self) -> Option<Problem> {
        let network = &self.network;
        if let Some(problem) = network.problem() {
            return unfit("network", problem, "sizes of a network");
        }
        if let Some((size, found)) = self.too_large() {
            return unfit(size, found, format!("at most {MAX_SIZE}"));
        }
        let bins = self.tokens.velocity_bins;
        if !(1..=127).contains(&bins) {
            return unfit("tokens.velocity_bins", bins, "1 to 127");
        }
        let vocabulary = Vocabulary::new(bins).embeddings();
        if vocabulary > network.vocab_size {
            let wanted = format!("at least {vocabulary}, which tokens.velocity_bins needs");
            return unfit("network.vocab_size", network.vocab_size, wanted);
        }
        if !(1..network.max_tokens).contains(&self.tokens.max_tokens) {
            let wanted =
                format!("1 to {} (network.max_tokens less the end)", network.max_tokens - 1);
            return unfit("tokens.max_tokens", self.tokens.max_tokens, wanted);
        }
        let guidance = self.sampling.guidance;
        if !(guidance.is_finite() && (0.0..=20.0).contains(&guidance)) {
            return unfit("sampling.guidance", guidance, "0 to 20");
        }
        None
    }

    /// The first problem with the note prior, the vocoder or mel decoder, and the ratings of
    /// instruments.
    fn parts_problem(&self) -> Option<Problem> {
        if self.network.prior != self.prior.is_some() {
            let found = format!("network.prior = {}", self.network.prior);
            return unfit("prior", found, "true where there is a [prior], else false");
        }
        if let Some(prior) = self.prior
            && !(0.0..=20.0).contains(&prior.residual_nats)
        {
            return unfit("prior.residual_nats", prior.residual_nats, "0 to 20");
        }
        if self.vocoder.is_some() == self.mel_decoder.is_some() {
            let found =
                if self.vocoder.is_some() { "[vocoder] and [mel_decoder]" } else { "neither" };
            return unfit("vocoder", found, "either [vocoder] or [mel_decoder]");
        }
        if let Some(program) = self.instruments.as_ref().and_then(Instruments::problem) {
            return unfit("instruments", program, "each program, 0 to 127, once");
        }
        if let Some(problem) = self.kits.problem() {
            return unfit("kits", problem, "kits in ascending order of programs and keys");
        }
        let reach = self.mel_decoder.map_or(0, |d| d.past_frames.max(d.future_frames));
        if reach > MAX_REACH {
            return unfit("mel_decoder", format!("{reach} frames"), format!("at most {MAX_REACH}"));
        }
        None
    }

    /// The first problem with song mode and live mode.
    fn modes_problem(&self) -> Option<Problem> {
        let frames = 1..=self.network.target_frames;
        let contexts = [
            ("song", self.song.context_frames),
            ("live", self.live.and_then(|l| l.context_frames)),
        ];
        for (mode, frames) in contexts {
            if frames.is_some_and(|frames| frames > self.network.context_frames) {
                let wanted =
                    format!("at most {} (network.context_frames)", self.network.context_frames);
                return unfit(&format!("{mode}.context_frames"), format!("{frames:?}"), wanted);
            }
        }
        let live = self.live.map(|l| ("live", l.hop_frames, l.steps));
        for (mode, hop, steps) in
            [Some(("song", self.song.hop_frames, self.song.steps)), live].into_iter().flatten()
        {
            if !frames.contains(&hop) {
                let wanted = format!("{frames:?} (network.target_frames)");
                return unfit(&format!("{mode}.hop_frames"), hop, wanted);
            }
            // Without a note prior there would be no sound.
            let least = usize::from(self.prior.is_none());
            if !(least..=MAX_STEPS).contains(&steps) {
                return unfit(&format!("{mode}.steps"), steps, format!("{least} to {MAX_STEPS}"));
            }
        }
        if self.live.is_some_and(|live| live.window) && self.prior.is_some() {
            let wanted = "false, or a model without a note prior";
            return unfit("live.window", "true, with a [prior]", wanted);
        }
        let live = self.live?;
        let range = live.min_hop_frames..=live.max_hop_frames;
        let is_in_range = range.contains(&live.hop_frames) && frames.contains(&live.max_hop_frames);
        if live.min_hop_frames == 0 || !is_in_range {
            let wanted = format!("hops inside {frames:?}, live.hop_frames among them");
            return unfit("live.min_hop_frames", format!("{range:?}"), wanted);
        }
        None
    }

    /// The first size that no real model has, so that a hostile manifest cannot use all memory.
    fn too_large(&self) -> Option<(&'static str, usize)> {
        let n = &self.network;
        [
            ("network.vocab_size", n.vocab_size),
            ("network.emb", n.emb),
            ("network.heads", n.heads),
            ("network.head_dim", n.head_dim),
            ("network.mlp", n.mlp),
            ("network.token_layers", n.token_layers),
            ("network.context_layers", n.context_layers),
            ("network.decoder_layers", n.decoder_layers),
            ("network.max_tokens", n.max_tokens),
            ("network.context_frames", n.context_frames),
            ("network.target_frames", n.target_frames),
            ("prior.width", self.prior.map_or(0, |p| p.width)),
            ("prior.blocks", self.prior.map_or(0, |p| p.blocks)),
            ("prior.note_width", self.prior.map_or(0, |p| p.note_width)),
            ("vocoder.width", self.vocoder.map_or(0, |v| v.width)),
            ("vocoder.blocks", self.vocoder.map_or(0, |v| v.blocks)),
        ]
        .into_iter()
        .find(|(_, size)| *size > MAX_SIZE)
    }

    pub(super) fn check_files(&self, path: &str) -> Result<(), BundleError> {
        let mut roles = vec!["note_encoder", "memory", "film", "step", "vocoder"];
        if self.network.has_context {
            roles.push("context_encoder");
        }
        if self.prior.is_some() {
            roles.push("prior");
        }
        let unfit = |key: String, found: String, wanted: &str| BundleError::Unfit {
            path: path.to_owned(),
            key,
            found,
            wanted: wanted.to_owned(),
            remedy: "install the model again".to_owned(),
        };
        if let Some(role) = roles.iter().find(|role| !self.files.contains_key(**role)) {
            return Err(unfit(format!("files.{role}"), "nothing".into(), "a file and its sha256"));
        }
        if self.vocoder.is_some() {
            roles.extend([ATTACKS, LIFE]);
        }
        for (role, entry) in &self.files {
            if !roles.contains(&role.as_str()) {
                return Err(unfit(
                    format!("files.{role}"),
                    "a file".into(),
                    "only the roles of this network",
                ));
            }
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
            if !entry.file.chars().all(plain)
                || entry.file.starts_with('.')
                || entry.file.is_empty()
            {
                return Err(unfit(
                    format!("files.{role}.file"),
                    format!("{:?}", entry.file),
                    "a plain file name in the manifest's folder",
                ));
            }
            let hex = |c: char| matches!(c, '0'..='9' | 'a'..='f');
            if entry.sha256.len() != 64 || !entry.sha256.chars().all(hex) {
                return Err(unfit(
                    format!("files.{role}.sha256"),
                    format!("{:?}", entry.sha256),
                    "64 hexadecimal digits in lower case",
                ));
            }
        }
        Ok(())
    }
}
