//! What must not compile: the ways by which clear text could slip out.

use std::fmt::{Debug, Display};

use sluice_event::{Event, Hashed, Normalized, Plain, SealedEvent, UserData, batch};

/// The compiler's words are pinned too, so that each file fails for its own reason. After an update
/// of the compiler `TRYBUILD=overwrite` writes them anew; read the difference.
#[test]
fn clear_text_has_no_way_out() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/ui/*.rs");
}

/// Fails to compile when `$type` implements `$trait`: then two impls of `NotFor` would fit.
macro_rules! assert_lacks {
    ($($type:ty: $($trait:path),+;)*) => {
        $($(
            const _: fn() = || {
                trait NotFor<Marker> {
                    fn exists() {}
                }
                impl<T: ?Sized> NotFor<()> for T {}
                impl<T: ?Sized + $trait> NotFor<u8> for T {}
                <$type as NotFor<_>>::exists();
            };
        )+)*
    };
}

// Independent of the compiler's wording, for every type that holds clear text, and for the ways back
// from text.
assert_lacks! {
    Plain<'static>: Debug, Display, Clone, ToString, AsRef<str>, std::ops::Deref, Into<String>;
    UserData<'static>: Debug, Display, Clone;
    Event<'static>: Debug, Display, Clone;
    Normalized: Debug, Display, Clone;
    batch::Item<'static>: Debug, Display, Clone;
    batch::Body<'static>: Debug, Display, Clone;
    Hashed: std::str::FromStr, From<&'static str>, From<String>, From<[u8; 32]>, Default;
    SealedEvent: std::str::FromStr, From<&'static str>, From<String>, Default;
}
