//! Which bytes are a message that a synthesizer obeys. Knows no source.

/// Everything of everyone is put back: notes end, pedals and controllers are as at the start.
pub const RESET: u8 = 0xFF;

/// A channel message, or a reset, as three bytes; None for anything else, and for what no cable
/// could carry: a data byte over 127 would be a note that no other message can end.
pub fn message(bytes: &[u8]) -> Option<[u8; 3]> {
    let message = match *bytes {
        [RESET] => return Some([RESET, 0, 0]),
        [0xF0, ref exclusive @ ..] if is_system_on(exclusive) => return Some([RESET, 0, 0]),
        [status @ 0x80..=0xEF, data] if matches!(status & 0xF0, 0xC0 | 0xD0) => [status, data, 0],
        [status @ 0x80..=0xEF, first, second] => [status, first, second],
        _ => return None,
    };
    message.iter().skip(1).all(|data| *data < 0x80).then_some(message)
}

/// Whether a system exclusive message, behind its F0 and with or without its F7, puts the whole
/// instrument back: General MIDI on (level 1 and 2) or off, GS reset, XG System On; for any device
/// number.
fn is_system_on(exclusive: &[u8]) -> bool {
    let exclusive = exclusive.strip_suffix(&[0xF7]).unwrap_or(exclusive);
    match *exclusive {
        [0x7E, _, 0x09, what] => (1..=3).contains(&what),
        [0x41, _, 0x42, 0x12, 0x40, 0x00, 0x7F, 0x00, 0x41] => true,
        [0x43, device, 0x4C, 0x00, 0x00, 0x7E, 0x00] => device & 0xF0 == 0x10,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_cable_could_carry() {
        assert_eq!(message(&[0x90, 60, 100]), Some([0x90, 60, 100]));
        assert_eq!(message(&[0xC3, 19]), Some([0xC3, 19, 0]));
        assert_eq!(message(&[0xFF]), Some([0xFF, 0, 0]));
        let system_on: [&[u8]; 5] = [
            &[0xF0, 0x7E, 0x7F, 9, 1, 0xF7],
            &[0xF0, 0x7E, 0x10, 9, 3],
            &[0xF0, 0x7E, 0x7F, 9, 2, 0xF7],
            &[0xF0, 0x41, 0x10, 0x42, 0x12, 0x40, 0, 0x7F, 0, 0x41, 0xF7],
            &[0xF0, 0x43, 0x10, 0x4C, 0, 0, 0x7E, 0, 0xF7],
        ];
        for bytes in system_on {
            assert_eq!(message(bytes), Some([0xFF, 0, 0]), "{bytes:02x?}");
        }
        let others: [&[u8]; 11] = [
            &[],
            &[0x90],
            &[0x90, 60],
            &[0x90, 0x80, 90],
            &[0x80, 60, 0x80],
            &[0xB0, 0xFF, 0],
            &[0xC0, 0x80],
            &[0x40, 1, 2],
            &[0xF8],
            &[0xF0, 0x7E, 0xF7],
            &[0x90, 60, 100, 0],
        ];
        for bytes in others {
            assert_eq!(message(bytes), None, "{bytes:?}");
        }
    }
}
