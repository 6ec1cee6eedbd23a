//! What is drawn from.

use rand::seq::index;
use zsad_core::rng::Rng;
use zsad_core::{SampleRef, Subset};

/// Samples to draw from: one subset of one or more domains, laid end to end.
pub(super) struct Candidates {
    subset: Subset,
    /// (domain, number of samples up to and including this domain).
    ends: Vec<(usize, usize)>,
    pub total: usize,
    /// Positions that are not drawn, in order; `total` counts the others.
    without: Vec<usize>,
}

impl Candidates {
    pub fn new(domains: impl IntoIterator<Item = (usize, usize)>, subset: Subset) -> Self {
        let mut total = 0;
        let ends = domains
            .into_iter()
            .map(|(domain, size)| {
                total += size;
                (domain, total)
            })
            .collect();
        Candidates { subset, ends, total, without: vec![] }
    }

    /// The same without some of the samples, all of which are of the only domain.
    pub fn without(mut self, samples: &[SampleRef]) -> Self {
        self.without = samples.iter().map(|r| r.index as usize).collect();
        self.without.sort_unstable();
        self.total -= samples.len();
        self
    }

    /// The sample at `position` of those that are drawn from.
    fn at(&self, position: usize) -> SampleRef {
        let position = self.without.iter().fold(position, |p, &gone| if gone <= p { p + 1 } else { p });
        let i = self.ends.partition_point(|&(_, end)| end <= position);
        let start = if i == 0 { 0 } else { self.ends[i - 1].1 };
        SampleRef { domain: self.ends[i].0 as u32, subset: self.subset, index: (position - start) as u32 }
    }

    /// `n ≤ total` different samples in random order.
    pub fn draw(&self, rng: &mut Rng, n: usize) -> Vec<SampleRef> {
        index::sample(rng, self.total, n).into_iter().map(|i| self.at(i)).collect()
    }

    /// `n` different samples of those outside `domain`, in random order; there must be as many.
    pub fn draw_outside(&self, rng: &mut Rng, n: usize, domain: usize) -> Vec<SampleRef> {
        let i = self.ends.partition_point(|&(d, _)| d < domain);
        let (start, end) = (if i == 0 { 0 } else { self.ends[i - 1].1 }, self.ends[i].1);
        let outside = self.total - (end - start);
        let past = |p: usize| if p < start { p } else { p + (end - start) };
        index::sample(rng, outside, n).into_iter().map(|p| self.at(past(p))).collect()
    }
}
