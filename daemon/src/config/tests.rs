//! Tests of the whole way from files, variables and flags to a configuration, and of every example
//! of the project.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::*;

/// Sources with one file that has this text, and nothing of this machine.
fn with_text(folder: &Path, text: &str) -> Sources {
    let file = folder.join("config.toml");
    std::fs::write(&file, text).unwrap();
    Sources { file: Some(file), ..Sources::default() }
}

fn problems(text: &str) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let Err(problems) = load(&with_text(folder.path(), text)) else {
        panic!("accepted:\n{text}");
    };
    let prefix = format!("{}/", folder.path().display());
    problems.0.iter().map(|p| p.to_string().replace(&prefix, "")).collect()
}

fn environment(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}

fn flag(name: &str, key: &str, value: &str) -> Flag {
    Flag { name: name.to_owned(), key: key.to_owned(), value: value.to_owned() }
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

#[test]
fn later_layers_win_and_every_value_knows_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        Some(path)
    };
    let sources = Sources {
        system: write("system", "[audio]\nrate_hz = 44100\nbuffer_frames = 64\nchannels = 4\n"),
        user: write("user", "audio.buffer_frames = 128\naudio.lead_ms = 5\n[osc]\nport = 7000\n"),
        file: write("file", "[audio]\nlead_ms = 7.5\n[engine]\nsteps = 8\n"),
        environment: environment(&[
            ("TIMBRED_ENGINE__STEPS", "4"),
            ("TIMBRED_OSC__TARGETS", "10.0.0.2:9001, tablet:9001"),
            ("TIMBRED_MIDI__VIRTUAL_PORT", "false"),
            ("TIMBRED_AUDIO__DEVICE", "44"),
            ("TIMBRED_LOG", "debug"),
            ("OTHER_AUDIO__RATE", "1"),
        ]),
        flags: vec![flag("--steps", "engine.steps", "2")],
    };
    let loaded = load(&sources).unwrap();
    let audio = &loaded.config.audio;
    assert_eq!((audio.rate_hz, audio.buffer_frames, audio.channels), (44_100, 128, 4));
    assert_eq!((audio.lead_ms, audio.device.as_deref()), (Some(7.5), Some("44")));
    assert_eq!((loaded.config.engine.steps, loaded.config.osc.bind.port()), (Some(2), 7000));
    assert_eq!(loaded.config.osc.targets, ["10.0.0.2:9001", "tablet:9001"]);
    assert!(!loaded.config.midi.virtual_port);
    let at = |name: &str| format!("{}/{name}", folder.path().display());
    for (key, origin) in [
        ("audio.rate_hz", at("system:2")),
        ("audio.buffer_frames", at("user:1")),
        ("osc.port", at("user:4")),
        ("audio.lead_ms", at("file:2")),
        ("engine.steps", "--steps".to_owned()),
        ("midi.virtual_port", "TIMBRED_MIDI__VIRTUAL_PORT".to_owned()),
        ("master.gain_db", "default".to_owned()),
    ] {
        assert_eq!(loaded.origins.of(key), origin, "{key}");
    }
}

#[test]
fn what_is_shown_can_be_read_again_and_names_every_place() {
    let folder = tempfile::tempdir().unwrap();
    let text = "[midi]\nname = \"stage\"\n\n[[midi.rules]]\nport = \"Nord*\"\nto_channel = 3\n\n\
                [[midi.rules]]\nport = \"*\"\nchannels = []\n[engine]\nguidance = 1.5\n";
    let sources = with_text(folder.path(), text);
    let loaded = load(&sources).unwrap();
    let shown = check(&sources).unwrap();
    assert_eq!(load(&with_text(folder.path(), &shown)).unwrap().raw, loaded.raw);
    let place = |line: usize| format!("# {}/config.toml:{line}", folder.path().display());
    for (start, end) in [
        ("name = \"stage\"", place(2)),
        ("to_channel = 3", place(6)),
        ("channels = []", place(10)),
        ("guidance = 1.5", place(12)),
        ("rate_hz = 48000", "# default".to_owned()),
    ] {
        let found = shown.lines().any(|line| line.starts_with(start) && line.ends_with(&end));
        assert!(found, "{start} {end}\n{shown}");
    }
}

#[test]
fn what_is_wrong_is_named_with_its_line() {
    for (text, wanted) in [
        (
            "[audio]\n\nrate = 1\n",
            "config.toml:3: found the unknown key `rate` in [audio], wanted one of",
        ),
        ("[audio]\nrate = 1\n", "did you mean `rate_hz`?"),
        ("[adio]\nrate_hz = 1\n", "did you mean `audio`?"),
        (
            "[[midi.rules]]\nport = \"*\"\ntranspsoe = 1\n",
            "config.toml:3: found the unknown key `transpsoe` in [midi.rules]",
        ),
        ("[audio]\nport = 1\n", "`port` belongs to"),
        (
            "[audio]\nrate_hz = \"fast\"\n",
            "config.toml:2: `audio.rate_hz`: found string \"fast\", wanted a whole number",
        ),
        (
            "[audio]\nrate_hz = 48000.5\n",
            "config.toml:2: `audio.rate_hz`: found floating point `48000.5`",
        ),
        ("[midi]\nvirtual_port = 1\n", "wanted true or false"),
        (
            "[audio]\nbackend = \"oss\"\n",
            "config.toml:2: `audio.backend`: found `oss`, wanted one of",
        ),
        ("[engine]\nsteps = \"many\"\n", "wanted a number or \"model\""),
        (
            "[audio]\nrate_hz = 1\n",
            "config.toml:2: `audio.rate_hz`: found 1, wanted 8000 to 192000 Hz",
        ),
        (
            "[master]\ngain_db = nan\n",
            "config.toml:2: `master.gain_db`: found NaN, wanted -60 to 12 dB",
        ),
        (
            "[engine]\nsteps = 1.5\n",
            "`engine.steps`: found 1.5, wanted a whole number from 1 to 1000",
        ),
        (
            "[engine]\nsampler = \"euler\"\n",
            "config.toml:2: `engine.sampler`: found \"euler\", wanted ddim, dpm++2m",
        ),
        ("[engine]\nhop_ms = 5\n", "wanted a number from 20 to 5120 ms"),
        ("[engine]\narithmetic = \"int4\"\n", "found \"int4\", wanted auto, f32, int8, bf16"),
        (
            "[[midi.rules]]\nchannels = [1, 17]\n",
            "config.toml:2: `midi.rules[0].channels[1]`: found 17",
        ),
        (
            "[[midi.rules]]\nlow_key = 61\nhigh_key = 60\n",
            "config.toml:3: `midi.rules[0].high_key`: found 60, wanted at least",
        ),
        ("[[midi.rules]]\nport = \"\"\n", "config.toml:2: `midi.rules[0].port`"),
        (
            "[osc]\nbind = \"localhost:9000\"\n",
            "config.toml:2: `osc.bind`: found \"localhost:9000\"",
        ),
        (
            "[osc]\ntargets = [\"tablet\"]\n",
            "config.toml:2: `osc.targets[0]`: found \"tablet\", wanted HOST:PORT",
        ),
        ("[log]\nlevel = \"wran\"\n", "config.toml:2: `log.level`: found \"wran\""),
        ("[midi]\nname = \"a:b\"\n", "config.toml:2: `midi.name`"),
        ("[audio\n", "config.toml:1: this is no TOML"),
        ("[audio]\nrate_hz = 1\nrate_hz = 2\n", "config.toml:3: this is no TOML"),
    ] {
        let found = problems(text).join("\n");
        assert!(found.contains(wanted), "{text}\nsays   {found}\nwanted {wanted}");
    }
    assert_eq!(problems("[audio]\nrte_hz = 1\n[osc]\nprot = 2\n").len(), 2, "all at once");
    assert_eq!(problems("[audio]\nrate_hz = 1\n[osc]\nbind = \"x\"\n").len(), 2, "all at once");
}

#[test]
fn variables_and_flags_are_refused_by_name() {
    for (name, value, wanted) in [
        ("TIMBRED_AUDIO__RATEHZ", "1", "did you mean `rate_hz`?"),
        ("TIMBRED_AUDIO_RATE", "1", "TIMBRED_AUDIO_RATE: found the unknown key `rate` in [audio]"),
        ("TIMBRED_ADIO__RATE_HZ", "1", "did you mean [audio]?"),
        (
            "TIMBRED_AUDIO__RATE_HZ",
            "fast",
            "TIMBRED_AUDIO__RATE_HZ: `audio.rate_hz`: found string \"fast\"",
        ),
        (
            "TIMBRED_AUDIO__RATE_HZ",
            "1",
            "TIMBRED_AUDIO__RATE_HZ: `audio.rate_hz`: found 1, wanted 8000",
        ),
        ("TIMBRED_ENGINE__GOVERNOR", "maybe", "wanted true or false"),
    ] {
        let sources = Sources { environment: environment(&[(name, value)]), ..Sources::default() };
        let found = load(&sources).unwrap_err().to_string();
        assert!(found.contains(wanted), "{name}={value} says {found}");
    }
    let flags = vec![flag("--set", "audio.rate", "1"), flag("--seed", "engine.seed", "-1")];
    let found = load(&Sources { flags, ..Sources::default() }).unwrap_err();
    assert_eq!(found.0.len(), 2);
    assert!(found.to_string().contains("--seed: `engine.seed`"), "{found}");
}

#[test]
fn a_file_that_is_asked_for_must_be_there() {
    let gone = Some(PathBuf::from("/nonexistent/config.toml"));
    let optional = Sources { system: gone.clone(), user: gone.clone(), ..Sources::default() };
    assert_eq!(load(&optional).unwrap().raw, Raw::default());
    let named = Sources { file: gone, ..Sources::default() };
    assert!(load(&named).unwrap_err().to_string().contains("there is no such file"));
}

#[test]
fn state_lies_where_the_service_or_the_user_keeps_state() {
    let path = |pairs: &[(&str, &str)]| {
        let sources = Sources { environment: environment(pairs), ..Sources::default() };
        load(&sources).unwrap().config.state.path
    };
    let is = |text: &str| Some(PathBuf::from(text));
    let home = ("HOME", "/home/u");
    assert_eq!(path(&[]), None);
    assert_eq!(path(&[home]), is("/home/u/.local/state/timbred/state.toml"));
    assert_eq!(path(&[home, ("XDG_STATE_HOME", "/s")]), is("/s/timbred/state.toml"));
    assert_eq!(
        path(&[home, ("XDG_STATE_HOME", "relative")]),
        is("/home/u/.local/state/timbred/state.toml")
    );
    let service = ("STATE_DIRECTORY", "/var/lib/timbred:/var/lib/other");
    assert_eq!(path(&[home, service]), is("/var/lib/timbred/state.toml"));
    assert_eq!(path(&[service, ("TIMBRED_STATE__PATH", "/x.toml")]), is("/x.toml"));
}

#[test]
fn a_loud_state_is_turned_down() {
    let config = load(&Sources::default()).unwrap().config;
    assert_eq!(config.gain_at_start_db(None), -6.0);
    assert_eq!(config.gain_at_start_db(Some(3.0)), -12.0);
    assert_eq!(config.gain_at_start_db(Some(-30.0)), -30.0);
}

#[test]
fn volumes_are_those_of_the_table_of_parameters() {
    let row = timbre_control::parameters::find("/master/gain").unwrap().parameter;
    assert_eq!(resolved::GAIN_DB, row.min..=row.max);
}

/// The text of `config/default.toml`, with the lines that are commented out (`#key`, without a
/// blank) as they are, or uncommented.
fn default_file(commented: bool) -> String {
    let text = std::fs::read_to_string(repository().join("config/default.toml")).unwrap();
    let bring_in = |line: &str| match line.strip_prefix('#') {
        Some(rest) if commented && !rest.is_empty() && !rest.starts_with(' ') => rest.to_owned(),
        _ => line.to_owned(),
    };
    text.lines().map(|line| bring_in(line) + "\n").collect()
}

#[test]
fn the_default_file_says_every_default() {
    let folder = tempfile::tempdir().unwrap();
    let loaded = load(&with_text(folder.path(), &default_file(false))).unwrap();
    assert_eq!(loaded.raw, Raw::default());
    for (section, keys) in &toml::Table::try_from(Raw::default()).unwrap() {
        for name in keys.as_table().unwrap().keys() {
            let key = format!("{section}.{name}");
            assert!(
                key == "midi.rules" || loaded.origins.of(&key) != "default",
                "{key} is missing"
            );
        }
    }
    let all = load(&with_text(folder.path(), &default_file(true))).unwrap();
    let rule = toml::Table::try_from(&all.raw.midi.rules[0]).unwrap();
    assert_eq!(rule.len(), super::keys::keys_of("midi.rules").unwrap().len());
    let expected =
        raw::Rule { to_channel: all.raw.midi.rules[0].to_channel, ..raw::Rule::default() };
    assert_eq!(all.raw.midi.rules[0], expected, "the rule shown is the default rule");
}

#[test]
fn the_default_file_says_what_each_change_takes() {
    let text = default_file(false);
    let mut section = "";
    let mut comment = String::new();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_end_matches(']');
        } else if line.starts_with('#') {
            comment.push_str(line);
        } else if let Some((name, _)) = line.split_once(" = ") {
            let wanted = match reload::class_of(&format!("{section}.{name}")).unwrap() {
                Class::Live => "Reload: live.".to_owned(),
                Class::NextStart => "Reload: at the next start.".to_owned(),
                Class::Restart(part) => format!("Reload: restarts {part}."),
            };
            assert!(comment.ends_with(&wanted), "[{section}] {name}: {wanted}");
            comment.clear();
        } else {
            comment.clear();
        }
    }
}

#[test]
fn every_example_loads() {
    let folder = repository().join("config/examples");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let file = Some(entry.unwrap().path());
        let sources = Sources { file: file.clone(), ..Sources::default() };
        if let Err(problems) = load(&sources) {
            panic!("{problems}");
        }
        seen += 1;
    }
    assert!(seen >= 4);
}

#[test]
fn every_block_of_toml_in_the_documents_loads() {
    let folder = tempfile::tempdir().unwrap();
    let mut documents = vec![repository().join("systemd/README.md")];
    for entry in std::fs::read_dir(repository().join("docs")).unwrap() {
        documents.push(entry.unwrap().path());
    }
    let mut seen = 0;
    for document in documents.iter().filter(|path| path.extension().is_some_and(|e| e == "md")) {
        let text = std::fs::read_to_string(document).unwrap();
        for block in text.split("```toml\n").skip(1) {
            let block = block.split("```").next().unwrap();
            if let Err(problems) = load(&with_text(folder.path(), block)) {
                panic!("{}: {problems}\n{block}", document.display());
            }
            seen += 1;
        }
    }
    assert!(seen >= 4);
}
