//! What numbers allow one to conclude, and when they allow nothing.

use std::collections::BTreeMap;

use zsad_metrics::stats::least_p;

use super::values::Unit;
use super::{AllAtOnce, Pair};

/// The level of all tests.
pub(super) const LEVEL: f64 = 0.05;

/// Domains from which the χ² approximation of Friedman's test is good.
const BLOCKS: usize = 10;

/// Where the domains come from.
pub(super) fn origin(units: &[Unit]) -> String {
    let mut by_set: BTreeMap<&str, usize> = BTreeMap::new();
    units.iter().for_each(|(dataset, _)| *by_set.entry(dataset).or_default() += 1);
    if let (1, Some((name, _))) = (by_set.len(), by_set.first_key_value()) {
        return format!(
            "All domains are of {name}: this holds for domains like these, and says nothing of other data sets."
        );
    }
    let listed: Vec<String> = by_set.iter().map(|(name, n)| format!("{name} {n}")).collect();
    let most = by_set.iter().max_by_key(|(_, n)| **n);
    let weight = match most {
        Some((name, n)) if 2 * n > units.len() => format!("; most of the weight is {name}'s"),
        _ => String::new(),
    };
    format!(
        "Domains by data set: {}{weight}. Domains of one data set are more alike than data sets are.",
        listed.join(", ")
    )
}

/// What the p-values of pairs over `n` domains can and cannot show, of `compared` pairs.
pub(super) fn resolution(n: usize, compared: usize) -> Option<String> {
    let least = least_p(n);
    if least * compared as f64 <= LEVEL {
        return None;
    }
    let enough = (n..).find(|n| least_p(*n) * compared as f64 <= LEVEL)?;
    let domains = if n == 1 { "1 domain".to_owned() } else { format!("{n} domains") };
    let corrected = match compared {
        1 => String::new(),
        m => format!(", and after Holm's correction for {m} pairs none below {}", p_value((least * m as f64).min(1.0))),
    };
    Some(format!(
        "A signed-rank test over {domains} cannot give a p-value below {}{corrected}: nothing can be called significant \
         here, whatever the difference. It takes {enough} domains.",
        p_value(least)
    ))
}

/// What an interval leaves out.
pub(super) fn interval(pair: &Pair) -> Option<String> {
    let mut said = Vec::new();
    if pair.n == 1 {
        said.push("One domain: there is no interval over domains.".to_owned());
    }
    if pair.n_seeds == 1 {
        said.push("One seed: how much another training or draw would change is not in the interval.".into());
    }
    (!said.is_empty()).then(|| said.join(" "))
}

/// How to read mean ranks.
pub(super) fn ranks(tested: Option<&AllAtOnce>, n: usize) -> Option<String> {
    let tested = tested?;
    let approximate = match n < BLOCKS {
        true => format!(" The p-value is an approximation that is good from {BLOCKS} domains; there are {n}."),
        false => String::new(),
    };
    let read = match tested.p < LEVEL {
        true => format!(
            "Not all methods rank alike; two mean ranks further apart than {:.2} differ at 5 % (Nemenyi).",
            tested.critical_difference
        ),
        false => {
            "That all methods rank alike cannot be ruled out: single differences of ranks are not to be read.".into()
        }
    };
    Some(read + &approximate)
}

/// `0.031`, `< 0.001`.
pub(super) fn p_value(p: f64) -> String {
    if p < 0.001 { "< 0.001".into() } else { format!("{p:.3}") }
}
