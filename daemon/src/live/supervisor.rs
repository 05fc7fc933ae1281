//! Starts, watches and stops the threads of the live daemon, in order. It runs in the main thread
//! and knows no sound.
//!
//! `parts` opens devices, ports and servers, and opens them again when they are lost. `remote` does
//! the same for servers on TCP. `commands` carries out commands of OSC, and `reload` applies
//! another configuration.

mod commands;
mod gaps;
mod parts;
mod reload;
mod remote;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use crossbeam::channel::{Receiver, Sender, bounded};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use timbre_control::settings::Settings;
use timbre_models::bundle::Rating;

use super::devices::Choice;
use super::inference::{Inference, Sink};
use super::jack::JackClient;
use super::loading::Loader;
use super::midi::ports::Ports;
use super::output::Output;
use super::startup::{initial, preparation, remembered, send_programs, send_tuning};
use crate::bus::priority::{MODEL_PRIORITY, keep_in_memory};
use crate::bus::queues::{MidiSender, Telemetry, midi_queue};
use crate::config::{Loaded, Sources};
use crate::control::{Command, OscServer, Remote};
use crate::error::Error;
use crate::models::{find, ratings};
use crate::recording::{self, Recorder, Tap};
use crate::service::{self, Notifier, Pulse, Status, Watchdog};
use crate::state::{self, State};
use gaps::{Banks, Dry, Gaps};
use parts::{Flow, Retry};

/// How often everything is checked.
const LOOK: Duration = Duration::from_millis(50);
/// How many commands of the control thread can wait.
const COMMANDS: usize = 64;
/// The longest that loading and warming up a model may take.
const LOADING: Duration = Duration::from_secs(120);
/// The state is written when it has not changed any further for this time.
const SAVE_AFTER: Duration = Duration::from_secs(3);

/// Everything that runs.
struct Daemon {
    sources: Sources,
    loaded: Loaded,
    settings: Arc<ArcSwap<Settings>>,
    telemetry: Arc<Telemetry>,
    midi: MidiSender,
    sinks: Sender<Sink>,
    commands: (Sender<Command>, Receiver<Command>),
    model: Arc<ArcSwap<String>>,
    /// How well the current model plays each program.
    ratings: Arc<ArcSwap<Vec<Rating>>>,
    loader: Loader,
    output: Option<Output>,
    /// A device that a user chose in place of the configured one.
    chosen: Option<Choice>,
    output_retry: Retry,
    ports: Option<Ports>,
    ports_retry: Retry,
    /// Our client in JACK, if the sound does not go to JACK. Otherwise the output has the client.
    jack: Option<Arc<JackClient>>,
    jack_retry: Retry,
    osc: Option<OscServer>,
    osc_retry: Retry,
    /// The servers on TCP, which pass packets to the OSC server.
    remote: Option<Remote>,
    remote_retry: Retry,
    /// The addresses at which a browser finds the panel.
    panel: Arc<ArcSwap<Vec<String>>>,
    /// Whether the OSC server has to be restarted, after the command that led to it is answered.
    is_osc_old: bool,
    recorder: Recorder,
    /// Whether the JACK server asks for sound as often as it should.
    flow: Flow,
    gaps: Gaps,
    banks: Banks,
    dry: Dry,
    /// How often opening a lost device was tried, which the watchdog counts as progress.
    attempts: Arc<AtomicU64>,
    /// The content of the state file, and since when the settings differ from it.
    saved: Option<State<Settings>>,
    changed: Option<Instant>,
    /// The preset that was loaded or saved last.
    preset: Option<String>,
}

/// Runs the daemon until SIGINT or SIGTERM.
///
/// # Errors
/// The configuration or the model cannot be used, or the inference thread ends with an error.
pub fn run(sources: Sources, loaded: Loaded) -> Result<(), Error> {
    let mut signals =
        Signals::new([SIGINT, SIGTERM, SIGHUP]).map_err(Error::system("to tell of signals"))?;
    let notifier = Notifier::of_process();
    keep_in_memory();
    notifier.status("loading the model");
    notifier.extend_timeout(LOADING);
    let bundle = find(Some(&loaded.config.engine.model))?;
    let remembered = remembered(&loaded.config);
    let settings = Arc::new(ArcSwap::from_pointee(initial(&loaded.config, remembered.as_ref())));
    let telemetry = Arc::new(Telemetry::default());
    let (midi, receiver) = midi_queue();
    send_tuning(&midi, &loaded.config.midi.tuning);
    if let Some(state) = &remembered {
        send_programs(&midi, &state.programs);
    }
    let (sinks, new_sinks) = bounded(4);
    let stop = Arc::new(AtomicBool::new(false));
    let model = Arc::new(ArcSwap::from_pointee(bundle.manifest().name.clone()));
    let ratings = Arc::new(ArcSwap::from_pointee(ratings(bundle.manifest())));
    let (loader, models) = Loader::new(settings.clone(), model.clone(), ratings.clone());
    let lead = loaded.config.audio.lead_ms.map(|ms| Duration::from_secs_f64(ms / 1000.0));
    let inference = Inference {
        bundle,
        preparation: preparation(&loaded.config),
        midi: receiver,
        models,
        sinks: new_sinks,
        settings: settings.clone(),
        telemetry: telemetry.clone(),
        lead,
        realtime_priority: loaded.config.audio.realtime_priority.min(MODEL_PRIORITY),
        stop: stop.clone(),
    };
    let (recorder, tap) = recording::start().map_err(Error::system("a thread for recordings"))?;
    let inference = spawn(inference, tap)?;
    let mut daemon = Daemon {
        sources,
        loaded,
        settings,
        telemetry,
        midi,
        sinks,
        commands: bounded(COMMANDS),
        model,
        ratings,
        loader,
        output: None,
        chosen: None,
        output_retry: Retry::new(),
        ports: None,
        ports_retry: Retry::new(),
        jack: None,
        jack_retry: Retry::new(),
        osc: None,
        osc_retry: Retry::new(),
        remote: None,
        remote_retry: Retry::new(),
        panel: Arc::default(),
        is_osc_old: false,
        recorder: recorder.recorder(),
        flow: Flow::new(0),
        gaps: Gaps::default(),
        banks: Banks::default(),
        dry: Dry::default(),
        attempts: Arc::default(),
        saved: remembered,
        changed: None,
        preset: None,
    };
    let result = daemon.start().and_then(|()| daemon.watch(&mut signals, &inference, &notifier));
    notifier.stopping("fading out");
    daemon.stop();
    stop.store(true, Ordering::Release);
    let ended = inference.join();
    recorder.finish();
    ended.map_err(|_| Error::Fault).and_then(|ended| result.and(ended))
}

/// Starts the inference thread.
fn spawn(inference: Inference, tap: Tap) -> Result<JoinHandle<Result<(), Error>>, Error> {
    std::thread::Builder::new()
        .name("timbred-inference".to_owned())
        .spawn(move || inference.run(tap))
        .map_err(Error::system("a thread for the model"))
}

impl Daemon {
    /// Watches everything until a signal asks for the end.
    fn watch(
        &mut self,
        signals: &mut Signals,
        inference: &JoinHandle<Result<(), Error>>,
        notifier: &Notifier,
    ) -> Result<(), Error> {
        let mut watchdog = Watchdog::new(notifier.clone());
        let mut status = Status::default();
        let period = service::watchdog_interval().map(service::period);
        let mut fed = Instant::now();
        let mut is_ready = false;
        loop {
            for signal in signals.pending() {
                match signal {
                    SIGHUP => {
                        // The problem is in the log already.
                        let _ = self.reload(notifier);
                    }
                    _ => return Ok(()),
                }
            }
            if inference.is_finished() {
                return Ok(()); // its own error is told by whoever joins it
            }
            if self.renew_osc() {
                notifier.status(&self.describe());
            }
            self.look_after_devices();
            self.notice_changes();
            if !is_ready && self.is_ready() {
                is_ready = true;
                let text = self.describe();
                tracing::info!("ready: {text}");
                notifier.ready(&text);
            }
            if is_ready && status.is_due() {
                status.tell(self.describe(), notifier);
            }
            // The first message to the watchdog starts it, and a large model takes time to load.
            if is_ready && period.is_some_and(|period| fed.elapsed() >= period) {
                watchdog.tick(&self.pulses());
                fed = Instant::now();
            }
            if let Ok(command) = self.commands.1.recv_timeout(LOOK) {
                self.command(command, notifier);
            }
        }
    }

    /// Whether the device plays the stream; without a device, whether everything else is ready.
    fn is_ready(&self) -> bool {
        match self.output {
            Some(_) => self.telemetry.sound_flows(),
            None => self.osc.is_some() && self.telemetry.is_prepared.load(Ordering::Acquire),
        }
    }

    fn describe(&self) -> String {
        let latency_ms = self.telemetry.latency_us.load(Ordering::Relaxed) as f64 / 1000.0;
        let output = match &self.output {
            Some(output) => format!("{}, key to sound {latency_ms:.0} ms", output.name),
            None => "NO SOUND DEVICE, looking for one".to_owned(),
        };
        let osc = self.osc.as_ref().map(|o| o.address().to_string()).unwrap_or_default();
        format!("model {}, {output}, OSC {osc}", self.model.load())
    }

    /// The progress of every thread that is needed for notes to be heard. That of the device is how
    /// much it has played of the stream, or how often opening a device was tried.
    fn pulses(&self) -> Vec<Pulse> {
        let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let Telemetry { pulses, stream_frames, .. } = &*self.telemetry;
        let device = load(stream_frames).wrapping_add(load(&self.attempts));
        let mut all =
            vec![("the sound device", device), ("timbred-inference", load(&pulses.inference))];
        if self.osc.is_some() {
            all.push(("timbred-osc", load(&pulses.osc)));
        }
        if self.ports.is_some() {
            all.push(("timbred-ports", load(&pulses.ports)));
        }
        all
    }

    /// Writes the state some time after the last change.
    fn notice_changes(&mut self) {
        let is_saved = self.saved.as_ref().is_some_and(|saved| *saved == self.current());
        match self.changed {
            _ if is_saved => self.changed = None,
            None => self.changed = Some(Instant::now()),
            Some(since) if since.elapsed() > SAVE_AFTER => {
                // The log says so, and it is tried again after the next change.
                let _ = self.save();
            }
            Some(_) => {}
        }
    }

    fn current(&self) -> State<Settings> {
        let programs = std::array::from_fn(|channel| self.telemetry.programs.get(channel));
        State { programs, settings: Settings::clone(&self.settings.load()) }
    }

    /// Writes the state. An error is in the log, too.
    fn save(&mut self) -> Result<(), String> {
        let current = self.current();
        let path = self.loaded.config.state.path.as_ref();
        let written = path.map_or(Ok(()), |path| state::save(path, &current));
        (self.saved, self.changed) = (Some(current), None);
        let written = written.map_err(|e| {
            tracing::error!("{e}");
            e.to_string()
        });
        let unsaved = written.as_ref().err().cloned().unwrap_or_default();
        self.telemetry.unsaved.store(Arc::new(unsaved));
        written
    }

    /// Ends everything except inference, in order: input ends, the sound fades, and the state is
    /// saved.
    fn stop(&mut self) {
        (self.ports, self.remote, self.osc) = (None, None, None);
        if let Some(output) = self.output.take() {
            output.fade_out();
        }
        self.jack = None;
        let _ = self.save();
    }
}
