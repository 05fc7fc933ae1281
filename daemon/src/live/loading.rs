//! Loads another model while one plays, on the thread `timbred-loading`, and frees the one that
//! played before. Knows no sound.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use arc_swap::ArcSwap;
use crossbeam::channel::{Receiver, Sender, bounded};
use timbre_control::error::{Code, ControlError};
use timbre_control::settings::Settings;
use timbre_control::value::Value;
use timbre_models::bundle::Rating;

use super::model::{Model, Preparation};
use crate::control::Asker;
use crate::error::Error;
use crate::models;

/// The longest that inference may take to begin with another model: a hop, or one device after the
/// other.
const CHANGE: Duration = Duration::from_secs(30);

/// A model for the inference thread, which gives the one before back when it has changed.
pub struct NextModel {
    /// What plays from now on.
    pub model: Model,
    /// Where the one before goes; the loading thread has the other end and frees it.
    pub before: Sender<Model>,
}

/// Makes models ready, one at a time.
pub(super) struct Loader {
    to_inference: Sender<NextModel>,
    settings: Arc<ArcSwap<Settings>>,
    /// Name of the model that plays; OSC tells it.
    playing: Arc<ArcSwap<String>>,
    /// How it plays each program; the supervisor tells it.
    ratings: Arc<ArcSwap<Vec<Rating>>>,
    thread: Option<JoinHandle<()>>,
}

impl Loader {
    /// The loader, and the queue from which inference takes what is ready.
    pub(super) fn new(
        settings: Arc<ArcSwap<Settings>>,
        playing: Arc<ArcSwap<String>>,
        ratings: Arc<ArcSwap<Vec<Rating>>>,
    ) -> (Self, Receiver<NextModel>) {
        let (to_inference, next) = bounded(1);
        (Self { to_inference, settings, playing, ratings, thread: None }, next)
    }

    /// Starts loading the model of that name or folder; the asker, if there is one, is told when it
    /// plays, or why it does not.
    pub(super) fn load(&mut self, name: String, preparation: Preparation, asker: Option<Asker>) {
        let answer = move |asker: Option<Asker>, outcome: Result<(), ControlError>| {
            if let Err(e) = &outcome {
                tracing::error!("the model stays: {e}");
            }
            if let Some(asker) = asker {
                asker.answer(outcome.map(|()| Vec::<Value>::new()));
            }
        };
        if self.thread.as_ref().is_some_and(|thread| !thread.is_finished()) {
            let text = "another model is being loaded; try again when it plays";
            return answer(asker, Err(ControlError::new(Code::Full, text)));
        }
        let (to_inference, settings) = (self.to_inference.clone(), self.settings.clone());
        let (playing, ratings) = (self.playing.clone(), self.ratings.clone());
        let work = move || {
            let changed = change(&name, &settings.load(), &preparation, &to_inference);
            let changed = changed.map(|(name, rated)| {
                tracing::info!("model {name} plays");
                ratings.store(Arc::new(rated));
                playing.store(Arc::new(name));
            });
            answer(asker, changed.map_err(|e| ControlError::new(Code::Failed, e.to_string())));
        };
        // Not joined: at the end of the program nobody waits for a model that will not play.
        match std::thread::Builder::new().name("timbred-loading".to_owned()).spawn(work) {
            Ok(thread) => self.thread = Some(thread),
            // The asker went with the thread, and said so.
            Err(e) => tracing::error!("no thread for loading a model: {e}"),
        }
    }
}

/// Makes a model ready and waits until inference plays it; its name, and how it plays each program.
fn change(
    name: &str,
    settings: &Settings,
    preparation: &Preparation,
    to_inference: &Sender<NextModel>,
) -> Result<(String, Vec<Rating>), Error> {
    let bundle = models::find(Some(name))?;
    let rated = models::ratings(bundle.manifest());
    let model = Model::prepare(bundle, settings, preparation)?;
    let name = model.name().to_owned();
    let (before, old) = bounded(1);
    let late = || Error::Usage("the engine does not take the model over".to_owned());
    to_inference.send_timeout(NextModel { model, before }, CHANGE).map_err(|_| late())?;
    // Freed here, where nothing is late.
    drop(old.recv_timeout(CHANGE).map_err(|_| late())?);
    Ok((name, rated))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_model_that_is_not_there_is_an_error_and_nothing_comes_to_inference() {
        let (sender, next) = bounded(1);
        let error = change("no such model", &Settings::default(), &Preparation::default(), &sender)
            .unwrap_err();
        assert!(error.to_string().contains("no such model"), "{error}");
        assert!(next.try_recv().is_err());
    }

    #[test]
    fn a_model_that_is_ready_plays_when_inference_has_taken_it() {
        let (sender, next) = bounded::<NextModel>(1);
        let inference = std::thread::spawn(move || {
            let NextModel { model, before } = next.recv().unwrap();
            let name = model.name().to_owned();
            before.send(model).unwrap();
            name
        });
        let (name, rated) =
            change("live", &Settings::default(), &Preparation::default(), &sender).unwrap();
        assert_eq!((name.as_str(), inference.join().unwrap()), ("live", "live".to_owned()));
        assert_eq!(rated.len(), 128);
    }
}
