//! Applies the events of a hop: notes begin and end, controls change, and notes that are over are
//! removed. It knows no network.

use super::queue::Item;
use super::{Maker, StreamError, Streamer};
use crate::dynamics::Dynamics;
use crate::event::{Event, Strike, What};
use crate::ledger::sample_at;
use crate::units::SamplePos;

impl Streamer {
    /// The level of each of the first sixteen parts in the last hop, as the root mean square of
    /// both sides. The level of the hop is divided among the parts by the power of their notes.
    pub fn part_levels(&self) -> [f32; 16] {
        let mut powers = [0.0f32; 16];
        for note in self.ledger.notes().iter().filter(|note| note.power.is_finite()) {
            if let Some(power) = powers.get_mut(usize::from(note.part.0)) {
                *power += note.power;
            }
        }
        let sides = self.samples.iter().take(2).flatten();
        let (sum, count) = sides.fold((0.0, 0), |(sum, n), x| (sum + x * x, n + 1));
        let all: f32 = powers.iter().sum();
        let share = if all > 0.0 { sum / count.max(1) as f32 / all } else { 0.0 };
        powers.map(|power| (power * share).sqrt())
    }

    /// Applies the events of the hop before the 10 ms token step `end`.
    pub(super) fn listen_to_steps(&mut self, end: u64) -> Result<(), StreamError> {
        let start_s = self.position.start().seconds();
        while let Some(item) = self.queue.next(end) {
            self.hear(item, start_s)?;
        }
        Ok(())
    }

    /// Applies the events of the tick from `start` to `end`. Returns whether there are any, and
    /// whether a note begins or ends.
    pub(super) fn listen(
        &mut self,
        [start, end]: [SamplePos; 2],
    ) -> Result<(bool, bool), StreamError> {
        let (mut any, mut is_struck) = (false, false);
        while let Some(item) = self.queue.next_before(end) {
            any = true;
            is_struck |= self.hear(item, start.seconds())?;
        }
        Ok((any, is_struck))
    }

    /// Passes an event, which takes effect at `start_s` or later, to the notes, the parts and the
    /// timeline. Returns whether a note begins or ends with it.
    fn hear(&mut self, item: Item, start_s: f64) -> Result<bool, StreamError> {
        let event = match item {
            Item::Event(event) => {
                let timeline = &mut self.timeline;
                self.merge.event(&event, &mut |event| timeline.push(event));
                event
            }
            Item::Note(event) => {
                self.timeline.push(event);
                Event::of(&event)
            }
        };
        self.obey(event, event.at_s.max(start_s))?;
        Ok(matches!(event.what, What::On(_) | What::Off(_) | What::Silence))
    }

    /// Applies an event to the notes or the parts at `at_s`, seconds.
    fn obey(&mut self, event: Event, at_s: f64) -> Result<(), StreamError> {
        let (part, tick) = (event.part, sample_at(at_s).tick());
        match event.what {
            What::On(strike) => {
                let voice = self.kits.played(self.tokens.map_voice(strike.voice));
                let note = self.ledger.strike(at_s, part, &Strike { voice, ..strike });
                self.parts.strike(tick, part);
                self.vocoder.strike(&note)?;
            }
            What::Off(note) => self.ledger.release(at_s, note),
            What::Silence => self.ledger.silence(at_s, part),
            What::KeyPressure(note, pressure) => {
                self.ledger.touch(at_s, note, |touch| touch.pressure = pressure);
            }
            What::Retune(note, tuning) => {
                self.ledger.touch(at_s, note, |touch| touch.tuning = tuning);
            }
            What::Control(control, value) => self.parts.set(tick, part, control, value),
        }
        Ok(())
    }

    /// Removes the notes that cannot be heard any more.
    pub(super) fn forget(&mut self) {
        let (maker, vocoder, next) = (&self.maker, &self.vocoder, self.position);
        self.ledger.next_hop();
        self.ledger.forget(|note| {
            let is_over = match maker {
                Maker::Ticks(ticks) => ticks.prior.is_over(note, next),
                Maker::Hops(_) => Dynamics::is_over(note, next),
            };
            is_over && vocoder.is_over(note)
        });
    }
}
