//! The places at which the network is asked for a note: an even grid over velocities and the
//! logarithms of times, which is what it hears of them. Knows no network.

use super::features::{NEAR_S, OLDEST_S, TAIL_S};

/// Velocities that are asked for; between them powers go evenly in nats over their logarithms.
const VELOCITIES: [u8; 5] = [1, 24, 56, 92, 127];
/// Ages of a held note; times since the release of a released one, and times that its key was down.
const AGES: usize = 33;
const RELEASES: usize = 17;
const DOWNS: usize = 9;
/// Places of one key of one instrument.
pub const PLACES: usize = VELOCITIES.len() * (AGES + RELEASES * DOWNS);
/// Places of the grid between which a note lies, at most.
pub const CORNERS: usize = 8;

/// One place: what the network is asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Place {
    /// 1..=127.
    pub velocity: u8,
    /// Seconds since the press.
    pub age_s: f64,
    /// Seconds since the release; 0 while held.
    pub release_s: f64,
}

/// The places between which a note lies, by number, with their shares, which are 1 together.
#[derive(Debug, Clone, Copy, Default)]
pub struct Corners {
    all: [(u16, f32); CORNERS],
    count: usize,
}

impl Corners {
    /// Those of which there is something.
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

/// The places of held notes that are younger than 40 ms: what is needed at once when a key is
/// pressed.
pub fn beginnings() -> std::ops::Range<u16> {
    let [_, (last, _)] = even(0.04, AGES, OLDEST_S);
    0..((last + 1) * VELOCITIES.len()) as u16
}

/// The places around a note.
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

/// The place of a number.
pub fn place(number: usize) -> Place {
    let velocity = VELOCITIES[number % VELOCITIES.len()];
    match number / VELOCITIES.len() {
        age if age < AGES => Place { velocity, age_s: time_s(age, AGES, OLDEST_S), release_s: 0.0 },
        released => {
            let at = released - AGES;
            // The network is told of a release at once, and never that it lies 0 s back.
            let release_s = time_s(at / DOWNS, RELEASES, TAIL_S).max(1e-6);
            let age_s = release_s + time_s(at % DOWNS, DOWNS, OLDEST_S);
            Place { velocity, age_s, release_s }
        }
    }
}

/// The two of `count` times between which a time lies, evenly in its logarithm, with their shares.
fn even(time_s: f64, count: usize, longest_s: f64) -> [(usize, f32); 2] {
    let (low, high) = (NEAR_S.ln(), (longest_s + NEAR_S).ln());
    let place = ((time_s.min(longest_s) + NEAR_S).ln() - low) / (high - low) * (count - 1) as f64;
    let below = (place as usize).min(count - 2);
    let share = (place - below as f64) as f32;
    [(below, 1.0 - share), (below + 1, share)]
}

/// The time of a number.
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
