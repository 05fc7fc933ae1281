//! The live daemon: ports -> players -> inference -> ring -> device. Each thread has its own file.

mod alsa_device;
pub mod arithmetic;
pub mod callback;
mod cards;
mod choose;
pub mod clock;
mod devices;
pub mod engine;
pub(crate) mod fit;
mod frames;
pub mod inference;
pub mod jack;
pub mod loading;
pub mod midi;
pub mod model;
pub mod output;
pub mod pacing;
mod pcm;
pub mod players;
pub(crate) mod quality;
pub mod resampler;
mod startup;
pub mod stems;
mod stream_fit;
pub mod supervisor;

use crate::cli::LiveArgs;
use crate::config::{self, Sources};
use crate::error::Error;
use crate::logging;

/// Plays live, or shows the configuration.
///
/// # Errors
/// The configuration, the model or the device cannot be used.
pub fn run(args: &LiveArgs) -> Result<(), Error> {
    let sources = Sources::of_process(args.config_file()?, args.flags());
    if args.check.is_some() {
        print!("{}", config::check(&sources)?);
        return Ok(());
    }
    let loaded = config::load(&sources)?;
    logging::start(&loaded.config.log_level);
    supervisor::run(sources, loaded)
}
