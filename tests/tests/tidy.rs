//! Checks that the tree is in order: widths, lengths, imports, and what documents say about the
//! tree. Every check is a function of text, and each has a test that shows that it can fail.
#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "tidy/documents.rs"]
mod documents;
#[path = "tidy/features.rs"]
mod features;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

const WIDTH: usize = 100;
/// How many lines of the whole tree may be wider.
const WIDE_LINES: usize = 20;
const FILE_LINES: usize = 400;
const FUNCTION_LINES: usize = 80;
const README_WORDS: usize = 900;
/// Rooms (modules) of the daemon that may use all others.
const COMMANDS: [&str; 8] =
    ["bench", "demo", "doctor", "documents", "import", "inspect", "pack", "render"];
/// Top-level files that put the rooms together and are not rooms themselves.
const ROOTS: [&str; 2] = ["lib", "main"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The files of the tree with one of these endings: those that git tracks or, without git, all
/// files outside of build folders.
fn paths(endings: &[&str]) -> Vec<String> {
    let listed = Command::new("git")
        .arg("ls-files")
        .current_dir(root())
        .output()
        .ok()
        .filter(|output| output.status.success() && !output.stdout.is_empty());
    let mut paths: Vec<String> = match listed {
        Some(output) => String::from_utf8(output.stdout).unwrap().lines().map(Into::into).collect(),
        None => walk(&root(), ""),
    };
    paths.sort();
    paths.retain(|path| endings.iter().any(|ending| path.ends_with(ending)));
    paths
}

/// The files with one of these endings, and their text.
fn files(endings: &[&str]) -> Vec<(String, String)> {
    let text = |path: &str| std::fs::read_to_string(root().join(path)).ok();
    paths(endings).into_iter().filter_map(|path| text(&path).map(|text| (path, text))).collect()
}

/// Every file below a folder, except what was built or installed there.
fn walk(folder: &Path, before: &str) -> Vec<String> {
    const LEFT_OUT: [&str; 7] =
        ["target", "work", "node_modules", "__pycache__", "artifacts", "cache", "corpus"];
    let mut found = vec![];
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{before}{name}");
        if !entry.path().is_dir() {
            found.push(path);
        } else if !LEFT_OUT.contains(&name.as_str()) && !name.starts_with('.') {
            found.extend(walk(&entry.path(), &format!("{path}/")));
        }
    }
    found
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap()
}

fn nothing(found: &[String]) {
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

/// The lines that are too wide. Web addresses and rows of Markdown tables are allowed to be.
fn wide_lines(path: &str, text: &str) -> Vec<String> {
    let is_row = |line: &str| match path.ends_with(".md") {
        true => line.trim_start().starts_with('|'),
        false => line.trim_start().starts_with("//! |"),
    };
    let is_free = |line: &str| line.contains("://") || is_row(line);
    let lines = text.lines().zip(1..);
    lines
        .filter(|(line, _)| line.chars().count() > WIDTH && !is_free(line))
        .map(|(line, at)| format!("{path}:{at}: {} columns", line.chars().count()))
        .collect()
}

#[test]
fn lines_fit() {
    let found: Vec<String> = files(&[".rs", ".py", ".md"])
        .iter()
        .flat_map(|(path, text)| wide_lines(path, text))
        .collect();
    println!("{} lines over {WIDTH} columns:\n{}", found.len(), found.join("\n"));
    assert!(found.len() <= WIDE_LINES, "{} lines over {WIDTH} columns", found.len());
}

#[test]
fn a_wide_line_is_found_and_a_free_one_is_not() {
    let wide = "é".repeat(101);
    assert_eq!(wide_lines("a.rs", &format!("short\n{wide}\n")), ["a.rs:2: 101 columns"]);
    assert_eq!(wide_lines("a.py", &format!("| {wide}")).len(), 1);
    let free = format!("{}\n| {wide} |\nhttps://{wide}\n", "é".repeat(100));
    assert_eq!(wide_lines("a.md", &free), [""; 0]);
}

/// The indentation and the name of a function that begins in a line.
fn function(line: &str) -> Option<(&str, &str)> {
    let code = line.trim_start();
    let indent = &line[..line.len() - code.len()];
    let (before, after) = code.split_once("fn ")?;
    let is_head = before.split_whitespace().all(|word| {
        ["pub", "const", "async", "unsafe", "extern", "\"C\""].contains(&word)
            || word.starts_with("pub(")
    });
    is_head.then(|| (indent, after.split(['(', '<']).next().unwrap_or_default()))
}

/// A file and functions that are too long. In the format of rustfmt, a function ends with a brace
/// of the same indentation.
fn long_ones(path: &str, text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = vec![];
    if lines.len() > FILE_LINES {
        found.push(format!("{path}: {} lines", lines.len()));
    }
    for (at, line) in lines.iter().enumerate() {
        let Some((indent, name)) = function(line) else { continue };
        let code = |line: &str| line.split(" //").next().unwrap_or_default().trim_end().to_owned();
        let head = lines[at..].iter().map(|line| code(line));
        let Some(last) = head.clone().find(|line| line.ends_with(['{', ';', '}'])) else {
            continue;
        };
        if !last.ends_with('{') {
            continue;
        }
        let end = format!("{indent}}}");
        let length = lines[at..].iter().position(|line| *line == end).map_or(0, |n| n + 1);
        if length > FUNCTION_LINES {
            found.push(format!("{path}:{}: {name} has {length} lines", at + 1));
        }
    }
    found
}

#[test]
fn files_and_functions_are_short() {
    let found: Vec<String> =
        files(&[".rs"]).iter().flat_map(|(path, text)| long_ones(path, text)).collect();
    nothing(&found);
}

#[test]
fn a_long_file_or_function_is_found() {
    let body = |n: usize| "        x();\n".repeat(n);
    let text = |n: usize| {
        format!(
            "trait T {{\n    fn only_said();\n}}\nimpl A {{\n    pub(crate) const fn a<T>(\n\
             x: u8,\n    ) -> u8 {{\n{}    }}\n}}\n",
            body(n)
        )
    };
    assert_eq!(long_ones("a.rs", &text(76)), [""; 0]);
    assert_eq!(long_ones("a.rs", &text(77)), ["a.rs:5: a has 81 lines"]);
    assert_eq!(long_ones("a.rs", &"//\n".repeat(401)), ["a.rs: 401 lines"]);
}

/// The lines of code without comments.
fn code_of(text: &str) -> String {
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.map(|line| format!("{line}\n")).collect()
}

/// The words of the code that refer to another crate.
fn foreign(path: &str, text: &str, crates: &[&str]) -> Vec<String> {
    let code = code_of(text);
    let used = crates.iter().filter(|name| {
        let word = format!("{name}::");
        let mut places = code.match_indices(&word).map(|(at, _)| at);
        places.any(|at| !code[..at].ends_with(|c: char| c.is_alphanumeric() || "_:".contains(c)))
    });
    used.map(|name| format!("{path}: uses {name}")).collect()
}

#[test]
fn floors_are_kept() {
    let mut found = vec![];
    for (path, text) in files(&[".rs"]) {
        if path.starts_with("models/") {
            found.extend(foreign(&path, &text, &["timbred", "timbre_control"]));
        }
        if path.starts_with("ctl/") {
            found.extend(foreign(&path, &text, &["timbred", "timbre_models"]));
        }
    }
    for (path, wrong) in [("models", "timbre-control"), ("ctl", "timbre-models")] {
        if read(&format!("{path}/Cargo.toml")).contains(wrong) {
            found.push(format!("{path}/Cargo.toml: names {wrong}"));
        }
    }
    nothing(&found);
}

#[test]
fn a_use_of_a_higher_floor_is_found() {
    let text = "/// as timbred::live has it\nuse not_timbred::a;\nuse timbred::live;\n";
    assert_eq!(foreign("models/a.rs", text, &["timbred"]), ["models/a.rs: uses timbred"]);
    assert_eq!(foreign("models/a.rs", text, &["timbre_control"]), [""; 0]);
}

/// The rooms that code uses: the names after `crate::`, also in braces.
fn rooms_used(text: &str) -> BTreeSet<String> {
    let code = code_of(text);
    let word = |text: &str| -> String {
        text.chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect()
    };
    let mut rooms = BTreeSet::new();
    for (at, name) in code.match_indices("crate::") {
        let rest = &code[at + name.len()..];
        let Some(group) = rest.strip_prefix('{') else {
            rooms.insert(word(rest));
            continue;
        };
        let mut depth = 1;
        rooms.insert(word(group.trim_start()));
        for (at, c) in group.char_indices() {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 1 => _ = rooms.insert(word(group[at + 1..].trim_start())),
                _ => {}
            }
            if depth == 0 {
                break;
            }
        }
    }
    rooms.remove("");
    rooms
}

/// The texts in backticks.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// The rows of the table below a heading, without its header.
fn rows<'a>(text: &'a str, heading: &str) -> Vec<&'a str> {
    let section = text.lines().skip_while(|line| *line != heading).skip(1);
    let section = section.take_while(|line| !line.starts_with("## "));
    section.filter(|line| line.starts_with('|')).skip(2).collect()
}

/// The differences between the rooms that use each other and those that the map allows.
fn wrong_rooms(
    used: &BTreeMap<String, BTreeSet<String>>,
    map: &BTreeMap<String, BTreeSet<String>>,
) -> Vec<String> {
    let none = BTreeSet::new();
    let mut found = vec![];
    for (room, uses) in used {
        let allowed = map.get(room).unwrap_or(&none);
        let more = uses.difference(allowed).map(|other| format!("{room} uses {other}, unnamed"));
        found.extend(more);
        let less = allowed.difference(uses).map(|other| format!("{room} does not use {other}"));
        found.extend(less);
    }
    let unknown = map.keys().filter(|room| !used.contains_key(*room));
    found.extend(unknown.map(|room| format!("there is no room {room}")));
    found
}

/// The rooms of the daemon, each with the rooms that it uses.
fn rooms() -> BTreeMap<String, BTreeSet<String>> {
    let mut used: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (path, text) in files(&[".rs"]) {
        let Some(inside) = path.strip_prefix("daemon/src/") else { continue };
        let room = inside.split('/').next().unwrap().trim_end_matches(".rs");
        if ROOTS.contains(&room) {
            continue;
        }
        let mut others = rooms_used(&text);
        others.remove(room);
        used.entry(room.to_owned()).or_default().extend(others);
    }
    used
}

#[test]
fn rooms_use_those_that_the_map_names() {
    let mut used = rooms();
    used.retain(|room, _| !COMMANDS.contains(&room.as_str()));
    let architecture = read("ARCHITECTURE.md");
    let map = rows(&architecture, "## Who uses whom in the daemon").into_iter().map(|row| {
        let names: Vec<String> = quoted(row).into_iter().map(Into::into).collect();
        (names[0].clone(), names[1..].iter().cloned().collect())
    });
    nothing(&wrong_rooms(&used, &map.collect()));
}

/// The rooms that are part of a cycle or use one: those that are left after repeatedly removing
/// each room whose used rooms have all been removed.
fn circular(mut used: BTreeMap<String, BTreeSet<String>>) -> Vec<String> {
    loop {
        let left: BTreeSet<String> = used.keys().cloned().collect();
        used.retain(|_, uses| !uses.is_disjoint(&left));
        if used.len() == left.len() {
            return left.into_iter().collect();
        }
    }
}

#[test]
fn no_rooms_use_each_other() {
    nothing(&circular(rooms()));
}

#[test]
fn rooms_that_use_each_other_are_found() {
    let used = |pairs: &[(&str, &str)]| {
        let mut used: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (room, other) in pairs {
            used.entry((*room).to_owned()).or_default().insert((*other).to_owned());
        }
        used
    };
    assert_eq!(circular(used(&[("a", "b"), ("b", "c"), ("a", "c")])), [""; 0]);
    assert_eq!(circular(used(&[("a", "b"), ("b", "c"), ("c", "b")])), ["a", "b", "c"]);
}

#[test]
fn a_room_that_uses_what_is_not_named_is_found() {
    let text = "// crate::a\nuse crate::{b, c::{d, e}, f};\nfn x() { crate::g::h() }\n";
    let rooms = rooms_used(text);
    assert_eq!(rooms, ["b", "c", "f", "g"].map(Into::into).into());
    let used = BTreeMap::from([("x".to_owned(), rooms)]);
    let allowed = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    let map = BTreeMap::from([
        ("x".to_owned(), allowed(&["b", "c", "f", "h"])),
        ("y".to_owned(), allowed(&[])),
    ]);
    let wanted = ["x uses g, unnamed", "x does not use h", "there is no room y"];
    assert_eq!(wrong_rooms(&used, &map), wanted);
}
