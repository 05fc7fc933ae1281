//! Asks the system for real-time priority. Knows no thread's work.
//!
//! Whoever wants it calls it on its own thread, before the first sound.

use std::sync::Once;

use thread_priority::unix::{
    RealtimeThreadSchedulePolicy, ThreadSchedulePolicy, set_thread_priority_and_policy,
    thread_native_id,
};
use thread_priority::{ThreadPriority, ThreadPriorityValue};

/// Of the thread that makes sound: before every ordinary program, after every sound device's thread and server.
pub const MODEL_PRIORITY: u8 = 2;
/// Said once: every thread would say the same.
static REFUSED: Once = Once::new();

/// Asks for SCHED_FIFO at `priority` (1..=94; 0: nothing is asked) for the calling thread. A refusal is a warning that says what to change.
pub fn ask(priority: u8) {
    let Ok(value) = ThreadPriorityValue::try_from(priority) else { return };
    if priority == 0 {
        return;
    }
    let policy = ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::Fifo);
    let asked = ThreadPriority::Crossplatform(value);
    if let Err(e) = set_thread_priority_and_policy(thread_native_id(), asked, policy) {
        REFUSED.call_once(|| {
            tracing::warn!(
                "no real-time priority ({e:?}); sound may break up when the machine is busy: as root, write \
                 `@audio - rtprio 95` into /etc/security/limits.d/95-timbred.conf, join the group audio and log in anew, \
                 or set audio.realtime_priority = 0"
            );
        });
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use thread_priority::unix::thread_schedule_policy_param;

    use super::*;

    /// What the system gives a thread that asks.
    fn given(priority: u8) -> (ThreadSchedulePolicy, i32) {
        let thread = std::thread::spawn(move || {
            ask(priority);
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
