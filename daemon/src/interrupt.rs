//! Ctrl-C and SIGTERM as a flag that long work looks at. Knows no work.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::Error;

/// Whether the user wants it to end.
#[derive(Debug, Clone, Default)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Takes over Ctrl-C, SIGTERM and SIGHUP of this process. Where that cannot be done they end it
    /// at once, as usual.
    pub fn install() -> Self {
        let interrupt = Self::default();
        let flag = interrupt.0.clone();
        if let Err(e) = ctrlc::set_handler(move || flag.store(true, Ordering::Release)) {
            tracing::warn!("Ctrl-C ends the program at once: {e}");
        }
        interrupt
    }

    /// Asks for the end from inside.
    pub fn raise(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// An error once it is wanted.
    ///
    /// # Errors
    /// [`Error::Interrupted`].
    pub fn check(&self) -> Result<(), Error> {
        if self.0.load(Ordering::Acquire) { Err(Error::Interrupted) } else { Ok(()) }
    }
}
