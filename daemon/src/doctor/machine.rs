//! Checks of the machine, by `/proc` and `/sys` below a root, so that tests can have their own.

use std::fs;
use std::path::Path;
use std::process::Command;

use nix::sys::resource::{Resource, getrlimit};
use nix::sys::statvfs::statvfs;

use timbre_control::status::Finding;

use crate::findings::{REAL_TIME, REAL_TIME_REMEDY};

/// Most boards slow down processors that are warmer than this (thousandths of a degree).
const HOT_MILLIDEGREES: i64 = 80_000;
/// An hour of recording at 48 kHz and 24 bits takes half of this (bytes).
const DISK_BYTES: f64 = 1e9;
/// The file in which a Raspberry Pi shows whether it was slowed down.
const THROTTLED: &str = "sys/devices/platform/soc/soc:firmware/get_throttled";
/// Its bits: under-voltage, capped, throttled and too warm, now and since the start.
const THROTTLED_NOW: u32 = 0xF;
const THROTTLED_ONCE: u32 = 0xF_0000;

/// The text of a file without its line end.
fn text(path: impl AsRef<Path>) -> Option<String> {
    fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
}

/// Which programs have a sound card open for playing.
pub(super) fn card_holders(root: &Path) -> Finding {
    let mut holders: Vec<String> = vec![];
    let processes = fs::read_dir(root.join("proc")).into_iter().flatten().flatten();
    for process in processes.map(|entry| entry.path()) {
        let open = fs::read_dir(process.join("fd")).into_iter().flatten().flatten();
        let plays = open.filter_map(|entry| fs::read_link(entry.path()).ok()).any(|file| {
            let file = file.to_string_lossy();
            file.starts_with("/dev/snd/pcm") && file.ends_with('p')
        });
        if plays {
            let id = process.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let name = text(process.join("comm")).unwrap_or_default();
            holders.push(format!("{name} ({id})"));
        }
    }
    let what = "who has the sound card";
    let others: Vec<&String> = holders.iter().filter(|h| !h.starts_with("timbred ")).collect();
    match (holders.is_empty(), others.as_slice()) {
        (true, _) => Finding::good(what, "nobody that this user may see"),
        (false, []) => Finding::good(what, holders.join(", ")),
        (false, _) => Finding::warning(
            what,
            holders.join(", "),
            "a card plays for one program at a time: play through that program (PipeWire, JACK), \
             or end it",
        ),
    }
}

/// Whether the threads for sound may run before all others.
pub(super) fn real_time(wanted: u8) -> Finding {
    let what = REAL_TIME;
    let allowed = getrlimit(Resource::RLIMIT_RTPRIO).map_or(0, |(soft, _)| soft);
    match (wanted, allowed) {
        (0, _) => Finding::good(what, "not asked for (audio.realtime_priority = 0)"),
        (wanted, allowed) if allowed >= u64::from(wanted) => {
            Finding::good(what, format!("up to {allowed} is allowed, {wanted} is asked for"))
        }
        (wanted, allowed) => Finding::warning(
            what,
            format!("up to {allowed} is allowed in this login, {wanted} is asked for"),
            REAL_TIME_REMEDY,
        ),
    }
}

/// Whether the processor is slow until there is load, and then takes time to become fast.
pub(super) fn governor(root: &Path) -> Finding {
    let what = "processor speed";
    let folder = root.join("sys/devices/system/cpu/cpu0/cpufreq");
    let Some(governor) = text(folder.join("scaling_governor")) else {
        return Finding::good(what, "the system does not change it");
    };
    // These drivers decide for themselves, whatever the name of the governor.
    let driver = text(folder.join("scaling_driver")).unwrap_or_default();
    let is_own = driver.contains("pstate");
    match governor.as_str() {
        "performance" => Finding::good(what, "always full (performance)"),
        "powersave" if !is_own => Finding::warning(
            what,
            "always the lowest (powersave)",
            "cpupower frequency-set -g performance (package linux-cpupower), or the same in your \
             power settings",
        ),
        "ondemand" | "conservative" => Finding::warning(
            what,
            format!("follows the load with a delay ({governor})"),
            "if chords crackle: cpupower frequency-set -g performance (package linux-cpupower)",
        ),
        other => Finding::good(what, format!("follows the load ({other})")),
    }
}

/// Whether the processor is, or was, slowed down because it is too warm or its supply too weak.
pub(super) fn heat(root: &Path) -> Finding {
    let what = "temperature and supply";
    let bits = text(root.join(THROTTLED))
        .and_then(|text| u32::from_str_radix(text.trim_start_matches("0x"), 16).ok());
    let zones = fs::read_dir(root.join("sys/class/thermal")).into_iter().flatten().flatten();
    let degrees = zones.filter_map(|zone| text(zone.path().join("temp"))?.parse::<i64>().ok());
    let hottest = degrees.max();
    let said = match hottest {
        Some(milli) => format!("{} °C", milli / 1000),
        None => "no sensor".to_owned(),
    };
    let remedy = "a heat sink or fan, and the supply that the board's maker names; with less to do \
                  (`timbrectl set hop_ms 80`) it stays cooler";
    match (bits, hottest) {
        (Some(bits), _) if bits & THROTTLED_NOW != 0 => {
            Finding::trouble(what, format!("the board is slowed down now ({said})"), remedy)
        }
        (Some(bits), _) if bits & THROTTLED_ONCE != 0 => {
            let found = format!("the board was slowed down since it started ({said})");
            Finding::warning(what, found, remedy)
        }
        (_, Some(milli)) if milli > HOT_MILLIDEGREES => Finding::warning(what, said, remedy),
        _ => Finding::good(what, said),
    }
}

/// Whether there is room to record.
pub(super) fn disk(folder: Option<&Path>) -> Finding {
    let what = "disk for recordings";
    let Some(folder) = folder else {
        let remedy = "set HOME, or XDG_DATA_HOME";
        return Finding::warning(what, "there is no folder for them", remedy);
    };
    // The folder is made by the first recording.
    let there = folder.ancestors().find(|folder| folder.is_dir()).unwrap_or(Path::new("/"));
    let Ok(room) = statvfs(there) else {
        return Finding::warning(what, format!("{} cannot be read", there.display()), "");
    };
    let free = room.blocks_available() as f64 * room.fragment_size() as f64;
    let found = format!("{:.1} GB free in {}", free / 1e9, there.display());
    match free < DISK_BYTES {
        true => Finding::warning(what, found, "remove old recordings, or record to another disk"),
        false => Finding::good(what, found),
    }
}

/// Whether timbred runs as a service, and whether that has failed.
pub(super) fn service() -> Finding {
    let what = "service";
    let state = |scope: &[&str]| {
        let output = Command::new("systemctl").args(scope).args(["is-active", "timbred"]).output();
        output.map(|o| String::from_utf8_lossy(&o.stdout).trim().to_owned()).unwrap_or_default()
    };
    let (system, user) = (state(&[]), state(&["--user"]));
    let said = format!("of the machine: {}, of this user: {}", or_none(&system), or_none(&user));
    match (system.as_str(), user.as_str()) {
        ("failed", _) => {
            Finding::trouble(what, said, "journalctl -u timbred -n 30 says why it ended")
        }
        (_, "failed") => {
            Finding::trouble(what, said, "journalctl --user -u timbred -n 30 says why it ended")
        }
        ("active", "active") => Finding::warning(
            what,
            said,
            "two services want one card: systemctl --user disable --now timbred, or without --user",
        ),
        _ => Finding::good(what, said),
    }
}

fn or_none(state: &str) -> &str {
    if state.is_empty() { "none" } else { state }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use timbre_control::status::Verdict;

    use super::*;

    fn root(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        root
    }

    #[test]
    fn a_board_that_is_slowed_down_is_found() {
        let temperature = ("sys/class/thermal/thermal_zone0/temp", "61000\n");
        for (bits, verdict) in
            [("0\n", Verdict::Good), ("50000\n", Verdict::Warning), ("0x50005\n", Verdict::Trouble)]
        {
            let root = root(&[temperature, (THROTTLED, bits)]);
            let finding = heat(root.path());
            assert_eq!(finding.verdict, verdict, "{bits}");
            assert!(finding.found.contains("61 °C"), "{}", finding.found);
        }
        let hot = root(&[("sys/class/thermal/thermal_zone3/temp", "91000")]);
        assert_eq!(heat(hot.path()).verdict, Verdict::Warning);
        assert_eq!(heat(root(&[]).path()).verdict, Verdict::Good);
    }

    #[test]
    fn a_slow_governor_is_found() {
        let folder = "sys/devices/system/cpu/cpu0/cpufreq";
        let of = |name: &str, driver: &str| {
            let (governor, file) =
                (format!("{folder}/scaling_governor"), format!("{folder}/scaling_driver"));
            governor_of(&[(&governor, name), (&file, driver)])
        };
        assert_eq!(of("performance\n", "cpufreq-dt"), Verdict::Good);
        assert_eq!(of("powersave\n", "cpufreq-dt"), Verdict::Warning);
        assert_eq!(of("powersave\n", "intel_pstate"), Verdict::Good);
        assert_eq!(of("ondemand\n", "cpufreq-dt"), Verdict::Warning);
        assert_eq!(governor_of(&[]), Verdict::Good);
    }

    fn governor_of(files: &[(&str, &str)]) -> Verdict {
        governor(root(files).path()).verdict
    }

    #[test]
    fn who_holds_the_card_is_named() {
        let root = root(&[("proc/12/comm", "fluidsynth\n"), ("proc/13/comm", "sh\n")]);
        for (process, file) in [("12", "/dev/snd/pcmC0D0p"), ("13", "/dev/snd/pcmC0D0c")] {
            let folder = root.path().join("proc").join(process).join("fd");
            fs::create_dir_all(&folder).unwrap();
            std::os::unix::fs::symlink(file, folder.join("5")).unwrap();
        }
        let finding = card_holders(root.path());
        assert_eq!(
            (finding.verdict, finding.found.as_str()),
            (Verdict::Warning, "fluidsynth (12)")
        );
    }

    #[test]
    fn a_folder_that_is_not_there_yet_is_on_a_disk() {
        let root = root(&[]);
        let finding = disk(Some(&root.path().join("a/b/c")));
        assert!(finding.found.contains("GB free"), "{}", finding.found);
        assert_eq!(disk(None).verdict, Verdict::Warning);
    }
}
