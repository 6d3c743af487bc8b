//! How the doors close: in steps, so that no client meets a closed port while the gateway can still answer.

use tokio::sync::watch;

/// How far the doors are on their way to being closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// Events are taken.
    Open,
    /// Events are taken; `/readyz` and `Connection: close` send clients elsewhere.
    Draining,
    /// New requests are answered 503. Those that have begun are finished.
    Refusing,
    /// No connection is accepted any more, and those that are idle are closed.
    Closed,
}

/// Follows the stages.
#[derive(Debug, Clone)]
pub(crate) struct Stages(watch::Receiver<Stage>);

impl Stages {
    pub(crate) fn new() -> (watch::Sender<Stage>, Self) {
        let (sender, receiver) = watch::channel(Stage::Open);
        (sender, Self(receiver))
    }

    /// Whether this stage, or a later one, has begun.
    pub(crate) fn has_reached(&self, stage: Stage) -> bool {
        *self.0.borrow() >= stage
    }

    /// Waits for it. A gateway that is gone has closed its doors.
    pub(crate) async fn reached(&mut self, stage: Stage) {
        let _ = self.0.wait_for(|now| *now >= stage).await;
    }
}
