//! Checks what documents say about the tree: links, targets of make, tests of invariants.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use super::{README_WORDS, files, nothing, paths, quoted, read, root, rows};

/// The text of a document without its blocks of code, and those blocks.
fn prose_and_code(text: &str) -> (String, String) {
    let (mut parts, mut is_code) = ([String::new(), String::new()], false);
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            is_code = !is_code;
        } else {
            parts[usize::from(is_code)].push_str(&format!("{line}\n"));
        }
    }
    let [prose, code] = parts;
    (prose, code)
}

/// The targets of the links of a document: `[..](HERE)`, and `[..]: HERE` at the beginning of a
/// line.
fn links(text: &str) -> Vec<String> {
    let (prose, _) = prose_and_code(text);
    let named = prose.lines().filter(|line| line.starts_with('[')).filter_map(|line| {
        Some(line.split_once("]: ")?.1.trim().to_owned()).filter(|_| !line.contains("]("))
    });
    let named: Vec<String> = named.collect();
    // Code between backticks has no links.
    let text: String = prose.split('`').step_by(2).collect();
    let inline = text.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
    inline.map(|(link, _)| link.to_owned()).chain(named).collect()
}

/// The anchors of the headings of a document, as Markdown hosts make them.
fn anchors(text: &str) -> BTreeSet<String> {
    let (prose, _) = prose_and_code(text);
    let headings = prose.lines().filter(|line| line.starts_with('#'));
    let anchor = |line: &str| -> String {
        let words = line.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
        words.chars().filter(|c| c.is_alphanumeric() || "-_".contains(*c)).collect()
    };
    headings.map(anchor).collect()
}

/// A path with `..` resolved.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => _ = plain.pop(),
            Component::CurDir => {}
            other => plain.push(other),
        }
    }
    plain
}

/// The links whose target does not exist. `read` returns the text of a path in the tree, if it
/// exists.
fn broken_links(path: &str, text: &str, read: impl Fn(&Path) -> Option<String>) -> Vec<String> {
    let mut found = vec![];
    for link in links(text) {
        if link.contains("://") || link.starts_with("mailto:") {
            continue;
        }
        let (file, anchor) = link.split_once('#').unwrap_or((&link, ""));
        let here = Path::new(path);
        let target = match file {
            "" => here.to_owned(),
            file => plain(&here.parent().unwrap_or(Path::new("")).join(file)),
        };
        match read(&target) {
            None => found.push(format!("{path}: {link} is not there")),
            Some(text) if !anchor.is_empty() && !anchors(&text).contains(anchor) => {
                found.push(format!("{path}: {link} has no such heading"));
            }
            Some(_) => {}
        }
    }
    found
}

#[test]
fn links_lead_somewhere() {
    let read = |path: &Path| {
        let path = root().join(path);
        path.exists().then(|| std::fs::read_to_string(path).unwrap_or_default())
    };
    let found: Vec<String> =
        files(&[".md"]).iter().flat_map(|(path, text)| broken_links(path, text, read)).collect();
    nothing(&found);
}

#[test]
fn a_link_that_leads_nowhere_is_found() {
    let read = |path: &Path| match path.to_str().unwrap() {
        "a.md" | "docs/b.md" => Some("# One `two`, three\n".to_owned()),
        _ => None,
    };
    let good =
        "[`x`](../a.md) ![](b.md#one-two-three) [c]: x\n[d]: b.md\n```\n[e](no)\n```\n`[f](no)`";
    assert_eq!(broken_links("docs/b.md", good, read), [""; 0]);
    let bad = "[a](a.md) [b](https://c)\n[d]: ../b.md\n[e](#two)";
    let wanted = [
        "docs/b.md: a.md is not there",
        "docs/b.md: #two has no such heading",
        "docs/b.md: ../b.md is not there",
    ];
    assert_eq!(broken_links("docs/b.md", bad, read), wanted);
}

/// The folder of the documents in the Debian package.
const PACKAGED: &str = "usr/share/doc/timbred/";

/// The files of the tree that the Debian package has among its documents, and their paths there.
fn packaged(manifest: &str, tree: &[String]) -> BTreeSet<(String, PathBuf)> {
    let mut found = BTreeSet::new();
    for line in manifest.lines().filter(|line| line.trim_start().starts_with("[\"../")) {
        let fields: Vec<&str> = line.split('"').skip(1).step_by(2).collect();
        let [from, to, ..] = fields.as_slice() else { continue };
        let Some(to) = to.strip_prefix(PACKAGED) else { continue };
        let (before, after) = from[3..].split_once('*').unwrap_or((&from[3..], ""));
        let is_meant = |path: &&String| match from.contains('*') {
            true => path
                .strip_prefix(before)
                .and_then(|rest| rest.strip_suffix(after))
                .is_some_and(|name| !name.contains('/')),
            false => *path == before,
        };
        for path in tree.iter().filter(is_meant) {
            found.insert((path.clone(), Path::new(to).join(Path::new(path).file_name().unwrap())));
        }
    }
    found
}

/// The links of packaged documents whose target is not in the package. A folder counts as there if
/// the package has anything in it.
fn broken_when_packaged(
    packaged: &BTreeSet<(String, PathBuf)>,
    read: impl Fn(&str) -> String,
) -> Vec<String> {
    let is_there = |target: &Path| {
        let at = packaged.iter().any(|(_, place)| place.starts_with(target));
        at.then(String::new)
    };
    let documents = packaged.iter().filter(|(path, _)| path.ends_with(".md"));
    let broken = documents.flat_map(|(path, place)| {
        let found = broken_links(&place.to_string_lossy(), &read(path), is_there);
        found.into_iter().filter(|text| text.ends_with("is not there"))
    });
    broken.collect()
}

#[test]
fn links_lead_somewhere_in_the_package_too() {
    let tree = paths(&[".md", ".toml", ".json", ".tosc", ".png"]);
    let packaged = packaged(&read("daemon/Cargo.toml"), &tree);
    assert!(packaged.len() > 20, "{packaged:?}");
    nothing(&broken_when_packaged(&packaged, read));
}

#[test]
fn a_link_to_what_is_not_packaged_is_found() {
    let manifest = "  [\"../docs/*.md\", \"usr/share/doc/timbred/docs/\", \"644\"],\n";
    let tree = ["docs/a.md", "docs/b.md", "docs/c/d.md", "config/e.toml"].map(str::to_owned);
    let packaged = packaged(manifest, &tree);
    assert_eq!(packaged.len(), 2);
    let text = |_: &str| "[b](b.md#x) [d](c/d.md)".to_owned();
    let wanted = ["docs/a.md: c/d.md is not there", "docs/b.md: c/d.md is not there"];
    assert_eq!(broken_when_packaged(&packaged, text), wanted);
}

/// The make targets that a document names as code: `make TARGET`.
fn targets(text: &str) -> BTreeSet<String> {
    let (prose, code) = prose_and_code(text);
    let spans = quoted(&prose);
    let commands = code.lines().map(str::trim).chain(spans).flat_map(|line| line.split(" && "));
    let named = commands.filter_map(|line| line.strip_prefix("make "));
    let names = named.flat_map(|rest| {
        let words = rest.split('#').next().unwrap_or_default().split_whitespace();
        words.take_while(|word| word.chars().all(|c| c.is_ascii_lowercase() || c == '-'))
    });
    names.map(Into::into).collect()
}

/// The targets that a document names and the Makefile does not have.
fn missing_targets(path: &str, text: &str, makefile: &str) -> Vec<String> {
    let has = |name: &str| makefile.lines().any(|line| line.starts_with(&format!("{name}:")));
    let missing = targets(text).into_iter().filter(|name| !has(name));
    missing.map(|name| format!("{path}: there is no make {name}")).collect()
}

#[test]
fn named_targets_exist() {
    let makefile = read("Makefile");
    let found: Vec<String> = files(&[".md"])
        .iter()
        .flat_map(|(path, text)| missing_targets(path, text, &makefile))
        .collect();
    nothing(&found);
}

#[test]
fn a_target_that_is_not_there_is_found() {
    let makefile = "run: setup ## x\nrig-quick:\n";
    let text =
        "make no promise; `make rig-quick`, `make run MINUTES=1`\n```sh\nmake run  # now\n```\n";
    assert_eq!(missing_targets("a.md", text, makefile), [""; 0]);
    let text = "`make rig`\n```sh\nmake walk\n```\n";
    let wanted = ["a.md: there is no make rig", "a.md: there is no make walk"];
    assert_eq!(missing_targets("a.md", text, makefile), wanted);
}

/// The functions of a text that are tests.
fn tests_of(text: &str) -> BTreeSet<String> {
    let (mut found, mut is_test) = (BTreeSet::new(), false);
    for line in text.lines().map(str::trim) {
        if line == "#[test]" || line.starts_with("#[tokio::test") {
            is_test = true;
        } else if let Some((_, name)) = line.split_once("fn ").filter(|_| is_test) {
            found.insert(name.split(['(', '<']).next().unwrap_or_default().to_owned());
            is_test = false;
        }
    }
    found
}

/// The invariants that name no test, or one that does not exist.
fn untested(architecture: &str, tests: &BTreeSet<String>) -> Vec<String> {
    let rows = rows(architecture, "## Invariants");
    let mut found = vec![];
    if rows.is_empty() {
        found.push("there are no invariants".to_owned());
    }
    for row in rows {
        let mut cells = row.trim_matches('|').split('|').map(str::trim);
        let (what, names) = (cells.next().unwrap_or_default(), cells.next().unwrap_or_default());
        let names = quoted(names);
        if names.is_empty() {
            found.push(format!("no test: {what}"));
        }
        let missing = names.into_iter().filter(|name| !tests.contains(*name));
        found.extend(missing.map(|name| format!("there is no test {name}: {what}")));
    }
    found
}

#[test]
fn invariants_name_tests() {
    let tests: BTreeSet<String> =
        files(&[".rs"]).iter().flat_map(|(_, text)| tests_of(text)).collect();
    nothing(&untested(&read("ARCHITECTURE.md"), &tests));
}

#[test]
fn an_invariant_without_a_test_is_found() {
    let tests =
        tests_of("#[test]\n#[ignore]\nfn a() {}\nfn b() {}\n#[tokio::test]\nasync fn c() {}");
    let head = "# x\n## Invariants\n\nwords\n\n| what | tests |\n| --- | --- |\n";
    let good = format!("{head}| it is `so` | `a`, `c` |\n## more\n| x | y |\n| - | - |\n| z | |\n");
    assert_eq!(untested(&good, &tests), [""; 0]);
    let bad = format!("{head}| one | `b` |\n| two | |\n");
    assert_eq!(untested(&bad, &tests), ["there is no test b: one", "no test: two"]);
    assert_eq!(untested("# x\n", &tests), ["there are no invariants"]);
}

/// Whether a text has more words than allowed.
fn is_too_long(text: &str, words: usize) -> bool {
    text.split_whitespace().count() > words
}

#[test]
fn the_readme_is_short() {
    assert!(!is_too_long(&read("README.md"), README_WORDS), "over {README_WORDS} words");
}

#[test]
fn a_long_readme_is_found() {
    assert!(is_too_long("one two\nthree", 2) && !is_too_long("one two\nthree", 3));
}
