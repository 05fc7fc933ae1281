//! Bad input to the real program: every error names the file and a remedy, ends with its exit code,
//! and does not panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use timbred_tests::program::Folder;

/// A MIDI header with a format, number of tracks and division.
fn header(format: u8, tracks: u8, division: [u8; 2]) -> Vec<u8> {
    [&b"MThd\0\0\0\x06\0"[..], &[format, 0, tracks], &division].concat()
}

/// A track of these events and its end.
fn track(events: &[u8]) -> Vec<u8> {
    let body = [events, b"\0\xff\x2f\0"].concat();
    [&b"MTrk"[..], &(body.len() as u32).to_be_bytes(), &body].concat()
}

const NOTE: &[u8] = b"\0\x90\x3c\x40\x60\x80\x3c\x40";

#[test]
fn hostile_midi_files_are_refused_in_words() {
    let folder = Folder::new();
    let whole = [header(0, 1, [0, 96]), track(NOTE)].concat();
    let huge = [&header(0, 1, [0, 96])[..], b"MTrk\x40\0\0\0", NOTE].concat();
    let noise: Vec<u8> = (0..999u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let damaged: [(&str, Vec<u8>, &str); 5] = [
        ("format2", [header(2, 1, [0, 96]), track(NOTE)].concat(), "format 2"),
        ("division", [header(0, 1, [0x80, 0]), track(NOTE)].concat(), "time division 0x8000"),
        ("huge", huge, "1073741824 bytes"),
        ("cut", whole[..whole.len() - 2].to_vec(), "which is not where it ends"),
        ("clock", [header(0, 1, [0, 96]), track(&[&[0, 0xF8], NOTE].concat())].concat(), "0xf8"),
    ];
    for (name, bytes, words) in damaged {
        folder.write(&format!("{name}.mid"), &bytes);
        let words = [words, "export it again", "at byte"];
        folder.run(&format!("render {name}.mid --strict")).failed(3, &words);
        assert!(!folder.path(&format!("{name}.wav")).exists(), "{name}");
        folder.run(&format!("render {name}.mid --tail 0")).well();
    }
    let cases: [(&str, Vec<u8>, &str); 5] = [
        ("notracks", header(1, 0, [0, 96]), "no notes"),
        ("empty", [header(0, 1, [0, 96]), track(b"")].concat(), "no notes"),
        ("noise", noise.clone(), "give a standard MIDI file"),
        ("short", whole[..whole.len() - 9].to_vec(), "no notes"),
        ("nothing", vec![], "give a standard MIDI file"),
    ];
    for (name, bytes, words) in cases {
        folder.write(&format!("{name}.mid"), &bytes);
        folder.run(&format!("render {name}.mid")).failed(3, &[&format!("{name}.mid: "), words]);
        assert!(!folder.path(&format!("{name}.wav")).exists(), "{name}");
        folder.run(&format!("inspect tokens {name}.mid")).failed(3, &[name, words]);
    }
    folder.write("whole.mid", &whole);
    folder.run("render whole.mid --tail 0").well();
    let smpte = [header(0, 1, [0xe7, 40]), track(NOTE)].concat();
    folder.write("smpte.mid", &smpte);
    folder.run("render smpte.mid --tail 0").well();
}

#[test]
fn what_is_no_file_is_refused() {
    let folder = Folder::new();
    folder.run("render none.mid").failed(3, &["none.mid: no such file"]);
    folder.run("render tiny").failed(3, &["tiny: is a folder"]);
    folder.song("a.mid", 2);
    folder.run("render a.mid nowhere/a.wav").failed(5, &["nowhere", "choose another folder"]);
    folder.run("render a.mid x.mp3").failed(2, &["x.mp3", ".wav or .flac"]);
    folder.run("render a.mid a.mid").failed(2, &["would both become"]);
    folder.run("render a.mid --live --hop-ms 1280").failed(2, &["20 to 320 ms"]);
    folder.run("bench --compare --at 65x16").failed(2, &["--at 65x16", "at most 64x528"]);
    folder.run("bench --compare --at 64").failed(2, &["--at", "64x2304"]);
    folder.run("render a.mid --steps 0").failed(2, &["--steps"]);
    folder.run("render a.mid --hop-ms 5").failed(2, &["20 to 5120 ms"]);
    folder.run("render a.mid --sampler euler").failed(2, &["euler", "ddim"]);
    folder.run("demo --no-device --out x.mp3").failed(2, &["x.mp3", ".wav or .flac"]);
    assert_eq!(folder.others(&["a.mid"]), Vec::<String>::new());
}

/// The manifest with a piece of text replaced.
fn edit(folder: &Folder, from: &str, to: &str) {
    let text = String::from_utf8(folder.read("tiny/manifest.toml")).unwrap();
    assert!(text.contains(from), "{text}");
    folder.write("tiny/manifest.toml", text.replacen(from, to, 1).as_bytes());
}

#[test]
fn models_that_do_not_fit_are_refused() {
    type Harm = fn(&Folder);
    let cases: [(Harm, &[&str]); 7] = [
        (
            |f| f.write("tiny/step.onnx", b"other"),
            &["step.onnx", "sha256", "install the model again"],
        ),
        (
            |f| std::fs::remove_file(f.path("tiny/film.onnx")).unwrap(),
            &["film.onnx", "install the model again"],
        ),
        (
            |f| std::fs::remove_file(f.path("tiny/vocoder.onnx")).unwrap(),
            &["vocoder.onnx", "install the model again"],
        ),
        (
            |f| edit(f, "format = 1", "format = 2"),
            &["manifest.toml", "format", "found 2, wanted 1"],
        ),
        (
            |f| edit(f, "vocab_size = 1536", "vocab_size = 1408"),
            &["manifest.toml", "network.vocab_size", "at least 1536"],
        ),
        (|f| edit(f, "format = 1", "format = 1\ncolour = 2"), &["manifest.toml", "colour"]),
        (|f| f.write("tiny/manifest.toml", b"\xff"), &["manifest.toml", "install the model again"]),
    ];
    for (harm, words) in cases {
        let folder = Folder::new();
        folder.song("a.mid", 2);
        harm(&folder);
        folder.run("render a.mid").failed(4, words);
        folder.run("inspect model tiny").failed(4, words);
        assert_eq!(folder.others(&["a.mid"]), Vec::<String>::new());
    }
    let folder = Folder::new();
    folder.song("a.mid", 2);
    folder.run("render a.mid --model nosuch").failed(4, &["nosuch", "there are: live"]);
}
