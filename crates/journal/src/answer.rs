//! How an engine answers.

use std::future::Future;
use std::pin::Pin;

use crate::error::JournalError;

/// A future that an engine answers with.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, JournalError>> + Send + 'a>>;
