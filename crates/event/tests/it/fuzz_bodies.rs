//! The bodies of the fuzz targets on a stable compiler: the committed corpus, random bytes, and
//! seeds with a few bytes changed. `fuzz/README.md` tells how to let them run for hours.

#[expect(
    unreachable_pub,
    reason = "the fuzz crate needs them public; here they are a module of a test"
)]
#[path = "../../fuzz/src/bodies.rs"]
mod bodies;

use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::Config;

type Target = (&'static str, fn(&[u8]));

const TARGETS: [Target; 4] = [
    ("parse_seal", bodies::parse_seal),
    ("normalize", bodies::normalize),
    ("click_ids", bodies::click_ids),
    ("json_reader", bodies::json_reader),
];

/// The seeds of a target, in the order of their names.
fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/corpus")
        .join(target);
    let entries =
        fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<_> = entries
        .map(|entry| entry.expect("a readable folder").path())
        .collect();
    paths.sort();
    assert!(!paths.is_empty(), "{target} has no seeds");
    paths
        .iter()
        .map(|path| fs::read(path).expect("a readable seed"))
        .collect()
}

/// Read once: whoever fuzzes here has thousands of them.
static SEEDS: LazyLock<[Vec<Vec<u8>>; 4]> =
    LazyLock::new(|| TARGETS.map(|(target, _)| corpus(target)));

#[test]
fn every_seed_passes() {
    for ((_, body), seeds) in TARGETS.into_iter().zip(&*SEEDS) {
        for seed in seeds {
            body(seed);
        }
    }
}

/// One change to a seed, as fuzzers make them.
#[derive(Debug, Clone)]
enum Mutation {
    Replace(Index, u8),
    Insert(Index, Vec<u8>),
    Remove(Index, usize),
    Repeat(Index, usize),
    /// The rest of another seed from somewhere on.
    Splice(Index, Index),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let token = prop::sample::select(
        &[
            "\"", "\\", "\\ud800", "{", "}", "[", "]", ",", ":", "null", "1e400", "-", "0", ".",
            "@", "%40", "+", "\u{202e}", "\u{fffd}", "\u{0}", "\n", " ", "fb.1.", "AQQCAQMC", "'",
        ][..],
    );
    prop_oneof![
        3 => (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Mutation::Replace(at, byte)),
        3 => (any::<Index>(), token).prop_map(|(at, token)| Mutation::Insert(at, token.as_bytes().to_vec())),
        2 => (any::<Index>(), 1..9_usize).prop_map(|(at, count)| Mutation::Remove(at, count)),
        1 => (any::<Index>(), 1..40_usize).prop_map(|(at, count)| Mutation::Repeat(at, count)),
        1 => (any::<Index>(), any::<Index>()).prop_map(|(at, from)| Mutation::Splice(at, from)),
    ]
}

fn mutated(mut bytes: Vec<u8>, mutations: &[Mutation], other: &[u8]) -> Vec<u8> {
    for mutation in mutations {
        if bytes.is_empty() {
            bytes.push(b' ');
        }
        match mutation {
            Mutation::Replace(at, byte) => *at.get_mut(&mut bytes) = *byte,
            Mutation::Insert(at, token) => {
                let at = at.index(bytes.len());
                bytes.splice(at..at, token.iter().copied());
            }
            Mutation::Remove(at, count) => {
                let at = at.index(bytes.len());
                bytes.drain(at..bytes.len().min(at + count));
            }
            Mutation::Repeat(at, count) => {
                let at = at.index(bytes.len());
                let part = bytes[at..bytes.len().min(at + count)].to_vec();
                bytes.splice(at..at, part);
            }
            Mutation::Splice(at, from) => {
                bytes.truncate(at.index(bytes.len()));
                bytes.extend_from_slice(&other[from.index(other.len().max(1)).min(other.len())..]);
            }
        }
    }
    bytes
}

fn config() -> Config {
    Config {
        failure_persistence: None,
        ..Config::with_cases(1000)
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn random_bytes_pass(bytes: Vec<u8>, text in "\\PC{0,80}") {
        for (_, body) in TARGETS {
            body(&bytes);
            body(text.as_bytes());
        }
    }

    #[test]
    fn mutated_seeds_pass(
        seed: Index, other: Index, mutations in prop::collection::vec(mutation(), 1..6),
    ) {
        for ((_, body), seeds) in TARGETS.into_iter().zip(&*SEEDS) {
            let other: &Vec<u8> = other.get(seeds);
            let bytes = mutated(seed.get::<Vec<u8>>(seeds).clone(), &mutations, other);
            body(&bytes);
        }
    }
}
