//! The parts of the daemon that can be lost: opens sound device, MIDI ports and OSC server, and
//! gets them back. Knows no command.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::Daemon;
use crate::config::Switch;
use crate::control::{self, ControlHandles, OscServer, Token};
use crate::error::Error;
use crate::live::devices::{Choice, JACK, is_meant};
use crate::live::jack::{JackClient, MidiEnd, Wanted};
use crate::live::midi::ports::Ports;
use crate::live::output::{Output, OutputOptions};
use crate::live::startup::{resolved, route};

/// Waits between attempts to get a lost device or server back: the first, and the longest.
const RETRY: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(5));

/// How long a JACK server is watched before timbred connects to it again: the first time, and at
/// most.
const FLOW_LOOK: Duration = Duration::from_secs(2);
const FLOW_LOOK_MOST: Duration = Duration::from_secs(60);

/// A timer for attempts, whose waits grow from one attempt to the next.
#[derive(Debug)]
pub(super) struct Retry {
    next: Instant,
    wait: Duration,
}

impl Retry {
    pub(super) fn new() -> Self {
        Self { next: Instant::now(), wait: RETRY.0 }
    }

    /// Whether the next attempt is due; if so, the wait until the one after it grows.
    pub(super) fn is_due(&mut self) -> bool {
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
    /// When this look began, and how many frames the server had asked for by then.
    since: Instant,
    frames: u64,
    /// How long a look takes. It grows whenever a new connection has not helped.
    look: Duration,
}

impl Flow {
    /// A look that begins now, when the server has asked for this many frames.
    pub(super) fn new(frames: u64) -> Self {
        Self { since: Instant::now(), frames, look: FLOW_LOOK }
    }

    /// Starts again for a device that has just been opened.
    fn begin(&mut self, frames: u64) {
        *self = Self { look: self.look, ..Self::new(frames) };
    }

    /// Whether it was found at the end of a look that less than half of the `frames` of a device of
    /// this rate were asked for. Nothing is found before the first: a server may take its time.
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
    /// Opens everything for the first time. A sound device or MIDI that is not there may come yet:
    /// a card needs its time to boot.
    pub(super) fn start(&mut self) -> Result<(), Error> {
        self.open_osc()?;
        if let Err(e) = self.open_output() {
            tracing::warn!("{e}; there is no sound until a device appears");
        }
        self.open_midi();
        Ok(())
    }

    pub(super) fn open_output(&mut self) -> Result<(), Error> {
        self.attempts.fetch_add(1, Ordering::Relaxed);
        let audio = &self.loaded.config.audio;
        let configured = || Choice {
            backend: audio.backend.name().to_owned(),
            device: audio.device.clone().unwrap_or_default(),
            words: String::new(),
        };
        let Choice { backend, device, .. } = self.chosen.clone().unwrap_or_else(configured);
        let options = OutputOptions {
            backend,
            device,
            rate_hz: audio.rate_hz,
            buffer_frames: self.dry.frames(audio.buffer_frames),
            channels: audio.channels,
            realtime_priority: audio.realtime_priority,
            name: self.loaded.config.midi.name.clone(),
            connect: audio.connect.clone(),
            has_parts: audio.has_parts,
        };
        // One client in JACK for both: the one that only hears makes room.
        if is_meant(JACK, &options.backend) && self.jack.is_some() {
            self.jack = None;
        }
        let opened = Output::open(&options, &self.telemetry, self.jack_midi());
        let (output, sink) = match opened {
            Ok(opened) => opened,
            Err(e) => {
                self.telemetry.device.store(Arc::new(format!("none: {e}")));
                return Err(e);
            }
        };
        tracing::info!("sound: {}", output.name);
        self.telemetry.device.store(Arc::new(output.name.clone()));
        if let Some(client) = output.jack_client().filter(|client| client.hears()) {
            tracing::info!("JACK MIDI: {}:midi_in", client.name());
            self.jack = Some(client.clone());
        }
        // The inference thread takes it within a hop.
        let _ = self.sinks.send(sink);
        self.output = Some(output);
        self.output_retry = Retry::new();
        self.flow.begin(self.telemetry.frames_played.load(Ordering::Relaxed));
        Ok(())
    }

    /// What becomes of JACK's messages, unless they are not wanted.
    fn jack_midi(&self) -> Option<MidiEnd> {
        let midi = &self.loaded.config.midi;
        let wanted = midi.jack != Switch::Off;
        let filter = || {
            route(midi.rules.clone())("jack")
                .unwrap_or_else(|| Box::new(|message, out| out(message)))
        };
        wanted.then(|| MidiEnd { filter: filter(), queue: self.midi.clone() })
    }

    /// Opens the sources of notes that are wanted and not open yet. What cannot be opened is tried
    /// again later.
    pub(super) fn open_midi(&mut self) {
        let (alsa, jack) = (self.loaded.config.midi.alsa, self.loaded.config.midi.jack);
        let said = |what: &str, switch: Switch, e: String| match switch {
            Switch::On => tracing::warn!("{what}: {e}; it is tried again"),
            _ => tracing::info!("{what}: {e}"),
        };
        if let Err(e) = self.open_ports() {
            said("ALSA MIDI", alsa, e);
        }
        if let Err(e) = self.open_jack() {
            said("JACK MIDI", jack, e);
        }
    }

    fn open_ports(&mut self) -> Result<(), String> {
        let midi = &self.loaded.config.midi;
        if midi.alsa == Switch::Off || self.ports.is_some() {
            return Ok(());
        }
        let route = route(midi.rules.clone());
        let (queue, telemetry) = (self.midi.clone(), self.telemetry.clone());
        self.ports = Some(Ports::open(&midi.name, midi.virtual_port, route, queue, telemetry)?);
        self.ports_retry = Retry::new();
        Ok(())
    }

    fn open_jack(&mut self) -> Result<(), String> {
        if self.jack.is_some() {
            return Ok(());
        }
        let Some(end) = self.jack_midi() else { return Ok(()) };
        let name = &self.loaded.config.midi.name;
        let (client, _) = JackClient::open(Wanted { name, midi: Some(end), sound: None })?;
        tracing::info!("JACK MIDI: {}:midi_in", client.name());
        self.jack = Some(Arc::new(client));
        self.jack_retry = Retry::new();
        Ok(())
    }

    pub(super) fn open_osc(&mut self) -> Result<(), Error> {
        // It passes what arrives to the service that ends here, so it ends first.
        self.close_remote();
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
            panel: self.panel.clone(),
            controllers: state.map(|path| path.with_file_name("controllers.toml")),
        };
        let server =
            control::spawn(socket, targets, Token::new(&self.loaded.config.token), handles)
                .map_err(|e| Error::Control(format!("OSC: {e}")))?;
        tracing::info!("OSC: {}", server.address());
        self.osc = Some(server);
        self.osc_retry = Retry::new();
        self.open_remote();
        Ok(())
    }

    /// Restarts the OSC server if the configuration wants another one; returns whether it did.
    pub(super) fn renew_osc(&mut self) -> bool {
        let is_old = std::mem::take(&mut self.is_osc_old);
        if is_old {
            self.close_remote();
            (self.osc, self.osc_retry) = (None, Retry::new());
            self.look_after_osc();
        }
        is_old
    }

    /// Opens again what was lost.
    pub(super) fn look_after_devices(&mut self) {
        let output_is_lost = self.output.as_ref().is_some_and(Output::is_lost);
        let output_is_jack = self.output.as_ref().is_some_and(|o| o.jack_client().is_some());
        let jack_is_gone = self.jack.as_ref().is_some_and(|jack| jack.is_gone());
        // On a busy machine a server that came back now and then never wakes a client that found it
        // at once, and waits for it in every cycle (libjack 1.9.21).
        let frames = self.telemetry.frames_played.load(Ordering::Relaxed);
        let rate_hz = self.output.as_ref().filter(|_| output_is_jack).map(|output| output.rate_hz);
        let is_starved = rate_hz.is_some_and(|rate_hz| self.flow.is_starved(frames, rate_hz));
        if output_is_lost {
            tracing::warn!("the sound device is gone; looking for it");
        }
        if jack_is_gone {
            tracing::warn!("the JACK server is gone; its notes are released");
        }
        if is_starved {
            tracing::warn!("the JACK server asks for far too little sound; connecting to it again");
        }
        if output_is_lost || is_starved || self.is_dry() {
            self.close_output();
        }
        if jack_is_gone {
            self.jack = None;
        }
        if self.output.is_none()
            && self.output_retry.is_due()
            && let Err(e) = self.open_output()
        {
            tracing::debug!("{e}");
        }
        self.look_after_midi();
        self.look_after_osc();
        self.look_after_remote();
        self.gaps.look(&self.telemetry);
        self.banks.look(&self.telemetry);
    }

    /// Whether the device has to be opened with more frames at a time, as it runs dry all the time.
    /// A JACK server has its own.
    fn is_dry(&mut self) -> bool {
        let Some(output) = self.output.as_ref().filter(|o| o.jack_client().is_none()) else {
            return false;
        };
        let (frames, dry) =
            (output.frames(), self.telemetry.device_underruns.load(Ordering::Relaxed));
        let is_dry = self.dry.look(Instant::now(), dry, frames);
        if is_dry {
            tracing::warn!(
                "{frames} frames at a time are too few for this device, which runs dry all the \
                 time; trying {}",
                self.dry.frames(frames)
            );
        }
        is_dry
    }

    /// Ends the output, and the client of JACK with it where it is one. Nothing is heard any more.
    pub(super) fn close_output(&mut self) {
        if self.output.take().is_some_and(|output| output.jack_client().is_some()) {
            self.jack = None;
        }
        self.telemetry.silence();
        self.telemetry.device.store(Arc::new("none: it is gone, and looked for".to_owned()));
    }

    fn look_after_midi(&mut self) {
        if self.ports.as_ref().is_some_and(Ports::is_dead) {
            tracing::error!("the thread of the MIDI ports ended; starting it again");
            self.ports = None;
        }
        if self.ports.is_none()
            && self.loaded.config.midi.alsa != Switch::Off
            && self.ports_retry.is_due()
        {
            match self.open_ports() {
                Ok(()) => tracing::info!("ALSA MIDI: open"),
                Err(e) => tracing::debug!("ALSA MIDI: {e}"),
            }
        }
        if self.jack.is_none()
            && self.loaded.config.midi.jack != Switch::Off
            && self.jack_retry.is_due()
            && let Err(e) = self.open_jack()
        {
            tracing::debug!("JACK MIDI: {e}");
        }
        let midi = &self.loaded.config.midi;
        let is_wanted = midi.alsa != Switch::Off || midi.jack != Switch::Off;
        let is_deaf = is_wanted && self.ports.is_none() && self.jack.is_none();
        self.telemetry.is_deaf.store(is_deaf, Ordering::Relaxed);
    }

    fn look_after_osc(&mut self) {
        if self.osc.as_ref().is_some_and(OscServer::is_dead) {
            tracing::error!("the OSC thread ended; starting it again");
            self.close_remote();
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
