//! What can be set on `timbred` and how it is said: one table, from which flags, OSC addresses,
//! help and the reference page are made. Knows no thread, no device and no model.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod action;
pub mod arguments;
pub mod client;
pub mod error;
pub mod instruments;
pub mod learn;
pub mod osc;
pub mod packet;
pub mod parameters;
pub mod pattern;
pub mod query;
pub mod settings;
pub mod status;
pub mod table;
pub mod value;
