//! The layers of a configuration: files, variables and flags, of which later ones win. It knows no
//! key by name.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use config::{Value, ValueKind};

use super::keys::keys_of;
use super::parse::{self, Values};
use super::raw::Raw;
use super::resolved::{self, Config};
use crate::problem::{Problem, Problems};

/// The origin of a value that nobody set.
pub const DEFAULT: &str = "default";

/// The file for the whole machine.
const SYSTEM_FILE: &str = "/etc/timbred/config.toml";

/// The beginning of every variable of this program. `__` separates section and key, as in
/// `TIMBRED_AUDIO__RATE_HZ`.
const VARIABLES: &str = "TIMBRED_";

/// One value given on the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flag {
    /// The flag as written, for errors and `--check`: `--rate`.
    pub name: String,
    /// The key it sets: `audio.rate_hz`.
    pub key: String,
    /// Its value as text; lists are `a,b` or `["a", "b"]`.
    pub value: String,
}

/// The places to look in, lowest layer first.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// The machine's file; may be missing.
    pub system: Option<PathBuf>,
    /// The user's file; may be missing.
    pub user: Option<PathBuf>,
    /// The file named with `--config`; must be there.
    pub file: Option<PathBuf>,
    /// All variables of the process, or those a test wants.
    pub environment: BTreeMap<String, String>,
    /// The values given by flags.
    pub flags: Vec<Flag>,
}

impl Sources {
    /// The places for this process and its environment.
    pub fn of_process(file: Option<PathBuf>, flags: Vec<Flag>) -> Self {
        let text = |text: OsString| text.into_string().ok();
        let environment: BTreeMap<String, String> =
            std::env::vars_os().filter_map(|(k, v)| Some((text(k)?, text(v)?))).collect();
        let user = folder(&environment, "XDG_CONFIG_HOME", ".config");
        Self {
            system: Some(SYSTEM_FILE.into()),
            user: user.map(|folder| folder.join("timbred/config.toml")),
            file,
            environment,
            flags,
        }
    }
}

/// A folder of the user according to the XDG Base Directory Specification, which ignores relative
/// paths in the variable.
pub(super) fn folder(
    environment: &BTreeMap<String, String>,
    variable: &str,
    below_home: &str,
) -> Option<PathBuf> {
    let absolute = |name: &str| {
        environment.get(name).map(PathBuf::from).filter(|path| Path::is_absolute(path.as_path()))
    };
    absolute(variable).or_else(|| absolute("HOME").map(|home| home.join(below_home)))
}

/// A valid configuration, and the origin of each value.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// The configuration in the form that the threads use.
    pub config: Config,
    /// The same in the form of a file.
    pub raw: Raw,
    /// The origin of each value.
    pub origins: Origins,
    /// Every file that was looked for, and whether it was there.
    pub files: Vec<(PathBuf, bool)>,
}

/// The origin of each value: `FILE:LINE`, a variable, a flag, or [`DEFAULT`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origins(BTreeMap<String, String>);

impl Origins {
    /// The origin of the value of a dotted key. Rules are written as `midi.rules[0].port`.
    pub fn of(&self, key: &str) -> &str {
        self.0.get(key).map_or(DEFAULT, String::as_str)
    }

    fn collect(&mut self, path: &str, value: &Value) {
        if !path.is_empty() {
            self.0.insert(path.to_owned(), value.origin().unwrap_or(DEFAULT).to_owned());
        }
        match &value.kind {
            ValueKind::Table(table) => {
                for (key, value) in table {
                    let dot = if path.is_empty() { "" } else { "." };
                    self.collect(&format!("{path}{dot}{key}"), value);
                }
            }
            ValueKind::Array(items) => {
                for (i, item) in items.iter().enumerate() {
                    self.collect(&format!("{path}[{i}]"), item);
                }
            }
            _ => {}
        }
    }
}

/// Reads, checks and merges all layers. Starting, reloading and `--check` all use this.
///
/// # Errors
/// Everything that is wrong, each with its place: first the problems of single layers, then those
/// of the merged result.
pub fn load(sources: &Sources) -> Result<Loaded, Problems> {
    let mut problems = Vec::new();
    let mut files = Vec::new();
    let mut layers = vec![parse::defaults()?];
    let named = [(&sources.system, false), (&sources.user, false), (&sources.file, true)];
    for (path, must_exist) in named {
        let Some(path) = path else { continue };
        match read(path, must_exist) {
            Ok(Some(text)) => {
                files.push((path.clone(), true));
                match parse::file(&path.display().to_string(), &text) {
                    Ok(layer) => layers.push(layer),
                    Err(found) => problems.extend(found),
                }
            }
            Ok(None) => files.push((path.clone(), false)),
            Err(problem) => problems.push(problem),
        }
    }
    let singles = variables(&sources.environment)
        .chain(sources.flags.iter().map(|f| (f.name.clone(), f.key.clone(), f.value.clone())));
    for (place, key, text) in singles {
        match parse::single(&place, &key, &text) {
            Ok(layer) => layers.push(layer),
            Err(problem) => problems.push(problem),
        }
    }
    if !problems.is_empty() {
        return Err(Problems(problems));
    }
    let (raw, origins) = merge(layers)?;
    let config = resolved::resolve(&raw, &origins, &sources.environment)?;
    Ok(Loaded { config, raw, origins, files })
}

fn read(path: &Path, must_exist: bool) -> Result<Option<String>, Problem> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        // If there is a file where a folder was expected, the file looked for does not exist
        // either.
        Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            let missing = "there is no such file; write it, or leave --config out";
            if must_exist {
                Err(Problem::new(path.display().to_string(), missing))
            } else {
                Ok(None)
            }
        }
        Err(e) => Err(Problem::new(path.display().to_string(), format!("cannot be read: {e}"))),
    }
}

/// (variable, key, text) of every variable that sets a key: those with `__`, or with the name of a
/// section and one `_`.
fn variables(
    environment: &BTreeMap<String, String>,
) -> impl Iterator<Item = (String, String, String)> {
    environment.iter().filter_map(|(name, text)| {
        let key = name.strip_prefix(VARIABLES)?.to_lowercase();
        let with_one = || {
            let (section, _) = key.split_once('_')?;
            keys_of("")?.contains(&section).then(|| key.replacen('_', ".", 1))
        };
        let dotted = if key.contains("__") { Some(key.replace("__", ".")) } else { with_one() };
        Some((name.clone(), dotted?, text.clone()))
    })
}

/// A layer in the form that the crate `config` needs.
#[derive(Debug, Clone)]
struct Layer(Values);

impl config::Source for Layer {
    fn clone_into_box(&self) -> Box<dyn config::Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Values, config::ConfigError> {
        Ok(self.0.clone())
    }
}

fn merge(layers: Vec<Values>) -> Result<(Raw, Origins), Problem> {
    let in_general = |e: config::ConfigError| Problem::new("configuration", e.to_string());
    let builder = layers
        .into_iter()
        .fold(config::Config::builder(), |builder, layer| builder.add_source(Layer(layer)));
    let merged = builder.build().map_err(in_general)?;
    let mut origins = Origins::default();
    origins.collect("", &merged.cache);
    Ok((merged.try_deserialize().map_err(in_general)?, origins))
}
