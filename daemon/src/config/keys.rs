//! The names of all keys, which are taken from the structs of `raw`, and the key that a misspelt
//! one was probably meant to be. It knows no values.

use serde::de::{Deserialize, Deserializer, Error, Visitor};
use serde::forward_to_deserialize_any;

use super::raw;

/// The sections, which have keys of their own. A list of tables counts as a section.
const SECTIONS: [&str; 10] =
    ["", "audio", "midi", "midi.rules", "osc", "remote", "engine", "master", "log", "state"];

/// How similar two names must be for a suggestion, 0 to 1 (Jaro-Winkler).
const ALIKE: f64 = 0.8;

/// The keys of a section (`""` for the top level); none if there is no such section.
pub(super) fn keys_of(section: &str) -> Option<&'static [&'static str]> {
    Some(match section {
        "" => fields::<raw::Raw>(),
        "audio" => fields::<raw::Audio>(),
        "midi" => fields::<raw::Midi>(),
        "midi.rules" => fields::<raw::Rule>(),
        "osc" => fields::<raw::Osc>(),
        "remote" => fields::<raw::Remote>(),
        "engine" => fields::<raw::Engine>(),
        "master" => fields::<raw::Master>(),
        "log" => fields::<raw::Log>(),
        "state" => fields::<raw::State>(),
        _ => return None,
    })
}

/// The error for a `key` that `section` does not have.
pub(super) fn unknown(section: &str, key: &str) -> String {
    let keys = keys_of(section).unwrap_or_default();
    let here = if section.is_empty() { "at the top".to_owned() } else { format!("in [{section}]") };
    let what = if section.is_empty() { "section or key" } else { "key" };
    let remedy = if let Some(near) = nearest(key, keys) {
        format!("did you mean `{near}`?")
    } else if let Some(home) =
        SECTIONS.iter().find(|s| keys_of(s).is_some_and(|k| k.contains(&key)))
    {
        format!("`{key}` belongs to [{home}]")
    } else {
        "remove the line".to_owned()
    };
    format!("found the unknown {what} `{key}` {here}, wanted one of {}; {remedy}", keys.join(", "))
}

/// The name most similar to `name`, if any is similar enough.
pub(super) fn nearest<'a>(name: &str, names: &[&'a str]) -> Option<&'a str> {
    let name = name.to_lowercase();
    names
        .iter()
        .map(|n| (strsim::jaro_winkler(&name, n), *n))
        .filter(|(alike, _)| *alike >= ALIKE)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, n)| n)
}

/// The field names serde derives for a struct.
fn fields<T: for<'de> Deserialize<'de>>() -> &'static [&'static str] {
    let mut names: &'static [&'static str] = &[];
    // It is always an error, because this deserializer has no values; but it sees the names.
    let _ = T::deserialize(Names(&mut names));
    names
}

struct Names<'a>(&'a mut &'static [&'static str]);

impl<'de> Deserializer<'de> for Names<'_> {
    type Error = serde::de::value::Error;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        _visitor: V,
    ) -> Result<V::Value, Self::Error> {
        *self.0 = fields;
        Err(Error::custom("names only"))
    }

    fn deserialize_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, Self::Error> {
        Err(Error::custom("names only"))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn every_section_is_known() {
        for section in keys_of("").unwrap() {
            assert!(SECTIONS.contains(section), "{section}");
        }
        for section in SECTIONS {
            assert!(!keys_of(section).unwrap().is_empty(), "{section}");
        }
        assert_eq!(keys_of("audio").unwrap()[2], "rate_hz");
        assert_eq!(keys_of("audoi"), None);
    }

    #[test]
    fn a_misspelt_key_is_answered_with_the_right_one() {
        assert!(unknown("audio", "rate").ends_with("did you mean `rate_hz`?"));
        assert!(unknown("", "Audoi").ends_with("did you mean `audio`?"));
        assert!(unknown("engine", "bind").ends_with("`bind` belongs to [osc]"));
        assert!(unknown("engine", "wxyz").ends_with("remove the line"));
    }
}
