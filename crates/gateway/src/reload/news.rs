//! What there is to tell about secrets that were read again.

use crate::jobs::Outcome;

/// What reading secrets came to since the last row of history.
#[derive(Debug, Default)]
pub(super) struct News {
    pub(super) changed: usize,
    /// Why secrets cannot be read, without a secret.
    pub(super) unreadable: Vec<String>,
}

impl News {
    pub(super) fn is_empty(&self) -> bool {
        self.changed == 0 && self.unreadable.is_empty()
    }

    /// In words for people.
    pub(super) fn outcome(&self) -> Outcome {
        let changed = match self.changed {
            0 => None,
            1 => Some("1 secret has changed".to_owned()),
            changed => Some(format!("{changed} secrets have changed")),
        };
        if self.unreadable.is_empty() {
            return Ok(changed);
        }
        let told = changed.into_iter().chain(self.unreadable.iter().cloned());
        Err(told.collect::<Vec<_>>().join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn news_are_told_in_words() {
        let news = |changed, unreadable: &[&str]| News {
            changed,
            unreadable: unreadable.iter().map(ToString::to_string).collect(),
        };
        let told = |text: &str| Some(text.to_owned());
        assert_eq!(news(0, &[]).outcome(), Ok(None));
        assert_eq!(news(1, &[]).outcome(), Ok(told("1 secret has changed")));
        assert_eq!(news(2, &[]).outcome(), Ok(told("2 secrets have changed")));
        assert_eq!(
            news(1, &["the key of a", "the key of b"]).outcome(),
            Err("1 secret has changed; the key of a; the key of b".to_owned())
        );
    }
}
