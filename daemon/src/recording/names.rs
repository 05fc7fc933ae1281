//! The folder and the names of recordings. It knows no format, and the thread `timbred-recorder`
//! uses it.

use std::path::{Component, Path, PathBuf};

use jiff::ZonedDateTime;
use timbre_control::error::{Code, ControlError};

/// The longest path that is accepted, bytes.
const LONGEST: usize = 1024;

/// The folder for recordings that are named without a path: the one that systemd made for the
/// service, or the folder for data of the user.
pub(crate) fn folder() -> Option<PathBuf> {
    let absolute = |path: PathBuf| path.is_absolute().then_some(path);
    let variable = |name: &str| std::env::var_os(name).map(PathBuf::from).and_then(absolute);
    let service = variable("STATE_DIRECTORY");
    let user = || {
        let data =
            variable("XDG_DATA_HOME").or_else(|| Some(variable("HOME")?.join(".local/share")));
        data.map(|data| data.join("timbred"))
    };
    service.or_else(user).map(|folder| folder.join("recordings"))
}

/// The path of a recording. A relative one lies in `folder`, and without a name it is the time.
///
/// # Errors
/// The path cannot be used; the error says what was wanted.
pub(super) fn wanted(text: Option<&str>, folder: Option<&Path>) -> Result<PathBuf, ControlError> {
    let bad = |text: String| Err(ControlError::new(Code::BadValue, text));
    let no_folder = || {
        let text = "there is no folder for recordings (neither HOME nor XDG_DATA_HOME is set); \
            wanted an absolute path";
        ControlError::new(Code::BadValue, text)
    };
    let Some(text) = text.filter(|text| !text.is_empty()) else {
        let name = ZonedDateTime::now().strftime("timbred-%Y-%m-%d_%H-%M-%S.wav").to_string();
        return folder.map(|folder| folder.join(name)).ok_or_else(no_folder);
    };
    let shown: String = text.chars().take(80).collect();
    let shown = shown.escape_debug();
    if text.len() > LONGEST || text.chars().any(char::is_control) {
        return bad(format!("found {shown}, wanted a path in one line of at most {LONGEST} bytes"));
    }
    let mut path = PathBuf::from(text);
    match path.extension() {
        None => drop(path.set_extension("wav")),
        Some(e) if e.eq_ignore_ascii_case("wav") => {}
        Some(_) => {
            return bad(format!(
                "found {shown}, wanted a name that ends in .wav; the notes go beside it into a \
                 file that ends in .mid"
            ));
        }
    }
    if path.file_name().is_none() || text.ends_with('/') {
        return bad(format!("found {shown}, wanted the name of a file"));
    }
    if path.is_absolute() {
        return Ok(path);
    }
    if !is_name(text) {
        return bad(format!(
            "found {shown}, wanted an absolute path, or a name in the folder of recordings without \
             . and .."
        ));
    }
    folder.map(|folder| folder.join(path)).ok_or_else(no_folder)
}

/// Whether a path stays inside the folder in which it is used: it is relative, and has no `.` and
/// `..`.
pub(crate) fn is_name(text: &str) -> bool {
    Path::new(text).components().all(|part| matches!(part, Component::Normal(_)))
}

/// The MIDI file beside a WAV file.
pub(super) fn midi_beside(wav: &Path) -> PathBuf {
    wav.with_extension("mid")
}

/// The name of the file with this number of a recording.
pub(super) fn numbered(first: &Path, number: u32) -> PathBuf {
    let stem = first.file_stem().unwrap_or_default().to_string_lossy();
    first.with_file_name(format!("{stem}-{number}.wav"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_taken_where_they_belong() {
        let folder = Path::new("/data/recordings");
        let is = |text: &str, path: &str| {
            assert_eq!(wanted(Some(text), Some(folder)).unwrap(), Path::new(path), "{text}");
        };
        is("/tmp/take.wav", "/tmp/take.wav");
        is("/tmp/take", "/tmp/take.wav");
        is("take.WAV", "/data/recordings/take.WAV");
        is("live/take", "/data/recordings/live/take.wav");
        let name = wanted(Some(""), Some(folder)).unwrap();
        let name = name.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
        assert!(name.starts_with("timbred-20") && name.ends_with(".wav"), "{name}");
        assert_eq!(numbered(Path::new("/a/b.c.wav"), 2), Path::new("/a/b.c-2.wav"));
    }

    #[test]
    fn what_is_no_path_is_answered_with_what_was_wanted() {
        for (text, word) in [
            ("/tmp/take.mp3", ".wav"),
            ("../take.wav", "folder of recordings"),
            ("/", "name of a file"),
            ("/tmp/", "name of a file"),
            ("a\nb", "one line"),
            (&"a".repeat(5000), "1024"),
        ] {
            let error = wanted(Some(text), Some(Path::new("/data"))).unwrap_err();
            assert_eq!(error.code, Code::BadValue);
            assert!(error.text.contains(word) && error.text.len() < 400, "{text}: {error}");
        }
        assert!(wanted(Some("take"), None).unwrap_err().text.contains("absolute"));
        assert!(wanted(None, None).is_err());
    }
}
