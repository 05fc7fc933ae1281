//! Any bytes as the pickle of a file of weights give tensors or an error, and never a panic or more
//! memory than the pickle asks for.
#![no_main]

use libfuzzer_sys::fuzz_target;
use timbre_models::checkpoint::pickled_tensors;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(tensors) = pickled_tensors(bytes) {
        assert!(tensors.len() <= bytes.len());
        let mut names: Vec<&str> = tensors.iter().map(|tensor| tensor.name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), tensors.len(), "a name is there twice");
    }
});
