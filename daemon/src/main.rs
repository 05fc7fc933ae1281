//! timbred
fn main() {}
