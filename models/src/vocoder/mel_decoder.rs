//! A mel decoder from an ONNX file, such as the public SoundStream decoder. It makes samples from
//! mel frames in overlapping windows, and knows no notes.
//!
//! The graph takes the natural-log mel [1, T, 128] of the front end of this project (as in the
//! published pipeline, not scaled to [-1, 1]), and gives T * 320 samples at 16 kHz. It runs on
//! windows of one length. The outer frames of a window, as many as the graph looks back and ahead
//! ([`MelDecoderConfig::measure`] finds out), serve as context, and their samples are dropped. So
//! the sound is the same as if the whole mel were decoded at once, without seams, and with the
//! memory of one window.

use prost::Message;
use tract_onnx::pb::ModelProto;
use tract_onnx::pb::type_proto::Value;
use tract_onnx::prelude::*;

use crate::denoise::DenoiseError;
use crate::denoise::noise::{NoiseSource, SeededNoise};
use crate::engine::Plan;
use crate::graph::{MAX_REACH, MelDecoderConfig};
use crate::mel::FeatureRange;
use crate::units::{HOP_SAMPLES, MEL_BINS};

/// The name of the graph in errors.
const NAME: &str = "vocoder";
/// The wanted kind of file, in words.
const WANTED: &str =
    "one float input [1, T, 128] with T free, and T * 320 samples as [1, n], [n] or [1, n, 1]";
/// The share of the largest change of the sound below which a change does not count (-80 dB).
const HEARD: f32 = 1e-4;
/// The frames of the second length to try.
const OTHER_LENGTH: usize = 48;
/// The random mels for the measurement.
const TRIALS: u64 = 3;
/// The key of their noise.
const TRIAL_KEY: u64 = 0x6d65_6c00;
/// The nats by which a frame is raised to see its effect.
const RAISED: f32 = 3.0;

impl MelDecoderConfig {
    /// Loads the graph, tries it with two lengths, and measures how far the effect of a frame
    /// reaches.
    ///
    /// # Errors
    /// The file is no ONNX graph, tract does not support it, or it is no mel decoder. The error
    /// names what was found and what was wanted.
    pub fn measure(bytes: &[u8]) -> Result<Self, DenoiseError> {
        let graph = Graph::load(bytes)?;
        graph.plan(OTHER_LENGTH)?.decode(&random_mel(0, OTHER_LENGTH))?;
        let (frames, middle) = (2 * MAX_REACH + 1, MAX_REACH);
        let mut plan = graph.plan(frames)?;
        let mut config = Self { past_frames: 0, future_frames: 0 };
        let mut is_heard = false;
        for trial in 0..TRIALS {
            let mut mel = random_mel(trial, frames);
            let plain = plan.decode(&mel)?;
            let raised = mel.iter_mut().skip(middle * MEL_BINS).take(MEL_BINS);
            raised.for_each(|v| *v += RAISED);
            let changed = plan.decode(&mel)?;
            if plain.iter().chain(&changed).any(|sample| !sample.is_finite()) {
                return Err(found("samples that are no numbers"));
            }
            let change: Vec<f32> = plain.iter().zip(&changed).map(|(a, b)| (a - b).abs()).collect();
            let least = HEARD * change.iter().fold(0.0f32, |most, c| most.max(*c));
            let heard = |c: &f32| *c > least;
            let (Some(first), Some(last)) =
                (change.iter().position(heard), change.iter().rposition(heard))
            else {
                continue;
            };
            is_heard = true;
            config.future_frames =
                config.future_frames.max(middle.saturating_sub(first / HOP_SAMPLES));
            config.past_frames =
                config.past_frames.max((last / HOP_SAMPLES).saturating_sub(middle));
        }
        if is_heard { Ok(config) } else { Err(found("samples that do not depend on the mel")) }
    }
}

/// A mel decoder with the frames that it still needs.
#[derive(Debug)]
pub struct MelDecoder {
    graph: Graph,
    config: MelDecoderConfig,
    /// The plan for windows of one length. It is made again when the length of hops changes.
    plan: Option<Decoder>,
    /// Whether sound may wait for later frames.
    looks_ahead: bool,
    /// The frames in the window so far, natural-log.
    window: Vec<f32>,
    /// The samples to drop, which belong to the silence before the stream.
    skip: usize,
    /// The frames in the last hop.
    hop_frames: usize,
}

impl MelDecoder {
    /// Loads the graph from ONNX bytes.
    ///
    /// # Errors
    /// [`DenoiseError::Graph`] if it is not a mel decoder, and [`DenoiseError::Engine`] if tract
    /// does not support it.
    pub fn load(config: MelDecoderConfig, bytes: &[u8]) -> Result<Self, DenoiseError> {
        let mut decoder = Self {
            graph: Graph::load(bytes)?,
            config,
            plan: None,
            looks_ahead: false,
            window: vec![],
            skip: 0,
            hop_frames: 0,
        };
        decoder.restart(false);
        Ok(decoder)
    }

    /// Removes all frames. Before the stream there is silence. With `looks_ahead`, samples are late
    /// by the look-ahead of the graph, and [`Self::finish`] gives the last ones. Without it, the
    /// last frame is repeated in place of later ones.
    pub fn restart(&mut self, looks_ahead: bool) {
        self.looks_ahead = looks_ahead;
        self.window.clear();
        self.window.resize((self.config.past_frames + self.waiting()) * MEL_BINS, silence());
        self.skip = self.waiting() * HOP_SAMPLES;
    }

    /// The number of frames that sound waits for.
    fn waiting(&self) -> usize {
        if self.looks_ahead { self.config.future_frames } else { 0 }
    }

    /// Takes the frames of a hop, natural-log `mel` [T, 128], and adds the samples that are ready
    /// to `out`: T * 320, but fewer at the beginning of a stream that looks ahead.
    ///
    /// # Errors
    /// The inference engine failed, which may be when it plans for a new length of hops.
    pub fn render(&mut self, mel: &[f32], out: &mut Vec<f32>) -> Result<(), DenoiseError> {
        let hop = mel.len() / MEL_BINS;
        self.hop_frames = hop;
        let MelDecoderConfig { past_frames, future_frames } = self.config;
        self.window.extend_from_slice(mel);
        let there = self.window.len();
        for _ in self.waiting()..future_frames {
            self.window.extend_from_within(there.saturating_sub(MEL_BINS)..there);
        }
        let frames = past_frames + hop + future_frames;
        let plan = match &mut self.plan {
            Some(plan) if plan.frames == frames => plan,
            plan => plan.insert(self.graph.plan(frames)?),
        };
        let samples = plan.decode(&self.window)?;
        let here = samples.iter().skip(past_frames * HOP_SAMPLES).take(hop * HOP_SAMPLES);
        let skipped = self.skip.min(hop * HOP_SAMPLES);
        self.skip -= skipped;
        out.extend(here.skip(skipped));
        self.window.truncate(there);
        self.window.drain(..hop * MEL_BINS);
        Ok(())
    }

    /// Adds the samples of the frames that still wait to `out`. After the stream there is silence.
    ///
    /// # Errors
    /// The inference engine failed.
    pub fn finish(&mut self, out: &mut Vec<f32>) -> Result<(), DenoiseError> {
        let end = out.len() + (self.waiting() * HOP_SAMPLES).saturating_sub(self.skip);
        let silent = vec![silence(); self.hop_frames * MEL_BINS];
        while out.len() < end && self.hop_frames > 0 {
            self.render(&silent, out)?;
        }
        out.truncate(end);
        Ok(())
    }
}

/// The graph of a mel decoder. Each length of mel has its own plan, so the graph only has to run
/// with fixed lengths.
#[derive(Debug)]
struct Graph(Box<InferenceModel>);

/// The graph for one length.
#[derive(Debug)]
struct Decoder {
    plan: Plan,
    frames: usize,
}

impl Graph {
    fn load(bytes: &[u8]) -> Result<Self, DenoiseError> {
        let model =
            ModelProto::decode(bytes).map_err(|e| engine(format!("not an ONNX file: {e}")))?;
        check_input(&model)?;
        let model = tract_onnx::onnx()
            .with_ignore_output_shapes(true)
            .model_for_proto_model(&model)
            .map_err(|e| engine(format!("{e:#}")))?;
        Ok(Self(Box::new(model)))
    }

    fn plan(&self, frames: usize) -> Result<Decoder, DenoiseError> {
        let mut model = InferenceModel::clone(&self.0);
        let outlet = model.outputs.first().copied().ok_or_else(|| found("no output"))?;
        let fact = f32::fact([1, frames, MEL_BINS]);
        let model = model
            .select_output_outlets(&[outlet])
            .and_then(|()| model.with_input_fact(0, fact.into()))
            .map_err(|e| engine(format!("{e:#}")))?;
        Ok(Decoder { plan: Plan::of(NAME, model)?, frames })
    }
}

impl Decoder {
    /// Decodes `mel` [frames, 128] to [frames * 320] samples.
    fn decode(&mut self, mel: &[f32]) -> Result<Vec<f32>, DenoiseError> {
        let input = self.plan.input(&[1, self.frames, MEL_BINS], mel)?;
        let output = self.plan.run(tvec![input])?;
        let wanted = self.frames * HOP_SAMPLES;
        let one = output.first().filter(|output| {
            output.shape().iter().all(|size| *size == 1 || *size == wanted)
                && output.len() == wanted
        });
        match one {
            Some(samples) => Ok(self.plan.floats(samples, wanted)?.to_vec()),
            None => {
                let shapes: Vec<_> = output.iter().map(|output| output.shape().to_vec()).collect();
                Err(found(&format!("{shapes:?} from {} frames", self.frames)))
            }
        }
    }
}

/// Checks that the graph takes one mel of any length.
fn check_input(model: &ModelProto) -> Result<(), DenoiseError> {
    use tract_onnx::pb::tensor_proto::DataType;
    use tract_onnx::pb::tensor_shape_proto::dimension::Value::DimValue;
    let graph = model.graph.as_ref().ok_or_else(|| found("no graph"))?;
    let is_constant = |name: &str| graph.initializer.iter().any(|tensor| tensor.name == name);
    let inputs: Vec<_> = graph.input.iter().filter(|port| !is_constant(&port.name)).collect();
    let [input] = inputs.as_slice() else {
        let names: Vec<&str> = inputs.iter().map(|port| port.name.as_str()).collect();
        return Err(found(&format!("{} inputs ({})", names.len(), names.join(", "))));
    };
    let written = || found(&format!("the input {}", crate::graph::written(input)));
    let Some(Value::TensorType(tensor)) = input.r#type.as_ref().and_then(|t| t.value.as_ref())
    else {
        return Err(written());
    };
    let sizes: Option<Vec<Option<i64>>> = tensor.shape.as_ref().map(|shape| {
        let size = |dim: &Option<_>| match dim {
            Some(DimValue(size)) if *size > 0 => Some(*size),
            _ => None,
        };
        shape.dim.iter().map(|dim| size(&dim.value)).collect()
    });
    let fits = match sizes.as_deref() {
        None => true,
        Some([batch, frames, bins]) => {
            batch.is_none_or(|n| n == 1)
                && frames.is_none()
                && bins.is_none_or(|n| n == MEL_BINS as i64)
        }
        Some(_) => false,
    };
    if tensor.elem_type == DataType::Float as i32 && fits { Ok(()) } else { Err(written()) }
}

fn found(found: &str) -> DenoiseError {
    DenoiseError::Graph { graph: NAME, found: found.to_owned(), wanted: WANTED.to_owned() }
}

fn engine(message: String) -> DenoiseError {
    DenoiseError::Engine { graph: NAME, message }
}

/// The log mel of silence.
fn silence() -> f32 {
    FeatureRange::default().unscale(-1.0)
}

/// A random mel [frames, 128] in nats, from loud to quiet.
fn random_mel(trial: u64, frames: usize) -> Vec<f32> {
    let mut mel = vec![0.0; frames * MEL_BINS];
    SeededNoise::new(TRIAL_KEY, trial).start(&mut mel);
    mel.iter_mut().for_each(|v| *v = 2.0 * *v - 3.0);
    mel
}
