//! Song mode as published, with the golden checkpoint: whole segments, each with the prediction
//! before it as context, with guidance, cut to the length of the song.
#![allow(clippy::unwrap_used)]

use timbre_models::bundle::Bundle;
use timbre_models::denoise::noise::SeededNoise;
use timbre_models::denoise::sampler::{Sampler, SamplerKind, SamplerOptions};
use timbre_models::denoise::schedule::Schedule;
use timbre_models::mel::FeatureRange;
use timbre_models::notes::{Note, Voice, note_events};
use timbre_models::streamer::{StreamOptions, Streamer};
use timbre_models::tokens::{ProgramMap, song_segments};
use timbred_tests::golden_dir;
use timbred_tests::npz::worst;
use timbred_tests::program::Folder;

fn model() -> (Folder, Bundle) {
    let folder = Folder::new();
    let zip = golden_dir().join("checkpoint/tiny_with_context.zip");
    folder.run(&format!("import {} --out golden", zip.display())).well();
    let bundle = Bundle::open(folder.path("golden")).unwrap();
    (folder, bundle)
}

/// Programs that Slakh does not have, drums, and notes that last over several segments of 0.32 s.
fn notes() -> Vec<Note> {
    (0..9)
        .map(|n: u8| {
            let start_s = 0.19 * f64::from(n);
            let voice = Voice { is_drum: n == 4, program: 13 * n + 1, key: 40 + 5 * n };
            Note { voice, velocity: 90, start_s, end_s: start_s + 0.1 * f64::from(1 + n % 5) }
        })
        .collect()
}

#[test]
fn an_imported_checkpoint_is_sampled_as_published() {
    let (_folder, bundle) = model();
    let m = bundle.manifest();
    assert_eq!(m.song.hop_frames, m.network.target_frames);
    assert_eq!((m.sampling.guidance, m.sampling.clip_x0), (2.0, true));
    assert_eq!((m.tokens.program_map, m.tokens.velocity_bins), (ProgramMap::Slakh, 1));
    assert!((10..=25).contains(&m.song.steps) && m.sampling.sampler == SamplerKind::Ddim);
    let song = StreamOptions::song(&bundle);
    assert_eq!((song.context_frames, song.window), (m.network.context_frames, false));
}

#[test]
fn each_segment_hears_its_notes_and_the_prediction_before_it() {
    let (_folder, bundle) = model();
    let manifest = bundle.manifest();
    let notes = notes();
    let frames = manifest.song.hop_frames;
    let end_s = notes.iter().fold(0.0f64, |end_s, note| end_s.max(note.end_s));
    let segments = song_segments(&notes, end_s, frames, &manifest.tokens);
    assert!(segments.len() > 5);
    let mut network = bundle.network().unwrap();
    for kind in [SamplerKind::Ddim, SamplerKind::DDPM, SamplerKind::DpmSolverPp2M] {
        let options =
            StreamOptions { steps: 4, sampler: kind, seed: 11, ..StreamOptions::song(&bundle) };
        let mut streamer = Streamer::new(&bundle, options).unwrap();
        note_events(&notes).into_iter().for_each(|event| streamer.push(event));
        let schedule = Schedule::new(4, options.spacing).unwrap();
        network.film_table(&schedule).unwrap();
        let mut sampler = Sampler::new(SamplerOptions { kind, ..SamplerOptions::default() });
        let mut context = vec![];
        for (n, segment) in (0..).zip(&segments) {
            network.encode(&segment.ids, &context).unwrap();
            let mut wanted = vec![0.0; frames * 128];
            let mut noise = SeededNoise::new(11, n);
            let watch = &mut |_: &_, _: &mut [f32]| {};
            sampler.sample(&schedule, &mut network, &mut noise, &mut wanted, watch).unwrap();
            context.clone_from(&wanted);
            FeatureRange::default().unscale_slice(&mut wanted, true);
            let hop = streamer.hop().unwrap();
            assert!(hop.mel == wanted, "{kind}, segment {n}: {:e} apart", worst(hop.mel, &wanted));
        }
    }
}

#[test]
fn every_published_way_of_sampling_is_taken_and_the_sound_is_as_long_as_the_song() {
    let (folder, _) = model();
    folder.song("song.mid", 2);
    let seconds = 0.75 + 0.1;
    for how in ["--sampler ddpm --steps 1000", "--sampler dpm++2m --steps 10", "--guidance 1"] {
        folder.run(&format!("render song.mid --model golden --quiet --tail 0.1 {how}")).well();
        let wav = hound::WavReader::open(folder.path("song.wav")).unwrap();
        assert_eq!(wav.duration(), (seconds * 48_000.0) as u32, "{how}");
    }
    let help = folder.command("render --help").output().unwrap().stdout;
    let help = String::from_utf8_lossy(&help);
    assert!(help.contains("--sampler ddpm --steps 1000"), "{help}");
}
