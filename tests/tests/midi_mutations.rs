//! Valid MIDI files with bytes changed, removed, inserted and cut off: there is no panic, memory
//! stays in proportion to the file, and every strike before the first damaged byte is played.
//! `MUTATIONS` of them (20,000; `make mutate` runs a million).
#![allow(clippy::unwrap_used)]

use std::sync::Mutex;

use peak_alloc::PeakAlloc;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use timbre_models::notes::{FileRead, read_mended};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// How many bytes of memory reading may use for each byte of a file, and in addition to that for
/// sixteen ports of keys and the test itself.
const BYTES_A_BYTE: usize = 100;
const BYTES_BESIDE: usize = 8 << 20;

/// A valid file, and for each strike the position after its bytes and its key.
struct Valid {
    bytes: Vec<u8>,
    strikes: Vec<(usize, u8)>,
}

/// A file of a few tracks with everything that real files have: running status, texts, tempo,
/// ports, SysEx, pedals, bends.
fn valid(seed: u64) -> Valid {
    let mut random = StdRng::seed_from_u64(seed);
    let tracks = if seed.is_multiple_of(3) { 1 } else { random.random_range(2..6u16) };
    let format = u16::from(tracks > 1);
    let mut file = Valid { bytes: b"MThd\0\0\0\x06".to_vec(), strikes: vec![] };
    for field in [format, tracks, 96] {
        file.bytes.extend(field.to_be_bytes());
    }
    for track in 0..tracks as u8 {
        file.bytes.extend(b"MTrk\0\0\0\0");
        let start = file.bytes.len();
        if track % 3 == 2 {
            file.bytes.extend([0, 0xFF, 0x21, 1, track % 2]);
        }
        file.bytes.extend([
            0,
            0xFF,
            0x51,
            3,
            7,
            0xA1,
            0x20,
            0,
            0xC0 | track,
            random.random_range(0..128),
        ]);
        let mut running = 0;
        for n in 0..random.random_range(10..60u8) {
            event(&mut file, &mut random, track, n, &mut running);
        }
        file.bytes.extend([0x60, 0xFF, 0x2F, 0]);
        let length = (file.bytes.len() - start) as u32;
        file.bytes[start - 4..start].copy_from_slice(&length.to_be_bytes());
    }
    file
}

/// Writes a note, and sometimes another event before it.
fn event(file: &mut Valid, random: &mut StdRng, channel: u8, n: u8, running: &mut u8) {
    match random.random_range(0..12) {
        0 => file.bytes.extend([0, 0xFF, 5, 2, b'l', b'a']),
        1 => file.bytes.extend([0, 0xF0, 4, 0x7E, 0x7F, 9, 0xF7]),
        2 => file.bytes.extend([0, 0xB0 | channel, 1, random.random_range(0..128)]),
        3 => file.bytes.extend([0, 0xE0 | channel, 0, random.random_range(0..128)]),
        4 => file.bytes.extend([0x81, 0x10, 0xD0 | channel, 9]),
        _ => {
            // Each track has its own keys: two parts that strike the same key of the same program
            // at the same time are one voice, which a damaged program change can cause.
            let key = 20 + channel * 18 + n % 18;
            // The status may be left out if the event before was a note, too.
            let status = 0x90 | channel;
            for (delta, velocity) in [(0x30, 1 + n), (0x20, 0)] {
                file.bytes.push(delta);
                if *running != status {
                    file.bytes.push(status);
                }
                *running = status;
                file.bytes.extend([key, velocity]);
                if velocity > 0 {
                    file.strikes.push((file.bytes.len(), key));
                }
            }
            return;
        }
    }
    *running = 0;
}

/// Damages the file in up to three places, and returns the position of the first.
fn damage(bytes: &mut Vec<u8>, random: &mut StdRng) -> usize {
    let mut first = bytes.len();
    for _ in 0..random.random_range(1..=3) {
        if bytes.is_empty() {
            return 0;
        }
        let at = random.random_range(0..bytes.len());
        first = first.min(at);
        match random.random_range(0..6) {
            0 => bytes[at] ^= 1 << random.random_range(0..8),
            1 => bytes.truncate(at),
            2 => drop(bytes.drain(at..(at + random.random_range(1..9)).min(bytes.len()))),
            3 => bytes.insert(at, random.random()),
            4 => {
                let from = random.random_range(0..bytes.len());
                let part = bytes[from..(from + 40).min(bytes.len())].to_vec();
                bytes.splice(at..at, part);
            }
            _ => bytes[at] = random.random(),
        }
    }
    first
}

fn counts(keys: impl Iterator<Item = u8>) -> [usize; 128] {
    let mut counts = [0; 128];
    keys.for_each(|key| counts[usize::from(key)] += 1);
    counts
}

/// The tests run one at a time because they measure the memory of the whole program.
static TURN: Mutex<()> = Mutex::new(());

#[test]
fn damage_costs_no_strike_before_it_and_no_memory() {
    let _turn = TURN.lock().unwrap_or_else(|e| e.into_inner());
    let wanted = std::env::var("MUTATIONS").ok().and_then(|n| n.parse().ok()).unwrap_or(20_000);
    let files: Vec<Valid> = (0..20).map(valid).collect();
    for (n, file) in files.iter().enumerate() {
        let FileRead { song, mended, .. } = read_mended(&file.bytes).unwrap();
        assert_eq!((song.notes.len(), mended.count), (file.strikes.len(), 0), "file {n}: {mended}");
    }
    let mut random = StdRng::seed_from_u64(1);
    let (mut refused, mut worst) = (0, 0.0f64);
    for n in 0..wanted {
        let file = &files[n % files.len()];
        let mut bytes = file.bytes.clone();
        let first = damage(&mut bytes, &mut random);
        let before = file.strikes.iter().filter(|(end, _)| *end <= first).map(|(_, key)| *key);
        let before = counts(before);
        let in_use = PeakAlloc.current_usage();
        PeakAlloc.reset_peak_usage();
        let read = read_mended(&bytes);
        let used = PeakAlloc.peak_usage().saturating_sub(in_use);
        assert!(used <= BYTES_A_BYTE * bytes.len() + BYTES_BESIDE, "{n}: {used} bytes");
        worst = worst.max(used as f64);
        let heard = match read {
            Ok(FileRead { song, .. }) => counts(song.notes.iter().map(|note| note.voice.key)),
            Err(_) => {
                refused += 1;
                [0; 128]
            }
        };
        let is_kept = heard.iter().zip(&before).all(|(heard, before)| heard >= before);
        assert!(is_kept, "mutation {n}: a strike before byte {first} is lost in {bytes:02x?}");
    }
    println!("{wanted} mutations: {refused} without a note, at most {worst:.0} bytes of memory");
}

#[test]
fn memory_goes_with_the_file() {
    let _turn = TURN.lock().unwrap_or_else(|e| e.into_inner());
    // The densest possible file: running status, three bytes for each strike.
    let mut bytes = b"MThd\0\0\0\x06\0\0\0\x01\0\x60MTrk\0\0\0\0\0\x90\x3c\x40".to_vec();
    for n in 0..1_000_000u32 {
        bytes.extend([1, (n % 128) as u8, 1 + (n % 100) as u8]);
    }
    PeakAlloc.reset_peak_usage();
    let in_use = PeakAlloc.current_usage();
    let song = read_mended(&bytes).unwrap().song;
    let used = PeakAlloc.peak_usage() - in_use;
    println!("{} bytes: {used} bytes of memory, {} strikes", bytes.len(), song.notes.len());
    assert!(used <= BYTES_A_BYTE * bytes.len() + BYTES_BESIDE, "{used}");
}
