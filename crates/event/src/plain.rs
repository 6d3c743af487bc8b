//! Personal data in the clear.

use std::borrow::Cow;

use zeroize::Zeroize;

/// A personal value in the clear: an e-mail address, a name, a user agent.
///
/// It can be read by code that normalises or hashes it, and by nothing else: there is no `Debug`,
/// no `Display`, no `Serialize` and no `Clone`, so it cannot slip into a log line, an error, a panic
/// message or a second copy. What it owns is wiped when it is dropped; what it borrows belongs to
/// the caller's buffer.
///
/// ```compile_fail
/// println!("{:?}", sluice_event::Plain::from("john@example.com"));
/// ```
/// ```compile_fail
/// println!("{}", sluice_event::Plain::from("john@example.com"));
/// ```
pub struct Plain<'a>(Cow<'a, str>);

impl Plain<'_> {
    /// The clear text, for the code that normalises it. Whoever calls this answers for the copy.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The same value, owning its text.
    pub fn into_owned(mut self) -> Plain<'static> {
        let text = std::mem::take(&mut self.0);
        Plain(Cow::Owned(text.into_owned()))
    }
}

impl Drop for Plain<'_> {
    fn drop(&mut self) {
        if let Cow::Owned(text) = &mut self.0 {
            text.zeroize();
        }
    }
}

impl<'a> From<&'a str> for Plain<'a> {
    fn from(text: &'a str) -> Self {
        Self(Cow::Borrowed(text))
    }
}

impl From<String> for Plain<'_> {
    fn from(text: String) -> Self {
        Self(Cow::Owned(text))
    }
}

impl<'a> From<Cow<'a, str>> for Plain<'a> {
    fn from(text: Cow<'a, str>) -> Self {
        Self(text)
    }
}
