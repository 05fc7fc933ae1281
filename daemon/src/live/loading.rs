//! Loads another model while one plays, in the thread `timbred-loading`, and frees the one that
//! played before. It knows no sound.

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

/// The longest time until inference plays another model. It takes a hop, or longer while a sound
/// device is being replaced.
const CHANGE: Duration = Duration::from_secs(30);

/// A model for the inference thread, which hands the old one back once it plays the new one.
pub struct NextModel {
    /// What plays from now on.
    pub model: Model,
    /// Where the old model goes. The loading thread has the other end and frees it.
    pub before: Sender<Model>,
}

/// Loads models, one at a time.
pub(super) struct Loader {
    to_inference: Sender<NextModel>,
    settings: Arc<ArcSwap<Settings>>,
    /// The name of the model that plays, for OSC.
    playing: Arc<ArcSwap<String>>,
    /// How well that model plays each program, for the supervisor.
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

    /// Starts loading the model of that name or folder. The asker, if there is one, gets an answer
    /// when it plays, or the reason why it does not.
    pub(super) fn load(&mut self, name: String, preparation: Preparation, asker: Option<Asker>) {
        let answer = move |asker: Option<Asker>, outcome: Result<(), ControlError>| {
            if let Err(e) = &outcome {
                tracing::error!("the model is not changed: {e}");
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
        // The thread is not joined: at the end of the program nobody waits for a model to load.
        match std::thread::Builder::new().name("timbred-loading".to_owned()).spawn(work) {
            Ok(thread) => self.thread = Some(thread),
            // The asker was dropped with the thread, which answers that the command failed.
            Err(e) => tracing::error!("no thread for loading a model: {e}"),
        }
    }
}

/// Loads a model and waits until inference plays it; returns its name and how well it plays each
/// program.
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
    let late = || Error::Usage("the engine did not take the new model".to_owned());
    to_inference.send_timeout(NextModel { model, before }, CHANGE).map_err(|_| late())?;
    // The old model is freed here, where it delays no sound.
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
