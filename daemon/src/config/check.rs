//! `timbred --check`: the merged configuration as TOML, with the origin of each value. It knows no
//! range and no layer.

use super::layers::{DEFAULT, Loaded, Sources, load};
use crate::problem::{Problem, Problems};

/// Loads the configuration exactly as a start does, and shows the result, which is a valid
/// configuration file itself.
///
/// # Errors
/// Those of [`load`].
pub fn check(sources: &Sources) -> Result<String, Problems> {
    show(&load(sources)?)
}

/// A loaded configuration as text.
///
/// # Errors
/// A value that TOML cannot hold.
pub fn show(loaded: &Loaded) -> Result<String, Problems> {
    let text = toml::to_string(&loaded.raw)
        .map_err(|e| Problems::from(Problem::new("configuration", e.to_string())))?;
    let mut out = String::from("# What timbred runs with, and where each value comes from.\n");
    for (path, there) in &loaded.files {
        let what = if *there { "read" } else { "not there" };
        out.push_str(&format!("# {}: {what}\n", path.display()));
    }
    match &loaded.config.state.path {
        Some(path) => out.push_str(&format!("# state is kept in {}\n", path.display())),
        None => out.push_str("# state is not kept: there is neither a state folder nor a home\n"),
    }
    let lines: Vec<&str> = text.lines().collect();
    let width = lines.iter().filter(|line| !line.is_empty()).map(|line| line.chars().count());
    let width = width.max().unwrap_or(0).min(48);
    let mut section = String::new();
    let mut rules = 0;
    out.push('\n');
    for line in lines {
        if let Some(name) = line.strip_prefix("[[").and_then(|rest| rest.strip_suffix("]]")) {
            section = format!("{name}[{rules}]");
            rules += 1;
        } else if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = name.to_owned();
        } else if let Some((key, _)) = line.split_once(" = ") {
            let origin = loaded.origins.of(&format!("{section}.{key}"));
            let origin = if origin.is_empty() { DEFAULT } else { origin };
            out.push_str(&format!("{line:width$}  # {origin}\n"));
            continue;
        }
        out.push_str(line);
        out.push('\n');
    }
    Ok(out)
}
