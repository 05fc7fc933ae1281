//! Applies another configuration while the daemon runs. Each change is applied live or restarts its
//! part. It knows no file format.

use std::sync::Arc;

use timbre_control::settings::Settings;

use super::Daemon;
use crate::config::{self, Loaded, Part, Verdict};
use crate::error::Error;
use crate::live::startup::{initial, preparation, send_tuning};
use crate::service::Notifier;

impl Daemon {
    /// Reads the configuration again and restarts the parts that changed. If it is not valid,
    /// nothing changes.
    ///
    /// # Errors
    /// The configuration cannot be used. The error is in the log, too.
    pub(super) fn reload(&mut self, notifier: &Notifier) -> Result<(), String> {
        notifier.reloading();
        let problems = match config::load(&self.sources) {
            Err(problems) => vec![format!("the configuration is not changed: {problems}")],
            Ok(loaded) => self.take(loaded).iter().map(Error::to_string).collect(),
        };
        problems.iter().for_each(|problem| tracing::error!("{problem}"));
        notifier.ready(&self.describe());
        if problems.is_empty() { Ok(()) } else { Err(problems.join("; ")) }
    }

    /// Applies a configuration. Parts that cannot be restarted are tried again later.
    fn take(&mut self, loaded: Loaded) -> Vec<Error> {
        let diff = config::diff(&self.loaded.raw, &loaded.raw);
        diff.changes.iter().for_each(|change| tracing::info!("{change}"));
        // The file of the scale may have changed.
        if loaded.config.midi.tuning != self.loaded.config.midi.tuning {
            send_tuning(&self.midi, &loaded.config.midi.tuning);
            self.loaded.config.midi.tuning = loaded.config.midi.tuning;
        }
        let parts = match diff.verdict() {
            Verdict::None => return vec![],
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
        let before = std::mem::replace(&mut self.loaded, loaded);
        if parts.contains(&Part::Engine) {
            let config = &self.loaded.config;
            self.loader.load(config.engine.model.clone(), preparation(config), None);
        }
        let is_midi_new = parts.contains(&Part::Midi) || diff.touches("midi.rules");
        // The same client in JACK plays sound and receives MIDI.
        let is_output_jack = self.output.as_ref().is_some_and(|o| o.jack_client().is_some());
        let mut results = vec![];
        if parts.contains(&Part::Audio) || (is_midi_new && is_output_jack) {
            results.push(self.reopen_output(before));
        }
        if is_midi_new {
            // The notes of a port are released when it is dropped.
            self.ports = None;
            if self.output.as_ref().is_none_or(|output| output.jack_client().is_none()) {
                self.jack = None;
            }
        }
        self.open_midi();
        self.is_osc_old |= parts.contains(&Part::Osc);
        if parts.contains(&Part::Remote) {
            self.close_remote();
            self.open_remote();
        }
        results.into_iter().filter_map(Result::err).collect()
    }

    /// Opens the output of the new configuration. If that fails, the old one plays on until
    /// somebody changes the configuration.
    fn reopen_output(&mut self, before: Loaded) -> Result<(), Error> {
        let chosen = self.chosen.take();
        self.dry.forget();
        self.close_output();
        let Err(e) = self.open_output() else { return Ok(()) };
        let after = std::mem::replace(&mut self.loaded, before);
        self.chosen = chosen;
        let is_back = self.open_output().is_ok();
        let audio = self.loaded.config.audio.clone();
        self.loaded = after;
        if !is_back {
            return Err(e);
        }
        // If the device is lost, the old one is searched, which played.
        self.loaded.config.audio = audio;
        Err(Error::Device(format!("{e}; what played before plays on")))
    }
}
