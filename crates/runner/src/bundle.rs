//! Bundles: the fits of a run put together to tasks of a job array, each of about the same length.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

/// Fits of one task, and the seconds that they are thought to take.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Bundle {
    /// Positions of its fits, the longest first.
    pub fits: Vec<usize>,
    /// Seconds of all of them, one after the other.
    pub seconds: f64,
}

/// Puts fits of so many seconds together to bundles of about `length` each, of which `at_once` run at the same time in a
/// bundle. A longer fit is a bundle of its own. There are no more than `most` bundles: they are longer, rather. The longest
/// bundle comes first, so that none starts late and ends last.
pub fn bundles(seconds: &[f64], length: Duration, at_once: usize, most: usize) -> Vec<Bundle> {
    if seconds.is_empty() {
        return Vec::new();
    }
    let room = length.as_secs_f64() * at_once as f64;
    let mut order: Vec<usize> = (0..seconds.len()).collect();
    order.sort_by(|&a, &b| seconds[b].total_cmp(&seconds[a]).then(a.cmp(&b)));
    let long = order.iter().take_while(|&&i| seconds[i] >= room).count();
    let rest: f64 = order[long..].iter().map(|&i| seconds[i]).sum();
    let number = long + (rest / room).ceil() as usize;
    let number = number.clamp(1, most.min(seconds.len()).max(1));
    let mut bundles = vec![Bundle::default(); number];
    // Each fit, the longest first, goes where least is.
    let mut least: BinaryHeap<Reverse<(Seconds, usize)>> = (0..number).map(|b| Reverse((Seconds(0.0), b))).collect();
    for fit in order {
        let Some(Reverse((Seconds(filled), b))) = least.pop() else { break };
        bundles[b].fits.push(fit);
        bundles[b].seconds = filled + seconds[fit];
        least.push(Reverse((Seconds(bundles[b].seconds), b)));
    }
    bundles.retain(|b| !b.fits.is_empty());
    bundles.sort_by(|a, b| b.seconds.total_cmp(&a.seconds));
    bundles
}

/// Seconds in their order.
#[derive(PartialEq)]
struct Seconds(f64);

impl Eq for Seconds {}

impl PartialOrd for Seconds {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Seconds {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minutes(seconds: &[f64], at_once: usize, most: usize) -> Vec<Bundle> {
        bundles(seconds, Duration::from_secs(60), at_once, most)
    }

    #[test]
    fn each_fit_is_in_one_bundle_and_bundles_are_as_long_as_asked() {
        let seconds: Vec<f64> = (0..1000).map(|i| f64::from((i * 7919) % 37) / 4.0).collect();
        let found = minutes(&seconds, 1, 1000);
        let mut all: Vec<usize> = found.iter().flat_map(|b| b.fits.clone()).collect();
        all.sort_unstable();
        assert_eq!(all, (0..1000).collect::<Vec<_>>());
        assert!(found.iter().all(|b| (50.0..=70.0).contains(&b.seconds)), "{found:?}");
        for bundle in &found {
            assert!(bundle.fits.windows(2).all(|w| seconds[w[0]] >= seconds[w[1]]), "the longest first");
            let sum: f64 = bundle.fits.iter().map(|&f| seconds[f]).sum();
            assert!((sum - bundle.seconds).abs() < 1e-9);
        }
        assert!(found.windows(2).all(|w| w[0].seconds >= w[1].seconds), "the longest bundle first");
        // Four at once: a quarter of the bundles.
        assert_eq!(minutes(&seconds, 4, 1000).len(), found.len().div_ceil(4));
    }

    #[test]
    fn a_long_fit_is_a_bundle_of_its_own() {
        let found = minutes(&[1.0, 600.0, 1.0, 1.0], 1, 1000);
        assert_eq!(found, [Bundle { fits: vec![1], seconds: 600.0 }, Bundle { fits: vec![0, 2, 3], seconds: 3.0 }]);
    }

    #[test]
    fn there_are_no_more_bundles_than_allowed_and_none_is_empty() {
        let found = minutes(&[100.0; 9], 1, 3);
        assert_eq!(found.iter().map(|b| b.fits.len()).collect::<Vec<_>>(), [3, 3, 3]);
        assert_eq!(minutes(&[], 1, 3), []);
        assert_eq!(minutes(&[0.0, 0.0], 1, 3).len(), 1);
    }
}
