//! Mel decoders in ONNX files are measured, run in windows, and imported, and compared with one
//! that is computed by hand.
#![allow(clippy::unwrap_used)]

use timbre_models::graph::MelDecoderConfig;
use timbre_models::vocoder::mel_decoder::MelDecoder;
use timbred_tests::golden_dir;
use timbred_tests::mel_decoder::Decoder;
use timbred_tests::npz::worst;
use timbred_tests::program::Folder;

/// ln 1e-5.
const SILENCE: f32 = -11.512_925;

/// 37 frames whose values rise and fall, nats.
fn mel() -> Vec<f32> {
    (0..37 * 128).map(|i| (i as f32 * 0.37).sin() * 3.0 - (i % 11) as f32).collect()
}

#[test]
fn the_reach_is_measured_whatever_the_shape_of_the_samples() {
    for (past, future, opset, rank) in [(2, 1, 13, 2), (0, 0, 9, 1), (5, 0, 17, 3), (0, 3, 11, 2)] {
        let decoder = Decoder { past, future, opset, rank, frames: 0 };
        let found = MelDecoderConfig::measure(&decoder.onnx()).unwrap();
        assert_eq!((found.past_frames, found.future_frames), (past, future), "{decoder:?}");
    }
    let far = Decoder { past: 70, ..Decoder::default() };
    assert_eq!(MelDecoderConfig::measure(&far.onnx()).unwrap().past_frames, 64);
}

#[test]
fn what_is_no_mel_decoder_is_refused_with_what_was_found() {
    let refused = |bytes: &[u8]| MelDecoderConfig::measure(bytes).unwrap_err().to_string();
    assert!(refused(b"<html>").contains("not an ONNX file"));
    let fixed = refused(&Decoder { frames: 256, ..Decoder::default() }.onnx());
    assert!(fixed.contains("[1, 256, 128]") && fixed.contains("T free"), "{fixed}");
    let tiny = timbred_tests::bundle::tiny_manifest();
    let dir = tempfile::tempdir().unwrap();
    timbred_tests::bundle::tiny_bundle(dir.path());
    let other = refused(&std::fs::read(dir.path().join("context_encoder.onnx")).unwrap());
    assert!(other.contains(&format!("{}]]", tiny.network.emb)), "{other}");
    let two = refused(&std::fs::read(dir.path().join("vocoder.onnx")).unwrap());
    assert!(two.contains("5 inputs") && two.contains("log_levels"), "{two}");
}

#[test]
fn windows_that_look_ahead_give_what_the_whole_mel_gives_at_once() {
    let decoder = Decoder::default();
    let config = MelDecoderConfig { past_frames: 2, future_frames: 1 };
    let mel = mel();
    let whole = decoder.whole(&mel, SILENCE);
    for hop in [1, 2, 5, 37] {
        let mut windows = MelDecoder::load(config, &decoder.onnx()).unwrap();
        windows.restart(true);
        let mut samples = vec![];
        for frames in mel.chunks_exact(hop * 128) {
            windows.render(frames, &mut samples).unwrap();
        }
        let rest = mel.len() % (hop * 128);
        if rest > 0 {
            windows.render(&mel[mel.len() - rest..], &mut samples).unwrap();
        }
        assert_eq!(samples.len(), whole.len() - 320, "the last frame waits");
        windows.finish(&mut samples).unwrap();
        assert_eq!(samples.len(), whole.len());
        assert!(worst(&samples, &whole) < 1e-4, "hops of {hop}: {:e}", worst(&samples, &whole));
    }
}

#[test]
fn live_no_sample_waits_and_the_last_frame_stands_for_the_next() {
    let decoder = Decoder::default();
    let config = MelDecoderConfig { past_frames: 2, future_frames: 1 };
    let mel = mel();
    let mut windows = MelDecoder::load(config, &decoder.onnx()).unwrap();
    let mut samples = vec![];
    for (n, frames) in mel.chunks_exact(4 * 128).enumerate() {
        samples.clear();
        windows.render(frames, &mut samples).unwrap();
        let end = (n + 1) * 4 * 128;
        let guessed = [&mel[..end], &mel[end - 128..end]].concat();
        let wanted = decoder.whole(&guessed, SILENCE);
        let here = &wanted[n * 4 * 320..(n + 1) * 4 * 320];
        assert!(samples.len() == 1280 && worst(&samples, here) < 1e-4, "hop {n}");
    }
}

#[test]
fn a_checkpoint_is_imported_with_it_and_sounds_as_its_mel_says() {
    let folder = Folder::new();
    let zip = golden_dir().join("checkpoint/tiny_with_context.zip");
    let zip = zip.display();
    let decoder = Decoder::default();
    folder.write("decoder.onnx", &decoder.onnx());
    folder.write("none.onnx", b"nothing");
    let failed = folder.run(&format!("import {zip} --out with --vocoder none.onnx"));
    failed.failed(3, &["none.onnx", "not an ONNX file", "--vocoder"]);
    folder.run(&format!("import {zip} --out with --vocoder decoder.onnx")).well();
    let said = folder.run("inspect model with").well().out;
    assert!(said.contains("hears 2 frames back and 1 ahead"), "{said}");
    folder.song("song.mid", 6);
    let render = "render song.mid --dry --model with --steps 2 --quiet --tail 0.53 --rate 16000";
    folder.run(&format!("{render} --format 32f song.wav")).well();
    folder.run(&format!("{render} mel.npy")).well();
    let mel: ndarray::Array2<f32> = ndarray_npy::read_npy(folder.path("mel.npy")).unwrap();
    let samples: Vec<f32> = hound::WavReader::open(folder.path("song.wav"))
        .unwrap()
        .samples::<f32>()
        .map(Result::unwrap)
        .collect();
    let wanted = decoder.whole(mel.as_slice().unwrap(), SILENCE);
    // The segment continues after the end of the song, so the last frame is not followed by
    // silence.
    let compared = samples.len() - 320;
    let scale = wanted.iter().fold(0.0f32, |most, s| most.max(s.abs()));
    let apart = worst(&samples[..compared], &wanted[..compared]);
    assert!(
        samples.len() == wanted.len() && apart < 1e-4 * f64::from(scale),
        "{apart:e} of {scale}"
    );
}

/// The samples of a file, with the channels interleaved.
fn samples(folder: &Folder, name: &str) -> Vec<f32> {
    let reader = hound::WavReader::open(folder.path(name)).unwrap();
    reader.into_samples::<f32>().map(Result::unwrap).collect()
}

#[test]
fn stems_of_an_imported_model_are_its_sound_shared_out_by_the_notes_power() {
    let folder = Folder::new();
    let zip = golden_dir().join("checkpoint/tiny_with_context.zip");
    let zip = zip.display();
    folder.write("decoder.onnx", &Decoder::default().onnx());
    folder.run(&format!("import {zip} --out decoder --vocoder decoder.onnx")).well();
    folder.run(&format!("import {zip} --out bundled --vocoder bundled")).well();
    // Three programs, and a drum from 1 s on.
    folder.song("song.mid", 6);
    let render = |model: &str, rest: &str| {
        let format = "--steps 2 --quiet --rate 16000 --format 32f";
        folder.run(&format!("render song.mid --model {model} {format} {rest}")).well();
    };
    let power = |samples: &[f32]| samples.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>();
    for model in ["decoder", "bundled"] {
        render(model, "--stems all.wav");
        let stems: Vec<Vec<f32>> = ["01", "02", "03", "10"]
            .map(|part| samples(&folder, &format!("all-part_{part}.wav")))
            .into();
        let drum = &stems[3];
        let (before, after) = drum.split_at(2 * 15_500);
        assert_eq!(power(before), 0.0, "{model}: before its stroke");
        assert!(power(&after[..2 * 4_000]) > 0.0, "{model}: behind it");
        if model == "decoder" {
            // Each sound is in exactly one stem: the powers of the stems add up to that of the mix.
            render(model, "--dry one.wav");
            let one = samples(&folder, "one.wav");
            let make_up = 10f64.powf(1.3);
            for (n, one) in one.chunks_exact(4_000).enumerate() {
                let of = |stem: &Vec<f32>| power(&stem[8_000 * n..8_000 * (n + 1)]);
                let together = stems.iter().map(of).sum::<f64>() / (2.0 * make_up);
                let off = 10.0 * (together / power(one)).log10();
                assert!(off.abs() < 0.5, "quarter {n}: {off} dB");
            }
        }
    }
}
