//! Finds the golden vectors. The set of the project is complete; a set that somebody else provides
//! may be a part of it.

use std::path::PathBuf;

/// The files, or beginnings of their names, that have values to compare.
const SETS: [(&str, &str, &str); 8] = [
    ("tokens", "tokens_", ".json"),
    ("tokens", "slakh_program_map", ".json"),
    ("mel", "", ".npy"),
    ("mel", "scale", ".json"),
    ("schedule", "", ".npz"),
    ("network", "encode_decode", ".npz"),
    ("network", "eval_scan_", ".npz"),
    ("checkpoint", "", ".zip"),
];

/// The folder of the project's own vectors.
fn own_dir() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/golden"))
}

/// The folder of the golden vectors: `$GOLDEN`, or `tests/golden` of this repository.
pub fn golden_dir() -> PathBuf {
    std::env::var_os("GOLDEN").map_or_else(own_dir, PathBuf::from)
}

/// The path of a file of the golden vectors, if it exists; otherwise prints that it is missing.
///
/// # Panics
/// It is missing in the project's own set.
pub fn golden(file: &str) -> Option<PathBuf> {
    let dir = golden_dir();
    let path = dir.join(file);
    if path.exists() {
        return Some(path);
    }
    let same = |a: &PathBuf| a.canonicalize().ok() == own_dir().canonicalize().ok();
    assert!(!same(&dir), "{} is missing", path.display());
    println!("not there, so not compared: {}", path.display());
    None
}

/// The files `SET/BEGINNING*ENDING` of the golden vectors, in order; prints if there are none.
///
/// # Panics
/// There are none in the project's own set.
pub fn golden_files(set: &str, beginning: &str, ending: &str) -> Vec<PathBuf> {
    let Some(folder) = golden(set) else { return vec![] };
    let is_wanted = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with(beginning) && name.ends_with(ending)
    };
    let entries = std::fs::read_dir(&folder).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(is_wanted).collect();
    files.sort();
    if files.is_empty() {
        golden(&format!("{set}/{beginning}*{ending}"));
    }
    files
}

/// The number of files that have values to compare.
pub fn comparable() -> usize {
    SETS.iter().map(|(set, from, to)| golden_files(set, from, to).len()).sum()
}

/// The error that float32 may have in the log-SNR `2 ln cot(a t + b)` of the published models. The
/// angle is rounded to half a unit of its last place twice (product and sum), and
/// `d log-SNR / d angle = -4 / sin(2 angle)` grows without bound at both ends, where the tangent
/// does: 5e-3 at t = 1.
pub fn log_snr_tolerance(log_snr: f64) -> f64 {
    let angle = (-log_snr / 2.0).exp().atan();
    let slope = 4.0 / (2.0 * angle).sin().abs();
    let rounding = f64::from(f32::EPSILON);
    slope * rounding * angle.max(0.5) + 4.0 * rounding * log_snr.abs() + 1e-6
}
