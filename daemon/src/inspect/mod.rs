//! `timbred inspect` shows the tokens of a MIDI file, the contents of a model, or the log-mel of a
//! sound. It changes nothing.

mod colour;
mod mel;
mod model;
mod tokens;

use crate::cli::{Inspect, InspectArgs};
use crate::error::Error;

/// Shows what the arguments ask for.
///
/// # Errors
/// The file or the model cannot be used.
pub fn run(args: &InspectArgs) -> Result<(), Error> {
    match &args.what {
        Inspect::Tokens { file, strict, model, segment, json } => {
            tokens::run(file, *strict, model.as_deref(), *segment, *json)
        }
        Inspect::Model { name, json } => model::run(name.as_deref(), *json),
        Inspect::Mel { file, out } => mel::run(file, out),
    }
}

/// Prints to standard output. A reader that has closed the pipe early, such as `head`, is not an
/// error.
pub(crate) fn print(text: &str) -> Result<(), Error> {
    use std::io::{ErrorKind, Write};
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(e) if e.kind() != ErrorKind::BrokenPipe => {
            Err(Error::output(std::path::Path::new("standard output"), e))
        }
        _ => Ok(()),
    }
}
