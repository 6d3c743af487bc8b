//! The threads that asynchronous commands run on.

use std::future::Future;

use anyhow::Context as _;

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
