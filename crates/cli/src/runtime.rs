//! The threads that asynchronous commands run on, and the signals that end them.

use std::future::Future;

use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};

use crate::failure::Failure;

/// Runs a future to its end, on a thread per core.
pub(crate) fn block_on<T>(future: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("starting threads")?;
    let result = runtime.block_on(future);
    // A request that hangs somewhere does not keep the process alive.
    runtime.shutdown_background();
    result
}

/// Listens, from now on, for somebody who asks the process to stop; the future ends when they do.
pub(crate) fn stopped() -> Result<impl Future<Output = ()>, Failure> {
    let mut terminate = signal(SignalKind::terminate()).context("listening for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("listening for SIGINT")?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
