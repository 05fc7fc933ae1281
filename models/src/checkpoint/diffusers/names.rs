//! The name of each parameter in diffusers, its part, and the keys of `config.json` for its shape.
//! It knows no files.
//!
//! The kernel of a linear layer is [out, in] in torch and [in, out] in T5X, so these kernels are
//! transposed. Tables and norms are the same in both. The names are those of
//! `SpectrogramNotesEncoder`, `SpectrogramContEncoder` and `T5FilmDecoder` in diffusers.

use crate::graph::NetworkConfig;

/// The folder of each part.
pub(super) const PARTS: [&str; 3] = ["notes_encoder", "continuous_encoder", "decoder"];
/// Their indices in [`PARTS`].
const NOTES: usize = 0;
const PAST: usize = 1;
const DECODER: usize = 2;

/// One size of a shape: its key in `config.json`, and its value.
pub(super) type Size = (&'static str, usize);

/// A parameter.
#[derive(Debug)]
pub(super) struct Named {
    /// The index of its part in [`PARTS`].
    pub part: usize,
    /// Its name in diffusers.
    pub theirs: String,
    /// Its name in T5X and in this program.
    pub ours: String,
    /// Its shape in diffusers.
    pub shape: Vec<Size>,
    /// Whether it is the transpose of the one in this program.
    pub is_turned: bool,
}

impl Named {
    /// Its shape in this program.
    pub(super) fn our_shape(&self) -> Vec<usize> {
        let sizes = self.shape.iter().map(|(_, size)| *size);
        if self.is_turned { sizes.rev().collect() } else { sizes.collect() }
    }
}

/// Every parameter of a network with these sizes.
pub(super) fn table(config: &NetworkConfig) -> Vec<Named> {
    let mut list = List::new(config);
    let emb = list.emb;
    let vocabulary = ("vocab_size", config.vocab_size);
    list.plain(
        NOTES,
        "token_embedder",
        "token_encoder.token_embedder.embedding",
        &[vocabulary, emb],
    );
    let rows = ("max_length", config.max_tokens);
    list.encoder(NOTES, "token_encoder", config.token_layers, rows);
    list.linear(PAST, "input_proj", "continuous_encoder.input_proj.kernel", [emb, bins(config)]);
    let rows = ("targets_context_length", config.context_frames);
    list.encoder(PAST, "continuous_encoder", config.context_layers, rows);
    list.decoder(config);
    list.named
}

fn bins(config: &NetworkConfig) -> Size {
    ("input_dims", config.mel_bins)
}

struct List {
    emb: Size,
    joined: Size,
    mlp: Size,
    named: Vec<Named>,
}

impl List {
    fn new(config: &NetworkConfig) -> Self {
        Self {
            emb: ("d_model", config.emb),
            joined: ("num_heads * d_kv", config.joined()),
            mlp: ("d_ff", config.mlp),
            named: vec![],
        }
    }

    /// Adds a table or a norm.
    fn plain(&mut self, part: usize, theirs: &str, ours: &str, shape: &[Size]) {
        let (theirs, ours) = (format!("{theirs}.weight"), ours.to_owned());
        self.named.push(Named { part, theirs, ours, shape: shape.to_vec(), is_turned: false });
    }

    /// Adds the kernel of a linear layer, [out, in].
    fn linear(&mut self, part: usize, theirs: &str, ours: &str, shape: [Size; 2]) {
        self.plain(part, theirs, ours, &shape);
        if let Some(last) = self.named.last_mut() {
            last.is_turned = true;
        }
    }

    fn encoder(&mut self, part: usize, ours: &str, layers: usize, rows: Size) {
        let emb = self.emb;
        self.plain(part, "position_encoding", &format!("{ours}.Embed_0.embedding"), &[rows, emb]);
        self.plain(part, "layer_norm", &format!("{ours}.encoder_norm.scale"), &[emb]);
        for i in 0..layers {
            let (ours, theirs) = (format!("{ours}.layers_{i}"), format!("encoders.{i}.layer"));
            let norm = format!("{ours}.pre_attention_layer_norm.scale");
            self.plain(part, &format!("{theirs}.0.layer_norm"), &norm, &[emb]);
            let names = ["q", "k", "v", "o"].map(|part| format!("{theirs}.0.SelfAttention.{part}"));
            self.attention(part, names, &format!("{ours}.attention"));
            let norm = format!("{ours}.pre_mlp_layer_norm.scale");
            self.plain(part, &format!("{theirs}.1.layer_norm"), &norm, &[emb]);
            self.mlp(part, &format!("{theirs}.1.DenseReluDense"), &ours);
        }
    }

    fn decoder(&mut self, config: &NetworkConfig) {
        let (emb, bins) = (self.emb, bins(config));
        let hidden = ("4 * d_model", config.film_hidden());
        let film = ("2 * d_model", 2 * config.emb);
        let part = DECODER;
        self.linear(part, "conditioning_emb.0", "decoder.time_emb_dense0.kernel", [hidden, emb]);
        self.linear(part, "conditioning_emb.2", "decoder.time_emb_dense1.kernel", [hidden, hidden]);
        let projection = "continuous_inputs_projection";
        self.linear(part, projection, &format!("decoder.{projection}.kernel"), [emb, bins]);
        let rows = ("targets_length", config.target_frames);
        self.plain(part, "position_encoding", "decoder.Embed_0.embedding", &[rows, emb]);
        for i in 0..config.decoder_layers {
            let (ours, theirs) = (format!("decoder.layers_{i}"), format!("decoders.{i}.layer"));
            for (site, name) in ["0.FiLMLayer", "2.film"].into_iter().enumerate() {
                let ours = format!("{ours}.FiLMLayer_{site}.DenseGeneral_0.kernel");
                self.linear(part, &format!("{theirs}.{name}.scale_bias"), &ours, [film, hidden]);
            }
            let sites = ["self_attention", "MultiHeadDotProductAttention_0"];
            for (site, attention) in sites.into_iter().enumerate() {
                let names = ["to_q", "to_k", "to_v", "to_out.0"]
                    .map(|part| format!("{theirs}.{site}.attention.{part}"));
                self.attention(part, names, &format!("{ours}.{attention}"));
            }
            let norms = ["self_attention", "cross_attention", "mlp"];
            for (site, norm) in norms.into_iter().enumerate() {
                let ours = format!("{ours}.pre_{norm}_layer_norm.scale");
                self.plain(part, &format!("{theirs}.{site}.layer_norm"), &ours, &[emb]);
            }
            self.mlp(part, &format!("{theirs}.2.DenseReluDense"), &ours);
        }
        self.plain(part, "decoder_norm", "decoder.decoder_norm.scale", &[emb]);
        self.linear(part, "spec_out", "decoder.spec_out_dense.kernel", [bins, emb]);
    }

    /// Adds the kernels of queries, keys, values and output.
    fn attention(&mut self, part: usize, theirs: [String; 4], ours: &str) {
        let (emb, joined) = (self.emb, self.joined);
        let kernels = [
            ("query", [joined, emb]),
            ("key", [joined, emb]),
            ("value", [joined, emb]),
            ("out", [emb, joined]),
        ];
        for (theirs, (name, shape)) in theirs.iter().zip(kernels) {
            self.linear(part, theirs, &format!("{ours}.{name}.kernel"), shape);
        }
    }

    fn mlp(&mut self, part: usize, theirs: &str, ours: &str) {
        let (emb, mlp) = (self.emb, self.mlp);
        for (name, shape) in [("wi_0", [mlp, emb]), ("wi_1", [mlp, emb]), ("wo", [emb, mlp])] {
            let ours = format!("{ours}.mlp.{name}.kernel");
            self.linear(part, &format!("{theirs}.{name}"), &ours, shape);
        }
    }
}
