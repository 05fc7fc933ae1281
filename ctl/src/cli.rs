//! The command line of `timbrectl`. Knows no verb's work.

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

/// What every verb can take.
#[derive(Debug, Clone, Args)]
pub struct Global {
    /// Where timbred runs: a name, an IP address, or the name under which `find` lists it.
    #[arg(long, global = true, default_value = "127.0.0.1", value_name = "NAME|IP")]
    pub host: String,
    /// Port of its OSC server.
    #[arg(long, global = true, default_value_t = 9000, value_name = "PORT")]
    pub port: u16,
    /// Token of a daemon elsewhere that wants one (its remote.token).
    #[arg(long, global = true, value_name = "TOKEN")]
    pub token: Option<String>,
    /// How long to wait for an answer.
    #[arg(long, global = true, default_value_t = 1000, value_name = "MS",
          value_parser = clap::value_parser!(u64).range(1..=600_000))]
    pub timeout_ms: u64,
    /// Print JSON, for other programs; changes and repeated status are one object a line.
    #[arg(long, global = true)]
    pub json: bool,
}

/// Control for timbred, the neural synthesizer for MIDI.
#[derive(Debug, Parser)]
#[command(name = "timbrectl", version, after_help = HELP, propagate_version = true)]
pub struct Cli {
    /// For every verb.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

const HELP: &str = "\
Examples:
  timbrectl status --watch               how the daemon is, every second
  timbrectl get /master/gain             the same as `get master.gain`
  timbrectl get '/ch/*/gain'             all channels
  timbrectl set steps 4                  names without a slash are below /engine
  timbrectl set ch.1.gain -6
  timbrectl set '/ch/*/mute' off
  timbrectl program 1 'church organ'
  timbrectl note 1 c4 100 --ms 1000
  timbrectl monitor                      meters, load, notes and changes, full-screen
  timbrectl set sampler dpm++2m
  timbrectl preset save 'Church, evening'
  timbrectl preset next
  timbrectl ports                        which MIDI ports there are, and which are heard
  timbrectl disconnect nord              a part of the name is enough
  timbrectl device USB                   play through another sound device
  timbrectl subscribe '/meter/*'         prints changes until interrupted
  timbrectl record start take1           into the folder of recordings; no / at its beginning
  timbrectl --host raspberrypi.local panic
  timbrectl find                         every timbred in the network that lets others in
  timbrectl panel                        the page for phones and tablets, as a QR code too

Exit codes: 0 done, 1 the daemon answered with an error, 2 wrong arguments,
3 no answer from the daemon.";

/// What `timbrectl` can do.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// How the daemon is: model, latency, load, level, what is set.
    Status {
        /// Again and again, until interrupted.
        #[arg(short, long)]
        watch: bool,
        /// Time between, with --watch.
        #[arg(long, default_value_t = 1000, value_name = "MS",
              value_parser = clap::value_parser!(u64).range(50..=3_600_000))]
        every_ms: u64,
    },
    /// The value of a parameter, or of all that a pattern matches.
    Get {
        /// Address (/master/gain, /ch/*/gain) or name (master.gain, steps); `parameters` lists
        /// them.
        name: String,
    },
    /// Set a parameter, or all that a pattern matches.
    Set {
        /// Address (/master/gain, /ch/*/gain) or name (master.gain, steps); `parameters` lists
        /// them.
        name: String,
        /// Number, on or off, text, or `model` to leave it to the model.
        #[arg(allow_hyphen_values = true)]
        value: String,
    },
    /// Choose the instrument of a channel.
    Program {
        /// MIDI channel.
        #[arg(value_parser = clap::value_parser!(u8).range(1..=16))]
        channel: u8,
        /// General MIDI name (its beginning is enough) or number, 0 to 127.
        instrument: String,
    },
    /// The names and numbers of all instruments and, while timbred runs, how well its model plays
    /// them.
    Instruments,
    /// Play a note.
    Note {
        /// MIDI channel.
        #[arg(value_parser = clap::value_parser!(u8).range(1..=16))]
        channel: u8,
        /// Key: 0 to 127, or a name such as c4 (which is 60), f#3 or bb2.
        #[arg(value_parser = key)]
        key: u8,
        /// Velocity, 1 to 127.
        #[arg(value_parser = clap::value_parser!(u8).range(1..=127))]
        velocity: u8,
        /// How long the key is held.
        #[arg(long, default_value_t = 500, value_name = "MS",
              value_parser = clap::value_parser!(u64).range(1..=600_000))]
        ms: u64,
    },
    /// Silence everything: sounds, keys and pedals, on all channels.
    Panic,
    /// Delay from key to sound, load, and what went wrong.
    Latency,
    /// Full-screen: meters, load, latency, notes, instruments, and what changes.
    Monitor,
    /// Print every change until interrupted.
    Subscribe {
        /// Address pattern.
        #[arg(default_value = timbre_control::osc::EVERYTHING)]
        pattern: String,
        /// Most lines a second about one value.
        #[arg(long, default_value_t = 30.0, value_name = "HZ")]
        hz: f64,
        /// End after this time.
        #[arg(long, value_name = "SECONDS")]
        seconds: Option<f64>,
    },
    /// The MIDI ports there are, and which of them are heard.
    Ports,
    /// Listen to a MIDI port, also where a rule of the configuration ignores it.
    Connect {
        /// Name of the port, or a part that only it has; `ports` lists them.
        name: String,
    },
    /// Listen to a MIDI port no more; its notes are released.
    Disconnect {
        /// Name of the port, or a part that only it has; `ports` lists them.
        name: String,
    },
    /// Teach a MIDI controller (a knob, a fader, a button) to set a parameter: the next one that
    /// moves. Without a name, list what they set.
    Learn {
        /// Address (/master/gain) or name (master.gain); `parameters` lists them.
        name: Option<String>,
        /// This controller, instead of the next one that moves.
        #[arg(long, requires = "name", value_name = "NUMBER",
              value_parser = clap::value_parser!(u8).range(0..=119))]
        controller: Option<u8>,
        /// MIDI channel of --controller.
        #[arg(long, requires = "controller", default_value_t = 1,
              value_parser = clap::value_parser!(u8).range(1..=16))]
        channel: u8,
        /// No controller sets it any more.
        #[arg(long, requires = "name", conflicts_with = "controller")]
        forget: bool,
    },
    /// The sound devices there are, and which of them plays.
    Devices,
    /// Play through another sound device until the next start; without a name, say which plays.
    Device {
        /// Name of the device, or a part that only it has; `devices` lists them.
        name: Option<String>,
    },
    /// Programs, channel strips, master and engine settings under a name.
    Preset {
        /// What to do with them.
        #[command(subcommand)]
        what: Preset,
    },
    /// Record what is played: a WAV file, and the notes beside it as MIDI.
    Record {
        /// What to do.
        #[command(subcommand)]
        what: Record,
    },
    /// The daemons in the network that can be reached (remote.bind, osc.bind), and where.
    Find,
    /// Where a browser finds the daemon's panel, as a QR code too; with the token, where one is
    /// wanted.
    Panel,
    /// Have the daemon read its config file again.
    Reload,
    /// Every parameter with its range, default and meaning.
    Parameters,
    /// Print what the shell needs to complete commands.
    Completions {
        /// Which shell.
        shell: Shell,
    },
    /// Print the manual page.
    Man,
}

/// `timbrectl preset`
#[derive(Debug, Subcommand)]
pub enum Preset {
    /// The names there are.
    List,
    /// Keep everything as it is set under a name; one of that name is replaced.
    Save {
        /// Letters, digits, spaces and - _ . , + ( ) & ' # !
        name: String,
    },
    /// Set everything as the preset has it.
    Load {
        /// Name of the preset.
        name: String,
    },
    /// Forget a preset.
    Delete {
        /// Name of the preset.
        name: String,
    },
    /// Load the one after the last one loaded or saved, by name.
    Next,
    /// Load the one before the last one loaded or saved, by name.
    Prev,
}

/// `timbrectl record`
#[derive(Debug, Subcommand)]
pub enum Record {
    /// Begin; prints the file.
    Start {
        /// WAV file on the daemon's machine: absolute, or in its folder of recordings [default:
        /// named by the time].
        path: Option<String>,
    },
    /// End; prints the file and its length in seconds.
    Stop,
    /// off, on and the file, or failed and why.
    Status,
}

/// A key by number or by name; c4 is 60.
fn key(text: &str) -> Result<u8, String> {
    let wanted = || format!("found {text}, wanted 0 to 127 or a name from c-1 to g9, such as f#3");
    let number = text.parse::<i32>().ok().or_else(|| {
        let mut letters = text.chars();
        let step = match letters.next()?.to_ascii_lowercase() {
            'c' => 0,
            'd' => 2,
            'e' => 4,
            'f' => 5,
            'g' => 7,
            'a' => 9,
            'b' => 11,
            _ => return None,
        };
        let rest = letters.as_str();
        let (shift, octave) = match rest.strip_prefix('#') {
            Some(octave) => (1, octave),
            None => rest.strip_prefix('b').map_or((0, rest), |octave| (-1, octave)),
        };
        let octave: i32 = octave.parse().ok().filter(|o| (-1..=9).contains(o))?;
        Some((octave + 1) * 12 + step + shift)
    });
    number.and_then(|n| u8::try_from(n).ok()).filter(|n| *n < 128).ok_or_else(wanted)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_commands_are_consistent_and_every_one_has_help() {
        Cli::command().debug_assert();
        for verb in Cli::command().get_subcommands() {
            assert!(verb.get_about().is_some(), "{}", verb.get_name());
        }
    }

    #[test]
    fn keys_have_numbers_and_names() {
        let names =
            [("60", 60), ("c4", 60), ("C-1", 0), ("g9", 127), ("f#3", 54), ("bb2", 46), ("b2", 47)];
        for (name, number) in names {
            assert_eq!(key(name), Ok(number), "{name}");
        }
        for wrong in ["", "h4", "c", "128", "-1", "g#9", "cb-1", "c99999999999"] {
            assert!(key(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_examples_of_the_help_are_right() {
        for line in HELP.lines().filter(|l| l.starts_with("  timbrectl")) {
            let mut words = Vec::new();
            // What is between quotes is one word; what follows two spaces is no part of the
            // command.
            let command = line.trim().split("   ").next().unwrap_or_default();
            for (i, piece) in command.split('\'').enumerate() {
                match i % 2 {
                    0 => words.extend(piece.split_whitespace().map(str::to_owned)),
                    _ => words.push(piece.to_owned()),
                }
            }
            let parsed = Cli::try_parse_from(&words);
            assert!(parsed.is_ok(), "{command}: {parsed:?}");
        }
    }
}
