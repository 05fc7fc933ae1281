//! A pipeline that diffusers saved gives the same output here as in diffusers, and keeps its
//! settings and its mel decoder. A folder that is no such pipeline leaves nothing behind. The tiny
//! pipeline is in `tests/diffusers`, with the program that made it; `make diffusers SIZE=base`
//! compares a large one.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::{Path, PathBuf};
use std::time::Instant;

use timbre_models::bundle::Bundle;
use timbre_models::denoise::network::Network;
use timbre_models::denoise::sampler::{Sampler, SamplerKind, SamplerOptions};
use timbre_models::denoise::schedule::{Schedule, Spacing};
use timbre_models::mel::FeatureRange;
use timbred_tests::mel_decoder::Decoder;
use timbred_tests::npz::{Npz, worst};
use timbred_tests::program::Folder;
use timbred_tests::segments::{Drawn, peak_memory, relative};

/// Both forms of the weights.
const FORMS: [&str; 2] = ["bin", "safetensors"];
/// The allowed error of float32, relative to the log mel. It is a tenth of the documented limit.
const ALLOWED: f64 = 1e-4;

fn tiny() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("diffusers/tiny")
}

/// The largest relative error of a model over all segments, clipped and free.
fn errors(model: &Path, vectors: &Path) -> f64 {
    let begun = Instant::now();
    let mut network = Bundle::open(model).unwrap().network().unwrap();
    println!("{}: loaded in {:.2} s", model.display(), begun.elapsed().as_secs_f64());
    let mut npz = Npz::open(vectors);
    let schedule = Schedule::new(npz.number("steps") as usize, Spacing::Diffusers).unwrap();
    network.film_table(&schedule).unwrap();
    let mut most = 0.0f64;
    for (clip_x0, name) in [(true, "log_mel"), (false, "free_mel")] {
        let (mut context, mut n) = (vec![], 0);
        while npz.has(&format!("ids_{n}")) {
            let mel = segment(&mut network, &schedule, &mut npz, (n, clip_x0), &context);
            let wanted: Vec<f32> = npz.f32(&format!("{name}_{n}")).into_iter().collect();
            let error = relative(&mel, &wanted);
            println!(
                "{name} {n}: relative error {error:.2e}, at most {:.2e} nats",
                worst(&mel, &wanted)
            );
            most = most.max(error);
            context = wanted;
            FeatureRange::default().scale_slice(&mut context, true);
            n += 1;
        }
        assert!(n > 1, "no segments in {}", vectors.display());
    }
    most
}

/// The log mel of a segment without guidance, as in the pipeline of diffusers.
fn segment(
    network: &mut Network,
    schedule: &Schedule,
    npz: &mut Npz,
    (n, clip_x0): (usize, bool),
    context: &[f32],
) -> Vec<f32> {
    let ids: Vec<u32> = npz.numbers(&format!("ids_{n}")).iter().map(|id| *id as u32).collect();
    let mut noise = Drawn(npz.f32(&format!("noise_{n}")).into_iter().collect());
    let (kind, guidance_weight) = (SamplerKind::Ddim, 1.0);
    let options = SamplerOptions { kind, guidance_weight, clip_x0, ..SamplerOptions::default() };
    network.encode(&ids, context).unwrap();
    let mut mel = vec![0.0; noise.0.len()];
    Sampler::new(options).sample(schedule, network, &mut noise, &mut mel, &mut |_, _| {}).unwrap();
    FeatureRange::default().unscale_slice(&mut mel, false);
    mel
}

#[test]
fn a_segment_is_what_diffusers_makes_of_the_same_weights() {
    let folder = Folder::new();
    for form in FORMS {
        let source = tiny().join(form);
        let source = source.display();
        folder.run(&format!("import {source} --f32 --out {form}")).well();
        let error = errors(&folder.path(form), &tiny().join("vectors.npz"));
        assert!(error <= ALLOWED, "{form}: {error:.2e}");
    }
    folder.run(&format!("import {} --out int8", tiny().join("bin").display())).well();
    let error = errors(&folder.path("int8"), &tiny().join("vectors.npz"));
    // The error of weights of one byte in so small a network. The error of float32 is a
    // ten-thousandth of it.
    println!("int8: {error:.2e}");
    assert!((ALLOWED..0.2).contains(&error), "{error:.2e}");
}

#[test]
#[ignore = "needs a large pipeline and its vectors: make diffusers"]
fn a_large_one_is_what_diffusers_makes_of_the_same_weights() {
    let name = |key: &str| PathBuf::from(std::env::var(key).expect(key));
    let allowed: f64 = std::env::var("DIFFUSERS_ERROR").map_or(ALLOWED, |e| e.parse().unwrap());
    let error = errors(&name("DIFFUSERS_MODEL"), &name("DIFFUSERS_VECTORS"));
    println!("the largest relative error {error:.2e}, peak memory {}", peak_memory());
    assert!(error <= allowed, "{error:.2e}");
}

/// A copy of the tiny pipeline with a mel decoder that its index names.
fn with_mel_decoder(folder: &Folder, onnx: &[u8]) {
    for part in ["", "notes_encoder", "continuous_encoder", "decoder", "scheduler", "melgan"] {
        std::fs::create_dir_all(folder.path("pipeline").join(part)).unwrap();
        for entry in std::fs::read_dir(tiny().join("bin").join(part)).into_iter().flatten() {
            let entry = entry.unwrap();
            if entry.path().is_file() {
                let to = folder.path("pipeline").join(part).join(entry.file_name());
                std::fs::copy(entry.path(), to).unwrap();
            }
        }
    }
    let index = String::from_utf8(folder.read("pipeline/model_index.json")).unwrap();
    assert!(index.contains("null,\n    null"), "{index}");
    let index = index.replace("null,\n    null", "\"diffusers\",\n    \"OnnxRuntimeModel\"");
    folder.write("pipeline/model_index.json", index.as_bytes());
    folder.write("pipeline/melgan/model.onnx", onnx);
}

#[test]
fn the_mel_decoder_that_came_with_it_makes_the_sound_unless_it_is_refused() {
    let folder = Folder::new();
    with_mel_decoder(&folder, &Decoder::default().onnx());
    let said = folder.run("import pipeline --out own").well().out;
    for words in
        ["melgan/model.onnx", "saved by diffusers 0.27.2", "hears 1 frames ahead", "waits 20 ms"]
    {
        assert!(said.contains(words), "{said}");
    }
    for words in ["live on this machine: hops of", "a song: ", "x real time with 10 guided steps"] {
        assert!(said.contains(words), "{said}");
    }
    let inspected = folder.run("inspect model own").well().out;
    assert!(inspected.contains("hears 2 frames back and 1 ahead"), "{inspected}");
    folder.run("import pipeline --out bundled --vocoder bundled").well();
    let inspected = folder.run("inspect model bundled").well().out;
    assert!(!inspected.contains("frames back"), "{inspected}");
    folder.song("song.mid", 6);
    for model in ["own", "bundled"] {
        folder
            .run(&format!("render song.mid {model}.wav --model {model} --steps 2 --quiet"))
            .well();
        assert!(folder.read(&format!("{model}.wav")).len() > 48_000);
    }
    folder.write("pipeline/melgan/model.onnx", b"version https://git-lfs.github.com/spec/v1\n");
    folder.run("import pipeline --out none").failed(3, &["git lfs pull", "model.onnx"]);
    folder.write("pipeline/melgan/model.onnx", b"nothing");
    folder.run("import pipeline --out none").failed(3, &["not an ONNX file", "--vocoder bundled"]);
    folder.run("import pipeline --out small --vocoder bundled").well();
}

#[test]
fn a_pipeline_that_lies_or_calls_anything_leaves_nothing_behind() {
    let folder = Folder::new();
    with_mel_decoder(&folder, &Decoder::default().onnx());
    let weights = "pipeline/decoder/diffusion_pytorch_model.bin";
    let config = "pipeline/decoder/config.json";
    let (whole, said) = (folder.read(weights), folder.read(config));
    let other =
        String::from_utf8(said.clone()).unwrap().replace("\"d_model\": 16", "\"d_model\": 32");
    folder.write(config, other.as_bytes());
    folder.run("import pipeline").failed(3, &["d_model = 16", "decoder/config.json says 32"]);
    folder.write(config, &said);
    // If the program in the pickle were executed, it would leave a file behind.
    let mark = folder.path("executed");
    let pickle = format!("cos\nsystem\n(S'touch {}'\ntR.", mark.display());
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(vec![]));
    let stored =
        zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    writer.start_file("model/data.pkl", stored).unwrap();
    std::io::Write::write_all(&mut writer, pickle.as_bytes()).unwrap();
    folder.write(weights, &writer.finish().unwrap().into_inner());
    folder.run("import pipeline").failed(3, &["`os.system`", "nothing of it was executed"]);
    assert!(!mark.exists());
    folder.write(weights, &whole[..whole.len() / 2]);
    folder.run("import pipeline").failed(3, &["diffusion_pytorch_model.bin", "no zip file"]);
    std::fs::remove_file(folder.path(weights)).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", folder.path(weights)).unwrap();
    folder.run("import pipeline").failed(3, &["leads out of the folder", "cp -rL"]);
    assert_eq!(folder.others(&["pipeline"]), Vec::<String>::new());
}
