//! From scores to the metrics of a domain.

use std::collections::BTreeMap;

use zsad_core::{Error, LabelledBatch, Maps, Masks, MetricInput, Pooling, Result, Scores};
use zsad_metrics::{Metric, evaluate};
use zsad_store::DomainResult;

/// The metrics of one domain, taken batch by batch or over all its batches. A batch of one class has no metrics: it is
/// counted as undefined and left out of the average.
pub struct Measures<'m> {
    pooling: Pooling,
    metrics: &'m [&'static Metric],
    /// Sum and number of the defined values by metric.
    sums: BTreeMap<&'static str, (f64, u32)>,
    /// Maps and masks of a domain that are pooled.
    pooled: Option<(Maps, Masks)>,
    undefined: usize,
}

impl<'m> Measures<'m> {
    pub fn new(pooling: Pooling, metrics: &'m [&'static Metric]) -> Self {
        Measures { pooling, metrics, sums: BTreeMap::new(), pooled: None, undefined: 0 }
    }

    fn add(&mut self, input: MetricInput) {
        for (spec, value) in evaluate(input, self.metrics) {
            if let Some(value) = value.value() {
                let sum = self.sums.entry(spec.name).or_default();
                *sum = (sum.0 + value, sum.1 + 1);
            }
        }
    }

    /// Maps are looked at once, and kept only where they are pooled.
    pub fn pixels(&mut self, scores: &Scores, masks: Option<&Masks>) -> Result<()> {
        let (Some(maps), Some(masks)) = (&scores.maps, masks) else { return Ok(()) };
        match (self.pooling, &mut self.pooled) {
            (Pooling::Batch, _) => {
                self.add(MetricInput::Maps { maps: &maps.values, masks: &masks.values, shape: &maps.shape });
            }
            (Pooling::Domain, None) => self.pooled = Some((maps.clone(), masks.clone())),
            (Pooling::Domain, Some((all, _))) if all.shape != maps.shape => {
                return Err(Error::failed(format!("maps of {:?} beside {:?}", maps.shape, all.shape)));
            }
            (Pooling::Domain, Some((all, truth))) => {
                all.values.extend(&maps.values);
                truth.values.extend(&masks.values);
            }
        }
        Ok(())
    }

    /// What was not labelled; batches of which all anomalies, or all normals, were labelled are left out.
    pub fn rest(&mut self, batches: &[LabelledBatch<f64>]) {
        self.of_samples(batches, |scores, labels| MetricInput::Rest { scores, labels });
    }

    pub fn samples(&mut self, batches: &[LabelledBatch<f64>]) {
        self.undefined = self.of_samples(batches, |scores, labels| MetricInput::Samples { scores, labels });
        if let Some((maps, masks)) = self.pooled.take() {
            self.add(MetricInput::Maps { maps: &maps.values, masks: &masks.values, shape: &maps.shape });
        }
    }

    /// Adds the metrics of each batch, or of all at once, and says of how many batches there are none.
    fn of_samples(
        &mut self,
        batches: &[LabelledBatch<f64>],
        input: for<'i> fn(&'i [f64], &'i [bool]) -> MetricInput<'i>,
    ) -> usize {
        let one_class = |labels: &[bool]| labels.iter().all(|l| *l == labels[0]);
        match self.pooling {
            Pooling::Batch => {
                let (alike, mixed): (Vec<_>, Vec<_>) = batches.iter().partition(|b| one_class(&b.labels));
                mixed.iter().for_each(|batch| self.add(input(&batch.items, &batch.labels)));
                alike.len()
            }
            Pooling::Domain => {
                let scores: Vec<f64> = batches.iter().flat_map(|b| &b.items).copied().collect();
                let labels: Vec<bool> = batches.iter().flat_map(|b| &b.labels).copied().collect();
                if one_class(&labels) {
                    return batches.len();
                }
                self.add(input(&scores, &labels));
                0
            }
        }
    }

    pub fn result(self, batches: &[LabelledBatch<f64>]) -> DomainResult {
        let n_anomalous = batches.iter().flat_map(|b| &b.labels).filter(|l| **l).count();
        let mean = |m: &&Metric| {
            let (sum, n) = self.sums.get(m.spec.name)?;
            Some(sum / f64::from(*n))
        };
        DomainResult {
            domain: batches[0].domain.clone(),
            n_batches: batches.len(),
            n_undefined: self.undefined,
            n_normal: batches.iter().map(|b| b.labels.len()).sum::<usize>() - n_anomalous,
            n_anomalous,
            metrics: self.metrics.iter().map(|m| (m.spec.name.to_owned(), mean(m))).collect(),
        }
    }
}

/// The results by domain of stored scores: domain by domain, batch by batch. Metrics of maps are not among them.
pub fn by_domain(batches: &[LabelledBatch<f64>], pooling: Pooling, metrics: &[&'static Metric]) -> Vec<DomainResult> {
    let of = |domain: &[LabelledBatch<f64>]| {
        let mut measures = Measures::new(pooling, metrics);
        measures.samples(domain);
        measures.result(domain)
    };
    batches.chunk_by(|a, b| a.domain == b.domain).map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batches(all: &[&[(f64, bool)]]) -> Vec<LabelledBatch<f64>> {
        let of = |(number, samples): (usize, &&[(f64, bool)])| LabelledBatch {
            domain: "d".into(),
            number: number as u32,
            items: samples.iter().map(|s| s.0).collect(),
            labels: samples.iter().map(|s| s.1).collect(),
        };
        all.iter().enumerate().map(of).collect()
    }

    #[test]
    fn batches_of_one_class_are_counted_and_left_out() {
        let auroc = zsad_metrics::find("auroc").unwrap();
        let batches = batches(&[
            &[(0.0, false), (1.0, true)],
            &[(0.5, false), (0.7, false)],
            &[(2.0, false), (1.0, true)],
            &[(2.0, true)],
        ]);
        let batch = &by_domain(&batches, Pooling::Batch, &[auroc])[0];
        assert_eq!((batch.n_batches, batch.n_undefined, batch.n_normal, batch.n_anomalous), (4, 2, 4, 3));
        assert_eq!(batch.metrics["auroc"], Some(0.5));
        // Normals 0, 0.5, 0.7, 2 against anomalies 1, 1, 2: wins 3 + 3 + 3.5 of 12.
        let pooled = &by_domain(&batches, Pooling::Domain, &[auroc])[0];
        assert_eq!((pooled.n_undefined, pooled.metrics["auroc"]), (0, Some(9.5 / 12.0)));
    }

    #[test]
    fn without_anomalies_nothing_is_defined() {
        let auroc = zsad_metrics::find("auroc").unwrap();
        let batches = batches(&[&[(0.0, false)], &[(1.0, false)]]);
        for pooling in [Pooling::Batch, Pooling::Domain] {
            let result = &by_domain(&batches, pooling, &[auroc])[0];
            assert_eq!((result.n_undefined, result.metrics["auroc"]), (2, None));
        }
    }

    #[test]
    fn pixel_metrics_are_pooled_as_the_protocol_says() {
        let metric = zsad_metrics::find("pixel_auroc").unwrap();
        // Two batches of one image of 1 × 2, ranked right, and ranked right 10 higher: pooled, half of the pairs between
        // them are wrong.
        let maps = [[0.0, 1.0], [10.0, 11.0]];
        let value = |pooling| {
            let mut measures = Measures::new(pooling, std::slice::from_ref(&metric));
            for map in maps {
                let maps = Maps { shape: vec![1, 2], values: map.to_vec() };
                let scores = Scores { samples: vec![0.0], maps: Some(maps) };
                let masks = Masks { shape: vec![1, 2], values: vec![0, 1] };
                measures.pixels(&scores, Some(&masks)).unwrap();
            }
            let batches = batches(&[&[(0.0, true)], &[(1.0, true)]]);
            measures.samples(&batches);
            measures.result(&batches).metrics["pixel_auroc"]
        };
        assert_eq!((value(Pooling::Batch), value(Pooling::Domain)), (Some(1.0), Some(0.75)));
    }
}
