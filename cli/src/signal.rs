//! The wish of the person in front, or of the system, that the program ends.

/// Ready at the next Ctrl-C, or where there is such a thing, the next SIGTERM.
///
/// From the first call on the system no longer ends the program by itself.
pub(crate) async fn interrupted() {
    tokio::select! {
        () = interrupt() => {}
        () = terminate() => {}
    }
}

async fn interrupt() {
    if tokio::signal::ctrl_c().await.is_err() {
        // Then the system still ends the program by itself.
        std::future::pending::<()>().await;
    }
}

#[cfg(unix)]
async fn terminate() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut signal) => {
            signal.recv().await;
        }
        Err(_) => std::future::pending().await,
    }
}

#[cfg(not(unix))]
async fn terminate() {
    std::future::pending().await
}
