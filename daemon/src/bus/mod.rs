//! What threads share, so that no module needs the inside of another: queues, state that all may
//! read, and the order of priorities. It knows no thread's work.

pub mod controllers;
pub mod priority;
pub mod queues;
