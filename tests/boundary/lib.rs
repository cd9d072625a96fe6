//! The boundaries at which a process may be killed: before and after a commit, before and after a call of an outside
//! system. Tests start a process with `GATEHOUSE_KILL_AT=7`, and it is killed when it comes to the seventh: by the
//! system, at once, with nothing tidied up. With `GATEHOUSE_PAUSE_AT=7` it stands still (SIGSTOP) at the seventh of those
//! beside a call, where it keeps no database waiting. A release build has none of this.

/// Says how many boundaries the process may come to; it does not pass the last of them.
pub const KILL_AT: &str = "GATEHOUSE_KILL_AT";

/// Says at which boundary beside a call the process stands still, until it is told to go on (SIGCONT).
pub const PAUSE_AT: &str = "GATEHOUSE_PAUSE_AT";

/// The process comes to a boundary, and passes it unless it is to die or to stand still here.
#[inline]
pub fn pass(boundary: &str) {
    #[cfg(debug_assertions)]
    {
        killing::pass(boundary);
        pausing::pass(boundary);
    }
    #[cfg(not(debug_assertions))]
    let _ = boundary;
}

#[cfg(debug_assertions)]
mod killing {
    use std::process::Command;
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    static LAST: LazyLock<Option<u64>> = LazyLock::new(|| std::env::var(super::KILL_AT).ok()?.parse().ok());
    static PASSED: AtomicU64 = AtomicU64::new(0);

    pub fn pass(boundary: &str) {
        let Some(last) = *LAST else { return };
        if PASSED.fetch_add(1, Ordering::SeqCst) + 1 == last {
            eprintln!("killed at boundary {last}: {boundary}");
            // Whether the order goes through shows in that the process is gone; this thread goes no further.
            let _ = Command::new("kill").args(["-9", &std::process::id().to_string()]).status();
            std::process::abort();
        }
    }
}

#[cfg(debug_assertions)]
mod pausing {
    use std::process::Command;
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Duration;

    static AT: LazyLock<Option<u64>> = LazyLock::new(|| std::env::var(super::PAUSE_AT).ok()?.parse().ok());
    static PASSED: AtomicU64 = AtomicU64::new(0);

    pub fn pass(boundary: &str) {
        let Some(at) = *AT else { return };
        if boundary.ends_with("a call") && PASSED.fetch_add(1, Ordering::SeqCst) + 1 == at {
            eprintln!("paused at call boundary {at}: {boundary}");
            // Whether the order goes through shows in that the process stands still. It reaches the threads one after
            // the other, and this one has to be at the boundary then.
            let _ = Command::new("kill").args(["-STOP", &std::process::id().to_string()]).status();
            std::thread::park_timeout(Duration::from_millis(300));
        }
    }
}
