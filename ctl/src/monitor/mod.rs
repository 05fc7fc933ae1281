//! The loop of `timbrectl monitor`: it reads the keys and the answers of the daemon, and draws the
//! terminal. What is known of the daemon is in `seen`, and what the screen looks like in `view`.

mod seen;
mod view;

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use rosc::OscType;
use timbre_control::client::{Client, ClientError};
use timbre_control::osc::{EVERYTHING, LEASE_S, PANIC, STATUS, SUBSCRIBE, message};

use crate::verbs::Error;
use seen::Seen;

/// How often the status is asked for.
const ASK: Duration = Duration::from_millis(100);
/// How long each turn of the loop waits for keys, and then for answers.
const TURN: Duration = Duration::from_millis(20);
/// How often the subscription is renewed. This is short, so that a restarted daemon sends changes
/// again soon.
const RENEW: Duration = Duration::from_secs(5);
/// What an arrow key adds to the master gain, dB.
const ARROW_DB: f64 = 1.0;

const _: () = assert!(RENEW.as_secs() < LEASE_S as u64);

/// The meaning of a key.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Key {
    Quit,
    Panic,
    /// Adds decibels to the master gain.
    Louder(f64),
    Mute,
}

/// Shows the daemon until q is pressed.
///
/// # Errors
/// The daemon does not answer at the start, or there is no terminal.
pub fn run(mut client: Client, host: &str) -> Result<(), Error> {
    if !std::io::stdout().is_terminal() {
        let text = "the monitor needs a terminal; `timbrectl status --watch` prints lines";
        return Err(Error::Usage(text.to_owned()));
    }
    // The daemon is asked before the full screen begins, so that its absence is reported as an
    // ordinary line.
    let mut seen = Seen::new(host);
    let answers = client.ask(vec![message(STATUS, vec![])])?;
    answers.iter().for_each(|m| seen.hear(m, Instant::now()));
    // This also restores the terminal before the message of a panic is printed.
    let mut terminal =
        ratatui::try_init().map_err(|e| Error::Terminal(format!("the terminal refuses: {e}")))?;
    let result = watch(&mut terminal, &mut client, &mut seen);
    ratatui::restore();
    result
}

fn watch(
    terminal: &mut DefaultTerminal,
    client: &mut Client,
    seen: &mut Seen,
) -> Result<(), Error> {
    let failed = |e: std::io::Error| Error::Terminal(format!("the terminal is gone: {e}"));
    let (mut ask, mut renew) = (Instant::now(), Instant::now());
    loop {
        terminal.draw(|frame| view::draw(frame, seen, Instant::now())).map_err(failed)?;
        let mut patience = TURN;
        while event::poll(patience).map_err(failed)? {
            patience = Duration::ZERO;
            let Event::Key(pressed) = event::read().map_err(failed)? else { continue };
            match key(pressed) {
                Some(Key::Quit) => return Ok(()),
                Some(key) => said(client.send(command(key, seen)))?,
                None => {}
            }
            // The effect of a key is shown at once.
            ask = Instant::now();
        }
        let now = Instant::now();
        if now >= renew {
            renew = now + RENEW;
            said(client.send(message(SUBSCRIBE, vec![OscType::from(EVERYTHING)])))?;
        }
        if now >= ask {
            ask = now + ASK;
            said(client.send(message(STATUS, vec![])))?;
        }
        let until = now + TURN;
        loop {
            match client.receive(until) {
                Ok(Some(messages)) => messages.iter().for_each(|m| seen.hear(m, Instant::now())),
                Ok(None) => break,
                Err(e) => {
                    said(Err(e))?;
                    std::thread::sleep(TURN);
                    break;
                }
            }
        }
    }
}

/// Ignores a missing answer, because the monitor shows that and waits for the daemon. Any other
/// error ends the monitor.
fn said(result: Result<(), ClientError>) -> Result<(), Error> {
    match result {
        Err(ClientError::NoAnswer { .. }) | Ok(()) => Ok(()),
        Err(e) => Err(e.into()),
    }
}

/// The message for a key.
fn command(key: Key, seen: &mut Seen) -> rosc::OscMessage {
    match key {
        Key::Louder(db) => {
            message("/master/gain", vec![OscType::Float(seen.louder(db, Instant::now()) as f32)])
        }
        Key::Mute => {
            message("/master/mute", vec![OscType::Bool(!seen.status.settings.master.mute)])
        }
        Key::Panic | Key::Quit => {
            seen.note("panic: everything silenced");
            message(PANIC, vec![])
        }
    }
}

fn key(pressed: KeyEvent) -> Option<Key> {
    if pressed.kind == KeyEventKind::Release {
        return None;
    }
    let is_control = pressed.modifiers.contains(KeyModifiers::CONTROL);
    match pressed.code {
        KeyCode::Char('c' | 'd') if is_control => Some(Key::Quit),
        KeyCode::Char('q') | KeyCode::Esc => Some(Key::Quit),
        KeyCode::Char('p') => Some(Key::Panic),
        KeyCode::Char('m') => Some(Key::Mute),
        KeyCode::Up | KeyCode::Right => Some(Key::Louder(ARROW_DB)),
        KeyCode::Down | KeyCode::Left => Some(Key::Louder(-ARROW_DB)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys() {
        let press = |code| key(KeyEvent::new(code, KeyModifiers::NONE));
        for code in [KeyCode::Char('q'), KeyCode::Esc] {
            assert_eq!(press(code), Some(Key::Quit));
        }
        assert_eq!(press(KeyCode::Char('p')), Some(Key::Panic));
        assert_eq!(press(KeyCode::Up), Some(Key::Louder(1.0)));
        assert_eq!(press(KeyCode::Left), Some(Key::Louder(-1.0)));
        assert_eq!(press(KeyCode::Char('c')), None);
        let control_c = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        assert_eq!(key(control_c), Some(Key::Quit));
        let mut up = KeyEvent::new(KeyCode::Char('p'), KeyModifiers::NONE);
        up.kind = KeyEventKind::Release;
        assert_eq!(key(up), None);
    }

    #[test]
    fn what_keys_send() {
        let mut seen = Seen::new("here");
        seen.status.settings.master.gain = -6.0;
        let gain = |seen: &mut Seen, db| command(Key::Louder(db), seen).args;
        assert_eq!(gain(&mut seen, 1.0), [OscType::Float(-5.0)]);
        assert_eq!(gain(&mut seen, 1.0), [OscType::Float(-4.0)], "before the daemon has answered");
        assert_eq!(command(Key::Mute, &mut seen), message("/master/mute", vec![true.into()]));
        assert_eq!(command(Key::Panic, &mut seen).addr, PANIC);
        assert!(seen.log().next().is_some_and(|line| line.text.starts_with("panic")));
    }
}
