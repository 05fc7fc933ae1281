//! `timbred inspect`: what a model hears, what a model is, what a sound looks like. Changes
//! nothing.

mod colour;
mod mel;
mod model;
mod tokens;

use crate::cli::{Inspect, InspectArgs};
use crate::error::Error;

/// Shows what was asked for.
///
/// # Errors
/// A file or a model that cannot be used.
pub fn run(args: &InspectArgs) -> Result<(), Error> {
    match &args.what {
        Inspect::Tokens { file, strict, model, segment, json } => {
            tokens::run(file, *strict, model.as_deref(), *segment, *json)
        }
        Inspect::Model { name, json } => model::run(name.as_deref(), *json),
        Inspect::Mel { file, out } => mel::run(file, out),
    }
}

/// Prints to standard output; a reader that went away early, as `head`, is no error.
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
