//! Which bytes are a message that a synthesizer obeys. Knows no source.

/// Everything of everyone is put back: notes end, pedals and controllers are as at the start.
pub const RESET: u8 = 0xFF;

/// A channel message, or a reset, as three bytes; None for anything else, and for what no cable
/// could carry: a data byte over 127 would be a note that no other message can end.
pub fn message(bytes: &[u8]) -> Option<[u8; 3]> {
    let message = match *bytes {
        [RESET] => return Some([RESET, 0, 0]),
        [status @ 0x80..=0xEF, data] if matches!(status & 0xF0, 0xC0 | 0xD0) => [status, data, 0],
        [status @ 0x80..=0xEF, first, second] => [status, first, second],
        _ => return None,
    };
    message.iter().skip(1).all(|data| *data < 0x80).then_some(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_cable_could_carry() {
        assert_eq!(message(&[0x90, 60, 100]), Some([0x90, 60, 100]));
        assert_eq!(message(&[0xC3, 19]), Some([0xC3, 19, 0]));
        assert_eq!(message(&[0xFF]), Some([0xFF, 0, 0]));
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
