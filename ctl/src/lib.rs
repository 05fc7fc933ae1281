//! What can be set on `timbred`: one table, from which flags, help and the reference page are made.

pub mod parameters;
