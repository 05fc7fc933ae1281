//! Patterns of OSC addresses: `?`, `*`, `[a-z]`, `[!a-z]`, `{one,two}` and, from OSC 1.1, `//` for
//! any depth. It knows no address.
//!
//! All ways in which a pattern can match are followed at the same time. So `{1,10}` matches 10, and
//! the work is at most the length of the pattern times that of the address.

/// The longest pattern in bytes.
pub const LONGEST: usize = 128;

/// A compiled pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Byte(u8),
    /// One character.
    One,
    /// Any characters of this level.
    Many,
    /// One character in (or, negated, outside) these ranges.
    Class {
        negated: bool,
        ranges: Vec<(u8, u8)>,
    },
    Choice(Vec<Vec<u8>>),
    /// A slash, and any levels after it.
    AnyDepth,
}

/// Whether an address is a pattern.
pub fn is_pattern(address: &str) -> bool {
    address.contains(['*', '?', '[', ']', '{', '}', '#']) || address.contains("//")
}

impl Pattern {
    /// Compiles a pattern.
    ///
    /// # Errors
    /// It does not begin with a slash, has an unclosed bracket, or is too long.
    pub fn new(text: &str) -> Result<Self, String> {
        let shown: String = text.chars().take(40).collect();
        let wrong = |what: &str| Err(format!("the pattern {shown} {what}"));
        if !text.starts_with('/') {
            return wrong("does not begin with /");
        }
        if text.len() > LONGEST {
            return wrong("is longer than 128 bytes");
        }
        let mut parts = Vec::new();
        let mut rest = text.as_bytes();
        while let Some((&first, after)) = rest.split_first() {
            rest = after;
            parts.push(match first {
                b'/' if rest.first() == Some(&b'/') => {
                    while rest.first() == Some(&b'/') {
                        rest = &rest[1..];
                    }
                    Part::AnyDepth
                }
                b'?' => Part::One,
                b'*' => Part::Many,
                b'[' => match until(rest, b']') {
                    Some((inside, after)) => {
                        rest = after;
                        class(inside)
                    }
                    None => return wrong("has a [ without its ]"),
                },
                b'{' => match until(rest, b'}') {
                    Some((inside, after)) => {
                        rest = after;
                        Part::Choice(inside.split(|&b| b == b',').map(<[u8]>::to_vec).collect())
                    }
                    None => return wrong("has a { without its }"),
                },
                b']' | b'}' | b'#' | b' ' | b',' => {
                    return wrong(&format!("has a {} where none can be", char::from(first)));
                }
                byte => Part::Byte(byte),
            });
        }
        Ok(Self { text: text.to_owned(), parts })
    }

    /// The text of the pattern.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether an address matches the pattern.
    pub fn matches(&self, address: &str) -> bool {
        let address = address.as_bytes();
        // The places in the address where the next part can begin.
        let mut here = vec![false; address.len() + 1];
        here[0] = true;
        for part in &self.parts {
            let mut next = vec![false; address.len() + 1];
            for (at, _) in here.iter().enumerate().filter(|&(_, &open)| open) {
                part.step(address, at, &mut next);
            }
            if !next.contains(&true) {
                return false;
            }
            here = next;
        }
        here.last() == Some(&true)
    }
}

impl Part {
    /// Marks the places where the next part can begin if this one begins at `at`.
    fn step(&self, address: &[u8], at: usize, next: &mut [bool]) {
        let rest = address.get(at..).unwrap_or(&[]);
        let mut mark = |length: usize| {
            if let Some(place) = next.get_mut(at + length) {
                *place = true;
            }
        };
        match (self, rest.first()) {
            (Self::Many, _) => {
                let level = rest.iter().take_while(|&&b| b != b'/').count();
                (0..=level).for_each(&mut mark);
            }
            (Self::Choice(choices), _) => choices
                .iter()
                .filter(|choice| rest.starts_with(choice))
                .for_each(|choice| mark(choice.len())),
            (Self::AnyDepth, Some(b'/')) => {
                let slashes = rest.iter().enumerate().filter(|&(_, &b)| b == b'/');
                slashes.for_each(|(i, _)| mark(i + 1));
            }
            (Self::Byte(byte), Some(b)) if byte == b => mark(1),
            (Self::One, Some(b)) if *b != b'/' => mark(1),
            (Self::Class { negated, ranges }, Some(b)) if *b != b'/' => {
                let inside = ranges.iter().any(|&(low, high)| (low..=high).contains(b));
                if inside != *negated {
                    mark(1);
                }
            }
            _ => {}
        }
    }
}

/// The text before the closing byte, and the text behind it.
fn until(text: &[u8], close: u8) -> Option<(&[u8], &[u8])> {
    let at = text.iter().position(|&b| b == close)?;
    Some((text.get(..at)?, text.get(at + 1..)?))
}

fn class(inside: &[u8]) -> Part {
    let (negated, mut rest) = match inside.split_first() {
        Some((b'!', rest)) => (true, rest),
        _ => (false, inside),
    };
    let mut ranges = Vec::new();
    while let Some((&low, after)) = rest.split_first() {
        match after {
            [b'-', high, after @ ..] => {
                ranges.push((low.min(*high), low.max(*high)));
                rest = after;
            }
            _ => {
                ranges.push((low, low));
                rest = after;
            }
        }
    }
    Part::Class { negated, ranges }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_mean_what_osc_says() {
        for (pattern, address, wanted) in [
            ("/ch/*/gain", "/ch/12/gain", true),
            ("/ch/*/gain", "/ch/gain", false),
            ("/ch/?/gain", "/ch/12/gain", false),
            ("/ch/??/gain", "/ch/12/gain", true),
            ("/ch/[1-9]/gain", "/ch/12/gain", false),
            ("/ch/[1-9]/gain", "/ch/7/gain", true),
            ("/ch/1[0-2]/gain", "/ch/12/gain", true),
            ("/ch/[!1]/gain", "/ch/1/gain", false),
            ("/ch/[!1]/gain", "/ch/2/gain", true),
            ("/ch/{1,10}/gain", "/ch/10/gain", true),
            ("/ch/{1,10}/gain", "/ch/1/gain", true),
            ("/ch/{1,10}/gain", "/ch/0/gain", false),
            ("/ch/1/{gain,mute}", "/ch/1/mute", true),
            ("/ch/1/g*n", "/ch/1/gain", true),
            ("/ch/1/gain*", "/ch/1/gain", true),
            ("/*", "/ch/1/gain", false),
            ("/*/*/*", "/ch/1/gain", true),
            ("//*", "/ch/1/gain", true),
            ("//*", "/panic", true),
            ("//gain", "/ch/1/gain", true),
            ("//gain", "/master/gain", true),
            ("/ch//mute", "/ch/3/mute", true),
            ("/master/gain", "/master/gain", true),
            ("/master/gain", "/master/gain/", false),
            ("/[]", "/a", false),
            ("/{}", "/", true),
        ] {
            let found = Pattern::new(pattern).unwrap().matches(address);
            assert_eq!(found, wanted, "{pattern} {address}");
        }
    }

    #[test]
    fn broken_patterns_are_refused() {
        for text in ["", "x", "/[", "/{a,b", "/a]", "/}", "/ ", "/#"] {
            assert!(Pattern::new(text).is_err(), "{text}");
        }
        assert!(Pattern::new(&format!("/{}", "*".repeat(LONGEST))).is_err());
        assert!(!Pattern::new("/é*").unwrap().matches("/a"));
    }

    #[test]
    fn patterns_that_backtracking_would_not_survive_are_quick() {
        let pattern = Pattern::new(&format!("/{}b", "*a".repeat(60))).unwrap();
        assert!(!pattern.matches(&format!("/{}", "a".repeat(200))));
    }
}
