//! Lanes: one delivery worker per dataset, one more per test code that is in use, and for each of these one more
//! when a person sends dead events again: whatever was wrong with those may still be, so that lane pauses, parks
//! and searches by itself, with one request on its way, and lets fresh events go first.
//!
//! A lane waits until a batch is full or has lingered, leases it from the journal, and lets it travel on
//! its own; up to a few batches are on their way at once. What they come back with sets the pace. The lane
//! owns its state; nothing else changes it. Everything it decides is in pure files: [`step`] what to do next,
//! [`pace`] how hard to push, [`size`] how much goes in one request, [`decide`]
//! what a verdict means for the events, [`passage`] what a batch goes through, [`refusals`] how many requests may be
//! refused, [`held`] which events stand back for a while. Which event a refusal is about, and whether refusals are
//! believed, is decided by [`sluice_graph::Search`] and [`sluice_graph::Proof`], which `sluice send` uses as well.

mod context;
mod decide;
mod expiry;
mod held;
mod orphan;
mod pace;
mod passage;
mod refusals;
mod settings;
mod shipment;
mod size;
mod step;
mod supervisor;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use sluice_graph::Proof;
use sluice_journal::{BudgetLeft, JournalError, LeaseLimits, URGENT_S, Waiting};
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::board::LaneReport;
use crate::clock::seconds;
use crate::control::{Lanes, Pause};
use crate::lane_state::{LaneState, StandsBack, Trouble};
use crate::roster::{Reachable, Snapshot, Snapshots};
use crate::watch::{NAMED_MAX, Watch};
pub(crate) use context::LaneContext;
use held::Held;
use pace::Pace;
use passage::{Plan, beforehand};
use refusals::Refusals;
use settings::LaneSettings;
use shipment::{Load, Shipment, Shipped};
use size::Allowed;
use step::{Step, View};
pub(crate) use supervisor::{Supervisor, supervise};

/// How long a lane of a test code has nothing to send until it ends, in milliseconds: it starts again with the next
/// event. No pause that Meta asked for lasts longer, and refused requests are paid for by then, so nothing is lost.
const IDLE_MS: u64 = 60 * 60 * 1_000;

/// How long a lane waits after the journal had nothing where there should have been something.
const NOTHING_LEASED: Duration = Duration::from_secs(1);

/// How often a lane whose hour is used up looks again: other lanes with the token may have given some of it back,
/// and fresh events may need less of it.
const BUDGET_LOOK: Duration = Duration::from_secs(1);

/// How often a lane looks whether the journal can write again, in milliseconds.
const JOURNAL_LOOK_MS: u64 = 1_000;

struct Lane {
    context: Arc<LaneContext>,
    /// What is in force for it.
    snapshot: Arc<Snapshot>,
    bell: Arc<Notify>,
    pace: Pace,
    allowed: Allowed,
    /// Since when there is something to send.
    ready_since_ms: Option<u64>,
    flights: JoinSet<Shipped>,
    held: Held,
    refusals: Arc<Mutex<Refusals>>,
    token: InForce,
    /// When the last shipment left.
    shipped_ms: u64,
    /// Since when it has no event, waiting or leased, and no request is on its way.
    idle_since_ms: Option<u64>,
    /// The latest time that was seen.
    now_ms: u64,
}

/// What belongs to the access token in force. Another token begins anew; what is still on its way keeps the
/// old one's.
#[derive(Default)]
struct InForce {
    fingerprint: String,
    proof: Arc<Proof>,
}

/// Delivers the events of a lane until it is stopped, or the configuration does not name its dataset any more; that of a
/// test code also ends when it has nothing to send for long.
pub(crate) async fn run(context: LaneContext, mut snapshots: Snapshots) {
    let (size, in_flight_max) = context.largest();
    let stop = context.stop.clone();
    let mut told = context.directives.subscribe();
    let mut probes = context.directives.probes();
    let mut lane = Lane {
        snapshot: Arc::clone(&snapshots.borrow_and_update()),
        bell: context.journal.bell(&context.id, context.full()),
        pace: Pace::new(in_flight_max),
        allowed: Allowed::new(size),
        context: Arc::new(context),
        ready_since_ms: None,
        flights: JoinSet::new(),
        held: Held::default(),
        refusals: Arc::default(),
        token: InForce::default(),
        shipped_ms: 0,
        idle_since_ms: None,
        now_ms: 0,
    };
    // It may have changed since the context was made.
    lane.follow_settings();
    while !stop.is_cancelled() {
        let wait = match lane.next_step().await {
            Step::Ship(events_max) => {
                if let Some(to) = lane.destination().cloned()
                    && lane.ship(to, events_max).await
                {
                    continue;
                }
                Some(NOTHING_LEASED)
            }
            Step::WaitUntil(until_ms) => Some(lane.time_until(until_ms)),
            Step::OutOfBudget(_) => Some(BUDGET_LOOK),
            Step::Rest => match lane.expire().await {
                0 => Some(expiry::LOOK),
                _ => continue,
            },
            Step::Wait if lane.has_ended() => return,
            Step::Wait => lane.next_look_ms().map(|ms| lane.time_until(ms)),
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = lane.bell.notified() => {}
            Some(landed) = lane.flights.join_next() => {
                lane.land(landed.unwrap_or_else(|_| lane.crashed())).await;
            }
            Ok(()) = snapshots.changed() => {
                let now = Arc::clone(&snapshots.borrow_and_update());
                lane.follow(now);
            }
            Ok(()) = told.changed() => {}
            probe = probes.recv() => lane.probed(probe.ok().as_ref()),
            () = pause(wait) => {}
        }
    }
    // What is on its way may arrive; what is not goes back to waiting.
    while lane.flights.join_next().await.is_some() {}
}

async fn pause(wait: Option<Duration>) {
    match wait {
        Some(wait) => tokio::time::sleep(wait).await,
        None => std::future::pending().await,
    }
}

impl Lane {
    /// How its dataset is reached; `None` if the configuration does not name it.
    fn destination(&self) -> Option<&Reachable> {
        self.snapshot.destinations.of(&self.context.id.dataset)
    }

    async fn next_step(&mut self) -> Step {
        let Some(reachable) = self.destination() else {
            return Step::Wait;
        };
        let fingerprint = &reachable.fingerprint;
        if self.token.fingerprint != *fingerprint {
            self.token = InForce {
                fingerprint: fingerprint.clone(),
                proof: Arc::default(),
            };
        }
        let now_ms = self.context.clock.unix_ms();
        self.follow_clock(now_ms);
        self.held.release(now_ms);
        let paused = self.context.directives.pause_of(&self.context.id);
        if paused.is_some() {
            // They grow too old in the queue only.
            self.held.release_all();
        }
        // What cannot be recorded is not posted: it would go out again and again.
        if self.context.journal.health().is_failing.is_some() {
            return Step::WaitUntil(now_ms.saturating_add(JOURNAL_LOOK_MS));
        }
        let waiting = self.context.journal.waiting(&self.context.id);
        let ready = step::ready(&waiting, now_ms);
        if ready == 0 {
            self.ready_since_ms = None;
        }
        let is_idle = waiting.events() == 0 && self.flights.is_empty();
        let idle_since_ms = self.idle_since_ms.unwrap_or(now_ms);
        self.idle_since_ms = is_idle.then_some(idle_since_ms);
        let fresh = self.context.fresh();
        let full = self.context.full();
        let fresh_fill_batches = fresh.is_some_and(|fresh| fresh.fills(full));
        let Ok(budget) = self.budget_left(fresh, now_ms).await else {
            return Step::WaitUntil(now_ms.saturating_add(JOURNAL_LOOK_MS));
        };
        let delivery = &self.context.settings.delivery;
        let step = step::next(&View {
            now_ms,
            ready,
            next_due_ms: waiting.next_due_ms,
            ready_since_ms: match ready {
                0 => now_ms,
                _ => *self.ready_since_ms.get_or_insert(now_ms),
            },
            in_flight: self.flights.len(),
            in_flight_max: self.pace.allowed(),
            pause_ms: self.pace.pause_ms(),
            budget: budget.events,
            budget_free_ms: budget.free_ms,
            linger_ms: u64::try_from(delivery.linger.as_millis()).unwrap_or(u64::MAX),
            is_full: waiting.fills(full),
            batch_events_max: delivery.batch_events_max,
            yields_until_ms: step::yields_until(fresh_fill_batches, self.shipped_ms, now_ms),
            is_paused: paused.is_some(),
        });
        self.tell(&step, paused);
        step
    }

    /// How many events the hour has left, and when it has more. What fresh events need of it is not there for
    /// those that were sent again.
    async fn budget_left(
        &self,
        fresh: Option<Waiting>,
        now_ms: u64,
    ) -> Result<BudgetLeft, JournalError> {
        let context = &self.context;
        let left = (context.tokens).left(&self.token.fingerprint, context.hour(), now_ms);
        let mut left = left.await?;
        let needed = fresh.map_or(0, |fresh| fresh.ready);
        left.events = left.events.saturating_sub(needed);
        Ok(left)
    }

    /// Takes a portion of the hour for a batch of at most this many events, and never more than wait.
    async fn take_budget(&self, events_max: usize, now_ms: u64) -> Result<usize, JournalError> {
        let context = &self.context;
        let waiting = context.journal.waiting(&context.id);
        let wanted = events_max.min(step::ready(&waiting, now_ms));
        let (token, hour) = (&self.token.fingerprint, context.hour());
        context.tokens.take(token, wanted, hour, now_ms).await
    }

    /// Gives back what was taken of the hour and not sent.
    async fn give_back(&self, token: &str, events: usize, taken_ms: u64) {
        if events > 0 {
            let given = self.context.tokens.give_back(token, events, taken_ms);
            // What cannot be given back is free again when its hour is over.
            let _ = given.await;
        }
    }

    /// When a lane without anything to do looks again.
    fn next_look_ms(&self) -> Option<u64> {
        let end_ms = self.idle_end_ms().into_iter();
        end_ms.chain(self.held.next_ms()).min()
    }

    /// When the lane ends if nothing comes.
    fn idle_end_ms(&self) -> Option<u64> {
        self.context.id.test_code.as_ref()?;
        Some(self.idle_since_ms?.saturating_add(IDLE_MS))
    }

    /// Ends the lane if it has had nothing to send for long. The journal says so when events come for it again.
    fn has_ended(&self) -> bool {
        let context = &self.context;
        let is_over = self.idle_end_ms().is_some_and(|ms| ms <= self.now_ms);
        let has_ended = is_over && context.journal.retire(&context.id);
        if has_ended {
            context.board.remove(&context.id);
            context.watch.lane_retired(&context.id);
        }
        has_ended
    }

    /// How long it is until then.
    fn time_until(&self, ms: u64) -> Duration {
        let now_ms = self.context.clock.unix_ms();
        Duration::from_millis(ms.saturating_sub(now_ms))
    }

    /// Takes what is in force now. What waits for something to be mended is tried at once if it concerns this lane, or
    /// a person asked for it.
    fn follow(&mut self, now: Arc<Snapshot>) {
        let before = std::mem::replace(&mut self.snapshot, now);
        let dataset = &self.context.id.dataset;
        let is_reached_otherwise =
            before.destinations.of(dataset) != self.snapshot.destinations.of(dataset);
        let is_asked = before.calls != self.snapshot.calls;
        if self.follow_settings() || is_reached_otherwise || is_asked {
            self.mended();
        }
    }

    /// Takes the settings that are in force, and ends when there are none. Returns whether they are others than before.
    /// Pauses, searches and what was learnt about the way to Meta go on.
    fn follow_settings(&mut self) -> bool {
        let (context, config) = (&self.context, &self.snapshot.config);
        let Some(settings) = LaneSettings::of(config, &context.id.dataset) else {
            context.stop.cancel();
            return false;
        };
        if settings == context.settings {
            return false;
        }
        let context = LaneContext {
            settings,
            ..LaneContext::clone(context)
        };
        let (size, in_flight_max) = context.largest();
        self.pace.limit(in_flight_max);
        self.allowed.limit(size);
        self.bell = context.journal.bell(&context.id, context.full());
        self.context = Arc::new(context);
        true
    }

    /// The token or the configuration has changed: what waited for that is tried at once.
    fn mended(&mut self) {
        self.held.release_all();
        shipment::refusals(&self.refusals).forget_groups();
        self.pace.mended(self.context.clock.unix_ms());
    }

    /// A person wants these lanes to try again; `None`: some that are not known, because there were many probes.
    fn probed(&mut self, lanes: Option<&Lanes>) {
        if lanes.is_none_or(|lanes| lanes.include(&self.context.id)) {
            self.pace.probe(self.context.clock.unix_ms());
        }
    }

    /// Sets aside what has grown too old while the lane is paused. Returns how many events.
    async fn expire(&self) -> usize {
        let context = &self.context;
        let expired = expiry::expire(
            &context.id,
            &context.journal,
            &context.clock,
            &context.watch,
            &context.stop,
        )
        .await;
        expired.unwrap_or_else(|error| {
            Watch::not_expired(&context.id, &error);
            0
        })
    }

    /// Reports what the lane does: on the board, and to the watch, which logs changes.
    fn tell(&self, step: &Step, paused: Option<Pause>) {
        let state = match (paused, step) {
            (Some(pause), _) => paused_by(pause),
            (None, Step::OutOfBudget(until_ms)) => LaneState::Throttled {
                until_ms: *until_ms,
                reason: "the hour's budget of events is used up (events_per_hour_max)".to_owned(),
            },
            (None, _) => self.pace.state().clone(),
        };
        let context = &self.context;
        let report = LaneReport {
            usage: self.pace.usage(),
            in_flight: self.flights.len(),
            held: self.held.len(),
            held_first: self.held.first(NAMED_MAX),
            state,
        };
        let waiting = || context.journal.waiting(&context.id);
        context.watch.lane(&context.id, &report, waiting);
        context.board.post(&context.id, report, self.now_ms);
    }

    /// A clock that was set back must not make the lane wait for the time that it had before.
    fn follow_clock(&mut self, now_ms: u64) {
        let back_ms = self.now_ms.saturating_sub(now_ms);
        if back_ms > 0 {
            self.ready_since_ms = None;
            self.idle_since_ms = None;
            self.pace.set_back(back_ms);
            self.held.set_back(back_ms);
            self.shipped_ms = self.shipped_ms.saturating_sub(back_ms);
        }
        self.now_ms = now_ms;
    }

    /// Leases a batch and sends it on its way. Returns whether there was one.
    async fn ship(&mut self, to: Reachable, events_max: usize) -> bool {
        let context = &self.context;
        let now_ms = context.clock.unix_ms();
        self.ready_since_ms = None;
        self.shipped_ms = now_ms;
        let taken = match self.take_budget(events_max, now_ms).await {
            Ok(0) => return false,
            Ok(taken) => taken,
            Err(error) => {
                self.land(Shipped::stopped(now_ms, transient(&error))).await;
                return true;
            }
        };
        let limits = LeaseLimits {
            events_max: taken,
            bytes_max: context.settings.delivery.batch_bytes_max,
            urgent_before_s: seconds(now_ms).saturating_add(URGENT_S),
            now_ms,
        };
        let lease = match context.journal.lease(&context.id, limits).await {
            Ok(lease) => lease,
            Err(error) => {
                self.give_back(&to.fingerprint, taken, now_ms).await;
                self.land(Shipped::stopped(now_ms, transient(&error))).await;
                return true;
            }
        };
        context.watch.damaged(&context.id, &lease.damaged);
        context.watch.locked(&context.id, &lease.locked);
        if lease.events.is_empty() {
            self.give_back(&to.fingerprint, taken, now_ms).await;
            return false;
        }
        let after_lost_answer = context.settings.after_lost_answer;
        let set_aside = beforehand(&lease.events, seconds(now_ms), after_lost_answer);
        // What is set aside at once takes nothing of the hour.
        let budgeted = lease.events.len() - set_aside.count();
        let not_needed = taken.saturating_sub(budgeted);
        self.give_back(&to.fingerprint, not_needed, now_ms).await;
        let proof = if context.id.is_replay {
            let proven = context
                .tokens
                .is_proven(&to.fingerprint, &context.id.dataset);
            Arc::new(Proof::of_replays(proven.await.unwrap_or(false)))
        } else {
            Arc::clone(&self.token.proof)
        };
        let load = Load {
            to,
            lease,
            budgeted,
            proof,
            refusals: Arc::clone(&self.refusals),
            // Those that were sent again are refused only where they were before, and are as many as a person chose.
            may_leave_suspects: !context.id.is_replay && self.held.has_room_for_suspects(),
            plan: Plan {
                is_lasting: self.pace.is_lasting(),
                is_probing: self.pace.is_probing(),
                allowed: self.allowed.now(),
                after_lost_answer,
            },
        };
        let shipment = Shipment::new(Arc::clone(context), load, now_ms);
        self.flights.spawn(shipment.run());
        true
    }

    /// A shipment panicked: its events are waiting again, because its lease was dropped.
    fn crashed(&self) -> Shipped {
        let trouble = Trouble::Transient {
            reason: "a defect in Sluice; please report what its log says about a panic".to_owned(),
        };
        Shipped::stopped(self.context.clock.unix_ms(), trouble)
    }

    /// Takes note of how a shipment went.
    async fn land(&mut self, shipped: Shipped) {
        let now_ms = self.context.clock.unix_ms();
        if let Some(usage) = shipped.usage {
            self.pace.used(usage);
        }
        self.allowed.learn(&shipped.carried);
        if shipped.is_answered && shipped.trouble.is_none() {
            self.pace.answered(shipped.began_ms);
        }
        // That a token is no good says nothing about the one that has taken its place meanwhile.
        let is_of_old_token = shipped.token != self.token.fingerprint;
        let not_taken = shipped.budgeted.saturating_sub(shipped.carried.taken);
        self.give_back(&shipped.token, not_taken, shipped.began_ms)
            .await;
        if shipped.carried.has_delivered {
            let proven = (self.context.tokens).prove(&shipped.token, &self.context.id.dataset);
            // What is not noted now is noted with the next success.
            let _ = proven.await;
        }
        let mut trouble = shipped.trouble;
        if let Some((lease, why)) = shipped.held {
            let keys: Vec<_> = lease.events.iter().map(|event| event.key).collect();
            match (self.held.hold(lease, &why, now_ms), why) {
                (Ok(()), why) => self.context.watch.held(&self.context.id, &keys, &why),
                (Err(_too_many), StandsBack::Odd(why)) => trouble = Some(why),
                // The next ones are tried.
                (Err(_too_many), StandsBack::Suspect) => {}
                (Err(_too_many), StandsBack::Undated) => {
                    trouble = Some(Trouble::Transient {
                        reason: "many events look too old by a time that is in doubt, and Meta does not say what \
                                 time it is"
                            .to_owned(),
                    });
                }
            }
        }
        let is_over = |trouble: &Trouble| matches!(trouble, Trouble::Operator { .. });
        let trouble = trouble.filter(|trouble| !(is_of_old_token && is_over(trouble)));
        if let Some(trouble) = trouble {
            let chance = u64::from_be_bytes(first_eight(self.context.clock.chance()));
            self.pace
                .stopped(trouble, shipped.began_ms, now_ms, fraction(chance));
        }
    }
}

/// The journal cannot be asked now.
fn transient(error: &JournalError) -> Trouble {
    Trouble::Transient {
        reason: error.to_string(),
    }
}

/// The state of a lane that a person paused.
fn paused_by(pause: Pause) -> LaneState {
    let by = pause.by;
    LaneState::Paused {
        since_ms: pause.since_ms,
        reason: match pause.note {
            Some(note) => format!("{by} paused it: {note}"),
            None => format!("{by} paused it"),
        },
    }
}

fn first_eight(bytes: [u8; 16]) -> [u8; 8] {
    let mut first = [0; 8];
    first.copy_from_slice(&bytes[..8]);
    first
}

/// A number between 0 and 1.
#[expect(
    clippy::cast_precision_loss,
    reason = "half of the digits are more than a pause needs"
)]
fn fraction(chance: u64) -> f64 {
    chance as f64 / u64::MAX as f64
}
