//! What an error of the Graph API means: one row a code, as data.
//!
//! Rows are looked up by code and subcode, the row with the subcode first. The texts of an error are not
//! used, because they are localised; the exception is one error whose subcode Meta does not document
//! ([`RESTRICTED_REGION`]). Nor is `type` used, which is nearly always `OAuthException`; only where it says that
//! the request and not an event is wrong, the verdict listens to it.

use crate::answer::GraphError;

/// What has to happen after an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// The event (or one of the batch) is wrong: it will be refused again.
    Refused,
    /// Meta has a problem: the same request may go through later.
    Transient,
    /// Too much was sent: wait, then go on slower.
    Throttled,
    /// Somebody has to mend the token, a permission or a setting; until then every event waits.
    Operator,
    /// The event and the dataset do not belong together. Somebody has to mend a setting; until then the
    /// event waits, and events of another kind may go through.
    Mismatch,
}

/// One error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// The first code that the row is about.
    pub first: i64,
    /// The last code.
    pub last: i64,
    /// The subcode; `None` for any.
    pub subcode: Option<i64>,
    /// What has to happen.
    pub class: Class,
    /// What it means, in plain words.
    pub meaning: &'static str,
    /// What to do about it.
    pub help: &'static str,
}

const fn row(
    code: i64,
    subcode: Option<i64>,
    class: Class,
    meaning: &'static str,
    help: &'static str,
) -> Row {
    Row {
        first: code,
        last: code,
        subcode,
        class,
        meaning,
        help,
    }
}

const fn range(
    first: i64,
    last: i64,
    class: Class,
    meaning: &'static str,
    help: &'static str,
) -> Row {
    Row {
        first,
        last,
        subcode: None,
        class,
        meaning,
        help,
    }
}

use Class::{Mismatch, Operator, Refused, Throttled, Transient};

const WAIT: &str = "nothing: it is sent again by itself";
const SLOWER: &str = "nothing: sending goes on when Meta allows it, and slower";
const NEW_TOKEN: &str =
    "generate a new access token in Events Manager and put it in the place of the old one";
const PERMISSION: &str =
    "give the token's system user access to the dataset, in Business settings under Data sources";
const FIX_SENDER: &str = "mend the event at its source";

/// Every row. Sources: Graph API "Handle errors", Marketing API "Error reference", the reference of
/// `/events`, and recorded answers.
pub(crate) static ROWS: &[Row] = &[
    row(1, None, Transient, "an unknown error at Meta", WAIT),
    row(
        2,
        None,
        Transient,
        "the service is down for the moment",
        WAIT,
    ),
    row(
        3,
        None,
        Operator,
        "the app may not call this method",
        PERMISSION,
    ),
    row(4, None, Throttled, "the app made too many calls", SLOWER),
    row(10, None, Operator, "permission denied", PERMISSION),
    row(
        17,
        None,
        Throttled,
        "the user or ad account made too many calls",
        SLOWER,
    ),
    row(32, None, Throttled, "the Page made too many calls", SLOWER),
    row(
        100,
        Some(33),
        Operator,
        "the dataset does not exist, or the token has no access to it",
        "check the dataset id (it is not the business id) and the access of the token's system user",
    ),
    row(
        100,
        Some(2_804_001),
        Refused,
        "the click id (fbc) is not formatted correctly",
        "send the _fbc cookie as it is: fb.<index>.<milliseconds>.<fbclid>",
    ),
    row(
        100,
        Some(2_804_003),
        Refused,
        "the event is older than Meta takes it",
        "send events within 7 days",
    ),
    row(
        100,
        Some(2_804_004),
        Refused,
        "the event lies in the future",
        "send Unix seconds in UTC",
    ),
    row(
        100,
        Some(2_804_008),
        Refused,
        "contents is no list of objects, or an entry has no id",
        FIX_SENDER,
    ),
    row(
        100,
        Some(2_804_009),
        Refused,
        "a Purchase without value",
        FIX_SENDER,
    ),
    row(
        100,
        Some(2_804_010),
        Refused,
        "a Purchase without currency",
        FIX_SENDER,
    ),
    row(
        100,
        Some(2_804_016),
        Refused,
        "a user parameter is not hashed",
        "send it in the clear, so that it is hashed here, or as its SHA-256 hash",
    ),
    row(
        100,
        Some(2_804_019),
        Refused,
        "a parameter is missing or of the wrong type",
        FIX_SENDER,
    ),
    row(
        100,
        Some(2_804_023),
        Refused,
        "a value without a right currency",
        FIX_SENDER,
    ),
    row(
        100,
        Some(2_804_036),
        Refused,
        "the lead id is unknown to Meta",
        FIX_SENDER,
    ),
    row(
        100,
        Some(2_804_043),
        Refused,
        "extinfo of an app event is wrong",
        FIX_SENDER,
    ),
    row(
        100,
        Some(2_804_050),
        Refused,
        "user_data is empty or fits too many people",
        "send em, ph, external_id, fbc, fbp or client_ip_address",
    ),
    row(
        100,
        Some(2_804_063),
        Refused,
        "messaging_channel is missing",
        FIX_SENDER,
    ),
    row(
        100,
        Some(2_804_065),
        Mismatch,
        "the Page does not belong to the dataset",
        "use the dataset of this Page",
    ),
    row(
        100,
        Some(2_804_066),
        Refused,
        "no business-messaging event of this name",
        FIX_SENDER,
    ),
    row(
        100,
        Some(2_804_069),
        Refused,
        "page_id is missing",
        FIX_SENDER,
    ),
    row(
        100,
        Some(2_804_073),
        Refused,
        "page_id and page_scoped_user_id do not belong together",
        FIX_SENDER,
    ),
    row(
        100,
        Some(2_804_079),
        Refused,
        "ig_account_id is missing",
        FIX_SENDER,
    ),
    row(
        100,
        Some(2_804_087),
        Refused,
        "ctwa_clid is no real click",
        FIX_SENDER,
    ),
    row(
        100,
        Some(2_804_116),
        Refused,
        "neither page_id nor whatsapp_business_account_id",
        FIX_SENDER,
    ),
    row(
        100,
        Some(2_804_118),
        Mismatch,
        "the dataset belongs to another WhatsApp account",
        "use the dataset of this WhatsApp Business account",
    ),
    row(
        100,
        Some(2_804_131),
        Mismatch,
        "no Page is linked to the dataset",
        "link the Page to the dataset in Events Manager",
    ),
    row(
        100,
        Some(2_804_132),
        Mismatch,
        "no WhatsApp account is linked to the dataset",
        "create the dataset by POST /{whatsapp-business-account-id}/dataset",
    ),
    row(
        100,
        Some(2_804_133),
        Mismatch,
        "the Instagram account and the dataset are in different businesses",
        "move both into one business",
    ),
    row(100, None, Refused, "a parameter is invalid", FIX_SENDER),
    row(102, None, Operator, "the session is invalid", NEW_TOKEN),
    row(
        104,
        None,
        Operator,
        "appsecret_proof does not fit the token",
        "check the app secret",
    ),
    row(
        190,
        Some(458),
        Operator,
        "the app is not installed for the token's user",
        NEW_TOKEN,
    ),
    row(
        190,
        Some(459),
        Operator,
        "the token's user has to log in to Facebook once",
        NEW_TOKEN,
    ),
    row(
        190,
        Some(460),
        Operator,
        "the token's user changed the password",
        NEW_TOKEN,
    ),
    row(
        190,
        Some(463),
        Operator,
        "the access token has expired",
        NEW_TOKEN,
    ),
    row(
        190,
        Some(464),
        Operator,
        "the token's user is not confirmed",
        NEW_TOKEN,
    ),
    row(
        190,
        Some(467),
        Operator,
        "the access token was revoked",
        NEW_TOKEN,
    ),
    row(
        190,
        None,
        Operator,
        "the access token is invalid",
        NEW_TOKEN,
    ),
    range(200, 299, Operator, "a permission is missing", PERMISSION),
    row(341, None, Throttled, "the app's limit is reached", SLOWER),
    row(
        368,
        None,
        Operator,
        "Meta has blocked the account for a while",
        "see Account Quality in Business Manager; sending is tried again by itself",
    ),
    row(613, None, Throttled, "a limit of calls is reached", SLOWER),
    row(
        803,
        None,
        Operator,
        "no object of this id",
        "check the dataset id: it is the number in Events Manager",
    ),
    row(
        2500,
        None,
        Operator,
        "the path of the request is wrong",
        "check base_url and the version",
    ),
    row(5000, None, Transient, "an unknown error at Meta", WAIT),
    row(
        21_009,
        None,
        Transient,
        "the dataset is not ready yet",
        WAIT,
    ),
    range(
        80_000,
        80_014,
        Throttled,
        "the business's limit of calls is reached",
        SLOWER,
    ),
];

/// Meta takes no messaging events about people in some regions (reported for the EU and Japan). The answer is
/// an error 100 whose subcode no document lists, so it is recognised by its English title
/// (respond.io, "Send Conversions API Event": Meta confirmed the error to them).
const RESTRICTED_REGION_TITLE: &str = "messaging event within messaging restrictive region";

static RESTRICTED_REGION: Row = row(
    100,
    None,
    Refused,
    "Meta takes no messaging events about people in this region",
    "nothing: the event is right, and Meta will not take it later either",
);

impl Row {
    /// Whether it says no more than that something is wrong: whatever that is, there may be no event to
    /// blame, or just one.
    pub fn is_vague(&self) -> bool {
        self.subcode.is_none()
            && matches!(self.first, 1 | 100 | 5000)
            && !std::ptr::eq(self, &raw const RESTRICTED_REGION)
    }
}

/// The row of an error as it was answered; `None` when the table does not know it.
pub(crate) fn row_of(error: &GraphError) -> Option<&'static Row> {
    let row = lookup(error.code, error.subcode);
    let is_unspecific = row.is_some_and(|row| row.first == 100 && row.subcode.is_none());
    let said = [Some(&error.message), error.user_message.as_ref()];
    let mut said = said.into_iter().flatten();
    if is_unspecific && said.any(|text| text.to_ascii_lowercase().contains(RESTRICTED_REGION_TITLE))
    {
        return Some(&RESTRICTED_REGION);
    }
    row
}

/// The row of an error; `None` when the table does not know it.
pub fn lookup(code: i64, subcode: Option<i64>) -> Option<&'static Row> {
    let fits = |row: &&Row| (row.first..=row.last).contains(&code);
    ROWS.iter()
        .filter(fits)
        .find(|row| row.subcode.is_some() && row.subcode == subcode)
        .or_else(|| ROWS.iter().filter(fits).find(|row| row.subcode.is_none()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_found_by_its_own_codes() {
        for row in ROWS {
            for code in [row.first, row.last] {
                assert_eq!(
                    lookup(code, row.subcode),
                    Some(row),
                    "{code} {:?}",
                    row.subcode
                );
            }
        }
    }

    #[test]
    fn an_unknown_subcode_falls_back_to_its_code() {
        assert_eq!(
            lookup(100, Some(2_804_117)).map(|row| row.class),
            Some(Refused)
        );
        assert_eq!(lookup(190, Some(492)).map(|row| row.class), Some(Operator));
        assert_eq!(
            lookup(4, Some(1_504_022)).map(|row| row.class),
            Some(Throttled)
        );
        assert_eq!(
            lookup(80_004, Some(2_446_079)).map(|row| row.class),
            Some(Throttled)
        );
        assert_eq!(lookup(294, None).map(|row| row.class), Some(Operator));
        assert_eq!(lookup(99, None), None);
    }
}
