//! The lines themselves: the level and the sentence of each subject. A sentence is stable; what varies is in fields.

use sluice_event::Code;
use tracing::{error, info, warn};

use super::lines::{DoorTrouble, Found, NotDelivered, Subject, Sum};

/// Writes the line of a subject.
pub(super) fn tell(subject: &Subject, sum: &Sum) {
    match subject {
        Subject::Found {
            source,
            code,
            found,
        } => of_found(source, *code, *found, sum),
        Subject::Door(trouble) => of_door(*trouble, sum),
        Subject::NotDelivered { dataset, why } => of_not_delivered(dataset, why, sum),
        Subject::NotRecorded { dataset, error } => error!(
            dataset,
            attempts = sum.requests,
            error,
            "what became of events cannot be written: they are not sent again, and it is tried each second"
        ),
        Subject::NotKept { error } => error!(
            error,
            "events cannot be kept beside damaged rows of the journal: the doors answer 503"
        ),
        Subject::Requests {
            dataset,
            is_test,
            verdict,
            code,
            subcode,
        } => info!(
            dataset,
            test_code = is_test,
            verdict,
            code,
            subcode,
            requests = sum.requests,
            events = sum.events,
            bytes = sum.bytes,
            received = sum.received,
            slowest_ms = sum.slowest_ms,
            fbtrace_id = sum.last.as_deref(),
            "requests to Meta"
        ),
        Subject::Fewer { dataset } => warn!(
            dataset,
            requests = sum.requests,
            sent = sum.events,
            received = sum.received,
            fbtrace_id = sum.last.as_deref(),
            "Meta took the request but counts fewer events than were sent; see Events Manager, Diagnostics"
        ),
    }
}

fn of_found(source: &str, code: Code, found: Found, sum: &Sum) {
    let (events, request_id) = (sum.events, sum.last.as_deref());
    let (code, help) = (code.name(), code.help());
    match found {
        Found::Rejected => warn!(
            source,
            code,
            events,
            request_id,
            help,
            "events were rejected: see `sluice dead list --state rejected`"
        ),
        Found::Repaired => info!(
            source,
            code, events, request_id, help, "values of events were repaired or left out"
        ),
    }
}

fn of_door(trouble: DoorTrouble, sum: &Sum) {
    match trouble {
        DoorTrouble::ServerError { door, status } => warn!(
            door,
            status,
            requests = sum.requests,
            request_id = sum.last.as_deref(),
            "answered with a server error"
        ),
        DoorTrouble::Full => {
            warn!("server.connections_max is reached: further connections wait until others end");
        }
        DoorTrouble::TooManyOfAddress => warn!(
            address = sum.last.as_deref(),
            "an address has a quarter of server.connections_max open: further connections of it are closed"
        ),
    }
}

fn of_not_delivered(dataset: &str, why: &NotDelivered, sum: &Sum) {
    let (events, keys) = (sum.events, sum.keys());
    match why {
        NotDelivered::Refused { code, subcode } => warn!(
            dataset,
            code, subcode, events, "Meta refused events: see `sluice dead list`"
        ),
        NotDelivered::Expired => warn!(dataset, events, "events grew too old for Meta"),
        NotDelivered::Withheld(reason) => warn!(
            dataset,
            events, keys, reason, "events withheld: see `sluice dead list --state withheld`"
        ),
        NotDelivered::Damaged => error!(
            dataset,
            events, keys, "events are damaged on disk and withheld; check the disk"
        ),
        NotDelivered::Locked(key) => error!(
            dataset,
            events,
            keys,
            %key,
            "events are withheld: their bodies are encrypted with another key; set \
             journal.encryption_key_previous and send them again with `sluice dead replay`"
        ),
        NotDelivered::Held(reason) => error!(
            dataset,
            events,
            keys,
            reason,
            "events stand back while others go through; they are tried again in half an hour, \
             and when a token changes or the gateway gets SIGHUP; `sluice dead show` shows one"
        ),
        NotDelivered::Crashed => error!(
            dataset,
            "a defect in Sluice ended the lane; it starts again, and its events wait meanwhile"
        ),
    }
}
