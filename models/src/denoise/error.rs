//! The errors between tokens and mel frames. They have no file names; the code that loads files
//! adds them.

/// An error of the schedule, the sampler or the network.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DenoiseError {
    /// A schedule has no steps or too many.
    #[error("{found} denoising steps asked for, wanted 1 to {max}")]
    Steps {
        /// The steps that were asked for.
        found: usize,
        /// The most possible steps.
        max: usize,
    },
    /// There is no sampler, spacing or prediction with this name.
    #[error("unknown {what} `{found}`, wanted {wanted}")]
    Name {
        /// The setting.
        what: &'static str,
        /// The name found.
        found: String,
        /// The names that exist.
        wanted: &'static str,
    },
    /// A slice or a sequence has the wrong length.
    #[error("{what}: length {found}, wanted {wanted}")]
    Length {
        /// The name of the value.
        what: &'static str,
        /// Its length.
        found: usize,
        /// The wanted length; in words if it is a range.
        wanted: String,
    },
    /// A token is outside the vocabulary of the model.
    #[error(
        "token id {id} at position {position}, but the vocabulary holds 0 to {last}",
        last = vocab_size.saturating_sub(1)
    )]
    Token {
        /// The id.
        id: u32,
        /// Its index in the sequence.
        position: usize,
        /// The number of ids in the vocabulary.
        vocab_size: usize,
    },
    /// The inputs or outputs of a graph are not those of its piece of the network.
    #[error("graph `{graph}`: {found}, wanted {wanted}")]
    Graph {
        /// The name of the graph.
        graph: &'static str,
        /// What it has.
        found: String,
        /// What it should have.
        wanted: String,
    },
    /// A step was asked for before its inputs were computed.
    #[error("{missing} before the first denoising step")]
    NotReady {
        /// The call that is missing.
        missing: &'static str,
    },
    /// The inference engine could not load or run a graph.
    #[error("graph `{graph}`: {message}")]
    Engine {
        /// The name of the graph.
        graph: &'static str,
        /// The error of the inference engine.
        message: String,
    },
    /// Any other error, such as one of another denoiser than the bundled network.
    #[error(transparent)]
    Other(#[from] Box<dyn std::error::Error + Send + Sync>),
}

#[cfg(feature = "engine")]
impl DenoiseError {
    /// An error of the inference engine about a graph.
    pub(crate) fn engine(graph: &'static str, error: &tract_onnx::prelude::TractError) -> Self {
        Self::Engine { graph, message: format!("{error:#}") }
    }
}
