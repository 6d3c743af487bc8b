//! Doors: the ways in over HTTP. A door knows who may come in and how its clients speak; what an event
//! is, it leaves to the event crate, and what becomes of it to the journal.

mod admin;
mod answer;
mod auth;
mod body;
mod capi;
mod copies;
mod descriptors;
mod discard;
mod doors;
mod events;
mod form;
mod forwarded;
mod graph;
mod graph_problem;
mod head;
mod health;
mod intake;
mod line;
mod messages;
mod nested;
mod orders;
mod pace;
mod paths;
mod peers;
mod problem;
mod public;
mod rates;
mod remarks;
mod request_id;
mod route;
mod server;
mod shares;
mod stage;
mod test_codes;
mod wrong_keys;

pub(crate) use admin::{Admin, CONNECTIONS_MAX as ADMIN_CONNECTIONS_MAX};
pub(crate) use doors::Doors;
pub(crate) use public::Public;
pub(crate) use server::{Listener, serve};
pub(crate) use stage::{Stage, Stages};
