//! Weights whose reading moves a progress bar and can be interrupted.

use std::borrow::Cow;

use indicatif::ProgressBar;
use timbre_models::graph::{NetworkConfig, Param, ParamError, Weights};

use crate::interrupt::Interrupt;

/// The weights of a checkpoint, with the progress bar and the interrupt of the user.
pub(super) struct Told<'a> {
    pub weights: &'a dyn Weights,
    /// Advances by one for each parameter.
    pub bar: &'a ProgressBar,
    pub interrupt: &'a Interrupt,
}

impl Weights for Told<'_> {
    fn param(&self, name: &str) -> Result<Cow<'_, Param>, ParamError> {
        self.interrupt.check().map_err(|_| ParamError::Interrupted)?;
        let param = self.weights.param(name)?;
        self.bar.inc(1);
        Ok(param)
    }

    fn check(&self, config: &NetworkConfig) -> Result<(), ParamError> {
        self.weights.check(config)
    }
}
