//! Draws the monitor: one screen of 80 x 24 characters or more. It only draws what `seen` has, and
//! does not talk to the daemon.

use std::time::Instant;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Paragraph};
use timbre_control::instruments;
use timbre_control::status::Status;

use super::seen::Seen;

/// The lowest level on the meters, dBFS.
const FLOOR_DBFS: f64 = -60.0;
/// The levels from which a meter shows a warning, and clipping, dBFS.
const LOUD_DBFS: f64 = -9.0;
const CLIPPED_DBFS: f64 = 0.0;
/// The load from which the monitor shows a warning.
const HEAVY: f64 = 0.8;

const GOOD: Color = Color::Green;
const WARNING: Color = Color::Yellow;
const BAD: Color = Color::Red;

/// Draws the whole screen.
pub fn draw(frame: &mut Frame<'_>, seen: &Seen, now: Instant) {
    let rows = [
        Constraint::Length(1),
        Constraint::Length(5),
        Constraint::Length(10),
        Constraint::Min(3),
        Constraint::Length(1),
    ];
    let [title, sound, channels, log, keys] = Layout::vertical(rows).areas(frame.area());
    draw_title(frame, title, seen, now);
    draw_sound(frame, sound, seen);
    draw_channels(frame, channels, &seen.status);
    draw_log(frame, log, seen);
    let text = " q quit   p panic   m mute   arrows master gain";
    frame.render_widget(Paragraph::new(text).style(Modifier::DIM), keys);
}

fn draw_title(frame: &mut Frame<'_>, area: Rect, seen: &Seen, now: Instant) {
    let s = &seen.status;
    let minutes = s.uptime_s / 60;
    let about = format!(
        " timbred {} at {}   model {}   up {}:{:02} h",
        s.version,
        seen.host,
        s.model,
        minutes / 60,
        minutes % 60
    );
    let mut spans = vec![Span::from(about).style(Modifier::BOLD)];
    if !seen.is_there(now) {
        spans.push(Span::from("   NO ANSWER").style(bold(BAD)));
    }
    frame.render_widget(Line::from(spans), area);
}

fn draw_sound(frame: &mut Frame<'_>, area: Rect, seen: &Seen) {
    let s = &seen.status;
    let block = Block::bordered().title(" sound ");
    let inside = block.inner(area);
    frame.render_widget(block, area);
    let master = &s.settings.master;
    let gain = if master.mute { "muted".to_owned() } else { format!("{:+.1} dB", master.gain) };
    let width = usize::from(inside.width).saturating_sub(34);
    let meter = |name: &'static str, dbfs: f64, mark: Option<f64>| {
        let mut spans = vec![Span::from(format!(" {name:5}"))];
        spans.extend(bar(share(dbfs), mark.map(share), width, level_colour(mark.unwrap_or(dbfs))));
        spans.push(Span::from(format!(" {dbfs:6.1} dBFS")));
        spans
    };
    let mut peak = meter("peak", s.peak_dbfs, Some(seen.held_dbfs));
    peak.push(Span::from(format!("  {gain:>9}")).style(bold(if master.mute { BAD } else { GOOD })));
    let mut rms = meter("rms", s.rms_dbfs, None);
    rms.push(Span::from(format!("  {:3} notes", s.notes)));
    let load_colour = match s.load {
        load if load >= 1.0 => BAD,
        load if load >= HEAVY => WARNING,
        _ => GOOD,
    };
    let trouble = |count: u64, what: &str| {
        let colour = if count > 0 { BAD } else { Color::Reset };
        Span::from(format!("   {count} {what}")).style(colour)
    };
    let mut engine = vec![Span::from(" load ")];
    engine.extend(bar(s.load.clamp(0.0, 1.0), None, 12, load_colour));
    engine.push(Span::from(format!(" {:4.2}", s.load)).style(load_colour));
    engine.push(Span::from(format!("   {:.0} ms   {} steps", s.latency_ms, s.steps_now)));
    engine.push(trouble(s.underruns, "underruns"));
    engine.push(trouble(s.misses, "misses"));
    let lines = vec![Line::from(peak), Line::from(rms), Line::from(engine)];
    frame.render_widget(Paragraph::new(lines), inside);
}

/// Draws two columns of eight channels.
fn draw_channels(frame: &mut Frame<'_>, area: Rect, s: &Status) {
    let block = Block::bordered().title(" channels ");
    let halves = Layout::horizontal([Constraint::Fill(1); 2]).split(block.inner(area));
    frame.render_widget(block, area);
    let any_solo = s.settings.channels.iter().any(|c| c.solo);
    let strips = (1usize..).zip(&s.settings.channels).zip(&s.programs);
    let lines: Vec<Line<'_>> = strips
        .map(|((number, strip), program)| {
            let name = instruments::name(number - 1, *program);
            let (word, colour) = match strip {
                c if !c.enable => ("off", WARNING),
                c if c.mute => ("mute", BAD),
                c if c.solo => ("solo", GOOD),
                _ => ("", Color::Reset),
            };
            let is_silent = !strip.enable || strip.mute || (any_solo && !strip.solo);
            let style = if is_silent { Style::from(Modifier::DIM) } else { Style::new() };
            let text = format!(" {number:2} {name:20.20} {:+5.1} ", strip.gain);
            let level = s.part_dbfs.get(number - 1).copied().unwrap_or(f64::NEG_INFINITY);
            let notes = s.part_notes.get(number - 1).copied().unwrap_or(0);
            let mut spans = vec![Span::from(text).style(style)];
            match word {
                "" => {
                    spans.extend(bar(share(level), None, 4, level_colour(level)));
                    spans.push(Span::from(format!(" {notes:2}")));
                }
                word => spans.push(Span::from(word).style(bold(colour))),
            }
            Line::from(spans)
        })
        .collect();
    for (half, lines) in halves.iter().zip(lines.chunks(8)) {
        frame.render_widget(Paragraph::new(lines.to_vec()), *half);
    }
}

fn draw_log(frame: &mut Frame<'_>, area: Rect, seen: &Seen) {
    let block = Block::bordered().title(" changes ");
    let inside = block.inner(area);
    frame.render_widget(block, area);
    let lines: Vec<Line<'_>> = seen
        .log()
        .take(inside.height.into())
        .map(|line| {
            // Control characters in names from outside must not reach the terminal.
            let text: String =
                line.text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
            let colour = if line.is_error { BAD } else { Color::Reset };
            Line::from(format!(" {text}")).style(colour)
        })
        .collect();
    frame.render_widget(Paragraph::new(lines), inside);
}

/// A bar of `width` characters that is filled to `share`, 0 to 1, with a mark at another share.
fn bar(share: f64, mark: Option<f64>, width: usize, colour: Color) -> Vec<Span<'static>> {
    let place = |share: f64| (share * width as f64).round() as usize;
    let (full, mark) = (place(share).min(width), mark.map(place).filter(|at| *at > 0));
    let letter = |at: usize| match at {
        at if Some(at + 1) == mark => '|',
        at if at < full => '#',
        _ => '-',
    };
    vec![Span::from((0..width).map(letter).collect::<String>()).style(colour)]
}

/// The position of a level between the floor and full scale, 0 to 1.
fn share(dbfs: f64) -> f64 {
    if dbfs.is_nan() { 0.0 } else { ((dbfs - FLOOR_DBFS) / -FLOOR_DBFS).clamp(0.0, 1.0) }
}

fn level_colour(dbfs: f64) -> Color {
    match dbfs {
        db if db >= CLIPPED_DBFS => BAD,
        db if db >= LOUD_DBFS => WARNING,
        _ => GOOD,
    }
}

fn bold(colour: Color) -> Style {
    Style::from(colour).add_modifier(Modifier::BOLD)
}

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;
    use rosc::OscType;
    use timbre_control::osc::{ERROR, STATUS, message};

    use super::*;

    /// Returns the screen as lines of text.
    fn screen(seen: &Seen, now: Instant, width: u16, height: u16) -> Vec<String> {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a terminal");
        terminal.draw(|frame| draw(frame, seen, now)).expect("a picture");
        let buffer = terminal.backend().buffer().clone();
        let row = |cells: &[ratatui::buffer::Cell]| cells.iter().map(|c| c.symbol()).collect();
        buffer.content().chunks(width.into()).map(row).collect()
    }

    fn playing(now: Instant) -> Seen {
        let mut status = Status {
            version: "0.1.0".to_owned(),
            model: "live".to_owned(),
            uptime_s: 3720,
            latency_ms: 58.4,
            load: 0.83,
            underruns: 2,
            steps_now: 4,
            notes: 3,
            peak_dbfs: -6.0,
            rms_dbfs: -30.0,
            programs: vec![0; 16],
            ..Status::default()
        };
        status.programs[1] = 19;
        status.part_dbfs = vec![-120.0; 16];
        status.part_notes = vec![0; 16];
        (status.part_dbfs[1], status.part_notes[1]) = (-30.0, 12);
        status.settings.channels[1].gain = -3.5;
        status.settings.channels[15].mute = true;
        status.settings.master.gain = -12.0;
        let mut seen = Seen::new("127.0.0.1:9000");
        let json = serde_json::to_string(&status).expect("JSON");
        seen.hear(&message(STATUS, vec![json.into()]), now);
        let text = "nothing is at /x\u{1b}[2J".to_owned();
        seen.hear(&message(ERROR, vec!["/x".into(), OscType::Int(1), text.into()]), now);
        seen
    }

    #[test]
    fn everything_is_on_a_small_screen() {
        let now = Instant::now();
        let lines = screen(&playing(now), now, 80, 24);
        let has = |row: usize, words: &[&str]| {
            let line = &lines[row];
            assert!(words.iter().all(|word| line.contains(word)), "{row} {words:?}: {line}");
        };
        has(0, &["timbred 0.1.0 at 127.0.0.1:9000", "model live", "up 1:02 h"]);
        assert!(!lines[0].contains("NO ANSWER"));
        has(2, &["peak", "-6.0 dBFS", "-12.0 dB"]);
        has(3, &["rms", "-30.0 dBFS", "3 notes"]);
        has(4, &["load", "0.83", "58 ms", "4 steps", "2 underruns", "0 misses"]);
        has(7, &[" 1 Acoustic Grand Piano", " 9 Acoustic Grand Piano"]);
        has(8, &[" 2 Church Organ", "-3.5", "##-- 12", "10 Standard Kit"]);
        has(14, &["16 Acoustic Grand Piano", "mute"]);
        has(17, &["/x: nothing is at /x [2J"]);
        has(23, &["q quit", "p panic"]);
    }

    #[test]
    fn bars_are_as_long_as_levels_are_high() {
        let now = Instant::now();
        let lines = screen(&playing(now), now, 80, 24);
        let count = |row: usize, letter: char| lines[row].chars().filter(|c| *c == letter).count();
        // 60 dB are 44 characters, of which the last one shows the held peak.
        assert_eq!((count(2, '#'), lines[2].matches("|").count()), (39, 1));
        assert_eq!(count(3, '#'), 22);
        assert_eq!(bar(0.0, Some(0.0), 4, GOOD)[0].content, "----");
        assert_eq!(bar(2.0, None, 4, GOOD)[0].content, "####");
        assert_eq!((share(f64::NAN), share(f64::NEG_INFINITY), share(9.0)), (0.0, 0.0, 1.0));
        let colours = [-20.0, -9.0, 0.0].map(level_colour);
        assert_eq!(colours, [GOOD, WARNING, BAD]);
    }

    #[test]
    fn a_daemon_that_is_gone_is_shown_and_no_screen_is_too_small() {
        let now = Instant::now();
        let seen = playing(now);
        let late = now + std::time::Duration::from_secs(3);
        assert!(screen(&seen, late, 100, 40)[0].contains("NO ANSWER"));
        assert!(screen(&Seen::new("x"), now, 80, 24)[0].contains("NO ANSWER"));
        for (width, height) in [(1, 1), (20, 5), (79, 23), (300, 100)] {
            screen(&seen, now, width, height);
        }
    }
}
