#![doc = include_str!("../README.md")]
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

pub use client::{Client, ClientError};
pub use error::{Code, ControlError};
pub use osc::message;
pub use parameters::{Id, Parameter, find};
pub use rosc::{OscMessage, OscType};
pub use settings::Settings;
pub use status::Status;
pub use value::Value;
