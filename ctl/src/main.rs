//! `timbrectl`: turns arguments into a verb, and its result into an exit code. This is the only
//! place that exits.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod cli;
mod find;
mod monitor;
mod names;
mod verbs;

use std::io;
use std::process::ExitCode;

use clap::Parser;
use timbre_control::client::ClientError;

use crate::verbs::Error;

fn main() -> ExitCode {
    let Err(error) = verbs::run(&cli::Cli::parse()) else {
        return ExitCode::SUCCESS;
    };
    let code = match &error {
        // In `timbrectl subscribe | head` the reader closes the pipe when it has enough.
        Error::Print(e) if e.kind() == io::ErrorKind::BrokenPipe => return ExitCode::SUCCESS,
        Error::Print(_)
        | Error::Terminal(_)
        | Error::Find(_)
        | Error::Client(ClientError::Refused { .. }) => 1,
        Error::Usage(_) => 2,
        Error::Client(_) => 3,
    };
    eprintln!("timbrectl: {error}");
    ExitCode::from(code)
}
