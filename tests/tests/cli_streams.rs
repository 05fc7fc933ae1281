//! Tests of `timbred render` from and into pipes, through links, with damaged files, and with long
//! songs in little memory.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::{Read, Write};
use std::process::{Command, Stdio};

use timbre_models::notes::{Note, Song, Voice, write_song_file};
use timbred_tests::program::Folder;

/// The samples in the bytes of a WAV file of 16 bits.
fn samples(bytes: &[u8]) -> Vec<i16> {
    hound::WavReader::new(bytes).unwrap().into_samples::<i16>().map(Result::unwrap).collect()
}

#[test]
fn a_song_goes_through_standard_input_and_output() {
    let folder = Folder::new();
    folder.song("a.mid", 3);
    folder.run("render a.mid b.wav").well();
    for (line, is_flac) in [("render - -", false), ("render -", false), ("render - - --flac", true)]
    {
        let mut command = folder.command(line);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(&folder.read("a.mid")).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{output:?}");
        match is_flac {
            true => {
                let mut reader = claxon::FlacReader::new(output.stdout.as_slice()).unwrap();
                let wanted: Vec<i32> =
                    samples(&folder.read("b.wav")).iter().map(|x| i32::from(*x)).collect();
                let found: Vec<i32> = reader.samples().map(Result::unwrap).collect();
                assert!(found == wanted, "{line}");
            }
            false => assert_eq!(output.stdout, folder.read("b.wav"), "{line}"),
        }
    }
    assert_eq!(folder.others(&["a.mid", "b.wav", "data"]), [""; 0]);
}

#[test]
fn a_pipe_or_link_stays_what_it_is() {
    let folder = Folder::new();
    folder.song("a.mid", 3);
    folder.run("render a.mid b.wav").well();
    let pipe = folder.path("pipe.wav");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let reader = std::thread::spawn({
        let pipe = pipe.clone();
        move || {
            let mut bytes = vec![];
            std::fs::File::open(pipe).unwrap().read_to_end(&mut bytes).unwrap();
            bytes
        }
    });
    folder.run("render a.mid pipe.wav").well();
    assert_eq!(reader.join().unwrap(), folder.read("b.wav"));
    folder.write("real.wav", b"old");
    std::os::unix::fs::symlink("real.wav", folder.path("link.wav")).unwrap();
    folder.run("render a.mid link.wav").well();
    assert!(folder.path("link.wav").is_symlink());
    assert_eq!(folder.read("real.wav"), folder.read("b.wav"));
}

#[test]
fn what_was_mended_is_said_once_and_strict_refuses() {
    let folder = Folder::new();
    let case = concat!(env!("CARGO_MANIFEST_DIR"), "/cases/databyte_80_in_note.mid");
    std::fs::copy(case, folder.path("a.mid")).unwrap();
    let ran = folder.run("render a.mid b.wav").well();
    let said: Vec<&str> = ran.err.lines().filter(|line| line.contains("mended")).collect();
    assert!(said.len() == 1 && said[0].starts_with("a.mid: 1 event mended, at byte "), "{said:?}");
    folder.run("render a.mid c.wav --strict").failed(3, &["a.mid", "0x80", "without --strict"]);
    folder.run("inspect tokens a.mid --strict").failed(3, &["a.mid", "0x80"]);
    assert!(folder.run("inspect tokens a.mid").well().err.contains("1 event mended"));
}

#[test]
fn a_long_song_needs_little_memory() {
    let folder = Folder::new();
    let peak_kb = |minutes: f64| {
        let voice = Voice { is_drum: false, program: 0, key: 60 };
        let note = |start_s: f64| Note { voice, velocity: 90, start_s, end_s: start_s + 0.5 };
        let notes = vec![note(0.0), note(minutes * 60.0)];
        let total_time_s = minutes * 60.0 + 0.5;
        write_song_file(&Song { notes, total_time_s }, folder.path("a.mid")).unwrap();
        let mut child = folder.command("render a.mid b.wav --quiet").spawn().unwrap();
        let status = format!("/proc/{}/status", child.id());
        let mut peak_kb = 0;
        while child.try_wait().unwrap().is_none() {
            let text = std::fs::read_to_string(&status).unwrap_or_default();
            let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            let kb = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
            peak_kb = kb.unwrap_or(peak_kb);
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        assert!(child.wait().unwrap().success());
        peak_kb
    };
    let (short_kb, long_kb): (u64, u64) = (peak_kb(0.1), peak_kb(10.0));
    println!("6 s: {short_kb} kB, 10 minutes: {long_kb} kB");
    // The sound alone has 29 million samples, which would be 115 MB as floats.
    assert!(long_kb < short_kb + 20_000, "{short_kb} kB, {long_kb} kB");
}
