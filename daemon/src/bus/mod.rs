//! What threads share, so that no room looks into another: queues, the state that everybody may
//! read, and the order of priorities. Knows no thread's work.

pub mod controllers;
pub mod priority;
pub mod queues;
