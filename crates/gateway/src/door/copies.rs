//! Telling what a request says twice and what it may not have meant: a copy that is another sale than its first,
//! and a sale that came under two ids.

use std::hash::BuildHasher as _;
use std::sync::Arc;

use sluice_event::{Code, Findings, Path, SealedEvent, difference};
use sluice_journal::{Appended, EventKey};

use super::doors::Doors;
use super::route::Route;

/// Copies of a request that are compared with what is kept of their first. All are when a request is sent again, so
/// some tell enough.
const COMPARED_MAX: usize = 100;

/// What is needed of an event of the request when it is on disk.
pub(super) struct Brief {
    /// Its place in the request, counted from 0.
    index: usize,
    json: Arc<str>,
    /// The order that it is about and its id, as hashes.
    order: Option<(u64, u64)>,
}

impl Doors {
    /// What is needed of the events later, each with its place in the request.
    pub(super) fn briefs(
        &self,
        events: &[SealedEvent],
        places: &[usize],
        route: &Route,
    ) -> Vec<Brief> {
        let brief = |(event, index): (&SealedEvent, &usize)| {
            let order = event.order().map(|order| {
                let of = (
                    order,
                    event.event_name(),
                    &route.datasets,
                    event.test_event_code(),
                );
                let hash = self.order_hasher.hash_one((of, route.test_code.as_ref()));
                (hash, self.order_hasher.hash_one(event.event_id()))
            });
            Brief {
                index: *index,
                json: event.shared_json(),
                order,
            }
        };
        events.iter().zip(places).map(brief).collect()
    }

    /// What there is to say, by the place of the event.
    pub(super) async fn remarks_about_copies(
        &self,
        briefs: &[Brief],
        appended: &[Appended],
        datasets: usize,
    ) -> Vec<(usize, Findings)> {
        let mut remarks = Vec::new();
        let mut copies: Vec<(&Brief, EventKey)> = Vec::new();
        for (brief, one_event) in briefs.iter().zip(appended.chunks(datasets.max(1))) {
            let of_copy = one_event.iter().find_map(|it| match it {
                Appended::Copy(key) => Some(*key),
                Appended::New(_) => None,
            });
            match of_copy {
                Some(key) if copies.len() < COMPARED_MAX => copies.push((brief, key)),
                Some(_) => {}
                None => {
                    let is_known = brief
                        .order
                        .is_some_and(|(order, id)| self.orders.note(order, id));
                    if is_known {
                        let message = "the order is known under another event_id; if both are one sale, it counts twice";
                        remarks.push((
                            brief.index,
                            finding(Code::OrderRepeated, message.to_owned()),
                        ));
                    }
                }
            }
        }
        if copies.is_empty() {
            return remarks;
        }
        // A remark is worth no failure: without the originals there is none.
        let keys = copies.iter().map(|(_, key)| *key).collect();
        let originals = self.journal.kept(keys).await.unwrap_or_default();
        for ((brief, _), original) in copies.iter().zip(originals) {
            let differs = original.and_then(|original| difference(&original, &brief.json));
            if let Some(what) = differs {
                let message = format!(
                    "a copy by its event_id, but {what} is another than in the first; not taken"
                );
                remarks.push((brief.index, finding(Code::CopyDiffers, message)));
            }
        }
        remarks
    }
}

fn finding(code: Code, message: String) -> Findings {
    let mut findings = Findings::new();
    findings.add(code, Path::root(), message);
    findings
}
