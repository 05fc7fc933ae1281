//! Tests of manifests that fit and manifests that do not.

use super::*;
use crate::bundle::Rating;

fn good() -> String {
    let files: String =
        ["note_encoder", "context_encoder", "memory", "film", "step", "prior", "vocoder"]
            .iter()
            .map(|role| {
                format!(
                    "[files.{role}]\nfile = \"{role}.onnx\"\nsha256 = \"{}\"\n",
                    "ab".repeat(32)
                )
            })
            .collect();
    format!(
        r#"format = 1
name = "test"
version = "1"
description = "for tests"
license = "MIT"
[mel]
sample_rate_hz = 16000
hop_samples = 320
bins = 128
range = {{ min = -11.5, max = 4.0 }}
[tokens]
velocity_bins = 32
max_tokens = 511
rounding = "floor"
held = "key_velocity_age"
program_map = "none"
[network]
vocab_size = 1536
emb = 16
heads = 2
head_dim = 8
mlp = 32
token_layers = 1
context_layers = 1
decoder_layers = 2
max_tokens = 512
context_frames = 64
target_frames = 64
prior = true
[sampling]
prediction = "v"
sampler = "ddim"
spacing = "trailing"
guidance = 1.0
clip_x0 = true
[song]
hop_frames = 64
steps = 1
[live]
hop_frames = 2
steps = 1
min_hop_frames = 1
max_hop_frames = 16
[prior]
width = 16
blocks = 1
note_width = 4
residual_nats = 2.0
[vocoder]
width = 16
blocks = 2
{files}"#
    )
}

fn refused(from: &str, to: &str) -> String {
    assert!(good().contains(from), "{from}");
    let text = good().replacen(from, to, 1);
    Manifest::parse("some/manifest.toml", text.as_bytes()).unwrap_err().to_string()
}

#[test]
fn a_good_one_is_read_and_written_back() {
    let manifest = Manifest::parse("m", good().as_bytes()).unwrap();
    assert_eq!(Manifest::parse("m", manifest.to_toml().as_bytes()).unwrap(), manifest);
}

#[test]
fn tables_of_attacks_and_lives_may_be_there_with_a_vocoder_of_ours() {
    for role in [ATTACKS, LIFE] {
        let sha256 = "ab".repeat(32);
        let entry = format!("[files.{role}]\nfile = \"{role}.onnx\"\nsha256 = \"{sha256}\"\n");
        let text = good() + &entry;
        assert!(Manifest::parse("m", text.as_bytes()).is_ok());
        let decoder = "[mel_decoder]\npast_frames = 1\nfuture_frames = 1";
        let other = text.replacen("[vocoder]\nwidth = 16\nblocks = 2", decoder, 1);
        let message = Manifest::parse("m", other.as_bytes()).unwrap_err().to_string();
        assert!(message.contains(&format!("files.{role}")), "{message}");
    }
}

#[test]
fn every_refusal_names_file_key_and_what_was_wanted() {
    for (from, to, words) in [
        ("format = 1", "format = 2", &["format", "found 2", "wanted 1"][..]),
        ("name = \"test\"", "name = \"../x\"", &["name", "letters"]),
        ("hop_samples = 320", "hop_samples = 256", &["mel", "256", "320"]),
        ("velocity_bins = 32", "velocity_bins = 200", &["velocity_bins", "200", "127"]),
        ("vocab_size = 1536", "vocab_size = 1000", &["vocab_size", "1000", "1536"]),
        ("max_tokens = 511", "max_tokens = 512", &["max_tokens", "512", "511"]),
        ("emb = 16", "emb = 9999998", &["emb", "9999998", "at most"]),
        ("guidance = 1.0", "guidance = nan", &["guidance", "0 to 20"]),
        ("hop_frames = 64", "hop_frames = 65", &["song.hop_frames", "65", "64"]),
        ("steps = 1", "steps = 1001", &["song.steps", "1001", "0 to 1000"]),
        ("residual_nats = 2.0", "residual_nats = -1.0", &["prior.residual_nats", "-1", "20"]),
        ("prior = true", "prior = false", &["[prior]", "network.prior = false", "true"]),
        ("min_hop_frames = 1", "min_hop_frames = 4", &["live", "4"]),
        ("max_hop_frames = 16", "max_hop_frames = 16\nwindow = true", &["live.window", "[prior]"]),
        ("file = \"step.onnx\"", "file = \"../step.onnx\"", &["files.step.file", "plain"]),
        ("sha256 = \"ab", "sha256 = \"zz", &["sha256", "64 hexadecimal"]),
        ("[vocoder]\nwidth = 16\nblocks = 2", "", &["vocoder", "neither", "[mel_decoder]"]),
        (
            "[vocoder]\nwidth = 16\nblocks = 2",
            "[mel_decoder]\npast_frames = 65\nfuture_frames = 0",
            &["mel_decoder", "65 frames", "at most 64"],
        ),
        ("[vocoder]", "[instruments]\ngood = [1, 128]\n[vocoder]", &["instruments", "128", "127"]),
        ("[vocoder]", "[instruments]\ngood = [1]\nfair = [1]\n[vocoder]", &["instruments", "1"]),
        ("[files.vocoder]", "[files.extra]", &["files.vocoder", "nothing"]),
        ("license = \"MIT\"", "licence = \"MIT\"", &["line 5", "licence"]),
        ("emb = 16", "emb = \"16\"", &["line 19", "emb"]),
    ] {
        let message = refused(from, to);
        assert!(message.starts_with("some/manifest.toml"), "{message}");
        for word in words {
            assert!(message.contains(word), "{to}: {word} is not in: {message}");
        }
    }
}

#[test]
fn bytes_that_are_no_text_are_refused() {
    let error = Manifest::parse("m", &[b'a', 0xff]).unwrap_err().to_string();
    assert!(error.contains("not UTF-8 text after byte 1"), "{error}");
    assert!(Manifest::parse("m", &vec![b' '; MAX_BYTES + 1]).is_err());
}

#[test]
fn instruments_are_as_they_were_measured_or_what_they_fall_back_to() {
    let read = |text: &str| Manifest::parse("m", text.as_bytes()).unwrap();
    assert_eq!(read(&good()).rating(0), Rating::Unrated);
    let rated = "[instruments]\ngood = [0, 40]\nfair = [41]\npoor = [127]\n[vocoder]";
    let text = good().replacen("[vocoder]", rated, 1);
    let manifest = read(&text);
    let all = [0, 40, 41, 127, 1].map(|program| manifest.rating(program));
    assert_eq!(all, [Rating::Good, Rating::Good, Rating::Fair, Rating::Poor, Rating::Unrated]);
    assert_eq!(read(&manifest.to_toml()), manifest);
    let slakh = read(&text.replacen("program_map = \"none\"", "program_map = \"slakh\"", 1));
    let some = [40, 44, 127].map(|program| slakh.rating(program));
    assert_eq!(some, [Rating::Good, Rating::Fallback(43), Rating::Fallback(88)]);
}
