//! Turns arguments into a command, and its result into an exit code. This is the only place that
//! exits.

use std::process::ExitCode;

use clap::Parser;
use timbred::cli::{Cli, Command};
use timbred::error::Error;
use timbred::{bench, demo, doctor, documents, import, inspect, live, pack, render};

/// This allocator keeps freed pages. tract allocates many short-lived tensors, and with it packing
/// keys takes a quarter of the time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let Some(command) = &cli.command else { return ended(live::run(&cli.live)) };
    timbred::logging::start("warn");
    ended(match command {
        Command::Render(args) => render::run(args),
        Command::Demo(args) => demo::run(args),
        Command::Inspect(args) => inspect::run(args),
        Command::Completions { shell } => documents::completions(*shell),
        Command::Man => documents::man(),
        Command::Doctor(args) => doctor::run(args),
        Command::Bench(args) => bench::run(args),
        Command::Pack(args) => pack::run(args),
        Command::Import(args) => import::run(args),
    })
}

/// Prints the error of a result, and returns its exit code.
fn ended(result: Result<(), Error>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            timbred::logging::last_words(&e.to_string());
            ExitCode::from(e.exit_code())
        }
    }
}
