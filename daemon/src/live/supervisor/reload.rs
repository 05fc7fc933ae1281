//! Another configuration while the daemon runs: what changed is taken over live or starts its part anew. Knows no file's form.

use std::sync::Arc;

use timbre_control::settings::Settings;

use super::Daemon;
use crate::config::{self, Loaded, Part, Verdict};
use crate::error::Error;
use crate::live::startup::{initial, preparation};
use crate::service::Notifier;

impl Daemon {
    /// Reads the configuration again and starts anew what changed; a broken one changes nothing.
    ///
    /// # Errors
    /// What is wrong, which is also in the log.
    pub(super) fn reload(&mut self, notifier: &Notifier) -> Result<(), String> {
        notifier.reloading();
        let problems = match config::load(&self.sources) {
            Err(problems) => vec![format!("the configuration stays as it is: {problems}")],
            Ok(loaded) => self.take(loaded).iter().map(Error::to_string).collect(),
        };
        problems.iter().for_each(|problem| tracing::error!("{problem}"));
        notifier.ready(&self.describe());
        if problems.is_empty() { Ok(()) } else { Err(problems.join("; ")) }
    }

    /// Takes a configuration over; the parts that could not start anew are tried again later.
    fn take(&mut self, loaded: Loaded) -> Vec<Error> {
        let diff = config::diff(&self.loaded.raw, &loaded.raw);
        diff.changes.iter().for_each(|change| tracing::info!("{change}"));
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
        self.loaded = loaded;
        if parts.contains(&Part::Engine) {
            let config = &self.loaded.config;
            self.loader.load(config.engine.model.clone(), preparation(config), None);
        }
        let rules = diff.touches("midi.rules");
        let mut results = vec![];
        if parts.contains(&Part::Audio) {
            (self.output, self.chosen) = (None, None);
            results.push(self.open_output());
        }
        if parts.contains(&Part::Midi) || rules {
            // Dropping a port releases its notes.
            (self.ports, self.jack) = (None, None);
            results.push(self.open_midi());
        }
        self.is_osc_old |= parts.contains(&Part::Osc);
        results.into_iter().filter_map(Result::err).collect()
    }
}
