//! What `--help` says below the arguments: examples and exit codes.

pub(super) const RUN_HELP: &str = "\
Without a command timbred plays live: it listens on every MIDI port, plays through the sound
device, and is controlled with timbrectl or OSC on UDP port 9000. Ctrl-C ends it.

Examples:
  timbred                                 play live as it is configured
  timbred --audio jack --buffer 64        through JACK, 64 frames at a time
  timbred --audio null                    without a sound device, but in real time
  timbred --check                         show the configuration and the origin of each value
  timbred --check studio.toml             the same, as it would be with this file
  timbred render song.mid                 write a song to a sound file

Exit codes: 0 done, 1 some of several files failed or doctor found trouble, 2 wrong arguments,
3 an input file cannot be used, 4 a model cannot be used, 5 an output cannot be written,
6 no sound device, 7 a configuration that cannot be used, 8 remote control does not work,
9 the system refuses a thread or signals, 70 a fault in timbred, 130 interrupted.";

pub(super) const RENDER_HELP: &str = "\
Examples:
  timbred render song.mid                       writes song.wav beside it
  timbred render song.mid out.flac --rate 48000
  timbred render a.mid b.mid c.mid -o folder    several files at once, on all cores
  timbred render song.mid --live --hop-ms 40    as it would sound played live
  timbred render song.mid mel.npy               the predicted log-mel instead of sound
  timbred render song.mid --model small_with_context
                                                an imported model as it was published, but with
                                                25 steps of ddim for 1000 of ddpm
  timbred render song.mid --model small_with_context --sampler dpm++2m --steps 10
                                                in less than half the time
  timbred render song.mid --model small_with_context --sampler ddpm --steps 1000
                                                exactly as published: an hour or more for a song

Exit codes: 0 done, 1 some of several files failed, 2 wrong arguments, 3 an input file cannot be
used, 4 a model cannot be used, 5 an output cannot be written, 130 interrupted (nothing
half-written stays).";

pub(super) const DOCTOR_HELP: &str = "\
It changes nothing. If timbred runs, it is asked; otherwise the sound device is opened for a moment
and closed again.

Exit codes: 0 nothing keeps timbred from playing (there may be warnings), 1 something does, 7 a
configuration that cannot be used.";

pub(super) const IMPORT_HELP: &str = "\
Examples:
  timbred import music-spectrogram-diffusion         a folder that diffusers saved, by its name
  timbred import music-spectrogram-diffusion --vocoder bundled
  timbred import small_with_context.zip              installs it as `small_with_context`
  timbred import small_with_context.zip --name paper
  timbred import unpacked/small_with_context --out models/paper
  timbred import small_with_context.zip --vocoder soundstream_mel_decoder.onnx

It takes the public model of Multi-instrument Music Synthesis with Spectrogram Diffusion in both
layouts: the T5X checkpoint, as downloaded or unpacked, and the pipeline as diffusers saves it
(google/music-spectrogram-diffusion: model_index.json, notes_encoder, continuous_encoder, decoder,
scheduler, melgan), with weights as .safetensors or .bin. Nothing in them is executed, and links out
of the folder are not followed.

The model then renders songs, and plays live in a sliding window of 5 seconds. At its end the import
says how fast this machine does that. Nothing else is needed. If there is a mel decoder in
melgan/model.onnx, it makes the sound, unless --vocoder names another. --vocoder takes the
public SoundStream mel decoder, or any other of its kind, as an ONNX file of any operator set: it
gets the natural-log mel as the published pipeline feeds it, and is tried before anything is
installed.

Then: timbred render song.mid --model small_with_context";
