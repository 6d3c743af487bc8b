//! Names under which senders keep that a person objects to being followed, or has not agreed to it.
//!
//! Some say the same as Meta's `opt_out`, and are read as that. Of the others only the sender knows what follows from
//! them: no law and no newsletter is Meta's switch. They are told, because as properties they restrict nothing.

use crate::json::{Kind, Raw};
use crate::switch::{self, Switch};

/// Whether a name says the same as `opt_out`.
pub(crate) fn is_opt_out(name: &str) -> bool {
    let folded = Folded::of(name);
    matches!(
        folded.as_bytes(),
        b"optedout"
            | b"isoptout"
            | b"isoptedout"
            | b"hasoptout"
            | b"hasoptedout"
            | b"useroptout"
            | b"useroptedout"
            | b"customeroptout"
            | b"customeroptedout"
            | b"adoptout"
            | b"adsoptout"
            | b"fboptout"
            | b"metaoptout"
    )
}

/// Whether a property says that the person objects, or has not agreed.
pub(crate) fn is_objection(name: &str, value: Raw<'_>) -> bool {
    let folded = Folded::of(name);
    match folded.as_bytes() {
        b"dnt"
        | b"donottrack"
        | b"gpc"
        | b"secgpc"
        | b"globalprivacycontrol"
        | b"donotsell"
        | b"donotsellorshare"
        | b"donotshare"
        | b"donotsellmyinfo"
        | b"ccpaoptout"
        | b"cpraoptout"
        | b"gdproptout"
        | b"privacyoptout"
        | b"trackingoptout"
        | b"cookieoptout"
        | b"marketingoptout"
        | b"emailoptout"
        | b"smsoptout"
        | b"unsubscribed"
        | b"isunsubscribed"
        | b"notracking"
        | b"limitadtracking" => switch::switch(value) == Switch::Said(true),
        b"consent" | b"hasconsent" | b"consentgiven" | b"consentgranted" | b"userconsent"
        | b"adconsent" | b"adsconsent" | b"marketingconsent" | b"trackingconsent"
        | b"cookieconsent" | b"gdprconsent" | b"acceptsmarketing" | b"adstorage"
        | b"aduserdata" | b"adpersonalization" => {
            switch::switch(value) == Switch::Said(false) || is_denied(value)
        }
        _ => false,
    }
}

fn is_denied(value: Raw<'_>) -> bool {
    const WORDS: [&str; 6] = [
        "denied",
        "refused",
        "rejected",
        "declined",
        "withdrawn",
        "revoked",
    ];
    value.kind() == Kind::Text
        && value.as_text().is_some_and(|text| {
            let text = text.trim();
            WORDS.iter().any(|word| text.eq_ignore_ascii_case(word))
        })
}

/// A name in lower case, without what stands between its words; empty if it is longer than any of these.
struct Folded {
    text: [u8; Self::BYTES_MAX],
    len: usize,
}

impl Folded {
    const BYTES_MAX: usize = 20;

    fn of(name: &str) -> Self {
        let mut folded = Self {
            text: [0; Self::BYTES_MAX],
            len: 0,
        };
        for byte in name
            .bytes()
            .filter(|byte| !matches!(byte, b'_' | b'-' | b' ' | b'.'))
        {
            let Some(place) = folded.text.get_mut(folded.len) else {
                return Self { len: 0, ..folded };
            };
            *place = byte.to_ascii_lowercase();
            folded.len += 1;
        }
        folded
    }

    fn as_bytes(&self) -> &[u8] {
        &self.text[..self.len]
    }
}
