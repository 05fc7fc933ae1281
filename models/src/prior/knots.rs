//! For which frames of a note the network is asked; between them its answer goes evenly. Knows no network.
//!
//! A note changes fast after it was pressed or released and ever slower after that, and what the network hears of both times is spaced
//! evenly over their logarithms (`features`), so asking it for every frame of a note that rings costs much and says nothing new.
//! Python twin: `knots` in `models/training/timbre_training/prior.py`.

/// For so long after a note was pressed or released every frame is asked for, seconds.
const DENSE_S: f64 = 0.16;
/// Knots are never further apart, frames.
const FURTHEST: u64 = 16;

/// Frames from the knot at `frame`, `since_s` after its note was pressed or released, to the next: a quarter of that time at most.
/// Later knots lie on a grid that `stagger` moves, so that the notes of a chord do not all have theirs in the same frame.
pub(super) fn stride(frame: u64, since_s: f64, stagger: u64) -> u64 {
    let mut grid = 1;
    let mut until_s = DENSE_S;
    while grid < FURTHEST && since_s >= until_s {
        grid *= 2;
        until_s *= 2.0;
    }
    grid - (frame + stagger) % grid
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knots_are_dense_at_first_then_ever_rarer_and_on_a_grid() {
        assert_eq!(stride(7, 0.0, 0), 1);
        assert_eq!(stride(7, 0.159, 0), 1);
        assert_eq!([8, 9].map(|frame| stride(frame, 0.16, 0)), [2, 1]);
        assert_eq!([8, 9].map(|frame| stride(frame, 0.16, 1)), [1, 2]);
        assert_eq!((stride(32, 1.3, 0), stride(33, 9.0, 0)), (16, 15));
        for since_s in [0.2, 0.5, 1.0, 2.0] {
            assert!(stride(0, since_s, 0) as f64 * 0.02 <= since_s / 4.0 + 1e-9);
        }
    }
}
