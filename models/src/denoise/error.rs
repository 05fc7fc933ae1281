//! What can go wrong between tokens and mel frames. Knows no file names: whoever loads adds them.

/// An error of the schedule, the sampler or the network.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DenoiseError {
    /// A schedule of no steps or of too many.
    #[error("{found} denoising steps asked for, wanted 1 to {max}")]
    Steps {
        /// What was asked for.
        found: usize,
        /// The most there can be.
        max: usize,
    },
    /// The name of a sampler, spacing or prediction that does not exist.
    #[error("unknown {what} `{found}`, wanted {wanted}")]
    Name {
        /// Which setting.
        what: &'static str,
        /// The name found.
        found: String,
        /// The names there are.
        wanted: &'static str,
    },
    /// A slice or a sequence of a wrong length.
    #[error("{what}: length {found}, wanted {wanted}")]
    Length {
        /// Which value.
        what: &'static str,
        /// Its length.
        found: usize,
        /// What it should be, in words where it is a range.
        wanted: String,
    },
    /// A token that the model's vocabulary does not hold.
    #[error(
        "token id {id} at position {position}, but the vocabulary holds 0 to {last}",
        last = vocab_size.saturating_sub(1)
    )]
    Token {
        /// The id.
        id: u32,
        /// Its place in the sequence.
        position: usize,
        /// Ids in the vocabulary.
        vocab_size: usize,
    },
    /// A graph whose inputs or outputs are not those of its piece of the network.
    #[error("graph `{graph}`: {found}, wanted {wanted}")]
    Graph {
        /// Which of the five graphs.
        graph: &'static str,
        /// What it has.
        found: String,
        /// What it should have.
        wanted: String,
    },
    /// A step asked for before what it needs was computed.
    #[error("{missing} before the first denoising step")]
    NotReady {
        /// The call that is missing.
        missing: &'static str,
    },
    /// The engine refused to load or run a graph.
    #[error("graph `{graph}`: {message}")]
    Engine {
        /// Which of the five graphs.
        graph: &'static str,
        /// The engine's own words.
        message: String,
    },
    /// Anything else a denoiser that is not the bundled network has to say.
    #[error(transparent)]
    Other(#[from] Box<dyn std::error::Error + Send + Sync>),
}

#[cfg(feature = "engine")]
impl DenoiseError {
    /// What the engine said of a graph.
    pub(crate) fn engine(graph: &'static str, error: &tract_onnx::prelude::TractError) -> Self {
        Self::Engine { graph, message: format!("{error:#}") }
    }
}
