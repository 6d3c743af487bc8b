#![doc = include_str!("../README.md")]

mod answer;
mod arrival;
mod ask;
mod call;
mod client;
mod clock;
mod destination;
mod error_table;
mod exchange;
mod lost;
mod post;
mod proof;
mod search;
mod tls;
mod token;
mod usage;
mod verdict;
mod version;
pub mod wire;

pub use answer::{Answer, GraphError, Success};
pub use arrival::Arrival;
pub use ask::{Explanation, TokenState};
pub use call::{AskError, Asked, Page};
pub use client::{Client, ClientError, ClientSettings};
pub use destination::{BaseUrl, Destination, Endpoint, InvalidBaseUrl};
pub use error_table::{Class, Row, lookup};
pub use exchange::{ANSWER_BYTES_MAX, Dated, Exchange};
pub use lost::{ConnectFailure, Lost};
pub use post::Posted;
pub use proof::{Proof, witnesses};
pub use search::{Found, Limit, Part, Search};
pub use tls::Roots;
pub use token::{AccessToken, AppSecret, InvalidToken, SECRET_BYTES_MAX, TokenPlacement};
pub use usage::{Usage, UsageHeader, Usages, UseCase};
pub use verdict::{Reason, Verdict, verdict};
pub use version::{Version, VersionWarning};
