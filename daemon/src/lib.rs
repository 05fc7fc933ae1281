//! `timbred`: the commands, and the devices they use. What turns notes into sound is in
//! `timbre-models`.

pub mod audio;
pub mod bench;
pub mod bus;
pub mod cli;
pub mod config;
pub mod control;
pub mod demo;
pub mod doctor;
pub mod documents;
pub mod error;
pub mod findings;
pub mod import;
pub mod inspect;
pub mod interrupt;
pub mod live;
pub mod logging;
pub mod mix;
pub mod models;
pub mod options;
pub mod pack;
pub mod presets;
pub mod problem;
pub mod recording;
pub mod render;
pub mod scale;
pub mod service;
pub mod songs;
pub mod state;
pub mod whole_file;
