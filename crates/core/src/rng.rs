//! Named random streams: every draw of the program comes from one of these.
//!
//! A stream is named by a base seed and axes (`[("purpose", "test_batch"), ("domain", "7"), …]`). Equal names give
//! equal draws, whatever ran before and on however many threads; different names give independent streams.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

/// The generator behind every stream.
pub type Rng = ChaCha8Rng;

/// The stream of `seed` and `axes`: ChaCha8 keyed with BLAKE3 over the length-prefixed names and values.
pub fn stream(seed: u64, axes: &[(&str, &str)]) -> Rng {
    let mut hasher = blake3::Hasher::new_derive_key("zsad random stream v1");
    hasher.update(&seed.to_le_bytes());
    for (name, value) in axes {
        for part in [name, value] {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part.as_bytes());
        }
    }
    ChaCha8Rng::from_seed(*hasher.finalize().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::Rng as _;

    #[test]
    fn streams_repeat_and_differ_by_every_part_of_their_name() {
        let first = |seed, axes: &[(&str, &str)]| stream(seed, axes).next_u64();
        let base = first(0, &[("a", "b"), ("c", "d")]);
        assert_eq!(base, first(0, &[("a", "b"), ("c", "d")]));
        for other in [
            first(1, &[("a", "b"), ("c", "d")]),
            first(0, &[("ab", ""), ("c", "d")]),
            first(0, &[("a", "b"), ("c", "e")]),
            first(0, &[("c", "d"), ("a", "b")]),
            first(0, &[("a", "b")]),
        ] {
            assert_ne!(base, other);
        }
    }
}
