//! The options that say how events are sealed.

use clap::{Args, ValueEnum};
use sluice_event::{ActionSource, Country, ExternalId, Rules};

use crate::args;

/// How events are sealed.
#[derive(Args)]
pub(crate) struct SealingOptions {
    /// The country of events that name none: a code or a name
    #[arg(long, value_parser = args::country)]
    country: Option<Country>,
    /// Send a second hash where Meta's own libraries disagree about the first
    #[arg(long)]
    variants: bool,
    /// What to do with an `external_id` that is no hash
    #[arg(long, value_name = "HOW", value_enum, default_value_t = ExternalIdArgument::Hash)]
    external_id: ExternalIdArgument,
    /// The action source of events that name none and show none
    #[arg(long, value_name = "SOURCE", default_value = "website", value_parser = args::action_source)]
    pub(crate) action_source: ActionSource,
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
        Rules {
            default_country: self.country,
            default_action_source: self.action_source,
            external_id: match self.external_id {
                ExternalIdArgument::Hash => ExternalId::Hash,
                ExternalIdArgument::AsIs => ExternalId::AsIs,
            },
            variants: self.variants,
            ..Rules::default()
        }
    }
}
