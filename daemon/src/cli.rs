//! The command line of `timbred`. It does not know what a command does. Ranges and defaults of
//! parameters come from `timbre-control`.

mod help;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use timbre_control::parameters::{GUIDANCE, HOP_MS, SEED, STEPS};
use timbre_models::denoise::sampler::SamplerKind;
use timbre_models::denoise::schedule::Spacing;

use help::{DOCTOR_HELP, IMPORT_HELP, RENDER_HELP, RUN_HELP};

use crate::config::Flag;
use crate::error::Error;

/// A neural synthesizer for MIDI: notes in, sound out, on an ordinary processor.
#[derive(Debug, Parser)]
#[command(version, after_help = RUN_HELP, propagate_version = true)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Cli {
    /// The command; without one timbred plays live.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// The options for playing live.
    #[command(flatten)]
    pub live: LiveArgs,
}

/// `timbred`: playing live.
#[derive(Debug, Args)]
pub struct LiveArgs {
    /// A configuration file on top of those of the machine and the user.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Print the whole configuration, with the origin of each value, and end. A FILE here is the
    /// same as with --config.
    #[arg(long, value_name = "FILE", num_args = 0..=1)]
    pub check: Option<Option<PathBuf>>,
    /// Sound service: auto, alsa, jack or null.
    #[arg(long, value_name = "BACKEND")]
    pub audio: Option<String>,
    /// Sound device, by its name or a part of it.
    #[arg(long, value_name = "NAME")]
    pub device: Option<String>,
    /// The sample rate to ask the device for, Hz.
    #[arg(long, value_name = "HZ")]
    pub rate: Option<String>,
    /// The number of frames in a buffer of the device.
    #[arg(long, value_name = "FRAMES")]
    pub buffer: Option<String>,
    /// The model: the name of an installed one, or a folder.
    #[arg(long, value_name = "NAME|FOLDER")]
    pub model: Option<String>,
    /// How much sound the denoiser makes at a time, in ms.
    #[arg(long, value_name = "MS")]
    pub hop_ms: Option<String>,
    /// Denoising steps for each hop.
    #[arg(long, value_name = "K")]
    pub steps: Option<String>,
    /// The UDP port for OSC.
    #[arg(long, value_name = "PORT")]
    pub osc_port: Option<String>,
    /// The name of this program in MIDI and JACK.
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
}

impl LiveArgs {
    /// The configuration file that was named.
    ///
    /// # Errors
    /// Two files were named.
    pub fn config_file(&self) -> Result<Option<PathBuf>, Error> {
        match (&self.config, &self.check) {
            (Some(config), Some(Some(check))) => Err(Error::Usage(format!(
                "--config {} and --check {}: wanted one file",
                config.display(),
                check.display()
            ))),
            (config, check) => Ok(check.clone().flatten().or_else(|| config.clone())),
        }
    }

    /// The flags that were given, as the top layer of the configuration.
    pub fn flags(&self) -> Vec<Flag> {
        [
            ("--audio", "audio.backend", &self.audio),
            ("--device", "audio.device", &self.device),
            ("--rate", "audio.rate_hz", &self.rate),
            ("--buffer", "audio.buffer_frames", &self.buffer),
            ("--model", "engine.model", &self.model),
            ("--hop-ms", "engine.hop_ms", &self.hop_ms),
            ("--steps", "engine.steps", &self.steps),
            ("--osc-port", "osc.port", &self.osc_port),
            ("--name", "midi.name", &self.name),
        ]
        .into_iter()
        .filter_map(|(name, key, value)| {
            let (name, key) = (name.to_owned(), key.to_owned());
            Some(Flag { name, key, value: value.clone()? })
        })
        .collect()
    }
}

/// What `timbred` can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Turn MIDI files into sound files.
    #[command(after_help = RENDER_HELP)]
    Render(RenderArgs),
    /// Play a short piece: to the sound device if there is one, else into demo.wav.
    Demo(DemoArgs),
    /// Show the tokens of a MIDI file, a model, or a spectrogram.
    Inspect(InspectArgs),
    /// Check everything that sound depends on (device, ports, panel, rights, heat, disk, service)
    /// and say what to do.
    #[command(after_help = DOCTOR_HELP)]
    Doctor(DoctorArgs),
    /// Measure how fast a model runs on this machine.
    Bench(BenchArgs),
    /// Print completions of commands and flags for a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Print the manual page, in the format of man.
    Man,
    /// Make a model out of the weights of a training run (models/training).
    Pack(PackArgs),
    /// Install the published model, as it was saved by diffusers or by T5X.
    #[command(after_help = IMPORT_HELP)]
    Import(ImportArgs),
}

/// The model and how it is sampled. Every command that makes sound has these options.
#[derive(Debug, Clone, Args)]
pub struct EngineArgs {
    /// The model: the name of an installed one, or a folder with a manifest.toml [default: the
    /// bundled `live`].
    #[arg(long, value_name = "NAME|FOLDER")]
    pub model: Option<String>,
    #[arg(long, value_name = "K", help = STEPS.help,
          value_parser = clap::value_parser!(u64).range(STEPS.whole_range()))]
    /// The help text is that of the table of parameters.
    pub steps: Option<u64>,
    /// The method of a step: ddpm, ddpm:small, ddpm:medium:SHARE, ddim or dpm++2m [default: the
    /// model's].
    #[arg(long, value_name = "NAME")]
    pub sampler: Option<SamplerKind>,
    /// The spacing of the steps: trailing, uniform_t, uniform_log_snr or diffusers [default: the
    /// model's].
    #[arg(long, value_name = "NAME")]
    pub spacing: Option<Spacing>,
    #[arg(long, value_name = "WEIGHT", help = GUIDANCE.help,
          value_parser = |s: &str| GUIDANCE.parse(s))]
    /// The help text is that of the table of parameters.
    pub guidance: Option<f64>,
    #[arg(long, value_name = "MS", help = HOP_MS.help, value_parser = |s: &str| HOP_MS.parse(s))]
    /// The help text is that of the table of parameters.
    pub hop_ms: Option<f64>,
    #[arg(long, value_name = "N", help = SEED.help, default_value_t = 0)]
    /// The help text is that of the table of parameters.
    pub seed: u64,
    /// Use the live mode of the model (short hops that hear its own past) instead of song mode.
    #[arg(long)]
    pub live: bool,
}

/// How samples are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SampleFormat {
    /// 16-bit whole numbers.
    #[value(name = "16")]
    I16,
    /// 24-bit whole numbers.
    #[value(name = "24")]
    I24,
    /// 32-bit floats (WAV only).
    #[value(name = "32f")]
    F32,
}

/// `timbred render`
#[derive(Debug, Args)]
pub struct RenderArgs {
    /// MIDI files (.mid, .kar, .rmi; `-` is standard input). If there is only one, a last argument
    /// that ends in .wav, .flac or .npy is the output (`-` is standard output).
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Refuse damaged MIDI files and say what is wrong with them, instead of repairing them.
    #[arg(long)]
    pub strict: bool,
    /// The folder for the output [default: beside each MIDI file].
    #[arg(short, long, value_name = "FOLDER")]
    pub out: Option<PathBuf>,
    /// Scale that keys are tuned to until the MIDI file says otherwise: a Scala file (.scl), or the
    /// name of one in the folder of tunings; a file beside it that ends in .kbm maps its keys
    /// [default: equal temperament].
    #[arg(long, value_name = "FILE")]
    pub tuning: Option<String>,
    /// The model and how it is sampled.
    #[command(flatten)]
    pub engine: EngineArgs,
    /// The sample rate of the output in Hz, 8000 to 192000. Above 16000 the output has the sound
    /// from 8 to 16 kHz, too, if the model knows it.
    #[arg(long, value_name = "HZ", default_value_t = 48_000,
          value_parser = clap::value_parser!(u32).range(8_000..=192_000))]
    pub rate: u32,
    /// The sample format.
    #[arg(long, value_enum, default_value = "16")]
    pub format: SampleFormat,
    /// Write one channel exactly as the model makes it, without stereo, reverb, chorus, added level
    /// and limiter. Models are measured with this.
    #[arg(long, conflicts_with = "stems")]
    pub dry: bool,
    /// Also write a stereo file for each channel, named OUTPUT-part_01.wav and so on, without
    /// reverb, chorus and limiter.
    #[arg(long, conflicts_with = "mel")]
    pub stems: bool,
    /// Write FLAC instead of WAV if no output file is named.
    #[arg(long)]
    pub flac: bool,
    /// Write the predicted log-mel (.npy) instead of sound if no output file is named.
    #[arg(long, conflicts_with = "flac")]
    pub mel: bool,
    /// Start at this second of the song. Notes that are held there are struck again.
    #[arg(long, value_name = "SECONDS", default_value_t = 0.0)]
    pub from: f64,
    /// Stop at this second of the song.
    #[arg(long, value_name = "SECONDS")]
    pub to: Option<f64>,
    /// How many seconds the last notes ring out.
    #[arg(long, value_name = "SECONDS", default_value_t = 2.0)]
    pub tail: f64,
    /// How many files are rendered at the same time [default: the number of cores].
    #[arg(short, long, value_name = "N")]
    pub jobs: Option<usize>,
    /// Show no progress bar.
    #[arg(short, long)]
    pub quiet: bool,
}

/// `timbred doctor`
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// A configuration file on top of the others.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Print JSON: a list of objects with what, verdict (good, warning, trouble), found and remedy.
    #[arg(long)]
    pub json: bool,
}

/// `timbred demo`
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// The model and how it is sampled.
    #[command(flatten)]
    pub engine: EngineArgs,
    /// The file to write if there is no sound device.
    #[arg(long, default_value = "demo.wav", value_name = "FILE")]
    pub out: PathBuf,
    /// Write the file even if there is a sound device.
    #[arg(long)]
    pub no_device: bool,
}

/// `timbred inspect`
#[derive(Debug, Args)]
pub struct InspectArgs {
    /// What to show.
    #[command(subcommand)]
    pub what: Inspect,
}

/// What `timbred inspect` can show.
#[derive(Debug, Subcommand)]
pub enum Inspect {
    /// The note tokens that a model would get for a MIDI file, one list of ids for each segment.
    Tokens {
        /// The MIDI file; `-` is standard input.
        file: PathBuf,
        /// Refuse a damaged file and say what is wrong with it, instead of repairing it.
        #[arg(long)]
        strict: bool,
        /// The model whose vocabulary is used [default: the bundled one].
        #[arg(long, value_name = "NAME|FOLDER")]
        model: Option<String>,
        /// The length of a segment in frames of 20 ms [default: that of the model's song mode].
        #[arg(long, value_name = "FRAMES")]
        segment: Option<usize>,
        /// Print JSON: {"segments": [{"frames": n, "ids": [...]}, ...]}.
        #[arg(long)]
        json: bool,
    },
    /// The manifest, sizes and files of a model, all of them verified.
    Model {
        /// The name or folder of the model [default: the bundled one].
        name: Option<String>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// The log-mel spectrogram of a WAV file.
    Mel {
        /// The WAV file, of any rate; several channels are averaged.
        file: PathBuf,
        /// The file to write: `.npy` for the numbers [frames, 128], `.png` for a picture.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
}

/// `timbred bench`
#[derive(Debug, Args)]
pub struct BenchArgs {
    /// The model [default: the bundled one].
    #[arg(long, value_name = "NAME|FOLDER")]
    pub model: Option<String>,
    /// How many hops are measured for each line, 20 or more.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(20..))]
    pub hops: u64,
    /// Measure only the denoising step, with packed operands, plain tract and int8 weights side by
    /// side.
    #[arg(long)]
    pub compare: bool,
    /// With --compare: how many runs are measured for each point, 20 or more.
    #[arg(long, default_value_t = 20, requires = "compare",
          value_parser = clap::value_parser!(u32).range(20..))]
    pub runs: u32,
    /// With --compare: measure only the step, and only at these sizes, such as 64x2304: frames of
    /// the target by tokens and frames heard.
    #[arg(long, value_name = "LxM", requires = "compare", value_delimiter = ',',
          value_parser = step_size)]
    pub at: Vec<(usize, usize)>,
    /// With --compare: a command that times the same step with another engine. It gets the ONNX
    /// file as its argument and lines of `L M THREADS` on standard input.
    #[arg(long, value_name = "COMMAND", requires = "compare")]
    pub reference: Option<String>,
    /// With --compare: the same model in another form, for example imported with --f32. The mel of
    /// this model is compared with the mel of that one.
    #[arg(long, value_name = "NAME|FOLDER", requires = "compare")]
    pub against: Option<String>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// `64x2304`
fn step_size(text: &str) -> Result<(usize, usize), String> {
    let size = |text: &str| text.trim().parse().ok().filter(|size| *size > 0);
    let both = text.split_once('x').and_then(|(l, m)| Some((size(l)?, size(m)?)));
    both.ok_or_else(|| "wanted two numbers above 0 as in 64x2304".to_owned())
}

/// `timbred pack`
#[derive(Debug, Args)]
pub struct PackArgs {
    /// The folder with manifest.toml, denoiser.npz, prior.npz, vocoder.npz, attacks.npz and
    /// life.npz, as the export of the training writes it. Parts that are missing there stay as they
    /// are in the model.
    pub weights: PathBuf,
    /// The folder of the model.
    #[arg(short, long, value_name = "FOLDER")]
    pub out: PathBuf,
    /// Keep the weights as they are instead of converting them to int8 per channel.
    #[arg(long)]
    pub f32: bool,
}

/// `timbred import`
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// The checkpoint: a .zip of T5X or its unpacked folder, or the folder of a pipeline that
    /// diffusers saved.
    pub checkpoint: PathBuf,
    /// The name of the model, for `--model NAME` [default: that of the file].
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// The folder of the model [default: NAME in the user's folder of models].
    #[arg(short, long, value_name = "FOLDER")]
    pub out: Option<PathBuf>,
    /// What makes the sound: an ONNX file of a mel decoder, which turns a float mel [1, T, 128]
    /// (natural log) into T * 320 samples, or `bundled` for the bundled vocoder [default: the mel
    /// decoder that came with the checkpoint, else the bundled vocoder].
    #[arg(long, value_name = "FILE.onnx|bundled")]
    pub vocoder: Option<PathBuf>,
    /// Keep the weights as they are instead of converting them to int8 per channel. The model is
    /// four times as large then.
    #[arg(long)]
    pub f32: bool,
}
