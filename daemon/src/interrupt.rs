//! Ctrl-C and SIGTERM as a flag, which long work checks.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::Error;

/// Whether the user wants it to end.
#[derive(Debug, Clone, Default)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Catches Ctrl-C, SIGTERM and SIGHUP of this process. If that fails, they end it at once, as
    /// usual.
    pub fn install() -> Self {
        let interrupt = Self::default();
        let flag = interrupt.0.clone();
        if let Err(e) = ctrlc::set_handler(move || flag.store(true, Ordering::Release)) {
            tracing::warn!("Ctrl-C ends the program at once: {e}");
        }
        interrupt
    }

    /// Asks for the end from within the program.
    pub fn raise(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Returns an error once the end is wanted.
    ///
    /// # Errors
    /// [`Error::Interrupted`].
    pub fn check(&self) -> Result<(), Error> {
        if self.0.load(Ordering::Acquire) { Err(Error::Interrupted) } else { Ok(()) }
    }
}
