//! Threads that may be late make room for sound. Knows no thread's work.

use thread_priority::{ThreadPriority, ThreadPriorityValue, set_current_thread_priority};

/// Of 100; on Linux a niceness of 5: about a third of the processor time of a thread that may not be late, where both want it.
const LATE: u8 = 35;

/// Lowers the priority of the calling thread for good. Control and recordings do it: whatever comes in by the network, however fast,
/// takes less time from the sound.
pub fn give_way_to_sound() {
    let priority = ThreadPriorityValue::try_from(LATE).map(ThreadPriority::Crossplatform);
    let set = priority.map(set_current_thread_priority);
    if !matches!(set, Ok(Ok(()))) {
        tracing::debug!("the priority stays as it is: {set:?}");
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
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
}
