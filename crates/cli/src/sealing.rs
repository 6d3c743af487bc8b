//! The options that say how events are sealed.

use clap::{Args, ValueEnum};
use sluice_event::{ActionSource, Country, ExternalId, Rules};

use crate::option_values;

/// How events are sealed.
#[derive(Args)]
pub(crate) struct SealingOptions {
    /// The country of events that name none, for phone numbers and postcodes: a code or a name
    #[arg(long, value_parser = option_values::country)]
    country: Option<Country>,
    /// Send a second hash where Meta's own libraries disagree about the first
    #[arg(long)]
    variants: bool,
    /// What to do with an `external_id` that is no hash [default: hash]
    #[arg(long, value_name = "HOW", value_enum)]
    external_id: Option<ExternalIdArgument>,
    /// The action source of events that name none and show none [default: website]
    #[arg(long, value_name = "SOURCE", value_parser = option_values::action_source)]
    action_source: Option<ActionSource>,
}

#[derive(Clone, Copy, ValueEnum)]
enum ExternalIdArgument {
    /// Hash it, as Meta recommends
    Hash,
    /// Send it as it is, because the site's pixel does
    AsIs,
}

impl SealingOptions {
    /// The same for sealing.
    pub(crate) fn rules(&self) -> Rules {
        let rules = Rules::default();
        Rules {
            default_country: self.country,
            default_action_source: self.action_source.unwrap_or(rules.default_action_source),
            external_id: match self.external_id {
                None => rules.external_id,
                Some(ExternalIdArgument::Hash) => ExternalId::Hash,
                Some(ExternalIdArgument::AsIs) => ExternalId::AsIs,
            },
            variants: self.variants,
            ..rules
        }
    }

    /// The action source, if one was named.
    pub(crate) fn action_source(&self) -> Option<ActionSource> {
        self.action_source
    }

    /// An option that was given and that a gateway decides by itself, with the key of its source that
    /// does. An action source is a field of the event, so it can be sent along; these cannot.
    pub(crate) fn of_a_source(&self) -> Option<(&'static str, &'static str)> {
        [
            (self.country.is_some(), "--country", "default_country"),
            (self.variants, "--variants", "variants"),
            (
                self.external_id.is_some(),
                "--external-id",
                "hash_external_id",
            ),
        ]
        .into_iter()
        .find_map(|(is_given, option, key)| is_given.then_some((option, key)))
    }
}
