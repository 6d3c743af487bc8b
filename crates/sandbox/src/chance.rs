//! Chance from a seed, so that a run with faults can be repeated.

/// A small generator (splitmix64): good enough to roll dice with, of no use for secrets.
#[derive(Debug)]
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Whether something of this many in a million happens now.
    pub(crate) fn happens(&mut self, per_million: u32) -> bool {
        self.next() % 1_000_000 < u64::from(per_million)
    }

    /// A name as Meta gives its requests (`fbtrace_id`): `A` and 22 characters of base64url.
    pub(crate) fn trace_id(&mut self) -> String {
        const ALPHABET: &[u8; 64] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let mut name = String::with_capacity(23);
        name.push('A');
        for _ in 0..11 {
            let bits = self.next();
            for bits in [bits & 63, bits >> 6 & 63] {
                // Six bits are always a place in the alphabet.
                name.push(usize::try_from(bits).map_or('A', |place| char::from(ALPHABET[place])));
            }
        }
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_run() {
        let run = |seed| {
            let mut chance = Chance::new(seed);
            (0..1_000)
                .map(|_| chance.happens(10_000))
                .collect::<Vec<_>>()
        };
        assert_eq!(run(7), run(7));
        assert_ne!(run(7), run(8));
        let hits = run(7).into_iter().filter(|hit| *hit).count();
        assert!((1..40).contains(&hits), "{hits}");
    }

    #[test]
    fn a_trace_id_looks_like_metas() {
        let mut chance = Chance::new(1);
        let (first, second) = (chance.trace_id(), chance.trace_id());
        assert_eq!(first.len(), 23);
        assert!(first.starts_with('A'));
        assert_ne!(first, second);
    }
}
