//! Tests of the mix: levels, sends, and how it treats loud passages.
#![allow(clippy::unwrap_used)]

use super::*;

const RATE_HZ: u32 = 48_000;

/// A tone of two seconds.
fn tone(hz: f32, level: f32) -> Vec<f32> {
    let turn = std::f32::consts::TAU * hz / RATE_HZ as f32;
    (0..2 * RATE_HZ).map(|n| level * (turn * n as f32).sin()).collect()
}

fn mixed(buses: &[Vec<f32>], settings: MixSettings) -> Vec<Frame> {
    let mut out = vec![];
    Mix::new(settings, RATE_HZ).push(buses, &mut out);
    out
}

fn rms(frames: &[Frame], side: usize) -> f32 {
    (frames.iter().map(|f| f[side] * f[side]).sum::<f32>() / frames.len() as f32).sqrt()
}

/// Settings without reverb and chorus.
fn dry() -> MixSettings {
    let mut settings = MixSettings::default();
    (settings.reverb.level, settings.chorus.level) = (-60.0, -60.0);
    settings
}

#[test]
fn sides_are_apart_and_louder_by_the_make_up() {
    let silence = vec![0.0; 2 * RATE_HZ as usize];
    let out = mixed(&[tone(440.0, 1e-3), silence.clone(), silence.clone(), silence], dry());
    assert_eq!(rms(&out, 1), 0.0);
    let wanted = 1e-3 / 2f32.sqrt() * make_up();
    assert!((rms(&out, 0) / wanted - 1.0).abs() < 0.01, "{}", rms(&out, 0));
}

#[test]
fn a_room_goes_on_after_its_send_and_each_type_is_another() {
    let silence = vec![0.0; 2 * RATE_HZ as usize];
    let mut send = silence.clone();
    send[..4_800].copy_from_slice(&tone(440.0, 1e-3)[..4_800]);
    let mut tails = vec![];
    for kind in ["room", "hall", "plate"] {
        let mut settings = dry();
        settings.reverb = Reverb { kind: kind.to_owned(), level: 0.0, ..Reverb::default() };
        let out =
            mixed(&[silence.clone(), silence.clone(), send.clone(), silence.clone()], settings);
        assert!(out.iter().flatten().all(|x| x.is_finite()));
        let (early, late) = (rms(&out[9_600..19_200], 0), rms(&out[72_000..], 0));
        assert!(early > 1e-4 && late < 0.1 * early, "{kind}: {early} {late}");
        assert!(out[9_600..19_200].iter().any(|f| (f[0] - f[1]).abs() > 1e-5), "{kind} is wide");
        tails.push(early);
    }
    assert!(tails[0] != tails[1] && tails[1] != tails[2]);
}

#[test]
fn another_room_comes_in_without_a_click() {
    let silence = vec![0.0; 2 * RATE_HZ as usize];
    let send = tone(220.0, 2e-3);
    let mut mix = Mix::new(MixSettings { reverb: Reverb::default(), ..dry() }, RATE_HZ);
    let mut out = vec![];
    let buses = [silence.clone(), silence.clone(), send, silence];
    mix.push(&buses, &mut out);
    let steps =
        |out: &[Frame]| out.windows(2).map(|w| (w[1][0] - w[0][0]).abs()).fold(0.0, f32::max);
    let before = steps(&out[48_000..]);
    let reverb = Reverb { kind: "hall".to_owned(), ..Reverb::default() };
    mix.set(&reverb, &dry().chorus);
    out.clear();
    mix.push(&buses, &mut out);
    assert!(steps(&out) < 2.0 * before, "{} and {before}", steps(&out));
}

#[test]
fn a_tutti_stays_below_full_scale_and_does_not_pump() {
    // Sixteen parts strike together, four times a second.
    let mut tutti = vec![0.0f32; 8 * RATE_HZ as usize];
    for part in 0..16 {
        let turn = std::f32::consts::TAU * (110.0 * 1.26f32.powi(part)) / RATE_HZ as f32;
        for (n, x) in tutti.iter_mut().enumerate() {
            let since = (n % 12_000) as f32 / RATE_HZ as f32;
            *x += 0.07 * (-4.0 * since).exp() * (turn * n as f32).sin();
        }
    }
    let mut leveler = Leveler::new(RATE_HZ);
    let mut gains = vec![];
    for (n, x) in tutti.iter().enumerate() {
        leveler.next([x * make_up(); 2]);
        if n > 3 * RATE_HZ as usize {
            gains.push(20.0 * leveler.gain().log10());
        }
    }
    let (least, most) = gains.iter().fold((0f32, -99f32), |(l, m), g| (l.min(*g), m.max(*g)));
    assert!(least < -3.0, "the test is not loud enough: {least} dB");
    assert!(most - least < 1.0, "the gain moves from {least} to {most} dB");
    let silence = vec![0.0; tutti.len()];
    let out = mixed(&[tutti.clone(), tutti, silence.clone(), silence], dry());
    assert!(out.iter().flatten().all(|x| x.abs() <= limiter::CEILING + 1e-6));
}
