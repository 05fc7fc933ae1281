//! Tests of `timbred inspect` as a real process.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use timbre_models::notes::read_song_file;
use timbre_models::tokens::song_segments;
use timbred_tests::bundle::tiny_manifest;
use timbred_tests::program::Folder;

#[test]
fn tokens_are_those_of_the_encoder() {
    let folder = Folder::new();
    folder.song("a.mid", 12);
    let ran = folder.run("inspect tokens a.mid --json --segment 50").well();
    let value: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    let song = read_song_file(folder.path("a.mid")).unwrap();
    let wanted = song_segments(&song.notes, song.total_time_s, 50, &tiny_manifest().tokens);
    let found = value["segments"].as_array().unwrap();
    assert_eq!(found.len(), wanted.len());
    for (found, wanted) in found.iter().zip(&wanted) {
        assert_eq!(found["frames"], wanted.frames);
        assert_eq!(found["ids"], serde_json::json!(wanted.ids));
    }
    let words = folder.run("inspect tokens a.mid").well().out;
    for word in ["segment 1: 0.00 to 1.28 s", "tie", "pitch 48", "end"] {
        assert!(words.contains(word), "no `{word}` in {words}");
    }
}

#[test]
fn a_model_is_verified_and_shown() {
    let folder = Folder::new();
    let words = folder.run("inspect model tiny").well().out;
    for word in ["tiny 1", "all verified", "song mode", "hops of 1280 ms, 2 steps", "vocoder.onnx"]
    {
        assert!(words.contains(word), "no `{word}` in {words}");
    }
    let json = folder.run("inspect model tiny --json").well().out;
    let value: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(value["manifest"]["name"], "tiny");
    assert_eq!(value["verified"], true);
    assert!(value["parameters"]["denoiser"].as_u64().unwrap() > 10_000);
}

#[test]
fn mel_takes_any_wav_and_gives_numbers_or_a_picture() {
    let folder = Folder::new();
    let spec = hound::WavSpec {
        channels: 2,
        sample_rate: 44_100,
        bits_per_sample: 24,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::create(folder.path("a.wav"), spec).unwrap();
    for n in 0..44_100 {
        let x = (n as f32 * 440.0 * std::f32::consts::TAU / 44_100.0).sin();
        (0..2).for_each(|_| writer.write_sample((x * 4e6) as i32).unwrap());
    }
    writer.finalize().unwrap();
    folder.run("inspect mel a.wav --out x.npy").well();
    let mel: ndarray::Array2<f32> = ndarray_npy::read_npy(folder.path("x.npy")).unwrap();
    assert_eq!(mel.dim(), (50, 128));
    let row = mel.row(25);
    let loudest = (0..128).max_by(|a, b| row[*a].total_cmp(&row[*b])).unwrap();
    assert!((20..30).contains(&loudest), "440 Hz in band {loudest}");
    folder.run("inspect mel a.wav --out x.png").well();
    let picture = std::fs::File::open(folder.path("x.png")).unwrap();
    let mut picture = png::Decoder::new(std::io::BufReader::new(picture)).read_info().unwrap();
    assert_eq!(picture.info().size(), (400, 384));
    let mut pixels = vec![0; picture.output_buffer_size().unwrap()];
    picture.next_frame(&mut pixels).unwrap();
    assert!(pixels.iter().any(|value| *value > 200), "nothing bright in it");
    folder.run("inspect mel a.wav --out x.jpg").failed(2, &["x.jpg", ".png or .npy"]);
}

#[test]
fn what_is_no_wav_is_refused() {
    let folder = Folder::new();
    folder.write("a.wav", b"RIFF....");
    folder.run("inspect mel a.wav --out x.npy").failed(3, &["a.wav", "wanted a whole WAV file"]);
    folder.run("inspect mel none.wav --out x.npy").failed(3, &["none.wav"]);
    folder.run("inspect mel tiny --out x.npy").failed(3, &["tiny", "folder"]);
    assert_eq!(folder.others(&["a.wav"]), Vec::<String>::new());
}
