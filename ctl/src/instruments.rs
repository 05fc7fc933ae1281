//! The instruments and drum kits of General MIDI by name. This file knows no transport.

/// The names by program, 0 to 127.
pub const INSTRUMENTS: [&str; 128] = [
    "Acoustic Grand Piano",
    "Bright Acoustic Piano",
    "Electric Grand Piano",
    "Honky-tonk Piano",
    "Electric Piano 1",
    "Electric Piano 2",
    "Harpsichord",
    "Clavinet",
    "Celesta",
    "Glockenspiel",
    "Music Box",
    "Vibraphone",
    "Marimba",
    "Xylophone",
    "Tubular Bells",
    "Dulcimer",
    "Drawbar Organ",
    "Percussive Organ",
    "Rock Organ",
    "Church Organ",
    "Reed Organ",
    "Accordion",
    "Harmonica",
    "Tango Accordion",
    "Acoustic Guitar (nylon)",
    "Acoustic Guitar (steel)",
    "Electric Guitar (jazz)",
    "Electric Guitar (clean)",
    "Electric Guitar (muted)",
    "Overdriven Guitar",
    "Distortion Guitar",
    "Guitar Harmonics",
    "Acoustic Bass",
    "Electric Bass (finger)",
    "Electric Bass (pick)",
    "Fretless Bass",
    "Slap Bass 1",
    "Slap Bass 2",
    "Synth Bass 1",
    "Synth Bass 2",
    "Violin",
    "Viola",
    "Cello",
    "Contrabass",
    "Tremolo Strings",
    "Pizzicato Strings",
    "Orchestral Harp",
    "Timpani",
    "String Ensemble 1",
    "String Ensemble 2",
    "Synth Strings 1",
    "Synth Strings 2",
    "Choir Aahs",
    "Voice Oohs",
    "Synth Voice",
    "Orchestra Hit",
    "Trumpet",
    "Trombone",
    "Tuba",
    "Muted Trumpet",
    "French Horn",
    "Brass Section",
    "Synth Brass 1",
    "Synth Brass 2",
    "Soprano Sax",
    "Alto Sax",
    "Tenor Sax",
    "Baritone Sax",
    "Oboe",
    "English Horn",
    "Bassoon",
    "Clarinet",
    "Piccolo",
    "Flute",
    "Recorder",
    "Pan Flute",
    "Blown Bottle",
    "Shakuhachi",
    "Whistle",
    "Ocarina",
    "Lead 1 (square)",
    "Lead 2 (sawtooth)",
    "Lead 3 (calliope)",
    "Lead 4 (chiff)",
    "Lead 5 (charang)",
    "Lead 6 (voice)",
    "Lead 7 (fifths)",
    "Lead 8 (bass + lead)",
    "Pad 1 (new age)",
    "Pad 2 (warm)",
    "Pad 3 (polysynth)",
    "Pad 4 (choir)",
    "Pad 5 (bowed)",
    "Pad 6 (metallic)",
    "Pad 7 (halo)",
    "Pad 8 (sweep)",
    "FX 1 (rain)",
    "FX 2 (soundtrack)",
    "FX 3 (crystal)",
    "FX 4 (atmosphere)",
    "FX 5 (brightness)",
    "FX 6 (goblins)",
    "FX 7 (echoes)",
    "FX 8 (sci-fi)",
    "Sitar",
    "Banjo",
    "Shamisen",
    "Koto",
    "Kalimba",
    "Bagpipe",
    "Fiddle",
    "Shanai",
    "Tinkle Bell",
    "Agogo",
    "Steel Drums",
    "Woodblock",
    "Taiko Drum",
    "Melodic Tom",
    "Synth Drum",
    "Reverse Cymbal",
    "Guitar Fret Noise",
    "Breath Noise",
    "Seashore",
    "Bird Tweet",
    "Telephone Ring",
    "Helicopter",
    "Applause",
    "Gunshot",
];

/// The programs and names of the drum kits that General MIDI 2 and GS have, in ascending order.
pub const KITS: [(u8, &str); 8] = [
    (0, "Standard Kit"),
    (8, "Room Kit"),
    (16, "Power Kit"),
    (24, "Electronic Kit"),
    (25, "TR-808 Kit"),
    (32, "Jazz Kit"),
    (40, "Brush Kit"),
    (48, "Orchestra Kit"),
];
/// The channel whose programs are drum kits, counted from 0.
pub const DRUM_CHANNEL: usize = 9;
/// The seven programs after that of a kit are variations of it.
const VARIATIONS: u8 = 8;

/// The programs of a channel that have names, with these: those of kits for [`DRUM_CHANNEL`], else
/// all 128.
pub fn all(channel: usize) -> Vec<(u8, &'static str)> {
    match channel {
        DRUM_CHANNEL => KITS.to_vec(),
        _ => (0u8..).zip(INSTRUMENTS).collect(),
    }
}

/// The name of what a program is on a channel, counted from 0. Programs without a name have that of
/// the kit whose variation they are, or that of the standard kit; numbers above 127 are 127.
pub fn name(channel: usize, program: u8) -> &'static str {
    let (all, program) = (all(channel), program.min(127));
    let of = |wanted| all.iter().find(|(number, _)| *number == wanted).map(|(_, name)| *name);
    of(program).or_else(|| of(program - program % VARIATIONS)).or_else(|| of(0)).unwrap_or_default()
}

/// The program with a name on a channel, counted from 0. Case does not matter, and the beginning of
/// a name is enough if only one name begins so.
///
/// # Errors
/// No name begins so, or several do; the error names the candidates.
pub fn program(channel: usize, text: &str) -> Result<u8, String> {
    let wanted = text.trim().to_lowercase();
    let all = || all(channel).into_iter();
    if let Some((program, _)) = all().find(|(_, name)| name.to_lowercase() == wanted) {
        return Ok(program);
    }
    let begins: Vec<(u8, &str)> =
        all().filter(|(_, name)| name.to_lowercase().starts_with(&wanted)).collect();
    let listed = |names: &[(u8, &str)]| {
        let names: Vec<&str> = names.iter().take(6).map(|&(_, name)| name).collect();
        names.join(", ")
    };
    let shown: String = text.chars().take(40).collect();
    match begins.as_slice() {
        [(program, _)] => Ok(*program),
        [] => {
            let inside: Vec<(u8, &str)> = all()
                .filter(|(_, n)| !wanted.is_empty() && n.to_lowercase().contains(&wanted))
                .collect();
            let hint = match inside.as_slice() {
                [] => "`timbrectl instruments` lists the names".to_owned(),
                names => format!("did you mean {}?", listed(names)),
            };
            let what = if channel == DRUM_CHANNEL { "drum kit" } else { "instrument" };
            Err(format!("no {what} of General MIDI begins with {shown}; {hint}"))
        }
        several => Err(format!(
            "{} names begin with {shown}; write more of one of {}",
            several.len(),
            listed(several)
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_found_whole_and_in_capitals() {
        for channel in [0, DRUM_CHANNEL] {
            for (number, name) in all(channel) {
                assert_eq!(program(channel, name), Ok(number));
                assert_eq!(program(channel, &name.to_uppercase()), Ok(number));
                assert_eq!(super::name(channel, number), name);
            }
        }
        assert_eq!(super::name(0, 200), "Gunshot");
    }

    #[test]
    fn the_beginning_is_enough_if_it_is_of_one() {
        assert_eq!(program(0, "church"), Ok(19));
        assert_eq!(program(0, " violin "), Ok(40));
        let several = program(0, "electric").unwrap_err();
        assert!(several.starts_with("8 names begin with electric; "), "{several}");
        let inside = program(0, "organ").unwrap_err();
        assert!(inside.contains("did you mean Drawbar Organ"), "{inside}");
        assert!(program(0, "kazoo").unwrap_err().contains("timbrectl instruments"));
        assert!(program(0, "").is_err());
    }

    #[test]
    fn the_drum_channel_has_kits() {
        assert_eq!(program(DRUM_CHANNEL, "brush"), Ok(40));
        assert!(program(DRUM_CHANNEL, "violin").unwrap_err().contains("no drum kit"));
        assert!(program(0, "brush kit").is_err());
        assert_eq!(name(DRUM_CHANNEL, 33), "Jazz Kit", "a variation");
        assert_eq!(name(DRUM_CHANNEL, 120), "Standard Kit");
    }
}
