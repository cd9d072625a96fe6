//! When to stop: at Ctrl-C, or when the system asks the process to end.

use tokio::signal;

/// Resolves at the first SIGINT or SIGTERM; they are heard from the call on, not only once somebody waits.
pub fn asked() -> impl Future<Output = ()> + Send + 'static {
    #[cfg(unix)]
    let terminate = signal::unix::signal(signal::unix::SignalKind::terminate());
    async move {
        #[cfg(unix)]
        match terminate {
            Ok(mut terminate) => tokio::select! {
                () = wait_for_interrupt() => {}
                _ = terminate.recv() => {}
            },
            Err(_) => wait_for_interrupt().await,
        }
        #[cfg(not(unix))]
        wait_for_interrupt().await;
        tracing::info!("stopping: finishing what is under way");
    }
}

async fn wait_for_interrupt() {
    if let Err(cause) = signal::ctrl_c().await {
        tracing::error!(error = %cause, "signals can't be heard; the process ends only when it is killed");
        std::future::pending::<()>().await;
    }
}
