//! The command line of `timbred`. Knows no command's work; ranges and defaults of what can be set
//! come from `timbre-control`.

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
    /// What to do; without a command timbred plays live.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// How to play live.
    #[command(flatten)]
    pub live: LiveArgs,
}

/// `timbred`: playing live.
#[derive(Debug, Args)]
pub struct LiveArgs {
    /// Configuration on top of the system's and the user's.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Print the merged configuration, with FILE in the place of --config, each value with where it
    /// came from, and end.
    #[arg(long, value_name = "FILE", num_args = 0..=1)]
    pub check: Option<Option<PathBuf>>,
    /// Sound service: auto, alsa, jack or null.
    #[arg(long, value_name = "BACKEND")]
    pub audio: Option<String>,
    /// Sound device, by its name or a part of it.
    #[arg(long, value_name = "NAME")]
    pub device: Option<String>,
    /// Frames a second asked of the device.
    #[arg(long, value_name = "HZ")]
    pub rate: Option<String>,
    /// Frames in a buffer of the device.
    #[arg(long, value_name = "FRAMES")]
    pub buffer: Option<String>,
    /// Model: an installed one or a folder.
    #[arg(long, value_name = "NAME|FOLDER")]
    pub model: Option<String>,
    /// Sound made at a time, ms.
    #[arg(long, value_name = "MS")]
    pub hop_ms: Option<String>,
    /// Denoising steps for each hop.
    #[arg(long, value_name = "K")]
    pub steps: Option<String>,
    /// UDP port for OSC.
    #[arg(long, value_name = "PORT")]
    pub osc_port: Option<String>,
    /// Name under which MIDI and JACK know this program.
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
}

impl LiveArgs {
    /// The configuration file that was named.
    ///
    /// # Errors
    /// Two were.
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
    /// Look at tokens, models and spectrograms.
    Inspect(InspectArgs),
    /// Look at all that sound depends on: device, rights, ports, heat, disk, service; says what to
    /// do.
    #[command(after_help = DOCTOR_HELP)]
    Doctor(DoctorArgs),
    /// Measure how fast a model runs on this machine.
    Bench(BenchArgs),
    /// Completions of commands and flags for a shell, to be read by it.
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
    /// The manual page, in the format of man.
    Man,
    /// Make a model bundle out of the weights of a training run (models/training).
    Pack(PackArgs),
    /// Install the published model, as diffusers or as T5X saved it, as a model.
    #[command(after_help = IMPORT_HELP)]
    Import(ImportArgs),
}

/// Which model, and how it is sampled. Shared by every command that makes sound.
#[derive(Debug, Clone, Args)]
pub struct EngineArgs {
    /// Model: the name of an installed one, or a folder with a manifest.toml [default: the bundled
    /// `live`].
    #[arg(long, value_name = "NAME|FOLDER")]
    pub model: Option<String>,
    #[arg(long, value_name = "K", help = STEPS.help,
          value_parser = clap::value_parser!(u64).range(STEPS.whole_range()))]
    /// See `parameters`.
    pub steps: Option<u64>,
    /// ddpm, ddpm:small, ddpm:medium:SHARE, ddim or dpm++2m [default: the model's].
    #[arg(long, value_name = "NAME")]
    pub sampler: Option<SamplerKind>,
    /// Where the steps lie: trailing, uniform_t, uniform_log_snr or diffusers [default: the
    /// model's].
    #[arg(long, value_name = "NAME")]
    pub spacing: Option<Spacing>,
    #[arg(long, value_name = "WEIGHT", help = GUIDANCE.help,
          value_parser = |s: &str| GUIDANCE.parse(s))]
    /// See `parameters`.
    pub guidance: Option<f64>,
    #[arg(long, value_name = "MS", help = HOP_MS.help, value_parser = |s: &str| HOP_MS.parse(s))]
    /// See `parameters`.
    pub hop_ms: Option<f64>,
    #[arg(long, value_name = "N", help = SEED.help, default_value_t = 0)]
    /// See `parameters`.
    pub seed: u64,
    /// Use the model's live mode (short hops on its own past) instead of song mode.
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
    /// MIDI files (.mid, .kar, .rmi; `-` is standard input); with one of them, a last argument
    /// ending in .wav, .flac or .npy is the output (`-` is standard output).
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Refuse a damaged MIDI file and say what is wrong with it, instead of mending it.
    #[arg(long)]
    pub strict: bool,
    /// Folder for the output [default: beside each MIDI file].
    #[arg(short, long, value_name = "FOLDER")]
    pub out: Option<PathBuf>,
    /// Scale that keys are tuned to until the MIDI file says otherwise: a Scala file (.scl), or the
    /// name of one in the folder of tunings; a file beside it that ends in .kbm maps its keys
    /// [default: equal temperament].
    #[arg(long, value_name = "FILE")]
    pub tuning: Option<String>,
    /// What the model and its sampling are.
    #[command(flatten)]
    pub engine: EngineArgs,
    /// Sample rate of the output in Hz, 8000 to 192000; above 16000 with what lies from 8 to 16
    /// kHz, where the model knows it.
    #[arg(long, value_name = "HZ", default_value_t = 48_000,
          value_parser = clap::value_parser!(u32).range(8_000..=192_000))]
    pub rate: u32,
    /// Sample format.
    #[arg(long, value_enum, default_value = "16")]
    pub format: SampleFormat,
    /// Write one channel as the model makes it: no sides, no reverb and chorus, no more level, no
    /// limiter; what models are measured with.
    #[arg(long, conflicts_with = "stems")]
    pub dry: bool,
    /// Write a file for each channel too, named OUTPUT-part_01.wav and so on: both sides, without
    /// reverb, chorus and limiter.
    #[arg(long, conflicts_with = "mel")]
    pub stems: bool,
    /// Write FLAC instead of WAV where no output file is named.
    #[arg(long)]
    pub flac: bool,
    /// Write the predicted log-mel (.npy) instead of sound where no output file is named.
    #[arg(long, conflicts_with = "flac")]
    pub mel: bool,
    /// Start at this second of the song (notes held there are struck anew).
    #[arg(long, value_name = "SECONDS", default_value_t = 0.0)]
    pub from: f64,
    /// Stop at this second of the song.
    #[arg(long, value_name = "SECONDS")]
    pub to: Option<f64>,
    /// Seconds that the last notes ring out.
    #[arg(long, value_name = "SECONDS", default_value_t = 2.0)]
    pub tail: f64,
    /// Files rendered at the same time [default: the number of cores].
    #[arg(short, long, value_name = "N")]
    pub jobs: Option<usize>,
    /// No progress bar.
    #[arg(short, long)]
    pub quiet: bool,
}

/// `timbred doctor`
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Configuration file, over the others.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// As JSON: a list of objects with what, verdict (good, warning, trouble), found and remedy.
    #[arg(long)]
    pub json: bool,
}

/// `timbred demo`
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// What the model and its sampling are.
    #[command(flatten)]
    pub engine: EngineArgs,
    /// Where to write when there is no sound device.
    #[arg(long, default_value = "demo.wav", value_name = "FILE")]
    pub out: PathBuf,
    /// Write the file even if there is a sound device.
    #[arg(long)]
    pub no_device: bool,
}

/// `timbred inspect`
#[derive(Debug, Args)]
pub struct InspectArgs {
    /// What to look at.
    #[command(subcommand)]
    pub what: Inspect,
}

/// What `timbred inspect` can show.
#[derive(Debug, Subcommand)]
pub enum Inspect {
    /// The note tokens a model would hear of a MIDI file, one list of ids a segment.
    Tokens {
        /// MIDI file; `-` is standard input.
        file: PathBuf,
        /// Refuse a damaged file and say what is wrong with it, instead of mending it.
        #[arg(long)]
        strict: bool,
        /// Model whose vocabulary is used [default: the bundled one].
        #[arg(long, value_name = "NAME|FOLDER")]
        model: Option<String>,
        /// Frames of 20 ms in a segment [default: the model's song mode].
        #[arg(long, value_name = "FRAMES")]
        segment: Option<usize>,
        /// JSON: {"segments": [{"frames": n, "ids": [...]}, ...]}.
        #[arg(long)]
        json: bool,
    },
    /// A model's manifest, sizes and files, all verified.
    Model {
        /// Name or folder [default: the bundled one].
        name: Option<String>,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// The log-mel spectrogram of a WAV file.
    Mel {
        /// WAV file of any rate; several channels are averaged.
        file: PathBuf,
        /// `.npy` for the numbers [frames, 128], `.png` for a picture.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
}

/// `timbred bench`
#[derive(Debug, Args)]
pub struct BenchArgs {
    /// Model [default: the bundled one].
    #[arg(long, value_name = "NAME|FOLDER")]
    pub model: Option<String>,
    /// Hops measured for each line, 20 and up.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(20..))]
    pub hops: u64,
    /// Measure the denoising step by itself instead: packed operands, plain tract and int8 weights
    /// side by side.
    #[arg(long)]
    pub compare: bool,
    /// With --compare: runs measured for each point, 20 and up.
    #[arg(long, default_value_t = 20, requires = "compare",
          value_parser = clap::value_parser!(u32).range(20..))]
    pub runs: u32,
    /// With --compare: only the step, only at these sizes, such as 64x2304: frames of the target by
    /// tokens and frames heard.
    #[arg(long, value_name = "LxM", requires = "compare", value_delimiter = ',',
          value_parser = step_size)]
    pub at: Vec<(usize, usize)>,
    /// With --compare: a command that times the same step with another engine; it gets the ONNX
    /// file and is asked `L M THREADS`, line by line.
    #[arg(long, value_name = "COMMAND", requires = "compare")]
    pub reference: Option<String>,
    /// With --compare: the same model in another form, such as imported with --f32, whose mel the
    /// forms of this one are held against.
    #[arg(long, value_name = "NAME|FOLDER", requires = "compare")]
    pub against: Option<String>,
    /// As JSON.
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
    /// Folder with manifest.toml, denoiser.npz, prior.npz, vocoder.npz, attacks.npz and life.npz,
    /// as the training's export writes it; a part that is missing there stays as it is in the
    /// bundle.
    pub weights: PathBuf,
    /// Folder of the bundle.
    #[arg(short, long, value_name = "FOLDER")]
    pub out: PathBuf,
    /// Keep the weights as they are instead of int8 per channel.
    #[arg(long)]
    pub f32: bool,
}

/// `timbred import`
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// The checkpoint: a T5X .zip or its unpacked folder, or the folder of a pipeline that
    /// diffusers saved.
    pub checkpoint: PathBuf,
    /// Name of the model, as in `--model NAME` [default: the file's own].
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// Folder of the model [default: NAME in the user's folder of models].
    #[arg(short, long, value_name = "FOLDER")]
    pub out: Option<PathBuf>,
    /// What makes the sound: a mel decoder as ONNX, float mel [1, T, 128] (natural log) to T * 320
    /// samples, or `bundled` for the bundled vocoder [default: the mel decoder that came with the
    /// checkpoint, else the bundled vocoder].
    #[arg(long, value_name = "FILE.onnx|bundled")]
    pub vocoder: Option<PathBuf>,
    /// Keep the weights as they are instead of int8 per channel: four times as large.
    #[arg(long)]
    pub f32: bool,
}
