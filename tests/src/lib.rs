//! Golden and end-to-end tests.
