//! The fields that go to Meta in the clear: addresses of machines, click ids, ids.

use std::net::Ipv4Addr;

use crate::browser::{BrowserId, ClickId, appendix, ip as address};
use crate::code::Code;
use crate::contact;

/// How far a click id may lie in the future, in seconds: clocks differ.
const SKEW_S: u64 = 86_400;

pub(super) fn ip(value: &str, out: &mut String) -> Result<(), Code> {
    // Most are one IPv4 address and nothing else.
    if let Ok(v4) = value.parse::<Ipv4Addr>()
        && address::is_public(v4.into())
    {
        out.push_str(value);
        return Ok(());
    }
    // An X-Forwarded-For header, whole: the visitor comes first, but what is no address of the internet was
    // seen by a proxy inside a network, and the next one is what the web saw.
    let mut reason = Code::IpInvalid;
    let mut public = None;
    for entry in value.split([',', ';']).map(str::trim) {
        match address::parse(entry) {
            Some(parsed) if address::is_public(parsed) => {
                public = Some((entry, parsed));
                break;
            }
            Some(_) => reason = Code::IpNotPublic,
            None => {}
        }
    }
    let (value, parsed) = public.ok_or(reason)?;
    // An appendix is forwarded as it came; brackets, ports and mapped forms are undone.
    let is_whole = value.parse::<Ipv4Addr>().is_ok() || appendix::strip(value) != value;
    if is_whole {
        out.push_str(value);
    } else {
        out.push_str(&parsed.to_string());
    }
    Ok(())
}

/// A browser's name for itself. An address among other words is that of a crawler's owner.
pub(super) fn user_agent(value: &str, out: &mut String) -> Result<(), Code> {
    if contact::is_contact(value) && !value.contains('/') {
        return Err(Code::IdContactData);
    }
    if crate::digest::recognize(value).is_some() {
        return Err(Code::IdInvalid);
    }
    out.push_str(value);
    Ok(())
}

pub(super) fn click_id(value: &str, now_s: i64, out: &mut String) -> Result<Option<Code>, Code> {
    let click = ClickId::parse(value).ok_or(Code::FbcInvalid)?;
    let is_future = click.created() / 1_000 > now_s.unsigned_abs() + SKEW_S;
    out.push_str(value);
    Ok((!click.is_in_ms() || is_future).then_some(Code::FbcTime))
}

pub(super) fn browser_id(value: &str, out: &mut String) -> Result<(), Code> {
    BrowserId::parse(value).ok_or(Code::FbpInvalid)?;
    out.push_str(value);
    Ok(())
}

/// The lead id of a Lead Ads lead: 15 to 17 digits. Meta's own lead export writes `l:` before them.
pub(super) fn lead_id(value: &str, out: &mut String) -> Result<(), Code> {
    let digits = value.strip_prefix("l:").unwrap_or(value);
    let is_lead = (15..=17).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    if !is_lead {
        return Err(Code::LeadIdInvalid);
    }
    out.push_str(digits);
    Ok(())
}

/// A mobile advertiser id; all zeros is what a phone says whose owner opted out.
pub(super) fn mobile_ad_id(value: &str, out: &mut String) -> Result<(), Code> {
    let is_all_zeros = value.bytes().all(|byte| matches!(byte, b'0' | b'-'));
    if is_all_zeros {
        return Err(Code::ValuePlaceholder);
    }
    opaque(value, out)
}

/// An id that means nothing to us.
pub(super) fn opaque(value: &str, out: &mut String) -> Result<(), Code> {
    if contact::holds_contact(value) {
        return Err(Code::IdContactData);
    }
    if value.chars().any(char::is_control) {
        return Err(Code::IdInvalid);
    }
    out.push_str(value);
    Ok(())
}
