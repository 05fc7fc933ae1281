//! Reads tests/vectors, the results of the Python twins
//! (models/training/timbre_training/vectors.py).

use crate::notes::{Kit, Kits, NoteEvent, Voice};
use ndarray::{ArrayD, ArrayView1};
use ndarray_npy::NpzReader;
use std::fs::File;

pub(crate) fn open(name: &str) -> NpzReader<File> {
    let path = format!("{}/../tests/vectors/{name}.npz", env!("CARGO_MANIFEST_DIR"));
    NpzReader::new(File::open(path).unwrap()).unwrap()
}

pub(crate) fn array<T: ndarray_npy::ReadableElement>(
    npz: &mut NpzReader<File>,
    name: &str,
) -> ArrayD<T> {
    npz.by_name(name).unwrap()
}

/// The weights of a network, `weights.NAME` in the file, which must have these shapes.
pub(crate) fn params(
    npz: &mut NpzReader<File>,
    list: Vec<(String, Vec<usize>)>,
) -> crate::graph::Params {
    let mut params = crate::graph::Params::new();
    for (name, shape) in list {
        let values: ArrayD<f32> = array(npz, &format!("weights.{name}"));
        assert_eq!(values.shape(), shape);
        params.insert(name, shape, values.into_iter().collect());
    }
    params
}

/// The kits of the vectors.
pub(crate) fn kits() -> Kits {
    Kits::new(vec![Kit { program: 16, keys: vec![43, 45] }, Kit { program: 40, keys: vec![38] }])
}

/// The notes of some vectors as events in the order of time.
pub(crate) fn events(of: &str) -> Vec<NoteEvent> {
    let notes: ArrayD<f64> = array(&mut open(of), "notes");
    let mut events = vec![];
    for note in notes.rows() {
        let note: ArrayView1<f64> = note;
        let voice = Voice { is_drum: note[5] > 0.0, program: note[2] as u8, key: note[3] as u8 };
        let voice = kits().played(voice);
        for (time_s, velocity) in [(note[0], note[4] as u8), (note[1], 0)] {
            events.push(NoteEvent { time_s, voice, velocity });
        }
    }
    events.sort_by(|a, b| {
        a.time_s.total_cmp(&b.time_s).then((a.velocity > 0).cmp(&(b.velocity > 0)))
    });
    events
}
