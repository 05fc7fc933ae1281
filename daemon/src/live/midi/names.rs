//! The names of programs and ports in the sequencer of ALSA, and the socket of a keyboard. It knows
//! no messages.

use std::collections::HashMap;
use std::path::Path;

/// Where the kernel lists names as they are. The library does not give names that are not UTF-8.
const LIST: &str = "/proc/asound/seq/clients";

/// Names of clients and ports. If the library gives none, the list of the kernel is read, once.
#[derive(Debug, Default)]
pub(super) struct Names {
    raw: Option<HashMap<(i32, Option<i32>), String>>,
}

impl Names {
    /// The name of a client.
    pub(super) fn client(&mut self, client: i32, known: Option<&str>) -> String {
        self.name((client, None), known, || format!("client {client}"))
    }

    /// The name of a port.
    pub(super) fn port(&mut self, client: i32, port: i32, known: Option<&str>) -> String {
        self.name((client, Some(port)), known, || format!("port {port}"))
    }

    fn name(
        &mut self,
        key: (i32, Option<i32>),
        known: Option<&str>,
        number: impl FnOnce() -> String,
    ) -> String {
        if let Some(known) = known {
            return known.to_owned();
        }
        let read = || parse(&std::fs::read(LIST).unwrap_or_default());
        let raw = self.raw.get_or_insert_with(read);
        raw.get(&key).cloned().unwrap_or_else(number)
    }
}

/// `Client NUMBER : "NAME" [...]` and, indented below it, `Port NUMBER : "NAME" (...)`.
fn parse(list: &[u8]) -> HashMap<(i32, Option<i32>), String> {
    let mut names = HashMap::new();
    let mut client = None;
    for line in list.split(|byte| *byte == b'\n') {
        let quote = |byte: &u8| *byte == b'"';
        let (Some(from), Some(to)) = (line.iter().position(quote), line.iter().rposition(quote))
        else {
            continue;
        };
        let head = String::from_utf8_lossy(line.get(..from).unwrap_or_default()).into_owned();
        let mut words = head.split_whitespace();
        let (what, number) = (words.next(), words.next().and_then(|n| n.parse::<i32>().ok()));
        let name = text(line.get(from + 1..to).unwrap_or_default());
        match (what, number) {
            (Some("Client"), Some(number)) => {
                client = Some(number);
                names.insert((number, None), name);
            }
            (Some("Port"), Some(number)) => {
                if let Some(client) = client {
                    names.insert((client, Some(number)), name);
                }
            }
            _ => {}
        }
    }
    names
}

/// A name of unknown encoding. UTF-8 that was cut within a letter loses that letter, and anything
/// else is read as Latin-1.
fn text(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(e) if e.error_len().is_none() => {
            String::from_utf8_lossy(bytes.get(..e.valid_up_to()).unwrap_or_default()).into_owned()
        }
        Err(_) => bytes.iter().map(|byte| char::from(*byte)).collect(),
    }
}

/// The place of a port: the socket of its card, or for programs the number of the port.
pub(super) fn place(card: Option<i32>, port: i32) -> String {
    let link = card
        .and_then(|card| std::fs::read_link(format!("/sys/class/sound/card{card}/device")).ok());
    let Some(socket) = link.as_deref().and_then(socket) else { return format!("port {port}") };
    if port == 0 { socket } else { format!("{socket}, port {port}") }
}

/// The name of the socket from the folder of a device; for USB without the interface, so that
/// `../../1-1:1.0` is `usb 1-1`.
fn socket(link: &Path) -> Option<String> {
    let name = link.file_name()?.to_string_lossy().into_owned();
    let is_usb = |at: &str| at.contains('-') && at.starts_with(|c: char| c.is_ascii_digit());
    Some(match name.split_once(':') {
        Some((at, _)) if is_usb(at) => format!("usb {at}"),
        _ => name,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_whatever_their_encoding() {
        let list = b"Client info\n  cur  clients : 3\n\nClient  14 : \"Midi Through\" [Kernel]\n  \
            Port   0 : \"Midi Through Port-0\" (RWe-)\n\
            Client 128 : \"Clavi\xE9r \"2\"\" [User]\n  Port   3 : \"\xD0\xAF\xD0\" (R-e-)\n";
        let names = parse(list);
        let name = |client, port| names.get(&(client, port)).map(String::as_str);
        assert_eq!(name(14, None), Some("Midi Through"));
        assert_eq!(name(14, Some(0)), Some("Midi Through Port-0"));
        assert_eq!(name(128, None), Some("Clavi\u{e9}r \"2\""));
        assert_eq!(name(128, Some(3)), Some("\u{42f}"), "cut within a letter");
        assert_eq!(names.len(), 4);
        let mut names = Names { raw: Some(names) };
        assert_eq!(names.client(128, None), "Clavi\u{e9}r \"2\"");
        assert_eq!(names.client(20, Some("Nord")), "Nord");
        assert_eq!(names.port(20, 1, None), "port 1");
    }

    #[test]
    fn a_socket_is_named_without_the_interface() {
        let of = |link: &str| socket(Path::new(link));
        assert_eq!(of("../../../1-1.4:1.0"), Some("usb 1-1.4".to_owned()));
        assert_eq!(of("../../0000:00:1b.0"), Some("0000:00:1b.0".to_owned()));
        assert_eq!(of("../../snd_virmidi.0"), Some("snd_virmidi.0".to_owned()));
        assert_eq!(place(None, 2), "port 2");
    }
}
