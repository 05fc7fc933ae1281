//! The number of cores that a network may use, on which results do not depend. It knows no network.
//!
//! It is one by default: a stream that plays live leaves the other cores to the device, and a small
//! network has no use for them. The threads end when the value is dropped.

use std::sync::Arc;

use rayon::prelude::*;
use tract_linalg::multithread::{Executor, multithread_tract_scope, set_threading_panel_threshold};

/// The least number of panels of a product for which more than one thread is worth it.
const PANELS: usize = 16;
/// The least number of operations for which more than one thread is worth it.
const WORK: usize = 64 * 1024;

/// The threads of a network.
#[derive(Debug, Clone, Default)]
pub struct Threads(Option<Arc<rayon::ThreadPool>>);

impl Threads {
    /// `count` threads; 0 counts as 1. With one, everything runs in the calling thread.
    pub fn new(count: usize) -> Self {
        if count <= 1 {
            return Self(None);
        }
        set_threading_panel_threshold(PANELS);
        let name = |i| format!("timbred-model-{i}");
        // If the system refuses threads, everything runs in the calling one.
        Self(
            rayon::ThreadPoolBuilder::new()
                .num_threads(count)
                .thread_name(name)
                .build()
                .ok()
                .map(Arc::new),
        )
    }

    /// The number of threads.
    pub fn count(&self) -> usize {
        self.0.as_ref().map_or(1, |pool| pool.current_num_threads())
    }

    /// Runs `f` and spreads all products inside it over the threads.
    pub(crate) fn run<R: Send>(&self, f: impl FnOnce() -> R + Send) -> R {
        match &self.0 {
            None => f(),
            Some(pool) => {
                pool.install(|| multithread_tract_scope(Executor::MultiThread(pool.clone()), f))
            }
        }
    }

    /// As [`Self::run`], but `f` itself stays in the calling thread.
    pub(crate) fn scope<R>(&self, f: impl FnOnce() -> R) -> R {
        match &self.0 {
            None => f(),
            Some(pool) => multithread_tract_scope(Executor::MultiThread(pool.clone()), f),
        }
    }

    /// Calls `f` for each row of `width` values of `out`, of which the last may be shorter. `f`
    /// gets the index of the row and the value that `own` made for the thread. `work` is about how
    /// many values a row depends on.
    pub(crate) fn rows<T>(
        &self,
        out: &mut [f32],
        width: usize,
        work: usize,
        own: impl Fn() -> T + Sync,
        f: impl Fn(&mut T, usize, &mut [f32]) + Sync,
    ) {
        let width = width.max(1);
        let rows = out.len().div_ceil(width);
        let each = rows.div_ceil(self.shares(rows * work)).max(1);
        let part = |first: usize, rows: &mut [f32]| {
            let mut own = own();
            rows.chunks_mut(width).enumerate().for_each(|(i, row)| f(&mut own, first + i, row));
        };
        if each >= rows {
            return part(0, out);
        }
        out.par_chunks_mut(each * width).enumerate().for_each(|(i, rows)| part(i * each, rows));
    }

    /// The number of threads for work on a number of values.
    pub(crate) fn shares(&self, work: usize) -> usize {
        if work < WORK { 1 } else { self.count() }
    }

    /// Calls `f` for each item with its index, each in a single thread.
    ///
    /// # Errors
    /// The first error of `f`.
    pub(crate) fn each<T: Send, E: Send>(
        &self,
        items: &mut [T],
        f: impl Fn(usize, &mut T) -> Result<(), E> + Sync,
    ) -> Result<(), E> {
        if self.0.is_none() || items.len() < 2 {
            return items.iter_mut().enumerate().try_for_each(|(i, item)| f(i, item));
        }
        items.par_iter_mut().enumerate().try_for_each(|(i, item)| {
            multithread_tract_scope(Executor::SingleThread, || f(i, item))
        })
    }
}
