//! The fields that `sluice hash` knows, by Meta's name or one in common use.

use sluice_event::UserField;

/// A field whose values can be normalised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Field {
    /// One of `user_data`.
    User(UserField),
    /// `custom_data.currency`, which senders get wrong as often.
    Currency,
}

/// Names in common use. Those of events that come in are `sluice_event`'s affair; these are for
/// people who type.
const ALIASES: [(&str, UserField); 22] = [
    ("email", UserField::Em),
    ("mail", UserField::Em),
    ("phone", UserField::Ph),
    ("telephone", UserField::Ph),
    ("mobile", UserField::Ph),
    ("first_name", UserField::Fn),
    ("last_name", UserField::Ln),
    ("surname", UserField::Ln),
    ("date_of_birth", UserField::Db),
    ("birthday", UserField::Db),
    ("dob", UserField::Db),
    ("gender", UserField::Ge),
    ("city", UserField::Ct),
    ("state", UserField::St),
    ("region", UserField::St),
    ("zip", UserField::Zp),
    ("postcode", UserField::Zp),
    ("postal_code", UserField::Zp),
    ("ip", UserField::ClientIpAddress),
    ("user_agent", UserField::ClientUserAgent),
    ("click_id", UserField::Fbc),
    ("browser_id", UserField::Fbp),
];

impl Field {
    /// Meta's name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Field::User(field) => field.name(),
            Field::Currency => "currency",
        }
    }

    /// The field of this name, in any case, with `-` for `_` if one likes.
    pub(crate) fn parse(name: &str) -> Result<Self, UnknownField> {
        let folded = name.trim().to_ascii_lowercase().replace('-', "_");
        let alias = || ALIASES.into_iter().find(|(alias, _)| *alias == folded);
        if folded == "currency" {
            return Ok(Field::Currency);
        }
        UserField::from_name(&folded)
            .or_else(|| alias().map(|(_, field)| field))
            .map(Field::User)
            .ok_or_else(|| UnknownField::like(&folded))
    }
}

/// There is no field of that name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct UnknownField {
    /// The name that was probably meant, and the field it stands for.
    meant: Option<(&'static str, Field)>,
}

impl UnknownField {
    fn like(folded: &str) -> Self {
        let names = UserField::ALL.map(|field| (field.name(), Field::User(field)));
        let aliases = ALIASES.map(|(alias, field)| (alias, Field::User(field)));
        // One slip in three letters is close; in a longer word than any name nothing is.
        let meant = (folded.len() <= 40)
            .then(|| names.into_iter().chain(aliases))
            .into_iter()
            .flatten()
            .chain([("currency", Field::Currency)])
            .map(|(name, field)| (strsim::damerau_levenshtein(name, folded), name, field))
            .filter(|(distance, name, _)| distance * 3 <= name.len())
            .min_by_key(|(distance, _, _)| *distance)
            .map(|(_, name, field)| (name, field));
        Self { meant }
    }

    /// What would be right.
    pub(crate) fn help(self) -> String {
        match self.meant {
            Some((name, field)) if name == field.name() => format!("did you mean {name}?"),
            Some((name, field)) => format!("did you mean {name} ({})?", field.name()),
            None => help(),
        }
    }
}

/// The fields that shops have, the most common first; all others are behind them.
const COMMON: [UserField; 11] = [
    UserField::Em,
    UserField::Ph,
    UserField::Fn,
    UserField::Ln,
    UserField::Ct,
    UserField::St,
    UserField::Zp,
    UserField::Country,
    UserField::Db,
    UserField::Ge,
    UserField::ExternalId,
];

/// Every field: those that shops have with a common name, and the names of the others.
fn help() -> String {
    let common = COMMON.map(|field| {
        let alias = ALIASES.iter().find(|(_, meant)| *meant == field);
        match alias {
            Some((alias, _)) => format!("{} ({alias})", field.name()),
            None => field.name().to_owned(),
        }
    });
    let others = UserField::ALL
        .iter()
        .filter(|field| !COMMON.contains(field));
    let others: Vec<_> = others.map(|field| field.name()).collect();
    format!(
        "the fields are {}, currency; and {}. Common names such as those in brackets are taken too",
        common.join(", "),
        others.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_fields_by_either_name() {
        for (name, expected) in [
            ("em", Field::User(UserField::Em)),
            ("EMAIL", Field::User(UserField::Em)),
            ("first-name", Field::User(UserField::Fn)),
            ("client_ip_address", Field::User(UserField::ClientIpAddress)),
            ("currency", Field::Currency),
        ] {
            assert_eq!(Field::parse(name), Ok(expected), "{name}");
        }
    }

    #[test]
    fn guesses_what_was_meant() {
        for (name, expected) in [
            ("emial", "did you mean email (em)?"),
            ("phne", "did you mean phone (ph)?"),
            ("extrenal_id", "did you mean external_id?"),
            ("curency", "did you mean currency?"),
            (
                "foo",
                "the fields are em (email), ph (phone), fn (first_name), ln (last_name), ct (city), \
                 st (state), zp (zip), country, db (date_of_birth), ge (gender), external_id, currency; \
                 and f5first, f5last, fi, dobd, dobm, doby, app_user_id, client_ip_address, client_user_agent, \
                 fbc, fbp, subscription_id, fb_login_id, lead_id, anon_id, madid, page_id, \
                 page_scoped_user_id, ctwa_clid, whatsapp_business_account_id, ig_account_id, \
                 instagram_business_account_id, ig_sid. Common names such as those in brackets are taken too",
            ),
        ] {
            assert_eq!(
                Field::parse(name).map_err(UnknownField::help),
                Err(expected.to_owned()),
                "{name}"
            );
        }
    }
}
