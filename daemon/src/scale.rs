//! Reads a scale: a Scala file (.scl), with a keyboard map (.kbm) beside it, becomes the tuning of
//! each key. The `tune` crate reads both files; this file turns its errors into texts. It knows no
//! sound.

use std::fmt::Display;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use timbre_models::notes::{EQUAL, Tuning};
use tune::key::PianoKey;
use tune::note::Note;
use tune::scala::{
    Kbm, KbmImportError, KbmParseErrorKind, KbmRoot, Scl, SclImportError, SclParseErrorKind,
};

use crate::error::Error;
use crate::models::data_folders;

/// The largest file that is read, bytes.
const MOST_BYTES: u64 = 1 << 20;
/// The key of the first step of a scale without a map. It has its pitch of equal temperament.
const MIDDLE_C: u8 = 60;
/// The largest number in a map.
const MOST: i64 = 10_000;

/// Finds the tuning of a scale, by the path of its file, or by its name, with or without `.scl`, in
/// the folders of tunings.
///
/// # Errors
/// There is no such file, or it is not valid: the error names the line, what was found, and what
/// was wanted.
pub fn find(name: &str) -> Result<Tuning, Error> {
    let folders = data_folders("tunings");
    let in_folders = folders.iter().flat_map(|folder| {
        let path = folder.join(name);
        [path.with_added_extension("scl"), path]
    });
    let path = std::iter::once(PathBuf::from(name)).chain(in_folders).find(|path| path.is_file());
    path.map_or_else(
        || {
            let folders: Vec<String> = folders.iter().map(|f| f.display().to_string()).collect();
            let wanted = "wanted a Scala file (.scl), or the name of one in";
            let reason = format!("no such file; {wanted} {}", folders.join(", "));
            Err(Error::input(Path::new(name), reason))
        },
        |path| read(&path),
    )
}

/// Reads the tuning in a file.
fn read(path: &Path) -> Result<Tuning, Error> {
    let scale = scale(&text(path)?).map_err(|reason| Error::input(path, reason))?;
    let map = path.with_extension("kbm");
    let (map, place) = match map.is_file() {
        true => (keyboard(&text(&map)?).map_err(|reason| Error::input(&map, reason))?, &*map),
        false => (KbmRoot::from(Note::from_midi_number(MIDDLE_C)).to_kbm(), path),
    };
    tuning(&scale, map).map_err(|reason| Error::input(place, reason))
}

/// Reads the text of a file. Many files use an older encoding than UTF-8.
fn text(path: &Path) -> Result<String, Error> {
    let mut bytes = vec![];
    let read = File::open(path).and_then(|f| f.take(MOST_BYTES + 1).read_to_end(&mut bytes));
    read.map_err(|e| Error::input(path, e))?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(Error::input(path, format!("more than {MOST_BYTES} bytes; wanted a scale")));
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn scale(text: &str) -> Result<Scl, String> {
    let import = |text: &str| Scl::import(text.as_bytes());
    // A description may be empty, but the reader skips empty lines.
    let blank = text.lines().position(|line| line.trim().is_empty());
    let line = |(line, at): (_, usize)| if Some(at) == blank { "-" } else { line };
    let described = || import(&text.lines().zip(0..).map(line).collect::<Vec<_>>().join("\n"));
    let read = import(text).or_else(|e| described().map_err(|_| e));
    let scale = read.map_err(|e| match e {
        SclImportError::ParseError { line_number, kind } => {
            let wanted = match kind {
                SclParseErrorKind::IntValue => "a whole number",
                SclParseErrorKind::CentsValue => "cents such as 701.955",
                SclParseErrorKind::Numer | SclParseErrorKind::Denom => "a ratio such as 3/2",
            };
            in_line(text, line_number, wanted)
        }
        SclImportError::StructuralError(_) => {
            "it does not have as many notes as it says; wanted a line that describes the scale, \
             the number of its notes, and then a line for each of them"
                .to_owned()
        }
        SclImportError::IoError(e) => e.to_string(),
        SclImportError::BuildError(e) => format!("{e:?}"),
    })?;
    match scale.num_items() {
        0 => Err("found a scale of 0 notes, wanted 1 or more".to_owned()),
        _ => Ok(scale),
    }
}

fn keyboard(text: &str) -> Result<Kbm, String> {
    for (line, at) in text.lines().zip(1..) {
        let number = line.split_ascii_whitespace().next().and_then(|word| word.parse().ok());
        if number.is_some_and(|number: i64| !(-MOST..=MOST).contains(&number)) {
            return Err(in_line(text, at, format!("at most {MOST}")));
        }
    }
    Kbm::import(text.as_bytes()).map_err(|e| match e {
        KbmImportError::ParseError { line_number, kind } => {
            let wanted = match kind {
                KbmParseErrorKind::IntValue => "a whole number",
                KbmParseErrorKind::FloatValue => "a frequency in Hz",
                KbmParseErrorKind::KeyboardMapping => "a step of the scale, or x for none",
            };
            in_line(text, line_number, wanted)
        }
        KbmImportError::StructuralError(e) => format!(
            "it ends too early or has too many lines ({e:?}); wanted size, first and last key, \
             middle key, key and frequency of the reference, step of an octave, and a line for \
             each key"
        ),
        KbmImportError::IoError(e) => e.to_string(),
        KbmImportError::BuildError(e) => format!("{e:?}"),
    })
}

/// Describes what is wrong in a line, counted from 1.
fn in_line(text: &str, number: usize, wanted: impl Display) -> String {
    let found: String = text.lines().nth(number - 1).unwrap_or_default().chars().take(60).collect();
    format!("line {number}: found {:?}, wanted {wanted}", found.trim())
}

/// The deviation of each key from equal temperament in semitones; none for keys that the map leaves
/// out.
fn tuning(scale: &Scl, mut map: Kbm) -> Result<Tuning, String> {
    // The crate lets the map begin at the reference key, and not at its middle key.
    let KbmRoot { ref_key, ref_pitch, root_offset } = map.kbm_root();
    let middle = ref_key.plus_steps(root_offset);
    map.set_kbm_root(KbmRoot { ref_key: middle, ref_pitch, root_offset: 0 });
    let step = map.scale_degree_of(ref_key);
    let step = step.ok_or("the key of the reference has no step of the scale, wanted one")?;
    let first = ref_pitch / scale.relative_pitch_of(step);
    let mut tuning = EQUAL;
    for (key, semitones) in (0u8..).zip(&mut tuning) {
        let Some(step) = map.scale_degree_of(PianoKey::from_midi_number(key)) else { continue };
        let hz = (first * scale.relative_pitch_of(step)).as_hz();
        *semitones = (12.0 * (hz / 440.0).log2() + 69.0 - f64::from(key)) as f32;
        if !semitones.is_finite() {
            return Err(format!("key {key} would sound at {hz} Hz, wanted more than 0"));
        }
    }
    Ok(tuning)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const JUST: &str = "! just.scl\n!\nFive-limit\n 12\n!\n16/15\n9/8\n6/5\n5/4 a third\n4/3\n\
                        45/32\n3/2\n8/5\n5/3\n9/5\n15/8\n2/1\n";

    /// The deviations of keys from equal temperament, cents.
    fn cents(scale_text: &str, map: Option<&str>, keys: &[usize]) -> Vec<f64> {
        let scale = scale(scale_text).unwrap();
        let own = KbmRoot::from(Note::from_midi_number(MIDDLE_C)).to_kbm();
        let tuning = tuning(&scale, map.map_or(own, |map| keyboard(map).unwrap())).unwrap();
        keys.iter().map(|key| (f64::from(tuning[*key]) * 1e5).round() / 1e3).collect()
    }

    #[test]
    fn keys_are_where_the_scale_has_them() {
        assert_eq!(cents(JUST, None, &[60, 64, 67, 72, 52]), [0.0, -13.686, 1.955, 0.0, -13.686]);
        let nineteen: String =
            (1..=19).map(|n| format!("{:.6}\n", 1200.0 / 19.0 * f64::from(n))).collect();
        let nineteen = format!("\n19\n{nineteen}");
        assert_eq!(cents(&nineteen, None, &[60, 79]), [0.0, -700.0]);
        // Only white keys are mapped, and A is 432 Hz.
        let map = "! a map\n12\n0\n127\n60\n69\n432.0\n7\n0\nx\n1\nx\n2\n3\nx\n4\nx\n5\nx\n6\n";
        let white = "white\n7\n9/8\n5/4\n4/3\n3/2\n5/3\n15/8\n2\n";
        let [a, c, black] = cents(white, Some(map), &[69, 60, 61])[..] else { unreachable!() };
        assert!((a + 31.767).abs() < 0.002, "{a}");
        assert!((c - (a + 900.0 - 884.359)).abs() < 0.002, "{c}");
        assert_eq!(black, 0.0);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        for (text, wanted) in [
            ("a\n2\n100.0\nx9/8\n", "line 4: found \"x9/8\", wanted a ratio such as 3/2"),
            ("a\ntwelve\n", "line 2: found \"twelve\", wanted a whole number"),
            ("a\n2\n100.x\n2/1\n", "line 3: found \"100.x\", wanted cents such as 701.955"),
            ("a\n3\n100.0\n2/1\n", "it does not have as many notes as it says"),
            ("", "it does not have as many notes as it says"),
            ("a\n0\n", "found a scale of 0 notes, wanted 1 or more"),
        ] {
            let error = scale(text).unwrap_err();
            assert!(error.starts_with(wanted), "{text:?}: {error}");
        }
        for (text, wanted) in [
            ("12\n0\n2147483647\n", "line 3: found \"2147483647\", wanted at most 10000"),
            ("0\n0\n127\n60\n69\nloud\n", "line 6: found \"loud\", wanted a frequency in Hz"),
            ("0\n0\n127\n", "it ends too early"),
        ] {
            let error = keyboard(text).unwrap_err();
            assert!(error.starts_with(wanted), "{text:?}: {error}");
        }
        let nothing = "0\n0\n127\n60\n69\n0.0\n0\n";
        let unmapped = "12\n0\n127\n60\n61\n440.0\n12\n0\nx\n";
        let error = tuning(&scale(JUST).unwrap(), keyboard(unmapped).unwrap()).unwrap_err();
        assert!(error.starts_with("the key of the reference has no step"), "{error}");
        let silent = tuning(&scale(JUST).unwrap(), keyboard(nothing).unwrap()).unwrap_err();
        assert_eq!(silent, "key 0 would sound at 0 Hz, wanted more than 0");
    }

    proptest::proptest! {
        #[test]
        fn whatever_a_file_holds_is_read_or_refused(
            words in proptest::collection::vec("[-0-9./x!a ]{0,7}", 0..24)
        ) {
            let text = words.join("\n");
            let scale = scale(&text).or_else(|_| scale(JUST)).unwrap();
            if let Ok(map) = keyboard(&text) {
                let _ = tuning(&scale, map);
            }
            let _ = tuning(&scale, KbmRoot::from(Note::from_midi_number(MIDDLE_C)).to_kbm());
        }
    }
}
