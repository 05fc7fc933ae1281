//! How many cores a network may use. Knows no network; results do not depend on it.
//!
//! One by default: a stream that plays live leaves the other cores to the device, and a small
//! network has no use for them. Nothing here outlives the value.

use std::sync::Arc;

use rayon::prelude::*;
use tract_linalg::multithread::{Executor, multithread_tract_scope, set_threading_panel_threshold};

/// Panels of a product that are worth more than one thread.
const PANELS: usize = 16;
/// Operations on values that are.
const WORK: usize = 64 * 1024;

/// The threads of a network.
#[derive(Debug, Clone, Default)]
pub struct Threads(Option<Arc<rayon::ThreadPool>>);

impl Threads {
    /// `count` of them, 0 as 1. With one, everything runs on the thread that calls.
    pub fn new(count: usize) -> Self {
        if count <= 1 {
            return Self(None);
        }
        set_threading_panel_threshold(PANELS);
        let name = |i| format!("timbred-model-{i}");
        // A machine that gives no threads computes on the one there is.
        Self(
            rayon::ThreadPoolBuilder::new()
                .num_threads(count)
                .thread_name(name)
                .build()
                .ok()
                .map(Arc::new),
        )
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.as_ref().map_or(1, |pool| pool.current_num_threads())
    }

    /// Runs `f` with all products inside it spread over the threads.
    pub(crate) fn run<R: Send>(&self, f: impl FnOnce() -> R + Send) -> R {
        match &self.0 {
            None => f(),
            Some(pool) => {
                pool.install(|| multithread_tract_scope(Executor::MultiThread(pool.clone()), f))
            }
        }
    }

    /// As [`Self::run`], for what has to stay on the thread that calls.
    pub(crate) fn scope<R>(&self, f: impl FnOnce() -> R) -> R {
        match &self.0 {
            None => f(),
            Some(pool) => multithread_tract_scope(Executor::MultiThread(pool.clone()), f),
        }
    }

    /// `f` of each row of `width` values of `out`, the last of as many as there are, by its index
    /// and with what `own` makes for each thread; `work` is about how many values a row has to do
    /// with.
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

    /// Among how many threads to share work on so many values.
    pub(crate) fn shares(&self, work: usize) -> usize {
        if work < WORK { 1 } else { self.count() }
    }

    /// `f` of each item by its index, each on one thread.
    ///
    /// # Errors
    /// The first that `f` gives.
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
