#![doc = include_str!("../README.md")]

mod action_source;
mod alias;
pub mod batch;
pub mod browser;
mod check;
mod code;
mod contact;
mod digest;
mod finding;
mod identity;
pub mod json;
pub mod limits;
mod model;
mod money;
pub mod names;
mod normalize;
mod parse;
mod plain;
mod properties;
mod seal;
mod shape;
mod time;
mod url;
mod user_field;

pub use action_source::{ActionSource, MessagingChannel};
pub use code::Code;
pub use digest::{Hashed, Prehashed, recognize};
pub use finding::{Finding, Findings, Path, Severity};
pub use identity::{DatasetId, EventIdentity, InvalidDatasetId};
pub use model::{DataProcessing, Event, UserData};
pub use money::{Currency, amount};
pub use normalize::{Context, Country, ExternalId, Normalized, normalize, remark, variants};
pub use plain::Plain;
pub use properties::{JsonText, Properties};
pub use seal::{Moment, Rules, SealedEvent};
pub use user_field::{Form, UserField};
