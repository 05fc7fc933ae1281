//! The verbs: each sends messages, takes answers and prints lines. It knows no exit code.

use std::io::{self, Write};
use std::thread::sleep;
use std::time::{Duration, Instant};

use clap::CommandFactory;
use rosc::{OscMessage, OscType};
use serde_json::json;
use timbre_control::action::{self, ACTIONS, RELOAD};
use timbre_control::client::{Client, ClientError};
use timbre_control::instruments::{self, DRUM_CHANNEL, INSTRUMENTS, KITS};
use timbre_control::learn::LEARN;
use timbre_control::osc::{
    AUTH, LEASE_S, PANIC, RECORD_START, RECORD_STOP, STATUS, SUBSCRIBE, message,
};
use timbre_control::parameters::{Access, PARAMETERS};
use timbre_control::pattern::Pattern;
use timbre_control::status::Status;

use crate::cli::{Cli, Global, Preset, Record, Verb};
use crate::find;
use crate::monitor;
use crate::names::{address, set};

mod network;
mod print;
use print::{line, print_changes, print_status, print_values};

/// How long the daemon may take to load a model, to open a device or to write a file.
const PATIENCE: Duration = Duration::from_secs(60);

/// Why a verb could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The arguments are wrong.
    #[error("{0}")]
    Usage(String),
    /// The daemon refused or did not answer.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The output cannot be written.
    #[error("cannot print: {0}")]
    Print(#[from] io::Error),
    /// The terminal cannot show the full screen.
    #[error("{0}")]
    Terminal(String),
    /// The network cannot be searched.
    #[error("the network cannot be searched: {0}")]
    Find(#[from] mdns_sd::Error),
}

/// Carries out the command line.
///
/// # Errors
/// The arguments are wrong, the daemon answers with an error, or it does not answer.
pub fn run(cli: &Cli) -> Result<(), Error> {
    let global = &cli.global;
    match &cli.verb {
        Verb::Status { watch, every_ms } => status(global, watch.then_some(*every_ms)),
        Verb::Get { name } => {
            let address = address(name).map_err(Error::Usage)?;
            let answers = client(global)?.ask(vec![message(address, Vec::new())])?;
            print_values(global, &answers)
        }
        Verb::Set { name, value } => {
            let message = set(name, value).map_err(Error::Usage)?;
            // Loading another model takes time.
            patiently(global, message).map(|_| ())
        }
        Verb::Program { channel, instrument } => program(global, *channel, instrument),
        Verb::Instruments => instruments(global),
        Verb::Note { channel, key, velocity, ms } => {
            note(global, *channel, [*key, *velocity], Duration::from_millis(*ms))
        }
        Verb::Panic => send(global, message(PANIC, Vec::new())),
        Verb::Latency => {
            let names = ["latency_ms", "load", "steps_now", "misses", "underruns"];
            let ask = names.iter().map(|n| message(format!("/engine/{n}"), Vec::new()));
            let answers = client(global)?.ask(ask.collect())?;
            print_values(global, &answers)
        }
        Verb::Subscribe { pattern, hz, seconds } => subscribe(global, pattern, *hz, *seconds),
        Verb::Monitor => monitor::run(client(global)?, &format!("{}:{}", global.host, global.port)),
        Verb::Ports => list(global, "/midi/ports"),
        Verb::Connect { name } => act(global, "/midi/connect", Some(name)),
        Verb::Disconnect { name } => act(global, "/midi/disconnect", Some(name)),
        Verb::Learn { name: None, .. } => learned(global),
        Verb::Learn { name: Some(name), controller, channel, forget } => {
            let more = match controller {
                _ if *forget => vec![OscType::Bool(false)],
                Some(controller) => vec![i32::from(*channel).into(), i32::from(*controller).into()],
                None => vec![],
            };
            learn(global, name, more)
        }
        Verb::Devices => list(global, "/audio/devices"),
        Verb::Device { name } => act(global, "/audio/device", name.as_deref()),
        Verb::Preset { what } => match what {
            Preset::List => list(global, "/preset/list"),
            Preset::Save { name } => act(global, "/preset/save", Some(name)),
            Preset::Load { name } => act(global, "/preset/load", Some(name)),
            Preset::Delete { name } => act(global, "/preset/delete", Some(name)),
            Preset::Next => act(global, "/preset/next", None),
            Preset::Prev => act(global, "/preset/prev", None),
        },
        Verb::Record { what } => {
            let (address, path) = match what {
                Record::Start { path } => (RECORD_START, path.as_deref()),
                Record::Stop => (RECORD_STOP, None),
                Record::Status => ("/record", None),
            };
            let args = path.map(OscType::from).into_iter().collect();
            let answers = client(global)?.ask(vec![message(address, args)])?;
            print_values(global, &answers)
        }
        Verb::Find => network::find(global),
        Verb::Panel => network::panel(global),
        Verb::Reload => act(global, RELOAD, None),
        Verb::Parameters => parameters(global),
        Verb::Completions { shell } => {
            let mut text = Vec::new();
            clap_complete::generate(*shell, &mut Cli::command(), "timbrectl", &mut text);
            Ok(io::stdout().write_all(&text)?)
        }
        Verb::Man => {
            let mut text = Vec::new();
            clap_mangen::Man::new(Cli::command()).render(&mut text)?;
            Ok(io::stdout().write_all(&text)?)
        }
    }
}

/// Holds a key with a velocity for a time.
fn note(
    global: &Global,
    channel: u8,
    [key, velocity]: [u8; 2],
    length: Duration,
) -> Result<(), Error> {
    let address = format!("/ch/{channel}/note");
    let note = |velocity: u8| {
        let args = vec![i32::from(key).into(), i32::from(velocity).into()];
        message(address.as_str(), args)
    };
    let mut client = client(global)?;
    client.ask(vec![note(velocity)])?;
    sleep(length);
    client.ask(vec![note(0)])?;
    Ok(())
}

/// Assigns a controller to a parameter: the one that `more` names, otherwise the next one that
/// moves.
fn learn(global: &Global, name: &str, more: Vec<OscType>) -> Result<(), Error> {
    let address = address(name).map_err(Error::Usage)?;
    let is_next = more.is_empty();
    let args = [vec![address.as_str().into()], more].concat();
    send(global, message(LEARN, args))?;
    if is_next {
        line(&format!("move a controller: the next one that moves sets {address} from then on"))?;
    }
    Ok(())
}

fn client(global: &Global) -> Result<Client, ClientError> {
    patient_client(global, Duration::from_millis(global.timeout_ms))
}

/// A client that waits this long for answers, and has given the token if there is one.
fn patient_client(global: &Global, timeout: Duration) -> Result<Client, ClientError> {
    let mut client = reached(global, timeout)?;
    if let Some(token) = &global.token {
        client.ask(vec![message(AUTH, vec![token.as_str().into()])])?;
    }
    Ok(client)
}

fn reached(global: &Global, timeout: Duration) -> Result<Client, ClientError> {
    let named = Client::new(&global.host, global.port, timeout);
    let Err(ClientError::NoHost { .. }) = named else { return named };
    // If it is no name of a machine, it may be that of a daemon.
    let all = find::find().unwrap_or_default();
    let Some(found) = all.iter().find(|found| found.name.eq_ignore_ascii_case(&global.host)) else {
        return named;
    };
    Client::new(&found.ip.to_string(), found.osc_port.unwrap_or(global.port), timeout)
}

/// Sends a request that is answered only if there is an error.
fn send(global: &Global, message: OscMessage) -> Result<(), Error> {
    client(global)?.ask(vec![message])?;
    Ok(())
}

/// The answers to a request that may take time.
fn patiently(global: &Global, message: OscMessage) -> Result<Vec<OscMessage>, Error> {
    // Whether there is a daemon is known soon.
    client(global)?.ask(Vec::new())?;
    let timeout = PATIENCE.max(Duration::from_millis(global.timeout_ms));
    Ok(patient_client(global, timeout)?.ask(vec![message])?)
}

/// Lets the daemon do something, and prints its answer, if there is one.
fn act(global: &Global, address: &str, name: Option<&str>) -> Result<(), Error> {
    let args = name.map(OscType::from).into_iter().collect();
    match patiently(global, message(address, args))?.as_slice() {
        [] => Ok(()),
        answers => print_values(global, answers),
    }
}

/// Prints a list of names, with a mark for each that is in use.
fn list(global: &Global, address: &str) -> Result<(), Error> {
    let answers = patiently(global, message(address, Vec::new()))?;
    let args = answers.iter().flat_map(|m| &m.args);
    let mut rows: Vec<(&str, Option<bool>)> = Vec::new();
    for arg in args {
        match (arg, rows.last_mut()) {
            (OscType::String(name), _) => rows.push((name, None)),
            (OscType::Bool(in_use), Some((_, sign))) => *sign = Some(*in_use),
            _ => {}
        }
    }
    if global.json {
        let row = |(name, sign): &(&str, Option<bool>)| match sign {
            Some(in_use) => json!({"name": name, "in_use": in_use}),
            None => json!(name),
        };
        return line(&serde_json::Value::from_iter(rows.iter().map(row)).to_string());
    }
    rows.iter().try_for_each(|(name, sign)| match sign {
        None => line(name),
        Some(true) => line(&format!("* {name}")),
        Some(false) => line(&format!("  {name}")),
    })
}

/// Prints the assignments of controllers.
fn learned(global: &Global) -> Result<(), Error> {
    let answers = client(global)?.ask(vec![message(LEARN, Vec::new())])?;
    let args: Vec<&OscType> = answers.iter().flat_map(|m| &m.args).collect();
    let row = |row: &[&OscType]| match row {
        [OscType::String(address), OscType::Int(channel), OscType::Int(controller)] => {
            Some((address.clone(), *channel, *controller))
        }
        _ => None,
    };
    let rows: Vec<_> = args.chunks_exact(3).filter_map(row).collect();
    if global.json {
        let row = |row: &(String, i32, i32)| {
            let (address, channel, controller) = row;
            json!({"address": address, "channel": channel, "controller": controller})
        };
        return line(&serde_json::Value::from_iter(rows.iter().map(row)).to_string());
    }
    rows.iter().try_for_each(|(address, channel, controller)| {
        line(&format!("{address}: controller {controller} of channel {channel}"))
    })
}

fn program(global: &Global, channel: u8, instrument: &str) -> Result<(), Error> {
    let (name, arg) = match instrument.parse::<u8>() {
        Ok(number) if number < 128 => ("program", OscType::Int(number.into())),
        Ok(number) => {
            return Err(Error::Usage(format!("found the program {number}, wanted 0 to 127")));
        }
        Err(_) => {
            // What is wrong with a name can be said even without a daemon.
            let place = usize::from(channel).saturating_sub(1);
            instruments::program(place, instrument).map_err(Error::Usage)?;
            ("instrument", OscType::from(instrument))
        }
    };
    let at = |name: &str| format!("/ch/{channel}/{name}");
    let set = message(at(name), vec![arg]);
    let ask = [message(at("program"), Vec::new()), message(at("instrument"), Vec::new())];
    let answers = client(global)?.ask([set].into_iter().chain(ask).collect())?;
    print_values(global, &answers)
}

fn status(global: &Global, every_ms: Option<u64>) -> Result<(), Error> {
    let mut client = client(global)?;
    loop {
        let answers = client.ask(vec![message(STATUS, Vec::new())])?;
        let text = answers.iter().find_map(|m| match m.args.as_slice() {
            [OscType::String(json)] if m.addr == STATUS => Some(json.as_str()),
            _ => None,
        });
        let text = text.unwrap_or("{}");
        if global.json {
            line(text)?;
        } else {
            let status: Status = serde_json::from_str(text)
                .map_err(|e| Error::Usage(format!("the daemon is of another version: {e}")))?;
            print_status(&status, every_ms.is_some())?;
        }
        match every_ms {
            Some(ms) => sleep(Duration::from_millis(ms)),
            None => return Ok(()),
        }
    }
}

fn subscribe(global: &Global, pattern: &str, hz: f64, seconds: Option<f64>) -> Result<(), Error> {
    Pattern::new(pattern).map_err(Error::Usage)?;
    let end = match seconds {
        Some(s) => Some(
            Instant::now()
                + Duration::try_from_secs_f64(s).map_err(|e| Error::Usage(e.to_string()))?,
        ),
        None => None,
    };
    let mut client = client(global)?;
    let renewal = Duration::from_secs(LEASE_S.unsigned_abs().into()) / 4;
    loop {
        let args = vec![OscType::from(pattern), OscType::Double(hz)];
        // Changes can arrive before the answer to the subscription.
        print_changes(global, &client.ask(vec![message(SUBSCRIBE, args)])?)?;
        let renew = Instant::now() + renewal;
        let until = end.map_or(renew, |end| end.min(renew));
        while let Some(messages) = client.receive(until)? {
            print_changes(global, &messages)?;
        }
        if end.is_some_and(|end| end <= Instant::now()) {
            return Ok(());
        }
    }
}

/// The names of instruments and, if a daemon answers, how well it plays them; then those of drum
/// kits.
fn instruments(global: &Global) -> Result<(), Error> {
    // The names are known without a daemon, too.
    let answers = client(global)
        .and_then(|mut client| client.ask(vec![message(action::INSTRUMENTS, Vec::new())]));
    let answers = answers.unwrap_or_default();
    let mut ratings = answers.iter().flat_map(|m| &m.args).map(|arg| match arg {
        OscType::Int(program) => format!("fallback {program}"),
        OscType::String(word) => word.clone(),
        other => other.to_string(),
    });
    let rows: Vec<_> =
        (0..).zip(INSTRUMENTS).map(|(n, name): (u8, _)| (n, name, ratings.next())).collect();
    if global.json {
        let row = |row: &(u8, &str, Option<String>)| {
            let (n, name, rating) = row;
            json!({"program": n, "name": name, "sounds": rating})
        };
        let channel = DRUM_CHANNEL + 1;
        let kit = |(n, name): &(u8, &str)| json!({"program": n, "name": name, "channel": channel});
        let all = rows.iter().map(row).chain(KITS.iter().map(kit));
        return line(&serde_json::Value::from_iter(all).to_string());
    }
    rows.iter().try_for_each(|(n, name, rating)| match rating {
        Some(rating) => line(&format!("{n:3} {name:24} {rating}")),
        None => line(&format!("{n:3} {name}")),
    })?;
    line(&format!("drum kits on channel {}:", DRUM_CHANNEL + 1))?;
    KITS.iter().try_for_each(|(n, name)| line(&format!("{n:3} {name}")))
}

fn parameters(global: &Global) -> Result<(), Error> {
    if global.json {
        let rows: Vec<_> = PARAMETERS
            .iter()
            .map(|p| {
                json!({
                    "address": p.address, "name": p.name, "unit": p.unit,
                    "min": p.min, "max": p.max,
                    "default": p.default, "settable": p.settable(), "choices": p.choices,
                    "help": p.help,
                })
            })
            .chain(ACTIONS.iter().map(|a| json!({"address": a.address, "help": a.help})))
            .collect();
        return line(&serde_json::Value::from(rows).to_string());
    }
    for p in &PARAMETERS {
        let wanted = match p.access {
            Access::Read => "can only be asked for".to_owned(),
            Access::Restart => format!("{}, from the next start on", p.wanted()),
            Access::Live | Access::Midi | Access::Command => p.wanted(),
        };
        line(&format!("{:24} {}\n{:24} {}", p.address, wanted, "", p.help))?;
    }
    for a in &ACTIONS {
        line(&format!("{:24} {}\n{:24} {}", a.address, a.wanted(), "", a.help))?;
    }
    Ok(())
}
