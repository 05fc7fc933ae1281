//! The sound cards of ALSA, the names by which they are opened, and which of them plays if none is
//! configured. Devices are opened only to see whether that works.

use std::path::Path;

use alsa::{Ctl, Direction, PCM};

/// The default device of the library.
pub(super) const DEFAULT: &str = "default";
/// Names of the library that are no devices: they convert for others, or discard the sound.
const NO_PLACES: [&str; 12] = [
    "null",
    "default",
    "sysdefault",
    "jack",
    "oss",
    "lavrate",
    "samplerate",
    "speexrate",
    "speex",
    "upmix",
    "vdownmix",
    "usbstream",
];

/// A name that can be opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Name {
    /// The name as the library takes it.
    pub(super) name: String,
    /// A description for people.
    pub(super) words: String,
}

/// The kinds of cards, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    /// Plugged in by somebody, who probably wants to hear it.
    Usb,
    /// On the board, with a socket.
    Board,
    /// Connected to a screen or an amplifier that is switched on.
    Screen,
    /// Virtual cards.
    Made,
    /// Made for a screen, but none is connected.
    NoScreen,
}

impl Kind {
    fn words(self) -> &'static str {
        match self {
            Self::Usb => "a USB sound card",
            Self::Board => "the sound card on the board",
            Self::Screen => "the sound of a screen",
            Self::Made => "a card made of software",
            Self::NoScreen => "a socket without a screen",
        }
    }
}

/// A card that can play.
#[derive(Debug, Clone)]
struct Card {
    index: i32,
    id: String,
    name: String,
    kind: Kind,
    /// The number and name of each of its devices that can play.
    devices: Vec<(u32, String)>,
}

/// A device to try if none is configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Candidate {
    /// The name as the library takes it.
    pub(super) name: String,
    /// Why it was chosen.
    pub(super) why: String,
}

/// What the default device of the library leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Default {
    /// A sound server.
    Server,
    /// The card with this number.
    Card(i32),
    /// Nothing.
    Nowhere,
}

/// The devices to try, best first, if none is configured.
pub(super) fn candidates() -> Vec<Candidate> {
    let _quiet = alsa::Output::local_error_handler();
    let home = std::env::var_os("HOME").map(|home| Path::new(&home).join(".asoundrc"));
    let is_told = Path::new("/etc/asound.conf").exists() || home.is_some_and(|p| p.exists());
    rank(cards(), default_leads(), is_told)
}

/// All names that can be opened now.
pub(super) fn names() -> Vec<Name> {
    let _quiet = alsa::Output::local_error_handler();
    let cards = cards();
    let mut all = vec![Name { name: DEFAULT.to_owned(), words: "the system's default".to_owned() }];
    let hints = alsa::device_name::HintIter::new(None, c"pcm").into_iter().flatten();
    for hint in hints.filter(|hint| hint.direction != Some(Direction::Capture)) {
        let Some(name) = hint.name else { continue };
        if !name.contains(':') && !NO_PLACES.contains(&name.as_str()) {
            let words = hint.desc.unwrap_or_default().lines().next().unwrap_or_default().to_owned();
            all.push(Name { name, words });
        }
    }
    for card in &cards {
        for (device, name) in &card.devices {
            for (prefix, words) in [("plughw", ""), ("hw", ", without conversion")] {
                all.push(Name {
                    name: format!("{prefix}:CARD={},DEV={device}", card.id),
                    words: format!("{}, {name}{words}", card.name),
                });
            }
        }
    }
    all.retain(|name| opens(&name.name));
    all
}

/// The name of a device with the number of its card, so that `hw:1` and `hw:CARD=Box` can be
/// compared; none for names of other forms.
pub(super) fn by_number(name: &str) -> Option<String> {
    let (prefix, rest) = name.split_once(':')?;
    if !matches!(prefix, "hw" | "plughw") {
        return None;
    }
    let mut parts = rest.split(',').map(str::trim);
    let (card, device) = (parts.next()?, parts.next().unwrap_or("0"));
    let card = card.strip_prefix("CARD=").unwrap_or(card);
    let device: u32 = device.strip_prefix("DEV=").unwrap_or(device).parse().ok()?;
    let id = std::ffi::CString::new(card).ok()?;
    let index = alsa::Card::from_str(&id).ok()?.get_index();
    Some(format!("{prefix}:CARD={index},DEV={device}"))
}

/// Whether a name can be opened, or could be if no other program used it.
pub(super) fn opens(name: &str) -> bool {
    let _quiet = alsa::Output::local_error_handler();
    match PCM::new(name, Direction::Playback, true) {
        Ok(_) => true,
        Err(e) => matches!(e.errno(), BUSY | AGAIN),
    }
}

/// Another program uses the device (Linux, errno(3)).
const BUSY: i32 = 16;
const AGAIN: i32 = 11;

fn default_leads() -> Default {
    match PCM::new(DEFAULT, Direction::Playback, true) {
        Ok(pcm) => match pcm.info().map(|info| info.get_card()) {
            Ok(card) if card >= 0 => Default::Card(card),
            _ => Default::Server,
        },
        Err(_) => Default::Nowhere,
    }
}

/// The cards that can play.
fn cards() -> Vec<Card> {
    let read = |card: alsa::Card| -> Option<Card> {
        let index = card.get_index();
        let ctl = Ctl::new(&format!("hw:{index}"), true).ok()?;
        let info = ctl.card_info().ok()?;
        let name_of = |device| {
            let info = ctl.pcm_info(device, 0, Direction::Playback).ok()?;
            Some((device, info.get_name().unwrap_or_default().to_owned()))
        };
        let devices: Vec<_> = alsa::ctl::DeviceIter::new(&ctl)
            .filter_map(|device| name_of(u32::try_from(device).ok()?))
            .collect();
        let id = info.get_id().ok()?.to_owned();
        let name = info.get_name().unwrap_or(&id).to_owned();
        let kind = kind(index, info.get_driver().unwrap_or_default(), &name, &devices);
        (!devices.is_empty()).then_some(Card { index, id, name, kind, devices })
    };
    alsa::card::Iter::new().flatten().filter_map(read).collect()
}

fn kind(index: i32, driver: &str, name: &str, devices: &[(u32, String)]) -> Kind {
    let folder = format!("/proc/asound/card{index}");
    if Path::new(&folder).join("usbid").exists() || driver == "USB-Audio" {
        return Kind::Usb;
    }
    if matches!(driver, "Loopback" | "Dummy") {
        return Kind::Made;
    }
    let is_screen = of_screen(name) || devices.iter().all(|(_, name)| of_screen(name));
    match is_screen {
        false => Kind::Board,
        true if has_screen(Path::new(&folder), Path::new("/sys/class/drm")) => Kind::Screen,
        true => Kind::NoScreen,
    }
}

/// Whether the name of a card or device says that it leads to a screen.
fn of_screen(name: &str) -> bool {
    let name = name.to_lowercase();
    name.contains("hdmi") || name.contains("displayport")
}

/// Whether a screen that takes sound is connected, according to what the driver has read from it
/// (ELD) or, if the driver does not show that, according to the connectors of the graphics card.
fn has_screen(card: &Path, connectors: &Path) -> bool {
    let entries = |folder: &Path| std::fs::read_dir(folder).into_iter().flatten().flatten();
    let elds: Vec<String> = entries(card)
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("eld"))
        .filter_map(|entry| std::fs::read_to_string(entry.path()).ok())
        .collect();
    if !elds.is_empty() {
        let says = |eld: &String, key: &str| {
            eld.lines().any(|line| line.split_whitespace().eq([key, "1"]))
        };
        return elds.iter().any(|eld| says(eld, "monitor_present") && says(eld, "eld_valid"));
    }
    entries(connectors).any(|entry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        let status = std::fs::read_to_string(entry.path().join("status")).unwrap_or_default();
        (name.contains("HDMI") || name.contains("-DP-")) && status.trim() == "connected"
    })
}

/// The order in which devices are tried. A default that leads to a server, or that somebody has
/// configured, comes first. Then cards follow by their kind. The default card is shared with other
/// programs; another card is used directly, which is faster.
fn rank(mut cards: Vec<Card>, default: Default, is_told: bool) -> Vec<Candidate> {
    cards.retain(|card| card.kind != Kind::NoScreen);
    cards.sort_by_key(|card| (card.kind, card.index));
    let mut all = vec![];
    let mut add = |name: String, why: &str| {
        if !all.iter().any(|c: &Candidate| c.name == name) {
            all.push(Candidate { name, why: why.to_owned() });
        }
    };
    match default {
        Default::Server => add(DEFAULT.to_owned(), "the system's sound server"),
        Default::Card(_) if is_told => add(DEFAULT.to_owned(), "the default of asound.conf"),
        _ => {}
    }
    for card in &cards {
        let why = format!("{}, {}", card.name, card.kind.words());
        if default == Default::Card(card.index) {
            add(DEFAULT.to_owned(), &why);
        }
        let is_socket = |name: &str| card.kind != Kind::Board || !of_screen(name);
        for (device, _) in card.devices.iter().filter(|(_, name)| is_socket(name)) {
            add(format!("plughw:CARD={},DEV={device}", card.id), &why);
        }
    }
    all
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn card(index: i32, id: &str, kind: Kind) -> Card {
        let devices = vec![(0, format!("{id} PCM"))];
        Card { index, id: id.to_owned(), name: id.to_owned(), kind, devices }
    }

    fn order(cards: &[Card], default: Default, is_told: bool) -> Vec<String> {
        rank(cards.to_vec(), default, is_told).into_iter().map(|c| c.name).collect()
    }

    #[test]
    fn usb_comes_before_the_board_and_a_screen_that_is_not_there_never() {
        let cards = [
            card(0, "vc4hdmi", Kind::NoScreen),
            card(1, "Headphones", Kind::Board),
            card(2, "Box", Kind::Usb),
        ];
        let wanted = ["plughw:CARD=Box,DEV=0", "plughw:CARD=Headphones,DEV=0"];
        assert_eq!(order(&cards, Default::Card(0), false), wanted);
        assert_eq!(order(&cards, Default::Nowhere, false), wanted);
        let screen = [card(0, "HDMI", Kind::Screen), card(1, "PCH", Kind::Board)];
        assert_eq!(order(&screen, Default::Card(0), false)[0], "plughw:CARD=PCH,DEV=0");
        assert_eq!(order(&screen[..1], Default::Card(0), false)[0], "default");
        assert_eq!(order(&[card(0, "HDMI", Kind::NoScreen)], Default::Card(0), false), [""; 0]);
    }

    #[test]
    fn the_best_card_that_is_the_default_is_opened_as_that() {
        let cards = [card(0, "PCH", Kind::Board), card(1, "Loopback", Kind::Made)];
        assert_eq!(
            order(&cards, Default::Card(0), false)[..2],
            ["default", "plughw:CARD=PCH,DEV=0"]
        );
        let why = rank(cards.to_vec(), Default::Card(0), false)[0].why.clone();
        assert_eq!(why, "PCH, the sound card on the board");
    }

    #[test]
    fn a_server_and_what_somebody_wrote_down_come_first() {
        let cards = [card(0, "PCH", Kind::Board), card(1, "Box", Kind::Usb)];
        let first = |default, is_told| order(&cards, default, is_told).remove(0);
        assert_eq!(first(Default::Server, false), "default");
        assert_eq!(first(Default::Card(0), true), "default");
        assert_eq!(first(Default::Card(0), false), "plughw:CARD=Box,DEV=0");
        // A configured default that cannot be opened does not count.
        assert_eq!(first(Default::Nowhere, true), "plughw:CARD=Box,DEV=0");
    }

    #[test]
    fn a_screen_is_there_by_its_eld_or_by_its_connector() {
        let folder = tempfile::tempdir().unwrap();
        let [card, drm] = ["card0", "drm"].map(|name| folder.path().join(name));
        let connector = drm.join("card0-HDMI-A-1");
        std::fs::create_dir_all(&card).unwrap();
        std::fs::create_dir_all(&connector).unwrap();
        std::fs::write(connector.join("status"), "disconnected\n").unwrap();
        assert!(!has_screen(&card, &drm));
        std::fs::write(connector.join("status"), "connected\n").unwrap();
        assert!(has_screen(&card, &drm));
        std::fs::write(card.join("eld#2.0"), "monitor_present\t\t0\neld_valid\t\t0\n").unwrap();
        assert!(!has_screen(&card, &drm), "the driver knows better");
        std::fs::write(card.join("eld#2.1"), "monitor_present\t\t1\neld_valid\t\t1\n").unwrap();
        assert!(has_screen(&card, &drm));
    }

    #[test]
    fn names_of_other_forms_have_no_numbers() {
        assert_eq!(by_number("default"), None);
        assert_eq!(by_number("sysdefault:CARD=0"), None);
        assert_eq!(by_number("hw:0,left"), None);
        assert_eq!(by_number("hw:no such card"), None);
    }
}
