//! Tests of `timbred render` and `demo` as real processes: formats, lengths, seeds, parts, many
//! files, Ctrl-C.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use timbred_tests::program::{Folder, Ran, example};

/// Samples and spec of a WAV file, read as floats.
fn wav(folder: &Folder, name: &str) -> (hound::WavSpec, Vec<f32>) {
    let reader = hound::WavReader::open(folder.path(name)).unwrap();
    let spec = reader.spec();
    let samples = match spec.sample_format {
        hound::SampleFormat::Float => reader.into_samples::<f32>().map(Result::unwrap).collect(),
        hound::SampleFormat::Int => {
            let full = 2f32.powi(i32::from(spec.bits_per_sample) - 1);
            reader.into_samples::<i32>().map(|s| s.unwrap() as f32 / full).collect()
        }
    };
    (spec, samples)
}

/// The length of the song of 4 notes and the tail of 2 s.
const LENGTH_S: f64 = 1.25 + 2.0;

#[test]
fn wav_of_every_format_has_the_rate_and_length_of_the_song() {
    let folder = Folder::new();
    folder.song("a.mid", 4);
    let mut last: Option<Vec<f32>> = None;
    for (format, bits) in [("16", 16), ("24", 24), ("32f", 32)] {
        folder.run(&format!("render a.mid out.wav --rate 44100 --format {format}")).well();
        let (spec, samples) = wav(&folder, "out.wav");
        assert_eq!((spec.channels, spec.sample_rate, spec.bits_per_sample), (2, 44_100, bits));
        assert_eq!(samples.len(), 2 * (LENGTH_S * 44_100.0).round() as usize);
        assert!(samples.iter().any(|x| x.abs() > 1e-3), "silence");
        if let Some(last) = last {
            let near = |(a, b): (&f32, &f32)| (a - b.clamp(-1.0, 1.0)).abs() < 1e-4;
            assert!(last.iter().zip(&samples).all(near), "{format}");
        }
        last = Some(samples);
    }
}

#[test]
fn flac_says_its_rate_bits_and_length() {
    let folder = Folder::new();
    folder.song("a.mid", 4);
    for (format, bits) in [("16", 16), ("24", 24)] {
        folder.run(&format!("render a.mid --flac --rate 48000 --format {format}")).well();
        let bytes = folder.read("a.flac");
        assert_eq!(&bytes[..4], b"fLaC");
        // STREAMINFO: 20 bits of sample rate, 3 of channels - 1, 5 of bits - 1, 36 of number of
        // samples.
        let info = bytes[18..26].iter().fold(0u64, |all, byte| all << 8 | u64::from(*byte));
        assert_eq!(info >> 44, 48_000);
        assert_eq!(info >> 41 & 7, 1);
        assert_eq!((info >> 36 & 31) + 1, bits);
        assert_eq!(info & ((1 << 36) - 1), (LENGTH_S * 48_000.0).round() as u64);
    }
}

#[test]
fn npy_holds_the_mel_of_the_same_length() {
    let folder = Folder::new();
    folder.song("a.mid", 4);
    folder.run("render a.mid mel.npy").well();
    let mel: ndarray::Array2<f32> = ndarray_npy::read_npy(folder.path("mel.npy")).unwrap();
    assert_eq!(mel.dim(), ((LENGTH_S * 50.0).ceil() as usize, 128));
    assert!(mel.iter().all(|v| v.is_finite()));
}

#[test]
fn the_seed_decides() {
    let folder = Folder::new();
    folder.song("a.mid", 4);
    for (out, seed) in [("1.wav", 5), ("2.wav", 5), ("3.wav", 6)] {
        folder.run(&format!("render a.mid {out} --seed {seed}")).well();
    }
    assert_eq!(folder.read("1.wav"), folder.read("2.wav"));
    assert_ne!(folder.read("1.wav"), folder.read("3.wav"));
}

#[test]
fn live_mode_and_sampling_flags_are_taken() {
    let folder = Folder::new();
    folder.song("a.mid", 4);
    let flags = "--live --hop-ms 40 --steps 3 --sampler dpm++2m --spacing uniform_t --guidance 2";
    folder.run(&format!("render a.mid live.wav --rate 16000 {flags}")).well();
    folder.run("render a.mid song.wav --rate 16000").well();
    assert_eq!(wav(&folder, "live.wav").1.len(), 2 * (LENGTH_S * 16_000.0) as usize);
    assert_ne!(folder.read("live.wav"), folder.read("song.wav"));
}

#[test]
fn a_part_is_as_long_as_asked() {
    let folder = Folder::new();
    folder.song("a.mid", 8);
    folder.run("render a.mid out.wav --rate 16000 --from 0.6 --to 1.35").well();
    assert_eq!(wav(&folder, "out.wav").1.len(), 2 * 12_000);
    folder.run("render a.mid out.wav --rate 16000 --from 1.0 --tail 0.5").well();
    assert_eq!(wav(&folder, "out.wav").1.len(), 2 * (16_000.0 * (2.25 - 1.0 + 0.5)) as usize);
    folder.run("render a.mid out.wav --from 9").failed(2, &["--from 9", "2.25 s"]);
    folder.run("render a.mid out.wav --from 2 --to 1").failed(2, &["--to 1"]);
}

#[test]
fn several_files_at_once_are_what_they_are_one_by_one() {
    let folder = Folder::new();
    for (name, notes) in [("a", 3), ("b", 6), ("c", 9), ("d", 4)] {
        folder.song(&format!("{name}.mid"), notes);
    }
    folder.run("render a.mid b.mid c.mid d.mid --out many --jobs 3").well();
    for name in ["a", "b", "c", "d"] {
        folder.run(&format!("render {name}.mid one.wav")).well();
        assert_eq!(folder.read(&format!("many/{name}.wav")), folder.read("one.wav"), "{name}");
    }
}

#[test]
fn one_bad_file_does_not_stop_the_others() {
    let folder = Folder::new();
    folder.song("a.mid", 3);
    folder.song("c.mid", 3);
    folder.write("b.mid", b"no music");
    let words = ["b.mid", "MThd", "1 of 3 files failed"];
    folder.run("render a.mid b.mid c.mid").failed(1, &words);
    assert_eq!(folder.others(&["a.mid", "b.mid", "c.mid"]), ["a.wav", "c.wav"]);
}

#[test]
fn without_a_terminal_there_is_a_line_for_each_file() {
    let folder = Folder::new();
    folder.song("a.mid", 3);
    let ran = folder.run("render a.mid").well();
    assert!(ran.err.contains("a.wav: 3.00 s of sound in"), "{ran:?}");
    assert!(!ran.err.contains('\r'), "{ran:?}");
    let quiet = folder.run("render a.mid --quiet").well();
    assert!(!quiet.err.contains("x real time"), "{quiet:?}");
}

#[test]
#[cfg(unix)]
fn ctrl_c_leaves_nothing_behind() {
    let folder = Folder::new();
    folder.song("a.mid", 200);
    let mut command = folder.command("render a.mid --steps 1000");
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // The temporary file exists once the work has begun.
    let start = Instant::now();
    while folder.others(&["a.mid"]).is_empty() && start.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(20));
    }
    std::thread::sleep(Duration::from_millis(200));
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    Ran::from(child.wait_with_output().unwrap()).failed(130, &["interrupted"]);
    assert_eq!(folder.others(&["a.mid"]), Vec::<String>::new());
}

#[test]
fn the_demo_is_written_where_nothing_can_play_it() {
    let folder = Folder::new();
    let ran = folder.run("demo --no-device --steps 1").well();
    assert!(ran.out.contains("demo.wav") && ran.out.contains("no sound device"), "{ran:?}");
    let (spec, samples) = wav(&folder, "demo.wav");
    assert!(samples.len() > 20 * spec.sample_rate as usize);
    assert_eq!(folder.others(&[]), ["demo.wav"]);
}

#[test]
fn a_bank_that_is_not_there_is_said_once() {
    let folder = Folder::new();
    let note = [0x00, 0x93, 60, 90, 0x60, 0x83, 60, 0];
    let program = [0x00, 0xB3, 0, 8, 0x00, 0xC3, 5];
    let end = [0x00, 0xFF, 0x2F, 0x00];
    let track = [&program[..], &note, &program, &note, &end].concat();
    let head =
        [b"MThd\0\0\0\x06\0\0\0\x01\0\x60MTrk".as_slice(), &(track.len() as u32).to_be_bytes()];
    folder.write("a.mid", &[&head.concat(), &track[..]].concat());
    let err = folder.run("render a.mid a.wav --rate 16000 --tail 0 --quiet").well().err;
    let said = "channel 4: bank 8 is not there, bank 0 plays";
    assert_eq!(err.matches(said).count(), 1, "{err}");
}

#[test]
fn the_example_of_the_crate_renders_the_same_song() {
    let folder = Folder::new();
    folder.song("a.mid", 4);
    let mut render = Command::new(example("render"));
    render.current_dir(folder.path("")).args(["tiny", "a.mid", "out.wav"]);
    Ran::from(render.output().unwrap()).well();
    let (spec, samples) = wav(&folder, "out.wav");
    let rate_hz = f64::from(spec.sample_rate);
    assert_eq!((spec.channels, samples.len()), (2, 2 * (LENGTH_S * rate_hz) as usize));
    assert!(samples.iter().any(|x| x.abs() > 1e-4), "silence");
}
