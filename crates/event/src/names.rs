//! Event names that Meta knows.

/// The standard events of the Meta pixel, and `PageView`.
///
/// Source: Meta pixel reference, "Standard events". Names are case-sensitive.
pub const STANDARD: [&str; 18] = [
    "AddPaymentInfo",
    "AddToCart",
    "AddToWishlist",
    "CompleteRegistration",
    "Contact",
    "CustomizeProduct",
    "Donate",
    "FindLocation",
    "InitiateCheckout",
    "Lead",
    "PageView",
    "Purchase",
    "Schedule",
    "Search",
    "StartTrial",
    "SubmitApplication",
    "Subscribe",
    "ViewContent",
];

/// The only names that Meta takes with `action_source = business_messaging`; any other is refused
/// with 100/2804066. Source: Conversions API for business messaging.
pub const BUSINESS_MESSAGING: [&str; 14] = [
    "AddToCart",
    "CartAbandoned",
    "InitiateCheckout",
    "LeadSubmitted",
    "OrderCanceled",
    "OrderCreated",
    "OrderDelivered",
    "OrderReturned",
    "OrderShipped",
    "Purchase",
    "QualifiedLead",
    "RatingProvided",
    "ReviewProvided",
    "ViewContent",
];

/// The name of the limited-beta event that attributes an earlier one.
pub const APPEND_ATTRIBUTION: &str = "AppendAttribution";

/// Whether Meta knows the name; everything else is a custom event.
pub fn is_standard(name: &str) -> bool {
    standard(name).is_some()
}

/// The same name, if Meta knows it.
pub(crate) fn standard(name: &str) -> Option<&'static str> {
    // Comparing lengths first, a linear search is faster than a binary one here.
    (STANDARD.iter().chain(&BUSINESS_MESSAGING))
        .chain([&APPEND_ATTRIBUTION])
        .find(|known| **known == name)
        .copied()
}

/// The standard name that differs from `name` in case, spaces or punctuation only.
pub(crate) fn standard_spelling(name: &str) -> Option<&'static str> {
    let fold = |text: &str| -> String {
        text.chars()
            .filter(|c| c.is_alphanumeric())
            .flat_map(char::to_lowercase)
            .collect()
    };
    let folded = fold(name);
    STANDARD
        .into_iter()
        .find(|standard| fold(standard) == folded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_case_sensitive() {
        assert!(is_standard("Purchase") && is_standard("LeadSubmitted"));
        assert!(!is_standard("purchase"));
        assert_eq!(standard_spelling("add_to_cart"), Some("AddToCart"));
        assert_eq!(standard_spelling("Sale"), None);
    }
}
