//! Prints values, the state of the daemon, and lines. It sends no requests.

use std::io::{self, Write};

use rosc::OscMessage;
use serde_json::json;
use timbre_control::arguments::value;
use timbre_control::osc::SUBSCRIBE;
use timbre_control::status::{Finding, Status};

use super::Error;
use crate::cli::Global;

pub(super) fn print_status(s: &Status, short: bool) -> Result<(), Error> {
    if short {
        return line(&format!(
            "{:6} s  load {:.2}  {} steps  {} notes  {:.1} dBFS  {} misses  {} underruns",
            s.uptime_s, s.load, s.steps_now, s.notes, s.peak_dbfs, s.misses, s.underruns
        ));
    }
    line(&format!("timbred {}, running for {} s, model {}", s.version, s.uptime_s, s.model))?;
    let denoiser = match s.steps_now {
        0 => "the denoiser is not asked".to_owned(),
        steps => format!("{steps} steps in hops of {:.0} ms", s.hop_now_ms),
    };
    line(&format!("latency    {:.1} ms, load {:.2}, {denoiser}", s.latency_ms, s.load))?;
    line(&format!(
        "sound      {} notes, {:.1} dBFS peak, {:.1} rms",
        s.notes, s.peak_dbfs, s.rms_dbfs
    ))?;
    if !s.device.is_empty() {
        line(&format!("device     {}", s.device))?;
    }
    if !s.panel.is_empty() {
        line(&format!("panel      {}", s.panel.join(" ")))?;
    }
    line(&format!(
        "trouble    {} misses, {} underruns, {} overflows",
        s.misses, s.underruns, s.overflows
    ))?;
    if let Some(Finding { what, found, remedy, .. }) = s.first_trouble() {
        line(format!("to mend    {what}: {found} -> {remedy}").trim_end_matches(" -> "))?;
    }
    let r = &s.recording;
    if !r.file.is_empty() {
        let lost = format!("{} samples and {} notes lost", r.lost_samples, r.lost_notes);
        let text = format!("recording  {}, {}, {:.0} s, {lost} ", r.state, r.file, r.seconds);
        line((text + &r.error).trim_end())?;
    }
    let master = &s.settings.master;
    let muted = if master.mute { ", muted" } else { "" };
    line(&format!("master     {} dB{muted}", master.gain))?;
    for (place, (channel, program)) in s.settings.channels.iter().zip(&s.programs).enumerate() {
        let number = place + 1;
        let words = [("muted", channel.mute), ("solo", channel.solo), ("off", !channel.enable)];
        let mut words: Vec<String> = words.iter().filter(|w| w.1).map(|w| w.0.to_owned()).collect();
        words.extend(turned_down("volume (CC 7)", 100, s.volumes.get(place)));
        words.extend(turned_down("expression (CC 11)", 127, s.expressions.get(place)));
        let name = timbre_control::instruments::name(place, *program);
        let text =
            format!("channel {number:2} {name:24} {:5} dB {}", channel.gain, words.join(", "));
        line(text.trim_end())?;
    }
    Ok(())
}

/// A text about a controller that is not at its initial value; none if it is.
fn turned_down(name: &str, start: u8, value: Option<&u8>) -> Option<String> {
    let value = value.filter(|value| **value != start)?;
    let silent = if *value == 0 { ": silent" } else { "" };
    Some(format!("{name} {value}{silent}"))
}

pub(super) fn print_changes(global: &Global, messages: &[OscMessage]) -> Result<(), Error> {
    for m in messages.iter().filter(|m| m.addr != SUBSCRIBE) {
        if global.json {
            line(&json!({"address": m.addr, "value": json_value(m)}).to_string())?;
        } else {
            line(&format!("{} {}", m.addr, text_value(m)))?;
        }
    }
    Ok(())
}

/// Prints one value alone, or several with their addresses.
pub(super) fn print_values(global: &Global, answers: &[OscMessage]) -> Result<(), Error> {
    if global.json {
        let object: serde_json::Map<String, serde_json::Value> =
            answers.iter().map(|m| (m.addr.clone(), json_value(m))).collect();
        return line(&serde_json::Value::Object(object).to_string());
    }
    match answers {
        [one] => line(&text_value(one)),
        several => several.iter().try_for_each(|m| line(&format!("{} {}", m.addr, text_value(m)))),
    }
}

fn text_value(message: &OscMessage) -> String {
    let words: Vec<String> = message
        .args
        .iter()
        .map(|arg| value(arg).map_or_else(|| arg.to_string(), |v| v.to_string()))
        .collect();
    words.join(" ")
}

fn json_value(message: &OscMessage) -> serde_json::Value {
    let mut all: Vec<serde_json::Value> = message
        .args
        .iter()
        .map(|arg| value(arg).map_or(serde_json::Value::Null, |v| v.to_json()))
        .collect();
    if all.len() == 1 { all.remove(0) } else { all.into() }
}

/// Prints a line. Unlike `println!`, it returns an error if the output cannot be written.
pub(super) fn line(text: &str) -> Result<(), Error> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}")?;
    Ok(out.flush()?)
}
