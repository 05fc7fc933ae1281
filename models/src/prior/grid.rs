//! The grid on which the network is evaluated: it is even in velocities and in the logarithms of
//! times, like the inputs of the network. It knows no network.

use super::features::{NEAR_S, OLDEST_S, TAIL_S};

/// The velocities of the grid. Between them powers are interpolated in nats over the logarithm of
/// the velocity.
const VELOCITIES: [u8; 5] = [1, 24, 56, 92, 127];
/// The numbers of ages of held notes, of times since the release, and of times that the key was
/// down.
const AGES: usize = 33;
const RELEASES: usize = 17;
const DOWNS: usize = 9;
/// The grid points for one key of one instrument.
pub const PLACES: usize = VELOCITIES.len() * (AGES + RELEASES * DOWNS);
/// The most grid points around a note.
pub const CORNERS: usize = 8;

/// A point, which is one input of the network.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Place {
    /// The velocity, 1..=127.
    pub velocity: u8,
    /// Seconds since the press.
    pub age_s: f64,
    /// Seconds since the release; 0 while it is held.
    pub release_s: f64,
}

/// The grid points around a note, by their indices, with weights whose sum is 1.
#[derive(Debug, Clone, Copy, Default)]
pub struct Corners {
    all: [(u16, f32); CORNERS],
    count: usize,
}

impl Corners {
    /// The points with a weight above 0.
    pub fn iter(self) -> impl Iterator<Item = (u16, f32)> {
        self.all.into_iter().take(self.count)
    }

    fn push(&mut self, place: usize, share: f32) {
        if let (Some(to), true) = (self.all.get_mut(self.count), share > 0.0) {
            *to = (place as u16, share);
            self.count += 1;
        }
    }
}

/// The grid points of held notes that are younger than 40 ms, which are needed at once when a key
/// is pressed.
pub fn beginnings() -> std::ops::Range<u16> {
    let [_, (last, _)] = even(0.04, AGES, OLDEST_S);
    0..((last + 1) * VELOCITIES.len()) as u16
}

/// The grid points around a note.
pub fn around(place: &Place) -> Corners {
    let mut corners = Corners::default();
    let above = VELOCITIES.partition_point(|v| *v <= place.velocity);
    let above = above.clamp(1, VELOCITIES.len() - 1);
    let [low, high] = [above - 1, above].map(|i| f32::from(VELOCITIES[i]).ln());
    let louder = ((f32::from(place.velocity).ln() - low) / (high - low)).clamp(0.0, 1.0);
    for (velocity, by) in [(above - 1, 1.0 - louder), (above, louder)] {
        if place.release_s > 0.0 {
            let down_s = (place.age_s - place.release_s).max(0.0);
            for (release, share) in even(place.release_s, RELEASES, TAIL_S) {
                for (down, part) in even(down_s, DOWNS, OLDEST_S) {
                    let at = AGES + release * DOWNS + down;
                    corners.push(at * VELOCITIES.len() + velocity, by * share * part);
                }
            }
        } else {
            for (age, share) in even(place.age_s, AGES, OLDEST_S) {
                corners.push(age * VELOCITIES.len() + velocity, by * share);
            }
        }
    }
    corners
}

/// The grid point with an index.
pub fn place(number: usize) -> Place {
    let velocity = VELOCITIES[number % VELOCITIES.len()];
    match number / VELOCITIES.len() {
        age if age < AGES => Place { velocity, age_s: time_s(age, AGES, OLDEST_S), release_s: 0.0 },
        released => {
            let at = released - AGES;
            // Released notes are a different case for the network, so a release never lies 0 s
            // back.
            let release_s = time_s(at / DOWNS, RELEASES, TAIL_S).max(1e-6);
            let age_s = release_s + time_s(at % DOWNS, DOWNS, OLDEST_S);
            Place { velocity, age_s, release_s }
        }
    }
}

/// The two of `count` times around a time, interpolated in the logarithm, with their weights.
fn even(time_s: f64, count: usize, longest_s: f64) -> [(usize, f32); 2] {
    let (low, high) = (NEAR_S.ln(), (longest_s + NEAR_S).ln());
    let place = ((time_s.min(longest_s) + NEAR_S).ln() - low) / (high - low) * (count - 1) as f64;
    let below = (place as usize).min(count - 2);
    let share = (place - below as f64) as f32;
    [(below, 1.0 - share), (below + 1, share)]
}

/// The time with an index.
fn time_s(number: usize, count: usize, longest_s: f64) -> f64 {
    let (low, high) = (NEAR_S.ln(), (longest_s + NEAR_S).ln());
    ((low + (high - low) * number as f64 / (count - 1) as f64).exp() - NEAR_S).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_of_the_grid_lies_at_itself() {
        for number in 0..PLACES {
            let corners: Vec<_> = around(&place(number)).iter().collect();
            let own = corners.iter().find(|(n, _)| usize::from(*n) == number);
            assert!(own.is_some_and(|(_, share)| *share > 0.99), "{number}: {corners:?}");
        }
    }

    #[test]
    fn shares_are_1_together_and_mean_the_note() {
        for (age_s, release_s) in [(0.0, 0.0), (0.013, 0.0), (3.0, 0.0), (99.0, 0.0), (0.5, 0.2)] {
            for velocity in [1, 2, 64, 100, 127] {
                let corners = around(&Place { velocity, age_s, release_s });
                let sum: f32 = corners.iter().map(|(_, share)| share).sum();
                assert!((sum - 1.0).abs() < 1e-5);
                let mean = |of: fn(&Place) -> f64| -> f64 {
                    corners.iter().map(|(n, s)| f64::from(s) * of(&place(n.into()))).sum()
                };
                let wanted = f64::from(velocity).ln();
                assert!((mean(|p| f64::from(p.velocity).ln()) - wanted).abs() < 1e-3);
            }
        }
    }
}
