//! Arguments -> command -> exit code. The only place that exits.

use std::process::ExitCode;

use clap::Parser;
use timbred::cli::{Cli, Command};
use timbred::{bench, demo, inspect, pack, render};

/// Keeps freed pages, which tract's many short-lived tensors need: packing keys takes a quarter of the time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    tracing_subscriber::fmt()
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_env("TIMBRED_LOG")
                .unwrap_or_else(|_| "warn,tract=error".into()),
        )
        .with_writer(std::io::stderr)
        .init();
    let result = match &cli.command {
        Command::Render(args) => render::run(args),
        Command::Demo(args) => demo::run(args),
        Command::Inspect(args) => inspect::run(args),
        Command::Bench(args) => bench::run(args),
        Command::Pack(args) => pack::run(args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("timbred: {e}");
            ExitCode::from(e.exit_code())
        }
    }
}
