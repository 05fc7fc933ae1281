//! Finds the device of ALSA that a text means, in the words of the sound library, and the options
//! with which it can be opened. It plays nothing.

use cpal::traits::{DeviceTrait, HostTrait};
use cpal::{DeviceId, HostId};

use super::cards;
use super::devices::{ALSA, Choice, meant};
use super::output::OutputOptions;
use super::stream_fit::{Fit, fit};

/// The devices that a text may mean, best first, each with a description for people.
pub(super) fn matching(wanted: &str) -> Result<Vec<(String, String)>, String> {
    let name = wanted.strip_prefix("ALSA ").unwrap_or(wanted);
    let there: Vec<Choice> =
        cards::names().iter().map(|name| Choice::new(ALSA, &name.name, &name.words)).collect();
    match meant(&there, wanted) {
        Ok(found) => Ok(found.into_iter().map(|choice| (choice.device, choice.words)).collect()),
        // Any other name is left to ALSA.
        Err(_) if cards::opens(name) => Ok(vec![(name.to_owned(), String::new())]),
        Err(e) => Err(e),
    }
}

/// The device and its options. If the hardware has no supported sample format (24 bits in three
/// bytes), it is the same card with a conversion.
pub(super) fn described(
    device: cpal::Device,
    name: &str,
    options: &OutputOptions,
) -> Result<(cpal::Device, Fit), String> {
    let configs = device.supported_output_configs().map_err(|e| said(&e))?;
    let configs: Vec<_> = configs.collect();
    match fit(&configs, options.rate_hz, options.channels.max(1)) {
        Some(fit) => Ok((device, fit)),
        None if name.starts_with("hw:") => {
            let name = format!("plug{name}");
            let device = library_device(&name)?.ok_or("none of its sample formats is played")?;
            described(device, &name, options)
        }
        None => Err("none of its sample formats is played".to_owned()),
    }
}

/// The device of a name; none if the library does not list it.
pub(super) fn library_device(name: &str) -> Result<Option<cpal::Device>, String> {
    let host = cpal::host_from_id(HostId::Alsa).map_err(|e| e.to_string())?;
    let by_id = |name: &str| host.device_by_id(&DeviceId::new(HostId::Alsa, name));
    if name == cards::DEFAULT {
        return Ok(host.default_output_device());
    }
    Ok(by_id(name).or_else(|| by_id(&cards::by_number(name)?)))
}

/// The error of the library in words that help.
pub(super) fn said(error: &cpal::Error) -> String {
    match error.kind() {
        cpal::ErrorKind::DeviceBusy => {
            format!("another program has it ({error}); `fuser -v /dev/snd/*` shows which")
        }
        cpal::ErrorKind::PermissionDenied => {
            format!("this user may not ({error}); join the group audio and log in again")
        }
        _ => error.to_string(),
    }
}
