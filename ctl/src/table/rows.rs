//! Functions that make rows of the table, each with what rows of its kind share. It knows no
//! parameter.

use super::SEED;
use crate::parameters::{Access, Key, Kind, Parameter};

/// The address, the name and the default.
pub(super) type Words = [&'static str; 3];

const fn row(key: Key, [address, name, default]: Words, help: &'static str) -> Parameter {
    Parameter { key, address, name, default, help, ..SEED }
}

pub(super) const fn number(
    key: Key,
    words: Words,
    unit: &'static str,
    (min, max): (f64, f64),
    help: &'static str,
) -> Parameter {
    Parameter { kind: Kind::Number, unit, min, max, ..row(key, words, help) }
}

pub(super) const fn whole(
    key: Key,
    words: Words,
    (min, max): (f64, f64),
    help: &'static str,
) -> Parameter {
    Parameter { kind: Kind::Whole, min, max, ..row(key, words, help) }
}

pub(super) const fn controller(number: u8, words: Words, help: &'static str) -> Parameter {
    let row = whole(Key::Controller(number), words, (0.0, 127.0), help);
    Parameter { access: Access::Midi, ..row }
}

/// A controller that is on or off.
pub(super) const fn pedal(number: u8, words: Words, help: &'static str) -> Parameter {
    let row = switch(Key::Controller(number), words, help);
    Parameter { access: Access::Midi, ..row }
}

pub(super) const fn switch(key: Key, words: Words, help: &'static str) -> Parameter {
    Parameter { kind: Kind::Bool, min: 0.0, max: 1.0, ..row(key, words, help) }
}

pub(super) const fn text(key: Key, words: Words, help: &'static str) -> Parameter {
    Parameter { kind: Kind::Text, min: 0.0, max: 0.0, ..row(key, words, help) }
}

pub(super) const fn read(
    key: Key,
    kind: Kind,
    words: Words,
    unit: &'static str,
    (min, max): (f64, f64),
    help: &'static str,
) -> Parameter {
    Parameter { kind, access: Access::Read, unit, min, max, ..row(key, words, help) }
}
