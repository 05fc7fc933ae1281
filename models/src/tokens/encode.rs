//! One cut of the timeline to token ids. Knows redundancy and the token limit; not what comes
//! before or after.

use super::{HeldStyle, TokenOptions, Vocabulary};
use crate::timeline::{Cut, Held};

/// What a segment cost and what had to be left out of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EncodeReport {
    /// Ids written, without the end token.
    pub tokens: usize,
    /// Releases left out (they went first, oldest first).
    pub dropped_offs: usize,
    /// Held keys left out (second, oldest first).
    pub dropped_held: usize,
    /// Strikes left out (last, oldest first).
    pub dropped_ons: usize,
}

/// Writes a cut as `[held ...] tie [events ...] end` into `ids` (cleared first).
///
/// Shifts are absolute from the start of the cut and written when the step changes; beyond 1000
/// steps they are written in several tokens, as the published encoder does. A program or velocity
/// equal to the last one in this segment, held part included, is left out. Drums write no program.
///
/// Never more than `options.max_tokens` ids (at least the tie) and the end token: if they do not
/// fit, releases are left out first, then held keys, then strikes, the oldest first and no more
/// than needed. The timeline still knows them, so the next segment is right again.
///
/// # Real time
/// Does not allocate once `ids` has grown, except when something must be left out.
pub fn encode_segment(cut: &Cut<'_>, options: &TokenOptions, ids: &mut Vec<u32>) -> EncodeReport {
    let vocabulary = Vocabulary::new(options.velocity_bins);
    let limit = options.max_tokens.max(1);
    let count = |keep: &dyn Fn(Part) -> bool| {
        let mut counter = Counter(0);
        walk(cut, options, &vocabulary, keep, &mut counter);
        counter.0
    };
    ids.clear();
    let mut report = EncodeReport::default();
    if count(&|_| true) <= limit {
        walk(cut, options, &vocabulary, &|_| true, ids);
    } else {
        // Leaving one more out never makes it longer, so the least number can be searched by
        // halves.
        let order = drop_order(cut);
        let mut rank_of_held = vec![0; cut.held.len()];
        let mut rank_of_event = vec![0; cut.events.len()];
        for (rank, part) in order.iter().enumerate() {
            let slot = match *part {
                Part::Held(at) => rank_of_held.get_mut(at),
                Part::Event(at) => rank_of_event.get_mut(at),
            };
            if let Some(slot) = slot {
                *slot = rank;
            }
        }
        let keep_from = |dropped: usize| {
            let (held, events) = (&rank_of_held, &rank_of_event);
            move |part| match part {
                Part::Held(at) => held.get(at).is_some_and(|&rank| rank >= dropped),
                Part::Event(at) => events.get(at).is_some_and(|&rank| rank >= dropped),
            }
        };
        let (mut too_few, mut enough) = (0, order.len());
        while enough - too_few > 1 {
            let middle = too_few + (enough - too_few) / 2;
            if count(&keep_from(middle)) <= limit {
                enough = middle;
            } else {
                too_few = middle;
            }
        }
        walk(cut, options, &vocabulary, &keep_from(enough), ids);
        for part in order.iter().take(enough) {
            match *part {
                Part::Held(_) => report.dropped_held += 1,
                Part::Event(at) if is_off(cut, at) => report.dropped_offs += 1,
                Part::Event(_) => report.dropped_ons += 1,
            }
        }
    }
    report.tokens = ids.len();
    ids.push(vocabulary.eos());
    report
}

/// An age in steps as it is written: at least 1 and at most 1000; exact up to 16, above that
/// `floor(16 * 2^(k/8))` with `k = floor(8 * log2(age / 16))`.
pub fn age_token(age: u64) -> u64 {
    let age = age.clamp(1, 1000);
    if age <= 16 {
        return age;
    }
    let k = (8.0 * (age as f64 / 16.0).log2()).floor();
    (16.0 * (k / 8.0).exp2()).floor() as u64
}

/// A held key or an event, by its place in the cut.
#[derive(Debug, Clone, Copy)]
enum Part {
    Held(usize),
    Event(usize),
}

fn is_off(cut: &Cut<'_>, at: usize) -> bool {
    cut.events.get(at).is_some_and(|(_, event)| event.velocity == 0)
}

/// Everything in the cut, what goes first in front.
fn drop_order(cut: &Cut<'_>) -> Vec<Part> {
    let mut by_age: Vec<(u64, usize)> =
        cut.held.iter().enumerate().map(|(at, held)| (held.onset_step, at)).collect();
    by_age.sort_unstable();
    let events = |offs: bool| {
        (0..cut.events.len()).filter(move |&at| is_off(cut, at) == offs).map(Part::Event)
    };
    events(true).chain(by_age.iter().map(|&(_, at)| Part::Held(at))).chain(events(false)).collect()
}

/// Where tokens go: into a list, or only into a count.
trait Sink {
    fn id(&mut self, id: u32);
    /// A shift of any number of steps.
    fn shift(&mut self, steps: u64, vocabulary: &Vocabulary);
}

impl Sink for Vec<u32> {
    fn id(&mut self, id: u32) {
        self.push(id);
    }

    fn shift(&mut self, steps: u64, vocabulary: &Vocabulary) {
        let mut rest = steps;
        while rest > Vocabulary::MAX_SHIFT_STEPS {
            self.push(vocabulary.shift(Vocabulary::MAX_SHIFT_STEPS));
            rest -= Vocabulary::MAX_SHIFT_STEPS;
        }
        self.push(vocabulary.shift(rest));
    }
}

struct Counter(usize);

impl Sink for Counter {
    fn id(&mut self, _: u32) {
        self.0 = self.0.saturating_add(1);
    }

    fn shift(&mut self, steps: u64, _: &Vocabulary) {
        let tokens = steps.div_ceil(Vocabulary::MAX_SHIFT_STEPS);
        self.0 = self.0.saturating_add(usize::try_from(tokens).unwrap_or(usize::MAX));
    }
}

/// The last program and velocity tokens of this segment.
#[derive(Default)]
struct Last {
    program: Option<u32>,
    velocity: Option<u32>,
}

/// Writes `id` if it differs from `last`.
fn change(last: &mut Option<u32>, id: u32, sink: &mut impl Sink) {
    if last.replace(id) != Some(id) {
        sink.id(id);
    }
}

/// Writes the parts that are kept, without the end token.
fn walk(
    cut: &Cut<'_>,
    options: &TokenOptions,
    vocabulary: &Vocabulary,
    keep: &(impl Fn(Part) -> bool + ?Sized),
    sink: &mut impl Sink,
) {
    let mut last = Last::default();
    for (at, held) in cut.held.iter().enumerate() {
        if keep(Part::Held(at)) {
            write_held(held, cut.start_step, options.held, vocabulary, &mut last, sink);
        }
    }
    sink.id(vocabulary.tie());
    let mut written_step = 0;
    for (at, &(step, event)) in cut.events.iter().enumerate() {
        if !keep(Part::Event(at)) {
            continue;
        }
        let steps = step.saturating_sub(cut.start_step);
        if steps != written_step {
            sink.shift(steps, vocabulary);
            written_step = steps;
        }
        if !event.voice.is_drum {
            change(&mut last.program, vocabulary.program(event.voice.program), sink);
        }
        change(&mut last.velocity, vocabulary.velocity(event.velocity), sink);
        sink.id(match event.voice.is_drum {
            true => vocabulary.drum(event.voice.key),
            false => vocabulary.pitch(event.voice.key),
        });
    }
}

fn write_held(
    held: &Held,
    start_step: u64,
    style: HeldStyle,
    vocabulary: &Vocabulary,
    last: &mut Last,
    sink: &mut impl Sink,
) {
    change(&mut last.program, vocabulary.program(held.voice.program), sink);
    if style == HeldStyle::KeyVelocityAge {
        change(&mut last.velocity, vocabulary.velocity(held.velocity), sink);
        sink.id(vocabulary.shift(age_token(start_step.saturating_sub(held.onset_step))));
    }
    sink.id(vocabulary.pitch(held.voice.key));
}
