//! What to do with it: a decision for a sample, a verdict on a batch, each by stated rules.

use serde::{Deserialize, Serialize};

use crate::calibration::Judgement;

/// When a batch is trusted, and when a sample is decided.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Rules {
    /// The least lower bound of the expected AUROC.
    pub auroc: f64,
    /// The greatest upper bound of the contamination.
    pub contamination: f64,
    /// A novelty p of at most this speaks against a batch, where domains are enough to find one.
    pub novelty: f64,
    /// What it costs to leave a sample undecided, where a wrong decision costs 1.
    pub cost_reject: f64,
}

impl Default for Rules {
    fn default() -> Self {
        Rules { auroc: 0.8, contamination: 0.4, novelty: 0.05, cost_reject: 0.1 }
    }
}

zsad_core::choices! {
    /// What a sample is taken for.
    pub enum Decision {
        /// Normal.
        Normal = "normal",
        /// An anomaly.
        Anomaly = "anomaly",
        /// It cannot be told.
        Rejected = "rejected",
    }
}

/// The decision that costs least: a sample is left undecided where the less likely class has a probability above
/// `cost_reject` (Chow, On optimum recognition error and reject tradeoff, 1970).
pub fn decide(p_anomaly: f64, cost_reject: f64) -> Decision {
    match p_anomaly {
        p if p.min(1.0 - p) > cost_reject => Decision::Rejected,
        p if p > 0.5 => Decision::Anomaly,
        _ => Decision::Normal,
    }
}

zsad_core::choices! {
    /// Whether a batch's scores can be trusted.
    pub enum Verdict {
        /// Nothing speaks against it.
        Trust = "trust",
        /// One thing speaks against it.
        Doubtful = "doubtful",
        /// More than one.
        DoNotTrust = "do not trust",
    }
}

/// A verdict with its reasons.
#[derive(Debug, Clone, PartialEq)]
pub struct VerdictOn {
    /// The verdict.
    pub verdict: Verdict,
    /// What speaks against the batch.
    pub against: Vec<String>,
    /// What cannot be known, and why.
    pub unknown: Vec<String>,
}

/// An interval of contamination at least this share of the one that episodes were drawn from says nothing.
const UNINFORMATIVE: f64 = 0.8;

impl Rules {
    /// The verdict on a batch.
    pub fn on(&self, found: &Judgement) -> VerdictOn {
        let (auroc, share) = (&found.auroc, &found.contamination);
        let percent = |v: f64| format!("{:.0} %", 100.0 * v);
        let mut against = Vec::new();
        if auroc.lo < self.auroc {
            let (found, wanted) = (100.0 * auroc.lo, 100.0 * self.auroc);
            against.push(format!("the AUROC may be as low as {found:.0}, and {wanted:.0} are asked for"));
        }
        if share.hi > self.contamination {
            let (found, allowed) = (percent(share.hi), percent(self.contamination));
            against.push(format!("{found} of the samples may be anomalies, and {allowed} are allowed"));
        }
        let is_testable = found.least_p <= self.novelty;
        if is_testable && found.novelty_p <= self.novelty {
            let p = found.novelty_p;
            against.push(format!("its scores look like those of no domain of the calibration (p = {p:.3})"));
        }
        let mut unknown = Vec::new();
        if share.hi - share.lo >= UNINFORMATIVE * 0.9 * found.most_contaminated {
            unknown.push("the contamination: its interval is about as wide as before any score was seen".to_owned());
        } else if share.hi >= 0.9 * found.most_contaminated && found.most_contaminated >= 0.5 {
            unknown.push("which half is the normal one: near 50 % of anomalies scores cannot tell".to_owned());
        }
        if !is_testable {
            let (domains, needed) = (found.domains, (1.0 / self.novelty).ceil() as usize - 1);
            let why = format!("{domains} domains cannot give a p of {} or less, {needed} could", self.novelty);
            unknown.push(format!("whether the batch is like the calibration's: {why}"));
        }
        let verdict = match against.len() {
            0 => Verdict::Trust,
            1 => Verdict::Doubtful,
            _ => Verdict::DoNotTrust,
        };
        VerdictOn { verdict, against, unknown }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Estimate;

    fn judged(auroc_lo: f64, contamination: (f64, f64), p: f64, domains: usize) -> Judgement {
        let between = |lo: f64, hi: f64| Estimate { mean: (lo + hi) / 2.0, lo, hi };
        Judgement {
            contamination: between(contamination.0, contamination.1),
            contaminations: Vec::new(),
            auroc: between(auroc_lo, 1.0),
            probabilities: Vec::new(),
            novelty_p: p,
            least_p: 1.0 / (domains as f64 + 1.0),
            domains,
            most_contaminated: 0.5,
        }
    }

    #[test]
    fn a_verdict_counts_what_speaks_against() {
        let rules = Rules::default();
        let on = |found| rules.on(&found);
        assert_eq!(on(judged(0.85, (0.0, 0.2), 0.4, 20)).verdict, Verdict::Trust);
        let low = on(judged(0.7, (0.0, 0.2), 0.4, 20));
        assert_eq!((low.verdict, low.against.len()), (Verdict::Doubtful, 1));
        assert_eq!(on(judged(0.7, (0.2, 0.45), 0.4, 20)).verdict, Verdict::DoNotTrust);
        assert_eq!(on(judged(0.85, (0.0, 0.2), 1.0 / 21.0, 20)).verdict, Verdict::Doubtful);
    }

    #[test]
    fn what_cannot_be_known_is_said() {
        let rules = Rules::default();
        // Six domains cannot show that a batch is new, and do not speak against it.
        let few = rules.on(&judged(0.85, (0.0, 0.2), 1.0 / 7.0, 6));
        assert_eq!(few.verdict, Verdict::Trust);
        assert!(few.unknown[0].contains("6 domains") && few.unknown[0].contains("19"), "{few:?}");
        let wide = rules.on(&judged(0.85, (0.02, 0.47), 0.4, 20));
        assert!(wide.unknown[0].contains("contamination"), "{wide:?}");
        let half = rules.on(&judged(0.85, (0.3, 0.49), 0.4, 20));
        assert!(half.unknown[0].contains("which half"), "{half:?}");
    }

    #[test]
    fn an_uncertain_sample_is_left_undecided() {
        assert_eq!([0.05, 0.3, 0.8, 0.95].map(|p| decide(p, 0.1)), {
            use Decision::{Anomaly, Normal, Rejected};
            [Normal, Rejected, Rejected, Anomaly]
        });
        // Chow's rule for costs 1, 1, ½ rejects nothing.
        assert_eq!([0.2, 0.5, 0.6].map(|p| decide(p, 0.5)), [Decision::Normal, Decision::Normal, Decision::Anomaly]);
    }
}
