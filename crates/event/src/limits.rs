//! Every limit of this crate in one place, each with its unit.
//!
//! Meta documents few of them; where it does, the limit says so. The others are ours: wide enough
//! for any honest event, narrow enough that hostile input costs little memory and no stack.

/// Nesting depth of JSON, in brackets.
pub const JSON_DEPTH_MAX: usize = 32;
/// Size of one event as it comes in, in bytes.
pub const EVENT_BYTES_MAX: usize = 256 * 1024;
/// Values of one `user_data` field, in values.
pub const USER_VALUES_MAX: usize = 50;
/// Length of one value of a `user_data` field other than the user agent, in bytes.
pub const USER_VALUE_BYTES_MAX: usize = 1_000;
/// Length of `client_user_agent`, in bytes.
pub const USER_AGENT_BYTES_MAX: usize = 4_096;
/// Length of a phone number, in bytes; what Google's library reads at most.
pub const PHONE_BYTES_MAX: usize = 250;
/// Length of an e-mail address, in bytes (RFC 3696 erratum 1690 counts 254; some room for spaces).
pub const EMAIL_BYTES_MAX: usize = 320;
/// Length of `event_name`, in bytes.
pub const EVENT_NAME_BYTES_MAX: usize = 256;
/// Length of a custom event name that Meta's pixel takes, in characters
/// (Meta pixel reference, "Custom Events").
pub const CUSTOM_EVENT_NAME_CHARS_MAX: usize = 50;
/// Length of `event_id`, in bytes; a longer one is replaced by its hash.
pub const EVENT_ID_BYTES_MAX: usize = 512;
/// Length of a URL, in bytes.
pub const URL_BYTES_MAX: usize = 8_192;
/// Properties of one object such as `custom_data`, in properties.
pub const PROPERTIES_MAX: usize = 250;
/// Entries of `contents`, in entries.
pub const CONTENTS_MAX: usize = 2_000;
/// Length of an `fbclid`, in bytes: what Meta's own browser library takes.
pub const FBCLID_BYTES_MAX: usize = 500;
/// Findings kept for one event; further ones are only counted.
pub const FINDINGS_MAX: usize = 100;
/// Events in one request to Meta (Conversions API, "Using the API").
pub const BATCH_EVENTS_MAX: usize = 1_000;
