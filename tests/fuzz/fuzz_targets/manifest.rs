//! Any bytes as the manifest of a model give an error or a manifest, and never a panic. A manifest
//! that is accepted can be written and read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use timbre_models::bundle::Manifest;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(manifest) = Manifest::parse("manifest.toml", bytes) {
        let again = Manifest::parse("manifest.toml", manifest.to_toml().as_bytes());
        assert_eq!(again.ok(), Some(manifest));
    }
});
