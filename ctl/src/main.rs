//! `timbrectl`: what can be set on timbred. Talks to no daemon yet; it prints the table that the daemon's flags come from.

use clap::{Parser, Subcommand};
use serde_json::json;
use timbre_control::parameters::PARAMETERS;

/// Control for timbred.
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Every parameter with its range, default and meaning.
    Parameters {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
}

fn main() {
    let Command::Parameters { json } = Cli::parse().command;
    if json {
        let rows: Vec<_> = PARAMETERS
            .iter()
            .map(|p| json!({"name": p.name, "unit": p.unit, "min": p.min, "max": p.max, "default": p.default, "help": p.help}))
            .collect();
        println!("{}", serde_json::Value::from(rows));
        return;
    }
    for p in PARAMETERS {
        println!("{:10} {} to {} {}\n           {}", p.name, p.min, p.max, p.unit, p.help);
    }
}
