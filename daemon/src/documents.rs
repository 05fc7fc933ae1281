//! Makes the manual page and the completions for shells from the command line. It knows no
//! command's work.

use std::io::Write;
use std::path::Path;

use clap::CommandFactory;

use crate::cli::Cli;
use crate::error::Error;

/// Prints the completions for a shell.
///
/// # Errors
/// Standard output cannot be written.
pub fn completions(shell: clap_complete::Shell) -> Result<(), Error> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "timbred", &mut text);
    print(&text)
}

/// Prints the manual page.
///
/// # Errors
/// Standard output cannot be written.
pub fn man() -> Result<(), Error> {
    let mut text = Vec::new();
    // Writing into memory cannot fail.
    let _ = clap_mangen::Man::new(Cli::command()).render(&mut text);
    print(&text)
}

fn print(text: &[u8]) -> Result<(), Error> {
    let written = std::io::stdout().write_all(text);
    written.map_err(|e| Error::output(Path::new("standard output"), e))
}
