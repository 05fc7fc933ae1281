//! Cuts a whole song into segments like the published pipeline, with its quirks, which are only in
//! this file. It knows no model.

use super::{EncodeReport, TokenOptions, encode_segment};
use crate::notes::midi_file::MAX_SONG_S;
use crate::notes::{Note, note_events};
use crate::timeline::{Cut, Timeline};
use crate::units::{FrameIdx, HOP_SAMPLES, SAMPLE_RATE_HZ};

/// One model call of a song.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// The frames of 20 ms that belong to the song. Only the last segment has fewer than asked for.
    pub frames: usize,
    /// The token ids with the end token, without padding.
    pub ids: Vec<u32>,
    /// The size of the segment, and what was left out.
    pub report: EncodeReport,
}

/// Cuts a song into segments of `segment_frames` frames (at least 1; published: 256) of 20 ms.
///
/// With the `options` of the published models, the result is exactly that of the published
/// pipeline, with its quirks:
/// * One frame is always added: a song that ends on a border gets one more segment of one frame.
/// * The last segment has all later events, with shifts beyond its end.
/// * Segments after the last event list the keys that were held *before the events of the last
///   step* (the state index of the pipeline stops there), so notes that ended there are listed
///   again.
/// * A note of velocity 0 is a release in the place of its strike. A note without length hangs.
///
/// The original fails if there are more tokens than the limit, or no notes at all. This function
/// leaves out notes and says so in the report, or gives segments without events. At most 24 h are
/// rendered.
pub fn song_segments(
    notes: &[Note],
    total_time_s: f64,
    segment_frames: usize,
    options: &TokenOptions,
) -> Vec<Segment> {
    let mapped: Vec<Note> =
        notes.iter().map(|note| Note { voice: options.map_voice(note.voice), ..*note }).collect();
    let mut timeline = Timeline::new(options);
    for event in note_events(&mapped) {
        timeline.push_ordered(event);
    }
    let last_step = timeline.last_step();
    // The outdated held keys of the segments after the last event.
    let mut ahead = timeline.clone();
    let stale = last_step.map(|step| {
        ahead.cut(0, step);
        ahead.cut(step, step.saturating_add(1)).held.to_vec()
    });
    let samples = (total_time_s.clamp(0.0, MAX_SONG_S) * f64::from(SAMPLE_RATE_HZ)) as usize;
    let frames = samples / HOP_SAMPLES + 1;
    let segment_frames = segment_frames.max(1);
    let starts: Vec<usize> = (0..frames).step_by(segment_frames).collect();
    let mut segments = Vec::with_capacity(starts.len());
    for &start in &starts {
        let here = segment_frames.min(frames - start);
        let start_step = FrameIdx(start as u64).step();
        let is_last = start + here == frames;
        let end_step = if is_last { u64::MAX } else { FrameIdx((start + here) as u64).step() };
        let mut cut = timeline.cut(start_step, end_step);
        if let Some(stale) = &stale
            && last_step.is_some_and(|last_step| start_step > last_step)
        {
            cut = Cut { held: stale, ..cut };
        }
        let mut ids = Vec::new();
        let report = encode_segment(&cut, options, &mut ids);
        segments.push(Segment { frames: here, ids, report });
    }
    segments
}
