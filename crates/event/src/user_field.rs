//! The keys of `user_data`: what identifies the person behind an event.

use std::fmt;

/// One key of `user_data`, by Meta's name.
///
/// Source: Conversions API, "Customer Information Parameters"; the keys that only Meta's SDKs know
/// (`f5first` … `doby`, `app_user_id`) are marked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum UserField {
    /// `em`: e-mail address, hashed.
    Em,
    /// `ph`: phone number with country code, hashed.
    Ph,
    /// `fn`: first name, hashed.
    Fn,
    /// `ln`: last name, hashed.
    Ln,
    /// `db`: date of birth `YYYYMMDD`, hashed.
    Db,
    /// `ge`: gender `f` or `m`, hashed.
    Ge,
    /// `ct`: city, hashed.
    Ct,
    /// `st`: state or region, hashed.
    St,
    /// `zp`: postcode, hashed.
    Zp,
    /// `country`: ISO 3166-1 alpha-2 code, hashed.
    Country,
    /// `external_id`: any stable id of the advertiser, hashed by choice.
    ExternalId,
    /// `f5first`: first five characters of the first name, hashed (SDKs only).
    F5first,
    /// `f5last`: first five characters of the last name, hashed (SDKs only).
    F5last,
    /// `fi`: first initial, hashed (SDKs only).
    Fi,
    /// `dobd`: day of birth `DD`, hashed (SDKs only).
    Dobd,
    /// `dobm`: month of birth `MM`, hashed (SDKs only).
    Dobm,
    /// `doby`: year of birth `YYYY`, hashed (SDKs only).
    Doby,
    /// `app_user_id`: hashed (Node SDK only).
    AppUserId,
    /// `client_ip_address`: the browser's address, in the clear.
    ClientIpAddress,
    /// `client_user_agent`: the browser's user agent, in the clear.
    ClientUserAgent,
    /// `fbc`: click id, in the clear.
    Fbc,
    /// `fbp`: browser id, in the clear.
    Fbp,
    /// `subscription_id`: in the clear.
    SubscriptionId,
    /// `fb_login_id`: app-scoped user id, in the clear.
    FbLoginId,
    /// `lead_id`: id of a Lead Ads lead, in the clear.
    LeadId,
    /// `anon_id`: install id, in the clear.
    AnonId,
    /// `madid`: mobile advertiser id, in the clear.
    Madid,
    /// `page_id`: Facebook Page id, in the clear.
    PageId,
    /// `page_scoped_user_id`: Messenger user id, in the clear.
    PageScopedUserId,
    /// `ctwa_clid`: click-to-WhatsApp click id, in the clear.
    CtwaClid,
    /// `whatsapp_business_account_id`: in the clear.
    WhatsappBusinessAccountId,
    /// `ig_account_id`: Instagram account id, in the clear.
    IgAccountId,
    /// `instagram_business_account_id`: the messaging guide's name for `ig_account_id`.
    InstagramBusinessAccountId,
    /// `ig_sid`: Instagram-scoped user id, in the clear.
    IgSid,
}

/// How the value of a field goes to Meta.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// As a list of SHA-256 hashes; the form of Meta's own SDKs.
    HashedList,
    /// As one SHA-256 hash.
    Hashed,
    /// In the clear: Meta forbids hashing it.
    Clear,
}

impl UserField {
    /// All fields, in the order in which they are sealed.
    pub const ALL: [UserField; 34] = [
        UserField::Em,
        UserField::Ph,
        UserField::Fn,
        UserField::Ln,
        UserField::Db,
        UserField::Ge,
        UserField::Ct,
        UserField::St,
        UserField::Zp,
        UserField::Country,
        UserField::ExternalId,
        UserField::F5first,
        UserField::F5last,
        UserField::Fi,
        UserField::Dobd,
        UserField::Dobm,
        UserField::Doby,
        UserField::AppUserId,
        UserField::ClientIpAddress,
        UserField::ClientUserAgent,
        UserField::Fbc,
        UserField::Fbp,
        UserField::SubscriptionId,
        UserField::FbLoginId,
        UserField::LeadId,
        UserField::AnonId,
        UserField::Madid,
        UserField::PageId,
        UserField::PageScopedUserId,
        UserField::CtwaClid,
        UserField::WhatsappBusinessAccountId,
        UserField::IgAccountId,
        UserField::InstagramBusinessAccountId,
        UserField::IgSid,
    ];

    /// Meta's name of the field.
    pub fn name(self) -> &'static str {
        let member = self.member();
        &member[2..member.len() - 2]
    }

    /// How the field begins behind another one: `,"name":`.
    #[inline]
    pub(crate) fn member(self) -> &'static str {
        macro_rules! member {
            ($name:literal) => {
                concat!(",\"", $name, "\":")
            };
        }
        match self {
            UserField::Em => member!("em"),
            UserField::Ph => member!("ph"),
            UserField::Fn => member!("fn"),
            UserField::Ln => member!("ln"),
            UserField::Db => member!("db"),
            UserField::Ge => member!("ge"),
            UserField::Ct => member!("ct"),
            UserField::St => member!("st"),
            UserField::Zp => member!("zp"),
            UserField::Country => member!("country"),
            UserField::ExternalId => member!("external_id"),
            UserField::F5first => member!("f5first"),
            UserField::F5last => member!("f5last"),
            UserField::Fi => member!("fi"),
            UserField::Dobd => member!("dobd"),
            UserField::Dobm => member!("dobm"),
            UserField::Doby => member!("doby"),
            UserField::AppUserId => member!("app_user_id"),
            UserField::ClientIpAddress => member!("client_ip_address"),
            UserField::ClientUserAgent => member!("client_user_agent"),
            UserField::Fbc => member!("fbc"),
            UserField::Fbp => member!("fbp"),
            UserField::SubscriptionId => member!("subscription_id"),
            UserField::FbLoginId => member!("fb_login_id"),
            UserField::LeadId => member!("lead_id"),
            UserField::AnonId => member!("anon_id"),
            UserField::Madid => member!("madid"),
            UserField::PageId => member!("page_id"),
            UserField::PageScopedUserId => member!("page_scoped_user_id"),
            UserField::CtwaClid => member!("ctwa_clid"),
            UserField::WhatsappBusinessAccountId => member!("whatsapp_business_account_id"),
            UserField::IgAccountId => member!("ig_account_id"),
            UserField::InstagramBusinessAccountId => member!("instagram_business_account_id"),
            UserField::IgSid => member!("ig_sid"),
        }
    }

    /// The field of exactly this name; other names are in `alias.rs`.
    pub fn from_name(name: &str) -> Option<Self> {
        // A match on bytes is decided by length first, which matters: every event asks some ten times.
        Some(match name.as_bytes() {
            b"em" => UserField::Em,
            b"ph" => UserField::Ph,
            b"fn" => UserField::Fn,
            b"ln" => UserField::Ln,
            b"db" => UserField::Db,
            b"ge" => UserField::Ge,
            b"ct" => UserField::Ct,
            b"st" => UserField::St,
            b"zp" => UserField::Zp,
            b"country" => UserField::Country,
            b"external_id" => UserField::ExternalId,
            b"f5first" => UserField::F5first,
            b"f5last" => UserField::F5last,
            b"fi" => UserField::Fi,
            b"dobd" => UserField::Dobd,
            b"dobm" => UserField::Dobm,
            b"doby" => UserField::Doby,
            b"app_user_id" => UserField::AppUserId,
            b"client_ip_address" => UserField::ClientIpAddress,
            b"client_user_agent" => UserField::ClientUserAgent,
            b"fbc" => UserField::Fbc,
            b"fbp" => UserField::Fbp,
            b"subscription_id" => UserField::SubscriptionId,
            b"fb_login_id" => UserField::FbLoginId,
            b"lead_id" => UserField::LeadId,
            b"anon_id" => UserField::AnonId,
            b"madid" => UserField::Madid,
            b"page_id" => UserField::PageId,
            b"page_scoped_user_id" => UserField::PageScopedUserId,
            b"ctwa_clid" => UserField::CtwaClid,
            b"whatsapp_business_account_id" => UserField::WhatsappBusinessAccountId,
            b"ig_account_id" => UserField::IgAccountId,
            b"instagram_business_account_id" => UserField::InstagramBusinessAccountId,
            b"ig_sid" => UserField::IgSid,
            _ => return None,
        })
    }

    /// How the field's values go to Meta.
    #[inline]
    pub fn form(self) -> Form {
        match self {
            UserField::Em
            | UserField::Ph
            | UserField::Fn
            | UserField::Ln
            | UserField::Db
            | UserField::Ge
            | UserField::Ct
            | UserField::St
            | UserField::Zp
            | UserField::Country
            | UserField::ExternalId => Form::HashedList,
            UserField::F5first
            | UserField::F5last
            | UserField::Fi
            | UserField::Dobd
            | UserField::Dobm
            | UserField::Doby
            | UserField::AppUserId => Form::Hashed,
            _ => Form::Clear,
        }
    }
}

impl fmt::Display for UserField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A set of user fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FieldSet(u64);

impl FieldSet {
    pub(crate) const fn of(fields: &[UserField]) -> Self {
        let mut bits = 0;
        let mut at = 0;
        while at < fields.len() {
            bits |= 1 << fields[at] as u32;
            at += 1;
        }
        Self(bits)
    }

    pub(crate) fn insert(&mut self, field: UserField) {
        self.0 |= 1 << field as u32;
    }

    /// Whether a field is in the set.
    pub fn contains(self, field: UserField) -> bool {
        self.0 & (1 << field as u32) != 0
    }

    /// The set as a number that may be kept: the bit of a field never changes.
    pub fn bits(self) -> u64 {
        self.0
    }

    /// The set that was kept as a number; bits that are no field's are left out.
    pub fn from_bits(bits: u64) -> Self {
        let all = UserField::ALL.len();
        Self(bits & ((1 << all) - 1))
    }

    pub(crate) fn is_within(self, other: Self) -> bool {
        self.0 & !other.0 == 0
    }

    /// The fields of the set, in the order in which they are sealed.
    pub fn iter(self) -> impl Iterator<Item = UserField> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            let field = UserField::ALL.get(rest.trailing_zeros() as usize)?;
            rest &= rest - 1;
            Some(*field)
        })
    }

    /// Whether no field is in the set.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_back_to_their_field() {
        for (at, field) in UserField::ALL.into_iter().enumerate() {
            assert_eq!(UserField::from_name(field.name()), Some(field));
            assert_eq!(field as usize, at, "ALL is in the order of declaration");
        }
    }
}
