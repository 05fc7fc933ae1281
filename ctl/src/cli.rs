//! The command line of `timbrectl`. It does not know what a verb does.

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

/// The options that every verb takes.
#[derive(Debug, Clone, Args)]
pub struct Global {
    /// The machine on which timbred runs: its name, its IP address, or the name in the list that
    /// `find` prints.
    #[arg(long, global = true, default_value = "127.0.0.1", value_name = "NAME|IP")]
    pub host: String,
    /// The UDP port on which it takes OSC.
    #[arg(long, global = true, default_value_t = 9000, value_name = "PORT")]
    pub port: u16,
    /// The token that a daemon on another machine asks for (remote.token in its configuration).
    #[arg(long, global = true, value_name = "TOKEN")]
    pub token: Option<String>,
    /// How many milliseconds to wait for an answer.
    #[arg(long, global = true, default_value_t = 1000, value_name = "MS",
          value_parser = clap::value_parser!(u64).range(1..=600_000))]
    pub timeout_ms: u64,
    /// Print JSON for other programs. Verbs that print again and again print one object a line.
    #[arg(long, global = true)]
    pub json: bool,
}

/// Controls timbred, a neural synthesizer for MIDI, while it plays.
#[derive(Debug, Parser)]
#[command(name = "timbrectl", version, after_help = HELP, propagate_version = true)]
pub struct Cli {
    /// The options of every verb.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

const HELP: &str = "\
Examples:
  timbrectl status --watch               shows the state of the daemon every second
  timbrectl get /master/gain             does the same as `get master.gain`
  timbrectl get '/ch/*/gain'             shows the gain of every channel
  timbrectl set steps 4                  sets /engine/steps: names without a dot are below /engine
  timbrectl set ch.1.gain -6
  timbrectl set '/ch/*/mute' off
  timbrectl program 1 'church organ'
  timbrectl note 1 c4 100 --ms 1000
  timbrectl monitor                      shows meters, load, notes and changes, full-screen
  timbrectl set sampler dpm++2m
  timbrectl preset save 'Church, evening'
  timbrectl preset next
  timbrectl ports                        lists MIDI ports, and says which are heard
  timbrectl disconnect nord              stops listening: a part of the name is enough
  timbrectl device USB                   plays through another sound device
  timbrectl subscribe '/meter/*'         prints changes until it is interrupted
  timbrectl record start take1           records into take1.wav in the folder of recordings
  timbrectl --host raspberrypi.local panic
  timbrectl find                         lists the daemons in the network that can be reached
  timbrectl panel                        prints the address of the panel, and its QR code

Exit codes: 0 done, 1 the daemon answered with an error, 2 wrong arguments,
3 no answer from the daemon.";

/// What `timbrectl` can do.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Show the state of the daemon: model, latency, load, level and settings.
    Status {
        /// Show it again and again, until interrupted.
        #[arg(short, long)]
        watch: bool,
        /// How many milliseconds to wait in between, with --watch.
        #[arg(long, default_value_t = 1000, value_name = "MS",
              value_parser = clap::value_parser!(u64).range(50..=3_600_000))]
        every_ms: u64,
    },
    /// Show the value of a parameter, or of all parameters that match a pattern.
    Get {
        /// The address (/master/gain, /ch/*/gain) or the name (master.gain, steps). `parameters`
        /// lists them all.
        name: String,
    },
    /// Set a parameter, or all parameters that match a pattern.
    Set {
        /// The address (/master/gain, /ch/*/gain) or the name (master.gain, steps). `parameters`
        /// lists them all.
        name: String,
        /// A number, on or off, a text, or `model` for what the model suggests.
        #[arg(allow_hyphen_values = true)]
        value: String,
    },
    /// Choose the instrument of a channel, or the drum kit of channel 10.
    Program {
        /// The MIDI channel.
        #[arg(value_parser = clap::value_parser!(u8).range(1..=16))]
        channel: u8,
        /// The General MIDI name, or its beginning, or the number, 0 to 127.
        instrument: String,
    },
    /// List the names and numbers of all instruments and drum kits and, while timbred runs, how
    /// well its model plays the instruments.
    Instruments,
    /// Play a note.
    Note {
        /// The MIDI channel.
        #[arg(value_parser = clap::value_parser!(u8).range(1..=16))]
        channel: u8,
        /// The key: 0 to 127, or a name such as c4 (which is 60), f#3 or bb2.
        #[arg(value_parser = key)]
        key: u8,
        /// The velocity, 1 to 127.
        #[arg(value_parser = clap::value_parser!(u8).range(1..=127))]
        velocity: u8,
        /// How many milliseconds the key is held.
        #[arg(long, default_value_t = 500, value_name = "MS",
              value_parser = clap::value_parser!(u64).range(1..=600_000))]
        ms: u64,
    },
    /// Silence everything: sounds, keys and pedals of all channels.
    Panic,
    /// Show the delay from key to sound, the load, and what went wrong.
    Latency,
    /// Show meters, load, latency, notes, instruments and changes, full-screen.
    Monitor,
    /// Print every change until interrupted.
    Subscribe {
        /// The pattern of the addresses.
        #[arg(default_value = timbre_control::osc::EVERYTHING)]
        pattern: String,
        /// The most lines a second about one value.
        #[arg(long, default_value_t = 30.0, value_name = "HZ")]
        hz: f64,
        /// End after this many seconds.
        #[arg(long, value_name = "SECONDS")]
        seconds: Option<f64>,
    },
    /// List the MIDI ports, and say which of them are heard.
    Ports,
    /// Listen to a MIDI port, even if a rule of the configuration ignores it.
    Connect {
        /// The name of the port, or a part that no other port has. `ports` lists them.
        name: String,
    },
    /// Stop listening to a MIDI port, and release its notes.
    Disconnect {
        /// The name of the port, or a part that no other port has. `ports` lists them.
        name: String,
    },
    /// Let a MIDI controller (a knob, a fader, a button) set a parameter: the next one that moves.
    /// Without a name, list which controller sets what.
    Learn {
        /// The address (/master/gain) or the name (master.gain). `parameters` lists them all.
        name: Option<String>,
        /// Take this controller instead of the next one that moves.
        #[arg(long, requires = "name", value_name = "NUMBER",
              value_parser = clap::value_parser!(u8).range(0..=119))]
        controller: Option<u8>,
        /// The MIDI channel of --controller.
        #[arg(long, requires = "controller", default_value_t = 1,
              value_parser = clap::value_parser!(u8).range(1..=16))]
        channel: u8,
        /// Let no controller set it any more.
        #[arg(long, requires = "name", conflicts_with = "controller")]
        forget: bool,
    },
    /// List the sound devices, and say which of them plays.
    Devices,
    /// Play through another sound device until the next start. Without a name, say which plays.
    Device {
        /// The name of the device, or a part that no other device has. `devices` lists them.
        name: Option<String>,
    },
    /// Keep instruments, channel strips, master and engine settings under a name.
    Preset {
        /// What to do.
        #[command(subcommand)]
        what: Preset,
    },
    /// Record what is played: a WAV file, and the notes beside it as MIDI.
    Record {
        /// What to do.
        #[command(subcommand)]
        what: Record,
    },
    /// List the daemons in the network that can be reached (remote.bind and osc.bind in their
    /// configurations), and their addresses.
    Find,
    /// Print the address of the daemon's panel for browsers, and its QR code. The token is part of
    /// it if one is asked for.
    Panel,
    /// Make the daemon read its configuration files again.
    Reload,
    /// List every parameter with its range, default and meaning.
    Parameters,
    /// Print completions of verbs and flags for a shell.
    Completions {
        /// The shell.
        shell: Shell,
    },
    /// Print the manual page, in the format of man.
    Man,
}

/// `timbrectl preset`
#[derive(Debug, Subcommand)]
pub enum Preset {
    /// List the presets.
    List,
    /// Keep everything as it is set now. A preset of the same name is replaced.
    Save {
        /// The name: letters, digits, spaces and - _ . , + ( ) & ' # !
        name: String,
    },
    /// Set everything as it is in a preset.
    Load {
        /// The name of the preset.
        name: String,
    },
    /// Delete a preset.
    Delete {
        /// The name of the preset.
        name: String,
    },
    /// Load the preset that follows the one loaded or saved last, in the order of names.
    Next,
    /// Load the preset before the one loaded or saved last, in the order of names.
    Prev,
}

/// `timbrectl record`
#[derive(Debug, Subcommand)]
pub enum Record {
    /// Begin to record, and print the name of the file.
    Start {
        /// The WAV file on the daemon's machine: an absolute path, or a name in its folder of
        /// recordings [default: a name from the date and time].
        path: Option<String>,
    },
    /// End the recording, and print the name of the file and its length in seconds.
    Stop,
    /// Print off, or on and the name of the file, or failed and the reason.
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
