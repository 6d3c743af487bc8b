//! Events that are not taken: by our own rules, or by Meta.

use serde::Serialize;

use crate::remark::Remark;

/// An event that cannot be sent.
#[derive(Debug, Serialize)]
pub(super) struct Rejected {
    /// Its place in the body.
    pub(super) index: usize,
    pub(super) event_id: Option<String>,
    pub(super) findings: Vec<Remark<'static>>,
}

/// An event that Meta refused.
#[derive(Debug, Serialize)]
pub(super) struct Refused {
    /// Its place in the body.
    pub(super) index: usize,
    pub(super) event_name: String,
    pub(super) event_id: String,
    #[serde(flatten)]
    pub(super) why: Refusal,
}

/// Why Meta refused it.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Refusal {
    pub(super) code: Option<i64>,
    pub(super) subcode: Option<i64>,
    pub(super) meaning: String,
    pub(super) help: String,
    pub(super) meta_said: Option<String>,
    pub(super) fbtrace_id: Option<String>,
    /// Meta answers some wrong requests in the same words.
    #[serde(skip)]
    pub(super) is_vague: bool,
}

impl Refusal {
    /// What it means, and what Meta said.
    pub(super) fn line(&self) -> String {
        let error = match (self.code, self.subcode) {
            (Some(code), Some(subcode)) => format!(" (error {code}/{subcode})"),
            (Some(code), None) => format!(" (error {code})"),
            (None, _) => String::new(),
        };
        let said = self.meta_said.as_deref();
        let said = said.map(|said| format!("; Meta said: {said}"));
        format!("{}{error}{}", self.meaning, said.unwrap_or_default())
    }
}
