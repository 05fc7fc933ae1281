//! Encodes one cut of the timeline as token ids. It knows redundant tokens and the token limit, but
//! not the segments before or after.

use super::{HeldStyle, TokenOptions, Vocabulary};
use crate::timeline::{Cut, Held};

/// The size of a segment, and what was left out because of the token limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EncodeReport {
    /// The ids written, without the end token.
    pub tokens: usize,
    /// The releases left out (first of all, oldest first).
    pub dropped_offs: usize,
    /// The held keys left out (second, oldest first).
    pub dropped_held: usize,
    /// The strikes left out (last, oldest first).
    pub dropped_ons: usize,
}

/// Writes a cut as `[held ...] tie [events ...] end` into `ids`, which is cleared first.
///
/// Shifts count from the start of the cut and are written when the step changes. A shift of more
/// than 1000 steps takes several tokens, as in the published encoder. A program or velocity equal
/// to the last one in this segment, including its held part, is left out. Drums have no program
/// token.
///
/// There are at most `options.max_tokens` ids (but always the tie) before the end token. If the cut
/// does not fit, the fewest possible parts are left out: first releases, then held keys, then
/// strikes, the oldest first. The timeline still knows them, so the next segment is right again.
///
/// # Real time
/// It does not allocate once `ids` has grown, except if something must be left out.
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
        // Leaving out one more part never makes the segment longer, so a binary search finds the
        // least number.
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

/// The age in steps as it is written: at least 1 and at most 1000. Up to 16 it is exact; above that
/// it is `floor(16 * 2^(k/8))` with `k = floor(8 * log2(age / 16))`.
pub fn age_token(age: u64) -> u64 {
    let age = age.clamp(1, 1000);
    if age <= 16 {
        return age;
    }
    let k = (8.0 * (age as f64 / 16.0).log2()).floor();
    (16.0 * (k / 8.0).exp2()).floor() as u64
}

/// A held key or an event, by its index in the cut.
#[derive(Debug, Clone, Copy)]
enum Part {
    Held(usize),
    Event(usize),
}

fn is_off(cut: &Cut<'_>, at: usize) -> bool {
    cut.events.get(at).is_some_and(|(_, event)| event.velocity == 0)
}

/// All parts of the cut, in the order in which they are left out.
fn drop_order(cut: &Cut<'_>) -> Vec<Part> {
    let mut by_age: Vec<(u64, usize)> =
        cut.held.iter().enumerate().map(|(at, held)| (held.onset_step, at)).collect();
    by_age.sort_unstable();
    let events = |offs: bool| {
        (0..cut.events.len()).filter(move |&at| is_off(cut, at) == offs).map(Part::Event)
    };
    events(true).chain(by_age.iter().map(|&(_, at)| Part::Held(at))).chain(events(false)).collect()
}

/// The target of tokens: a list, or only a count.
trait Sink {
    fn id(&mut self, id: u32);
    /// A shift by any number of steps.
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

/// Writes the parts that `keep` accepts, without the end token.
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
