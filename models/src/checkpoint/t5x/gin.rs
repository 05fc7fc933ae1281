//! `config.gin`: the bindings that the import needs; everything else in it is ignored. It knows no
//! sizes.

use std::collections::BTreeMap;

/// The bindings by name without module and scope, such as `T5Config.emb_dim`. Of two with the same
/// name the later one counts, as in gin.
#[derive(Debug, Clone, Default)]
pub(super) struct Gin(BTreeMap<String, String>);

impl Gin {
    /// Reads all bindings; other lines are ignored.
    pub(super) fn parse(text: &str) -> Self {
        let mut bindings = BTreeMap::new();
        let mut open = String::new();
        for line in text.lines() {
            open.push_str(without_comment(line));
            // A value continues while a bracket is open, or if the line ends with a backslash.
            if depth(&open) > 0 || open.ends_with('\\') {
                open = open.trim_end_matches('\\').to_owned() + " ";
                continue;
            }
            if let Some((name, value)) = std::mem::take(&mut open).split_once('=') {
                let name = name.trim().rsplit('/').next().unwrap_or_default();
                let parts: Vec<&str> = name.rsplitn(3, '.').take(2).collect();
                let name = parts.into_iter().rev().collect::<Vec<_>>().join(".");
                bindings.insert(name, value.trim().to_owned());
            }
        }
        Self(bindings)
    }

    /// The value of a binding, as it is written.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The value of a binding that is a whole number.
    pub(super) fn number(&self, name: &str) -> Option<usize> {
        self.get(name)?.parse().ok()
    }

    /// The value of a binding that is a name in quotes.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        let value = self.get(name)?;
        let inner = value.strip_prefix(['\'', '"'])?;
        inner.strip_suffix(['\'', '"'])
    }

    /// A whole number in a binding that is a dictionary, such as `{'inputs': 2048, ...}`.
    pub(super) fn entry(&self, name: &str, key: &str) -> Option<usize> {
        let inner = self.get(name)?.strip_prefix('{')?.strip_suffix('}')?;
        inner.split(',').find_map(|part| {
            let (k, value) = part.split_once(':')?;
            (k.trim().trim_matches(['\'', '"']) == key).then(|| value.trim().parse().ok())?
        })
    }
}

/// The line up to the first `#` outside of quotes.
fn without_comment(line: &str) -> &str {
    let mut quote = None;
    for (at, c) in line.char_indices() {
        match (c, quote) {
            ('\'' | '"', None) => quote = Some(c),
            (c, Some(q)) if c == q => quote = None,
            ('#', None) => return line[..at].trim_end(),
            _ => {}
        }
    }
    line.trim_end()
}

/// The number of brackets that are open at the end.
fn depth(text: &str) -> i32 {
    text.chars().map(|c| i32::from("([{".contains(c)) - i32::from(")]}".contains(c))).sum()
}
