//! The parts of the daemon that can be lost: opens sound device, MIDI ports and OSC server, and gets them back. Knows no command.

use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::Daemon;
use crate::config::Switch;
use crate::control::{self, ControlHandles, OscServer};
use crate::error::Error;
use crate::live::devices::Choice;
use crate::live::midi::jack_port::JackPort;
use crate::live::midi::ports::{Filter, Ports};
use crate::live::output::{Output, OutputOptions};
use crate::live::startup::{resolved, route};

/// Waits between attempts to get a lost device or server back: the first, and the longest.
const RETRY: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(5));

/// How long a JACK server is looked at before it is asked anew, at first and at most.
const FLOW_LOOK: Duration = Duration::from_secs(2);
const FLOW_LOOK_MOST: Duration = Duration::from_secs(60);

/// Attempts that come less and less often.
#[derive(Debug)]
pub(super) struct Retry {
    next: Instant,
    wait: Duration,
}

impl Retry {
    pub(super) fn new() -> Self {
        Self { next: Instant::now(), wait: RETRY.0 }
    }

    /// Whether it is time for one; the next comes later.
    fn is_due(&mut self) -> bool {
        let is_due = Instant::now() >= self.next;
        if is_due {
            self.next = Instant::now() + self.wait;
            self.wait = (self.wait * 2).min(RETRY.1);
        }
        is_due
    }
}

/// Whether a JACK server calls its client as often as it should.
#[derive(Debug)]
pub(super) struct Flow {
    /// When this look began, and the frames asked for until then.
    since: Instant,
    frames: u64,
    /// How long a look takes: longer whenever asking anew has not helped.
    look: Duration,
}

impl Flow {
    /// A look that begins now, after so many frames.
    pub(super) fn new(frames: u64) -> Self {
        Self { since: Instant::now(), frames, look: FLOW_LOOK }
    }

    /// A device is opened.
    fn begin(&mut self, frames: u64) {
        *self = Self { look: self.look, ..Self::new(frames) };
    }

    /// Whether it was found at the end of a look that less than half of the `frames` of a device of this rate were asked for. Nothing is found
    /// before the first: a server may take its time.
    fn is_starved(&mut self, frames: u64, rate_hz: u32) -> bool {
        let elapsed = self.since.elapsed();
        if elapsed < self.look {
            return false;
        }
        let wanted = 0.5 * elapsed.as_secs_f64() * f64::from(rate_hz);
        let is_starved = self.frames > 0 && (frames.saturating_sub(self.frames) as f64) < wanted;
        let look = if is_starved { (self.look * 2).min(FLOW_LOOK_MOST) } else { FLOW_LOOK };
        *self = Self { look, ..Self::new(frames) };
        is_starved
    }
}

impl Daemon {
    /// Opens everything for the first time. What the user asked for by name must be there.
    pub(super) fn start(&mut self) -> Result<(), Error> {
        self.open_osc()?;
        self.open_output()?;
        self.open_midi()
    }

    pub(super) fn open_output(&mut self) -> Result<(), Error> {
        self.attempts.fetch_add(1, Ordering::Relaxed);
        let audio = &self.loaded.config.audio;
        let configured = || Choice {
            backend: audio.backend.name().to_owned(),
            device: audio.device.clone().unwrap_or_default(),
        };
        let Choice { backend, device } = self.chosen.clone().unwrap_or_else(configured);
        let options = OutputOptions {
            backend,
            device,
            rate_hz: audio.rate_hz,
            buffer_frames: audio.buffer_frames,
            channels: audio.channels,
            realtime_priority: audio.realtime_priority,
        };
        let (output, sink) = Output::open(&options, &self.telemetry)?;
        tracing::info!("sound: {}", output.name);
        // The inference thread takes it within a hop.
        let _ = self.sinks.send(sink);
        self.output = Some(output);
        self.output_retry = Retry::new();
        self.flow.begin(self.telemetry.frames_played.load(Ordering::Relaxed));
        Ok(())
    }

    pub(super) fn open_midi(&mut self) -> Result<(), Error> {
        let midi = self.loaded.config.midi.clone();
        let route = route(midi.rules.clone());
        let needed = |what: &str, switch: Switch, e: String| match switch {
            Switch::On => Err(Error::Audio(format!("{what}: {e}"))),
            _ => {
                tracing::info!("{what}: {e}");
                Ok(())
            }
        };
        if midi.alsa != Switch::Off {
            match Ports::open(&midi.name, midi.virtual_port, route.clone(), self.midi.clone()) {
                Ok(ports) => self.ports = Some(ports),
                Err(e) => needed("ALSA MIDI", midi.alsa, e)?,
            }
        }
        if midi.jack != Switch::Off
            && let Err(e) = self.open_jack()
        {
            needed("JACK MIDI", midi.jack, e)?;
        }
        Ok(())
    }

    fn open_jack(&mut self) -> Result<(), String> {
        let midi = &self.loaded.config.midi;
        let filter: Filter = route(midi.rules.clone())("jack")
            .unwrap_or_else(|| Box::new(|message, out| out(message)));
        let port = JackPort::open(&midi.name, filter, self.midi.clone())?;
        tracing::info!("JACK MIDI: {}:midi_in", midi.name);
        self.jack = Some(port);
        self.jack_retry = Retry::new();
        Ok(())
    }

    pub(super) fn open_osc(&mut self) -> Result<(), Error> {
        self.osc = None;
        let osc = &self.loaded.config.osc;
        let socket = UdpSocket::bind(osc.bind).map_err(|e| {
            let what = "choose another osc.port, or end the program that has it";
            Error::Control(format!("OSC cannot listen on {}: {e}; {what}", osc.bind))
        })?;
        let targets: Vec<SocketAddr> = osc.targets.iter().filter_map(|t| resolved(t)).collect();
        let state = self.loaded.config.state.path.as_deref();
        let handles = ControlHandles {
            settings: self.settings.clone(),
            midi: self.midi.clone(),
            telemetry: self.telemetry.clone(),
            commands: self.commands.0.clone(),
            model: self.model.clone(),
            recorder: self.recorder.clone(),
            controllers: state.map(|path| path.with_file_name("controllers.toml")),
        };
        let server = control::spawn(socket, targets, handles)
            .map_err(|e| Error::Control(format!("OSC: {e}")))?;
        tracing::info!("OSC: {}", server.address());
        self.osc = Some(server);
        self.osc_retry = Retry::new();
        Ok(())
    }

    /// Starts the OSC server anew where the configuration wants another; whether it did.
    pub(super) fn renew_osc(&mut self) -> bool {
        let is_old = std::mem::take(&mut self.is_osc_old);
        if is_old {
            (self.osc, self.osc_retry) = (None, Retry::new());
            self.look_after_osc();
        }
        is_old
    }

    /// Gets back what is gone.
    pub(super) fn look_after_devices(&mut self) {
        let output_is_lost = self.output.as_ref().is_some_and(Output::is_lost);
        let output_is_jack = self.output.as_ref().is_some_and(Output::is_jack);
        let jack_is_gone = self.jack.as_ref().is_some_and(JackPort::is_gone);
        if output_is_lost {
            tracing::warn!("the sound device is gone; looking for it");
        }
        if jack_is_gone {
            tracing::warn!("the JACK server is gone; its notes are released");
        }
        // On a busy machine a server that came back now and then never wakes a client that found it at once, and waits for it in every cycle
        // (libjack 1.9.21).
        let frames = self.telemetry.frames_played.load(Ordering::Relaxed);
        let rate_hz = self.output.as_ref().filter(|_| output_is_jack).map(|output| output.rate_hz);
        let is_starved = rate_hz.is_some_and(|rate_hz| self.flow.is_starved(frames, rate_hz));
        if is_starved {
            tracing::warn!("the JACK server is far too slow; asking it anew");
        }
        // libjack keeps one server for all clients of a process: each of them ends before any is opened again.
        if output_is_lost || (output_is_jack && jack_is_gone) || is_starved {
            self.output = None;
        }
        if jack_is_gone || (output_is_jack && output_is_lost) || is_starved {
            self.jack = None;
        }
        if self.output.is_none()
            && self.output_retry.is_due()
            && let Err(e) = self.open_output()
        {
            tracing::debug!("{e}");
        }
        if self.jack.is_none()
            && self.loaded.config.midi.jack != Switch::Off
            && self.jack_retry.is_due()
            && let Err(e) = self.open_jack()
        {
            tracing::debug!("JACK MIDI: {e}");
        }
        self.look_after_osc();
    }

    fn look_after_osc(&mut self) {
        if self.osc.as_ref().is_some_and(OscServer::is_dead) {
            tracing::error!("the OSC thread ended; starting it again");
            self.osc = None;
        }
        if self.osc.is_none()
            && self.osc_retry.is_due()
            && let Err(e) = self.open_osc()
        {
            tracing::error!("{e}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_asks_for_little_is_found_after_ever_longer_looks() {
        let mut flow = Flow::new(0);
        let mut looked = |frames: u64, expected_look: Duration| {
            assert_eq!(flow.look, expected_look);
            assert!(!flow.is_starved(frames, 48_000), "in the midst of a look");
            flow.since = flow.since.checked_sub(flow.look).unwrap_or(flow.since);
            flow.is_starved(frames, 48_000)
        };
        assert!(!looked(100, FLOW_LOOK), "before the first frame");
        assert!(looked(40_000, FLOW_LOOK));
        assert!(looked(41_000, 2 * FLOW_LOOK));
        assert!(!looked(900_000, 4 * FLOW_LOOK));
        assert!(!looked(960_000, FLOW_LOOK));
        assert!(looked(960_000, FLOW_LOOK));
    }
}
