//! AUROC by groups of samples: within a group, of its normals against all anomalies, the worst of them; and whether an
//! attribute of normals passes for an anomaly.

use std::collections::BTreeMap;

use zsad_core::{MetricInput, MetricValue};

use crate::AUROC;

/// Samples with scores, labels and the group of each; a sample without a group counts among all, and in no group.
#[derive(Debug, Clone, Copy)]
pub struct Grouped<'a> {
    /// Scores, finite.
    pub scores: &'a [f64],
    /// `true` where the sample is an anomaly.
    pub labels: &'a [bool],
    /// The group of each.
    pub groups: &'a [Option<String>],
}

impl Grouped<'_> {
    /// Number of normals and anomalies of each group.
    pub fn sizes(&self) -> BTreeMap<&str, (usize, usize)> {
        let mut sizes: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
        for (group, label) in self.groups.iter().zip(self.labels) {
            if let Some(group) = group {
                let size = sizes.entry(group).or_default();
                *if *label { &mut size.1 } else { &mut size.0 } += 1;
            }
        }
        sizes
    }

    fn auroc(
        &self,
        kept: impl Fn(Option<&str>, bool) -> bool,
        positive: impl Fn(Option<&str>, bool) -> bool,
    ) -> MetricValue {
        let (mut scores, mut labels) = (Vec::new(), Vec::new());
        for ((score, label), group) in self.scores.iter().zip(self.labels).zip(self.groups) {
            if kept(group.as_deref(), *label) {
                scores.push(*score);
                labels.push(positive(group.as_deref(), *label));
            }
        }
        AUROC.compute(MetricInput::Samples { scores: &scores, labels: &labels })
    }

    /// Normals of `group` against its anomalies.
    pub fn within(&self, group: &str) -> MetricValue {
        self.auroc(|g, _| g == Some(group), |_, label| label)
    }

    /// Normals of `group` against all anomalies.
    pub fn normals(&self, group: &str) -> MetricValue {
        self.auroc(|g, label| label || g == Some(group), |_, label| label)
    }

    /// The least [`Grouped::within`] over groups with at least `least` normals and as many anomalies.
    pub fn worst(&self, least: usize) -> MetricValue {
        let sizes = self.sizes();
        let large = sizes.iter().filter(|(_, (normal, anomalous))| *normal.min(anomalous) >= least);
        let values = large.filter_map(|(group, _)| self.within(group).value());
        let undefined = MetricValue::Undefined("no group has enough normals and anomalies");
        values.reduce(f64::min).map_or(undefined, MetricValue::Defined)
    }

    /// P(score of a normal of `group` > that of any other normal), ties one half: ½ where the attribute makes no difference.
    pub fn nuisance(&self, group: &str) -> MetricValue {
        self.auroc(|g, label| !label && g.is_some(), |g, _| g == Some(group))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_are_those_counted_by_hand() {
        let scores = [0.1, 0.2, 0.6, 0.3, 0.9, 0.7, 0.4, 0.8];
        let labels = [false, false, false, false, true, true, true, true];
        let groups = [0, 0, 1, 1, 0, 0, 1, 1].map(|g| Some(g.to_string()));
        let of = Grouped { scores: &scores, labels: &labels, groups: &groups };
        let whole = AUROC.compute(MetricInput::Samples { scores: &scores, labels: &labels });
        assert_eq!(whole, MetricValue::Defined(0.9375));
        assert_eq!([of.within("0"), of.within("1")].map(|v| v.value()), [Some(1.0), Some(0.75)]);
        assert_eq!([of.normals("0"), of.normals("1")].map(|v| v.value()), [Some(1.0), Some(0.875)]);
        assert_eq!((of.worst(2).value(), of.worst(5).value()), (Some(0.75), None));
        assert_eq!((of.nuisance("1").value(), of.nuisance("0").value()), (Some(1.0), Some(0.0)));
    }

    #[test]
    fn a_sample_without_a_group_is_in_none() {
        let groups = [Some("a".to_owned()), None, Some("b".into()), None];
        let of = Grouped { scores: &[0.0, 5.0, 1.0, 2.0], labels: &[false, false, false, true], groups: &groups };
        assert_eq!(of.nuisance("b").value(), Some(1.0));
        assert_eq!((of.normals("a").value(), of.within("a").value()), (Some(1.0), None));
        assert_eq!(of.sizes(), [("a", (1, 0)), ("b", (1, 0))].into());
    }
}
