//! Which thread comes before which: the device's, then the model's, then every ordinary program's,
//! then those of ours that may be late. Knows no thread's work; whoever wants a priority asks on
//! its own thread, before the first sound.

use std::sync::Once;

use nix::sys::mman::{MlockAllFlags, mlockall};
use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit};
use thread_priority::unix::{
    RealtimeThreadSchedulePolicy, ThreadSchedulePolicy, set_thread_priority_and_policy,
    thread_native_id,
};
use thread_priority::{ThreadPriority, ThreadPriorityValue, set_current_thread_priority};

/// Of the thread that makes sound: before every ordinary program, after every sound device's thread
/// and server.
pub const MODEL_PRIORITY: u8 = 2;
/// Said once: every thread would say the same.
static REFUSED: Once = Once::new();
/// Of 100; on Linux a niceness of 5: about a third of the processor time of a thread that may not
/// be late, where both want it.
const LATE: u8 = 35;

/// Only pages that are used: what the allocator has reserved is much more (mlockall(2); the number
/// is that of these machines).
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "arm"))]
const ON_FAULT: MlockAllFlags = MlockAllFlags::from_bits_retain(4);

/// Keeps every page that was used in memory, where the system allows it without limit: a page that
/// has to come from the disk again is a gap. Where it does not, nothing is said: machines without
/// swap lose nothing.
pub fn keep_in_memory() {
    let is_allowed = matches!(getrlimit(Resource::RLIMIT_MEMLOCK), Ok((RLIM_INFINITY, _)));
    if !is_allowed {
        return tracing::debug!("memory is not locked: RLIMIT_MEMLOCK has a limit");
    }
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "arm"))]
    match mlockall(MlockAllFlags::MCL_CURRENT | MlockAllFlags::MCL_FUTURE | ON_FAULT) {
        Ok(()) => tracing::debug!("memory is locked"),
        Err(e) => {
            tracing::warn!("memory cannot be locked: {e}; sound may break up when memory is short")
        }
    }
}

/// Lowers the priority of the calling thread for good. Control and recordings do it: whatever comes
/// in by the network, however fast, takes less time from the sound.
pub fn give_way_to_sound() {
    let priority = ThreadPriorityValue::try_from(LATE).map(ThreadPriority::Crossplatform);
    let set = priority.map(set_current_thread_priority);
    if !matches!(set, Ok(Ok(()))) {
        tracing::debug!("the priority stays as it is: {set:?}");
    }
}

/// Whether the system refused a thread of ours that asked for real time.
pub fn is_refused() -> bool {
    REFUSED.is_completed()
}

/// Asks for SCHED_FIFO at `priority` (1..=94; 0: nothing is asked) for the calling thread. A
/// refusal is a warning that says what to change.
pub fn ask_for_realtime(priority: u8) {
    let Ok(value) = ThreadPriorityValue::try_from(priority) else { return };
    if priority == 0 {
        return;
    }
    let policy = ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::Fifo);
    let asked = ThreadPriority::Crossplatform(value);
    if let Err(e) = set_thread_priority_and_policy(thread_native_id(), asked, policy) {
        REFUSED.call_once(|| {
            tracing::warn!(
                "no real-time priority ({e:?}): sound may break up; `timbred doctor` says what to \
                 do"
            );
        });
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use thread_priority::unix::thread_schedule_policy_param;

    use super::*;

    /// See proc(5).
    fn niceness() -> i32 {
        let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
        let after_name = stat.rsplit(')').next().unwrap();
        after_name.split_whitespace().nth(16).unwrap().parse().unwrap()
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn only_the_calling_thread_gives_way() {
        let before = niceness();
        let inside = std::thread::spawn(|| {
            give_way_to_sound();
            niceness()
        });
        assert_eq!(inside.join().unwrap(), 5);
        assert_eq!(niceness(), before);
    }

    /// What the system gives a thread that asks.
    fn given(priority: u8) -> (ThreadSchedulePolicy, i32) {
        let thread = std::thread::spawn(move || {
            ask_for_realtime(priority);
            thread_schedule_policy_param(thread_native_id())
        });
        let (policy, parameters) = thread.join().unwrap().unwrap();
        (policy, parameters.sched_priority)
    }

    #[test]
    fn the_model_comes_after_the_device_and_before_all_others() {
        let fifo = ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::Fifo);
        assert_ne!(given(0).0, fifo, "nothing was asked");
        let (model, device) = (given(MODEL_PRIORITY), given(60));
        assert_eq!(model.0, device.0, "both are given it or none");
        if model.0 == fifo {
            assert!(0 < model.1 && model.1 < 10 && model.1 < device.1, "{model:?} {device:?}");
        }
    }
}
