//! The size of a network, and the names and shapes of all its parameters. It knows no values.

use serde::{Deserialize, Serialize};

use crate::units::MEL_BINS;

/// The size of a network. `small_with_context` is 1536 / 512 / 6 x 64 / 1024 with 8 + 8 + 8 layers,
/// 2048 tokens and 256 + 256 frames.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkConfig {
    /// The rows of the token table, with extra and padding ids.
    pub vocab_size: usize,
    /// The width of the residual stream and of the time embedding; even, at least 4.
    pub emb: usize,
    /// The number of attention heads.
    pub heads: usize,
    /// The width of a head; heads * head_dim need not be `emb`.
    pub head_dim: usize,
    /// The inner width of the gated MLP.
    pub mlp: usize,
    /// The layers of the note encoder.
    pub token_layers: usize,
    /// The layers of the context encoder.
    pub context_layers: usize,
    /// The layers of the decoder.
    pub decoder_layers: usize,
    /// The rows of the position table of the note encoder: the most tokens in one call, with the
    /// end token.
    pub max_tokens: usize,
    /// The rows of the position table of the context encoder: the most frames of context.
    pub context_frames: usize,
    /// The rows of the position table of the decoder: the most frames in one target.
    pub target_frames: usize,
    /// The mel bands of a frame.
    #[serde(default = "default_mel_bins")]
    pub mel_bins: usize,
    /// Whether there is a context encoder.
    #[serde(default = "default_has_context")]
    pub has_context: bool,
    /// Whether the decoder gets the frames of a note prior, and denoises only the residual.
    #[serde(default)]
    pub prior: bool,
    /// The factor of t in (0, 1] before its sines.
    #[serde(default = "default_max_noise_time")]
    pub max_noise_time: f64,
}

fn default_mel_bins() -> usize {
    MEL_BINS
}

fn default_has_context() -> bool {
    true
}

fn default_max_noise_time() -> f64 {
    20_000.0
}

impl NetworkConfig {
    /// The width of the hidden layers of the time embedding.
    pub fn film_hidden(&self) -> usize {
        4 * self.emb
    }

    /// The width of all heads together.
    pub fn joined(&self) -> usize {
        self.heads * self.head_dim
    }

    /// The first problem with these sizes, if there is one: the key and what it should be.
    pub fn problem(&self) -> Option<String> {
        let sizes = [
            ("vocab_size", self.vocab_size),
            ("heads", self.heads),
            ("head_dim", self.head_dim),
            ("mlp", self.mlp),
            ("decoder_layers", self.decoder_layers),
            ("max_tokens", self.max_tokens),
            ("target_frames", self.target_frames),
            ("mel_bins", self.mel_bins),
            ("context_frames", if self.has_context { self.context_frames } else { 1 }),
        ];
        if let Some((key, _)) = sizes.into_iter().find(|(_, size)| *size == 0) {
            return Some(format!("{key} is 0, wanted at least 1"));
        }
        if self.emb < 4 || !self.emb.is_multiple_of(2) {
            return Some(format!("emb is {}, wanted an even number of at least 4", self.emb));
        }
        if !(self.max_noise_time.is_finite() && self.max_noise_time > 0.0) {
            return Some(format!("max_noise_time is {}, wanted above 0", self.max_noise_time));
        }
        None
    }

    /// Every parameter with its shape, by its flat flax name. Attention kernels are
    /// two-dimensional, as T5X stores them.
    pub fn parameters(&self) -> Vec<(String, Vec<usize>)> {
        let mut list = List { config: self, entries: vec![] };
        list.add("token_encoder.token_embedder.embedding", &[self.vocab_size, self.emb]);
        list.encoder("token_encoder", self.token_layers, self.max_tokens);
        if self.has_context {
            list.add("continuous_encoder.input_proj.kernel", &[self.mel_bins, self.emb]);
            list.encoder("continuous_encoder", self.context_layers, self.context_frames);
        }
        list.decoder();
        list.entries
    }
}

/// The list under construction.
struct List<'a> {
    config: &'a NetworkConfig,
    entries: Vec<(String, Vec<usize>)>,
}

impl List<'_> {
    fn add(&mut self, name: impl Into<String>, shape: &[usize]) {
        self.entries.push((name.into(), shape.to_vec()));
    }

    fn encoder(&mut self, name: &str, layers: usize, positions: usize) {
        let emb = self.config.emb;
        self.add(format!("{name}.Embed_0.embedding"), &[positions, emb]);
        self.add(format!("{name}.encoder_norm.scale"), &[emb]);
        for i in 0..layers {
            let layer = format!("{name}.layers_{i}");
            self.add(format!("{layer}.pre_attention_layer_norm.scale"), &[emb]);
            self.attention(&format!("{layer}.attention"));
            self.add(format!("{layer}.pre_mlp_layer_norm.scale"), &[emb]);
            self.mlp(&layer);
        }
    }

    fn decoder(&mut self) {
        let NetworkConfig { emb, mel_bins, target_frames, decoder_layers, .. } = *self.config;
        let hidden = self.config.film_hidden();
        self.add("decoder.time_emb_dense0.kernel", &[emb, hidden]);
        self.add("decoder.time_emb_dense1.kernel", &[hidden, hidden]);
        self.add("decoder.continuous_inputs_projection.kernel", &[mel_bins, emb]);
        if self.config.prior {
            self.add("decoder.prior_projection.kernel", &[mel_bins, emb]);
        }
        self.add("decoder.Embed_0.embedding", &[target_frames, emb]);
        for i in 0..decoder_layers {
            let layer = format!("decoder.layers_{i}");
            for film in 0..2 {
                let name = format!("{layer}.FiLMLayer_{film}.DenseGeneral_0.kernel");
                self.add(name, &[hidden, 2 * emb]);
            }
            self.add(format!("{layer}.pre_self_attention_layer_norm.scale"), &[emb]);
            self.attention(&format!("{layer}.self_attention"));
            self.add(format!("{layer}.pre_cross_attention_layer_norm.scale"), &[emb]);
            self.attention(&format!("{layer}.MultiHeadDotProductAttention_0"));
            self.add(format!("{layer}.pre_mlp_layer_norm.scale"), &[emb]);
            self.mlp(&layer);
        }
        self.add("decoder.decoder_norm.scale", &[emb]);
        self.add("decoder.spec_out_dense.kernel", &[emb, mel_bins]);
    }

    fn attention(&mut self, name: &str) {
        let (emb, joined) = (self.config.emb, self.config.joined());
        for part in ["query", "key", "value"] {
            self.add(format!("{name}.{part}.kernel"), &[emb, joined]);
        }
        self.add(format!("{name}.out.kernel"), &[joined, emb]);
    }

    fn mlp(&mut self, layer: &str) {
        let NetworkConfig { emb, mlp, .. } = *self.config;
        self.add(format!("{layer}.mlp.wi_0.kernel"), &[emb, mlp]);
        self.add(format!("{layer}.mlp.wi_1.kernel"), &[emb, mlp]);
        self.add(format!("{layer}.mlp.wo.kernel"), &[mlp, emb]);
    }
}
