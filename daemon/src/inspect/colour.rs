//! A colour map from black over violet and orange to pale yellow, whose brightness rises evenly
//! with the value for the eye.

/// Colours at equal distances, with linear interpolation between them. After `magma` of matplotlib
/// (CC0).
const ANCHORS: [[u8; 3]; 9] = [
    [0, 0, 4],
    [28, 16, 68],
    [79, 18, 123],
    [129, 37, 129],
    [181, 54, 122],
    [229, 80, 100],
    [251, 135, 97],
    [254, 194, 135],
    [252, 253, 191],
];

/// The colour of a value in 0..=1. Values outside of the range are clamped.
pub(super) fn colour(value: f32) -> [u8; 3] {
    let at = value.clamp(0.0, 1.0) * (ANCHORS.len() - 1) as f32;
    let low = (at as usize).min(ANCHORS.len() - 2);
    let share = at - low as f32;
    let mixed = |channel: usize| {
        let [a, b] = [low, low + 1].map(|n| ANCHORS.get(n).map_or(0.0, |c| f32::from(c[channel])));
        (a + share * (b - a)).round() as u8
    };
    [mixed(0), mixed(1), mixed(2)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_gets_lighter_all_the_way() {
        let light = |c: [u8; 3]| {
            0.2126 * f32::from(c[0]) + 0.7152 * f32::from(c[1]) + 0.0722 * f32::from(c[2])
        };
        let lights: Vec<f32> = (0..=100).map(|n| light(colour(n as f32 / 100.0))).collect();
        assert!(lights.windows(2).all(|pair| pair[1] >= pair[0]));
        assert_eq!((colour(-1.0), colour(2.0)), (ANCHORS[0], ANCHORS[8]));
    }
}
