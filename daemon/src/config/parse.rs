//! One layer: turns the text of a file, a variable or a flag into values that know their origin. It
//! knows no other layer.

use config::{Map, Value, ValueKind};
use serde::Deserialize;
use toml::de::{DeTable, DeValue};

use super::keys::{keys_of, nearest, unknown};
use super::raw::Raw;
use crate::problem::{Problem, type_problem};

/// A layer in the form that the crate `config` merges.
pub(super) type Values = Map<String, Value>;

/// The layer of the text of a file, which errors call `name`.
pub(super) fn file(name: &str, text: &str) -> Result<Values, Vec<Problem>> {
    let place = |offset: usize| format!("{name}:{}", line_of(text, offset));
    let table = DeTable::parse(text).map_err(|e| {
        let offset = e.span().map_or(0, |span| span.start);
        vec![Problem::new(place(offset), format!("this is no TOML: {}", e.message().trim()))]
    })?;
    let table = table.get_ref();
    let mut problems = Vec::new();
    find_unknown("", table, &mut |section, key, offset| {
        problems.push(Problem::new(place(offset), unknown(section, key)));
    });
    if !problems.is_empty() {
        return Err(problems);
    }
    if let Err(e) = toml::from_str::<Raw>(text) {
        let offset = e.span().map_or(0, |span| span.start);
        let key = key_at(table, offset, "").unwrap_or_default();
        return Err(vec![type_problem(&place(offset), &key, e.message())]);
    }
    values_of(table, &place).map_err(|problem| vec![problem])
}

/// The layer of one value given as text under a dotted key; `place` is the variable or flag.
pub(super) fn single(place: &str, key: &str, text: &str) -> Result<Values, Problem> {
    let (section, name) = key.rsplit_once('.').unwrap_or(("", key));
    let Some(keys) = keys_of(section).filter(|_| !section.is_empty()) else {
        let sections = keys_of("").unwrap_or_default();
        let near = nearest(section, sections).map(|near| format!("; did you mean [{near}]?"));
        let what = format!(
            "found the unknown section `{section}`, wanted one of {}{}",
            sections.join(", "),
            near.unwrap_or_default()
        );
        return Err(Problem::new(place, what));
    };
    if !keys.contains(&name) {
        return Err(Problem::new(place, unknown(section, name)));
    }
    let value = typed(section, name, text);
    let mut inner = toml::Table::new();
    inner.insert(name.to_owned(), value);
    let mut outer = toml::Table::new();
    outer.insert(section.to_owned(), toml::Value::Table(inner));
    if let Err(e) = Raw::deserialize(toml::Value::Table(outer.clone())) {
        return Err(type_problem(place, key, e.message()));
    }
    Ok(outer.into_iter().map(|(name, value)| (name, from_toml(value, place))).collect())
}

/// The defaults as the lowest layer.
pub(super) fn defaults() -> Result<Values, Problem> {
    let table = toml::Table::try_from(Raw::default())
        .map_err(|e| Problem::new(super::layers::DEFAULT, e.to_string()))?;
    let place = super::layers::DEFAULT;
    Ok(table.into_iter().map(|(name, value)| (name, from_toml(value, place))).collect())
}

/// Converts text to the type of the default of the key. Text that cannot be converted stays text,
/// which the check of types then refuses.
fn typed(section: &str, name: &str, text: &str) -> toml::Value {
    let default = toml::Table::try_from(Raw::default())
        .ok()
        .and_then(|table| table.get(section)?.as_table()?.get(name).cloned());
    let as_text = || toml::Value::String(text.to_owned());
    match default {
        Some(toml::Value::String(_)) => as_text(),
        Some(toml::Value::Array(_)) if !text.trim_start().starts_with('[') => {
            let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
            toml::Value::Array(items.map(|item| toml::Value::String(item.to_owned())).collect())
        }
        _ => text.trim().parse().unwrap_or_else(|_| as_text()),
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
}

fn joined(section: &str, key: &str) -> String {
    if section.is_empty() { key.to_owned() } else { format!("{section}.{key}") }
}

/// Reports (section, key, offset) of every key that its section does not have.
fn find_unknown(section: &str, table: &DeTable<'_>, report: &mut impl FnMut(&str, &str, usize)) {
    let keys = keys_of(section).unwrap_or_default();
    for (key, value) in table {
        let name = key.get_ref().as_ref();
        if !keys.contains(&name) {
            report(section, name, key.span().start);
            continue;
        }
        let child = joined(section, name);
        if keys_of(&child).is_none() {
            continue;
        }
        match value.get_ref() {
            DeValue::Table(inner) => find_unknown(&child, inner, report),
            DeValue::Array(items) => {
                for item in items {
                    if let DeValue::Table(inner) = item.get_ref() {
                        find_unknown(&child, inner, report);
                    }
                }
            }
            _ => {}
        }
    }
}

/// The dotted key of the value that lies at an offset of the text.
fn key_at(table: &DeTable<'_>, offset: usize, section: &str) -> Option<String> {
    table.iter().find_map(|(key, value)| {
        let child = joined(section, key.get_ref());
        let inner = match value.get_ref() {
            DeValue::Table(inner) => key_at(inner, offset, &child),
            DeValue::Array(items) => items.iter().find_map(|item| match item.get_ref() {
                DeValue::Table(inner) => key_at(inner, offset, &child),
                _ => None,
            }),
            _ => None,
        };
        inner.or_else(|| value.span().contains(&offset).then_some(child))
    })
}

fn values_of(table: &DeTable<'_>, place: &dyn Fn(usize) -> String) -> Result<Values, Problem> {
    table
        .iter()
        .map(|(key, value)| {
            let origin = place(key.span().start);
            Ok((key.get_ref().to_string(), value_of(value.get_ref(), &origin, place)?))
        })
        .collect()
}

fn value_of(
    value: &DeValue<'_>,
    origin: &String,
    place: &dyn Fn(usize) -> String,
) -> Result<Value, Problem> {
    let bad = |what: &str| Problem::new(origin.as_str(), format!("{what} is no number"));
    let kind = match value {
        DeValue::String(text) => ValueKind::String(text.to_string()),
        DeValue::Integer(number) => {
            let parsed = i64::from_str_radix(number.as_str(), number.radix());
            ValueKind::I64(parsed.map_err(|_| bad(number.as_str()))?)
        }
        DeValue::Float(number) => {
            ValueKind::Float(number.as_str().parse().map_err(|_| bad(number.as_str()))?)
        }
        DeValue::Boolean(yes) => ValueKind::Boolean(*yes),
        DeValue::Datetime(when) => ValueKind::String(when.to_string()),
        DeValue::Array(items) => {
            let items = items.iter().map(|item| {
                let origin = place(item.span().start);
                value_of(item.get_ref(), &origin, place)
            });
            ValueKind::Array(items.collect::<Result<_, _>>()?)
        }
        DeValue::Table(inner) => ValueKind::Table(values_of(inner, place)?),
    };
    Ok(Value::new(Some(origin), kind))
}

fn from_toml(value: toml::Value, place: &str) -> Value {
    let kind = match value {
        toml::Value::String(text) => ValueKind::String(text),
        toml::Value::Integer(number) => ValueKind::I64(number),
        toml::Value::Float(number) => ValueKind::Float(number),
        toml::Value::Boolean(yes) => ValueKind::Boolean(yes),
        toml::Value::Datetime(when) => ValueKind::String(when.to_string()),
        toml::Value::Array(items) => {
            ValueKind::Array(items.into_iter().map(|item| from_toml(item, place)).collect())
        }
        toml::Value::Table(table) => {
            ValueKind::Table(table.into_iter().map(|(k, v)| (k, from_toml(v, place))).collect())
        }
    };
    Value::new(Some(&place.to_owned()), kind)
}
