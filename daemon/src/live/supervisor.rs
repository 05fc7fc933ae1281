//! Starts, watches and stops the threads of the live daemon, in order. Knows no sound: it runs on the main thread.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use crossbeam::channel::{Receiver, Sender, bounded};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use timbre_control::settings::Settings;

use super::inference::{Inference, Sink};
use super::midi::jack_port::JackPort;
use super::midi::ports::{Filter, Ports};
use super::output::{Output, OutputOptions};
use super::queues::{MidiSender, Telemetry, midi_queue};
use super::startup::{initial, remembered, resolved, route, send_programs};
use crate::config::{self, Loaded, Part, Sources, Switch, Verdict};
use crate::control::{self, Command, ControlHandles, OscServer};
use crate::error::Error;
use crate::models;
use crate::recording::{self, Recorder};
use crate::service::{self, Notifier, Watchdog};
use crate::state::{self, State};

/// How often everything is looked at.
const LOOK: Duration = Duration::from_millis(50);
/// Waits between attempts to get a lost device or server back: the first, and the longest.
const RETRY: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(5));
/// Commands of the control thread that can wait.
const COMMANDS: usize = 64;
/// The longest that loading and warming up a model may take.
const LOADING: Duration = Duration::from_secs(120);
/// A state that changed is written after this time without further change.
const SAVE_AFTER: Duration = Duration::from_secs(3);

/// Attempts that come less and less often.
#[derive(Debug)]
struct Retry {
    next: Instant,
    wait: Duration,
}

impl Retry {
    fn new() -> Self {
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

/// Everything that runs.
struct Daemon {
    sources: Sources,
    loaded: Loaded,
    settings: Arc<ArcSwap<Settings>>,
    telemetry: Arc<Telemetry>,
    midi: MidiSender,
    sinks: Sender<Sink>,
    commands: (Sender<Command>, Receiver<Command>),
    model: String,
    output: Option<Output>,
    output_retry: Retry,
    ports: Option<Ports>,
    jack: Option<JackPort>,
    jack_retry: Retry,
    osc: Option<OscServer>,
    recorder: Recorder,
    /// Attempts to get a device back: progress for the watchdog.
    attempts: Arc<AtomicU64>,
    /// What the state file holds, and since when something else is set.
    saved: Option<State<Settings>>,
    changed: Option<Instant>,
}

/// Runs the daemon until SIGINT or SIGTERM.
///
/// # Errors
/// A configuration, model or device that cannot be used; whatever ends the inference thread.
pub fn run(sources: Sources, loaded: Loaded) -> Result<(), Error> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])
        .map_err(|e| Error::Audio(format!("signals cannot be had: {e}")))?;
    let notifier = Notifier::of_process();
    notifier.status("loading the model");
    notifier.extend_timeout(LOADING);
    let bundle = models::find(Some(&loaded.config.engine.model))?;
    let remembered = remembered(&loaded.config);
    let settings = Arc::new(ArcSwap::from_pointee(initial(&loaded.config, remembered.as_ref())));
    let telemetry = Arc::new(Telemetry::default());
    let (midi, receiver) = midi_queue();
    if let Some(state) = &remembered {
        send_programs(&midi, &state.programs);
    }
    let (sinks, new_sinks) = bounded(4);
    let stop = Arc::new(AtomicBool::new(false));
    let model = bundle.manifest().name.clone();
    let lead = loaded.config.audio.lead_ms.map(|ms| Duration::from_secs_f64(ms / 1000.0));
    let inference = Inference {
        bundle,
        midi: receiver,
        sinks: new_sinks,
        settings: settings.clone(),
        telemetry: telemetry.clone(),
        lead,
        stop: stop.clone(),
    };
    let (recorder, tap) =
        recording::start().map_err(|e| Error::Audio(format!("no thread for recordings: {e}")))?;
    let inference = std::thread::Builder::new()
        .name("timbred-inference".to_owned())
        .spawn(move || inference.run(tap))
        .map_err(|e| Error::Audio(format!("no thread for the model: {e}")))?;
    let mut daemon = Daemon {
        sources,
        loaded,
        settings,
        telemetry,
        midi,
        sinks,
        commands: bounded(COMMANDS),
        model,
        output: None,
        output_retry: Retry::new(),
        ports: None,
        jack: None,
        jack_retry: Retry::new(),
        osc: None,
        recorder: recorder.recorder(),
        attempts: Arc::default(),
        saved: remembered,
        changed: None,
    };
    let result = daemon.start().and_then(|()| daemon.watch(&mut signals, &inference, &notifier));
    notifier.stopping("fading out");
    daemon.stop();
    stop.store(true, Ordering::Release);
    let ended = inference.join();
    recorder.finish();
    match ended {
        Ok(ended) => result.and(ended),
        Err(_) => Err(Error::Audio("the inference thread ended by a fault of its own".to_owned())),
    }
}

impl Daemon {
    /// Opens everything for the first time. What the user asked for by name must be there.
    fn start(&mut self) -> Result<(), Error> {
        self.open_osc()?;
        self.open_output()?;
        self.open_midi()
    }

    fn open_output(&mut self) -> Result<(), Error> {
        self.attempts.fetch_add(1, Ordering::Relaxed);
        let audio = &self.loaded.config.audio;
        let options = OutputOptions {
            backend: audio.backend.name().to_owned(),
            device: audio.device.clone().unwrap_or_default(),
            rate_hz: audio.rate_hz,
            buffer_frames: audio.buffer_frames,
            channels: audio.channels,
        };
        let (output, sink) = Output::open(&options, &self.telemetry)?;
        tracing::info!("sound: {}", output.name);
        // The inference thread takes it within a hop.
        let _ = self.sinks.send(sink);
        self.output = Some(output);
        self.output_retry = Retry::new();
        Ok(())
    }

    fn open_midi(&mut self) -> Result<(), Error> {
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

    fn open_osc(&mut self) -> Result<(), Error> {
        self.osc = None;
        let osc = &self.loaded.config.osc;
        let socket = UdpSocket::bind(osc.bind).map_err(|e| {
            let what = "choose another osc.port, or end the program that has it";
            Error::Audio(format!("OSC cannot listen on {}: {e}; {what}", osc.bind))
        })?;
        let targets: Vec<SocketAddr> = osc.targets.iter().filter_map(|t| resolved(t)).collect();
        let handles = ControlHandles {
            settings: self.settings.clone(),
            midi: self.midi.clone(),
            telemetry: self.telemetry.clone(),
            commands: self.commands.0.clone(),
            recorder: self.recorder.clone(),
        };
        let server = control::spawn(socket, targets, handles, self.model.clone())
            .map_err(|e| Error::Audio(format!("OSC: {e}")))?;
        tracing::info!("OSC: {}", server.address());
        self.osc = Some(server);
        Ok(())
    }

    /// Looks after everything until a signal says to end.
    fn watch(
        &mut self,
        signals: &mut Signals,
        inference: &JoinHandle<Result<(), Error>>,
        notifier: &Notifier,
    ) -> Result<(), Error> {
        let (telemetry, attempts) = (self.telemetry.clone(), self.attempts.clone());
        let progress = move || {
            let streamed = telemetry.stream_frames.load(Ordering::Relaxed);
            streamed.wrapping_add(attempts.load(Ordering::Relaxed))
        };
        let mut watchdog = Watchdog::new(notifier.clone(), progress);
        let period = service::watchdog_interval().map(service::period);
        let mut fed = Instant::now();
        let mut is_ready = false;
        loop {
            for signal in signals.pending() {
                match signal {
                    SIGHUP => self.reload(notifier),
                    _ => return Ok(()),
                }
            }
            while let Ok(command) = self.commands.1.try_recv() {
                match command {
                    Command::Reload => self.reload(notifier),
                    Command::SaveState => self.save(),
                }
            }
            if inference.is_finished() {
                return Ok(()); // its own error is told by whoever joins it
            }
            self.look_after_devices();
            self.notice_changes();
            if !is_ready && self.telemetry.sound_flows() {
                is_ready = true;
                let text = self.describe();
                tracing::info!("ready: {text}");
                notifier.ready(&text);
            }
            if period.is_some_and(|period| fed.elapsed() >= period) {
                watchdog.tick();
                fed = Instant::now();
            }
            std::thread::sleep(LOOK);
        }
    }

    fn describe(&self) -> String {
        let latency_ms = self.telemetry.latency_us.load(Ordering::Relaxed) as f64 / 1000.0;
        let output = self.output.as_ref().map_or("no sound device", |o| o.name.as_str());
        let osc = self.osc.as_ref().map(|o| o.address().to_string()).unwrap_or_default();
        format!("model {}, {output}, key to sound {latency_ms:.0} ms, OSC {osc}", self.model)
    }

    /// Gets back what is gone.
    fn look_after_devices(&mut self) {
        if self.output.as_ref().is_some_and(Output::is_lost) {
            tracing::warn!("the sound device is gone; looking for it");
            self.output = None;
        }
        if self.output.is_none()
            && self.output_retry.is_due()
            && let Err(e) = self.open_output()
        {
            tracing::debug!("{e}");
        }
        if self.jack.as_ref().is_some_and(JackPort::is_gone) {
            tracing::warn!("the JACK server is gone; its notes are released");
            self.jack = None;
        }
        if self.jack.is_none()
            && self.loaded.config.midi.jack != Switch::Off
            && self.jack_retry.is_due()
            && let Err(e) = self.open_jack()
        {
            tracing::debug!("JACK MIDI: {e}");
        }
        if self.osc.as_ref().is_some_and(OscServer::is_dead) {
            tracing::error!("the OSC thread ended; starting it again");
            if let Err(e) = self.open_osc() {
                tracing::error!("{e}");
            }
        }
    }

    /// Reads the configuration again and starts anew what changed; a broken one changes nothing.
    fn reload(&mut self, notifier: &Notifier) {
        notifier.reloading();
        match config::load(&self.sources) {
            Err(problems) => tracing::error!("the configuration stays as it is: {problems}"),
            Ok(loaded) => self.take(loaded),
        }
        notifier.ready(&self.describe());
    }

    fn take(&mut self, loaded: Loaded) {
        let diff = config::diff(&self.loaded.raw, &loaded.raw);
        diff.changes.iter().for_each(|change| tracing::info!("{change}"));
        let parts = match diff.verdict() {
            Verdict::None => return,
            Verdict::Live => vec![],
            Verdict::Restart(parts) => parts,
        };
        let mut settings = Settings::clone(&self.settings.load());
        if diff.touches("engine") {
            settings.engine = initial(&loaded.config, None).engine;
        }
        if diff.touches("master") {
            settings.master.gain = loaded.config.master_gain_db;
        }
        self.settings.store(Arc::new(settings));
        self.loaded = loaded;
        let rules = diff.touches("midi.rules");
        let mut results = vec![];
        if parts.contains(&Part::Audio) {
            self.output = None;
            results.push(self.open_output());
        }
        if parts.contains(&Part::Midi) || rules {
            // Dropping a port releases its notes.
            (self.ports, self.jack) = (None, None);
            results.push(self.open_midi());
        }
        if parts.contains(&Part::Osc) {
            results.push(self.open_osc());
        }
        results.into_iter().filter_map(Result::err).for_each(|e| tracing::error!("{e}"));
    }

    /// Writes the state a while after the last change.
    fn notice_changes(&mut self) {
        let is_saved = self.saved.as_ref().is_some_and(|saved| *saved == self.current());
        match self.changed {
            _ if is_saved => self.changed = None,
            None => self.changed = Some(Instant::now()),
            Some(since) if since.elapsed() > SAVE_AFTER => self.save(),
            Some(_) => {}
        }
    }

    fn current(&self) -> State<Settings> {
        let programs = std::array::from_fn(|channel| {
            self.telemetry.programs.get(channel).map_or(0, |p| p.load(Ordering::Relaxed))
        });
        State { programs, settings: Settings::clone(&self.settings.load()) }
    }

    fn save(&mut self) {
        let current = self.current();
        if let Some(path) = &self.loaded.config.state.path
            && let Err(e) = state::save(path, &current)
        {
            tracing::error!("{e}");
        }
        (self.saved, self.changed) = (Some(current), None);
    }

    /// Ends everything but inference, in order: no more input, sound fades, what is set is kept.
    fn stop(&mut self) {
        (self.ports, self.jack, self.osc) = (None, None, None);
        if let Some(output) = self.output.take() {
            output.fade_out();
        }
        self.save();
    }
}
