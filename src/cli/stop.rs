//! When to stop: at Ctrl-C, or when the system asks the process to end.

use tokio::signal;

/// Resolves at the first SIGINT or SIGTERM.
pub async fn asked() {
    #[cfg(unix)]
    {
        let Ok(mut terminate) = signal::unix::signal(signal::unix::SignalKind::terminate()) else {
            return wait_for_interrupt().await;
        };
        tokio::select! {
            () = wait_for_interrupt() => {}
            _ = terminate.recv() => {}
        }
    }
    #[cfg(not(unix))]
    wait_for_interrupt().await;
    tracing::info!("stopping: finishing what is under way");
}

async fn wait_for_interrupt() {
    if let Err(cause) = signal::ctrl_c().await {
        tracing::error!(error = %cause, "signals can't be heard; the process ends only when it is killed");
        std::future::pending::<()>().await;
    }
}
