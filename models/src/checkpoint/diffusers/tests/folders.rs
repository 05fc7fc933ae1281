//! Tests of whole folders: the tiny pipeline that diffusers saved, as it is, split, linked, and
//! with contradictions.

use super::*;

/// A copy of the tiny pipeline in one of its two forms.
fn pipeline(form: &str) -> TempDir {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/diffusers/tiny").join(form);
    let copy = TempDir::new().unwrap();
    for folder in ["", "notes_encoder", "continuous_encoder", "decoder", "scheduler"] {
        std::fs::create_dir_all(copy.path().join(folder)).unwrap();
        for entry in std::fs::read_dir(source.join(folder)).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_file() {
                let to = copy.path().join(folder).join(entry.file_name());
                std::fs::copy(entry.path(), to).unwrap();
            }
        }
    }
    copy
}

fn error(folder: &TempDir) -> String {
    open(folder.path()).map(|_| ()).unwrap_err().to_string()
}

/// The error after a text in a file was replaced.
fn changed(name: &str, from: &str, to: &str) -> String {
    let folder = pipeline("safetensors");
    let path = folder.path().join(name);
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{text}");
    std::fs::write(&path, text.replace(from, to)).unwrap();
    error(&folder)
}

#[test]
fn both_forms_hold_the_same_weights() {
    let read = |form| {
        let folder = pipeline(form);
        let found = open(folder.path()).unwrap();
        (found.params().unwrap(), found.network, found.origin, found.mel_decoder)
    };
    let (bin, safe) = (read("bin"), read("safetensors"));
    assert!(bin == safe);
    assert_eq!(bin.2, Origin::Diffusers { version: "0.27.2".to_owned() });
    assert_eq!((bin.0.iter().count(), bin.3), (bin.1.parameters().len(), None));
}

#[test]
fn configurations_and_tensors_that_contradict_each_other_name_both() {
    for (name, from, to, words) in [
        ("decoder/config.json", "\"d_ff\": 24", "\"d_ff\": 32", ["d_ff = 24", "says 32"]),
        ("decoder/config.json", "layers\": 2", "layers\": 3", ["num_layers = 3", "decoders.2."]),
        ("decoder/config.json", "layers\": 2", "layers\": 1", ["num_layers = 1", "decoders.1."]),
        (
            "decoder/config.json",
            "length\": 48",
            "length\": 50",
            ["targets_length = 50", "[48, 16]"],
        ),
        ("notes_encoder/config.json", ": 96", ": 97", ["max_length = 97", "[96, 16]"]),
        ("notes_encoder/config.json", "1536", "1664", ["vocab_size = 1664", "1536"]),
        ("notes_encoder/config.json", "gated-gelu", "relu", ["feed_forward_proj", "relu"]),
        ("notes_encoder/config.json", "false", "true", ["is_decoder", "encoder"]),
        ("continuous_encoder/config.json", "128", "80", ["input_dims = 80", "128"]),
        ("continuous_encoder/config.json", "d_kv\": 4", "d_kv\": 0", ["d_kv = 0", "wanted 1"]),
        ("continuous_encoder/config.json", "\"d_ff\": 24,", "", ["d_ff", "missing field"]),
        ("decoder/config.json", "16", "99999999999999", ["d_model", "wanted 1 to"]),
        ("decoder/config.json", "T5FilmDecoder", "UNet", ["UNet", "T5FilmDecoder"]),
        ("model_index.json", "SpectrogramDiff", "StableDiff", ["StableDiffusion", "wanted a Spec"]),
        ("scheduler/scheduler_config.json", "squaredcos_cap_v2", "linear", ["linear", "cosine"]),
        ("scheduler/scheduler_config.json", "epsilon", "sample", ["sample", "v_prediction"]),
        (
            "scheduler/scheduler_config.json",
            "ing\": false",
            "ing\": true",
            ["thresholding", "clip"],
        ),
        ("scheduler/scheduler_config.json", "range\": 1.0", "range\": 2.0", ["= 2", "1.0"]),
        ("scheduler/scheduler_config.json", "null", "[0.1]", ["trained_betas", "cosine"]),
    ] {
        let said = changed(name, from, to);
        let file = if words[1] == "says 32" { "notes_encoder/config.json" } else { name };
        assert!(said.contains(file), "{said}");
        assert!(words.iter().all(|word| said.contains(word)), "{to}: {said}");
    }
    // All three configurations agree, but the tensors do not fit them.
    let folder = pipeline("bin");
    for part in PARTS {
        let path = folder.path().join(part).join("config.json");
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replace("\"num_heads\": 3", "\"num_heads\": 4")).unwrap();
    }
    let said = error(&folder);
    for word in ["num_heads * d_kv = 16 and d_model = 16", "[12, 16]", ".bin", "config.json"] {
        assert!(said.contains(word), "{said}");
    }
}

#[test]
fn what_does_not_lie_in_the_folder_is_not_read() {
    let outside = TempDir::new().unwrap();
    for (name, is_there) in [
        ("decoder/diffusion_pytorch_model.bin", true),
        ("model_index.json", true),
        ("melgan/model.onnx", true),
        ("decoder/config.json", false),
    ] {
        let folder = pipeline("bin");
        let target = outside.path().join("target");
        std::fs::create_dir_all(folder.path().join("melgan")).unwrap();
        let path = folder.path().join(name);
        if path.exists() {
            std::fs::rename(&path, &target).unwrap();
        } else {
            std::fs::write(&target, b"x").unwrap();
        }
        if !is_there {
            std::fs::remove_file(&target).unwrap();
        }
        std::os::unix::fs::symlink(&target, &path).unwrap();
        let said = error(&folder);
        let word = if is_there { "leads out of the folder" } else { "leads nowhere" };
        assert!(said.contains(word) && said.contains(name), "{said}");
        assert!(!is_there || said.contains("cp -rL"), "{said}");
    }
    // A link inside the folder is allowed.
    let folder = pipeline("bin");
    let path = folder.path().join("decoder/diffusion_pytorch_model.bin");
    std::fs::rename(&path, folder.path().join("weights")).unwrap();
    std::os::unix::fs::symlink("../weights", &path).unwrap();
    assert!(open(folder.path()).is_ok());
}

#[test]
fn what_is_missing_or_no_file_says_so() {
    let weights = "decoder/diffusion_pytorch_model.bin";
    let folder = pipeline("bin");
    std::fs::remove_file(folder.path().join(weights)).unwrap();
    assert!(
        error(&folder).contains("no diffusion_pytorch_model.safetensors"),
        "{}",
        error(&folder)
    );
    std::fs::create_dir(folder.path().join(weights)).unwrap();
    assert!(error(&folder).contains("no ordinary file"), "{}", error(&folder));
    let folder = pipeline("bin");
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n";
    std::fs::write(folder.path().join(weights), pointer).unwrap();
    assert!(error(&folder).contains("git lfs pull"), "{}", error(&folder));
    let said = changed("model_index.json", "null", "\"OnnxRuntimeModel\"");
    assert!(said.contains("melgan/model.onnx") && said.contains("model_index.json"), "{said}");
    std::fs::remove_file(folder.path().join("decoder/config.json")).unwrap();
    assert!(error(&folder).contains("config.json: the file is missing"), "{}", error(&folder));
}

#[test]
fn a_value_that_is_no_number_is_found_when_it_is_read() {
    let folder = pipeline("safetensors");
    let path = folder.path().join("decoder/diffusion_pytorch_model.safetensors");
    let mut bytes = std::fs::read(&path).unwrap();
    let last = bytes.len() - 4;
    bytes[last..].copy_from_slice(&f32::NAN.to_le_bytes());
    std::fs::write(&path, bytes).unwrap();
    let said = open(folder.path()).unwrap().params().unwrap_err().to_string();
    assert!(said.contains("NaN") && said.contains("finite"), "{said}");
}

/// The decoder of the tiny pipeline in two files with an index, which `change` may change.
fn split(change: impl Fn(&mut BTreeMap<String, String>)) -> TempDir {
    let folder = pipeline("safetensors");
    let decoder = folder.path().join("decoder");
    let whole = decoder.join("diffusion_pytorch_model.safetensors");
    let bytes = std::fs::read(&whole).unwrap();
    let all = safetensors::SafeTensors::deserialize(&bytes).unwrap().tensors();
    let mut map = BTreeMap::new();
    for (n, part) in all.chunks(all.len() / 2 + 1).enumerate() {
        let name = format!("diffusion_pytorch_model-0000{}-of-00002.safetensors", n + 1);
        let views = part.iter().map(|(name, view)| (name.clone(), view));
        std::fs::write(decoder.join(&name), safetensors::serialize(views, None).unwrap()).unwrap();
        map.extend(part.iter().map(|(tensor, _)| (tensor.clone(), name.clone())));
    }
    change(&mut map);
    let index = serde_json::json!({"metadata": {"total_size": 1}, "weight_map": map});
    std::fs::remove_file(&whole).unwrap();
    std::fs::write(format!("{}.index.json", whole.display()), index.to_string()).unwrap();
    folder
}

#[test]
fn weights_in_several_files_are_the_same() {
    let (folder, whole) = (split(|_| {}), pipeline("bin"));
    let read = |folder: &TempDir| open(folder.path()).unwrap().params().unwrap();
    assert!(read(&folder) == read(&whole));
    for (change, word) in [
        ((|map| drop(map.remove("spec_out.weight"))) as fn(&mut BTreeMap<_, _>), "not in both"),
        (|map| drop(map.insert("more".to_owned(), "none.bin".to_owned())), "none.bin: the file is"),
        (|map| drop(map.insert("more".to_owned(), "../x.bin".to_owned())), "a file called"),
        (|map| drop(map.insert("more".to_owned(), "/etc/passwd".to_owned())), "a file called"),
    ] {
        let said = error(&split(change));
        assert!(said.contains(word), "{said}");
    }
}
