//! From scores to metrics: per batch and averaged, or pooled over a domain first.

use std::collections::BTreeMap;

use zsad_core::record::DomainResult;
use zsad_core::{MetricDef, MetricInput, Pooling};
use zsad_report::scores::ScoreRow;

/// The results by domain of a cell whose scores are `rows`, in their order: domain by domain, batch by batch.
///
/// A batch of one class has no sample-level metrics: it is counted as undefined and left out of the average. Pixel
/// metrics are not computed here.
pub fn by_domain(rows: &[ScoreRow], pooling: Pooling, metrics: &[&'static dyn MetricDef]) -> Vec<DomainResult> {
    rows.chunk_by(|a, b| a.domain == b.domain).map(|domain| of_domain(domain, pooling, metrics)).collect()
}

fn of_domain(rows: &[ScoreRow], pooling: Pooling, metrics: &[&'static dyn MetricDef]) -> DomainResult {
    let batches: Vec<&[ScoreRow]> = rows.chunk_by(|a, b| a.batch == b.batch).collect();
    let n_anomalous = rows.iter().filter(|r| r.label).count();
    let one_class = |rows: &[ScoreRow]| rows.iter().all(|r| r.label == rows[0].label);
    let (units, n_undefined) = match pooling {
        Pooling::Batch => {
            let defined: Vec<&[ScoreRow]> = batches.iter().copied().filter(|b| !one_class(b)).collect();
            let n_undefined = batches.len() - defined.len();
            (defined, n_undefined)
        }
        Pooling::Domain if one_class(rows) => (Vec::new(), batches.len()),
        Pooling::Domain => (vec![rows], 0),
    };
    let columns: Vec<(Vec<f64>, Vec<bool>)> =
        units.iter().map(|unit| unit.iter().map(|r| (r.score, r.label)).unzip()).collect();
    let value = |metric: &dyn MetricDef| {
        let of =
            |(scores, labels): &(Vec<f64>, Vec<bool>)| metric.compute(MetricInput::Samples { scores, labels }).value();
        mean(columns.iter().filter_map(of))
    };
    let sample_level = metrics.iter().filter(|m| !m.spec().pixel);
    DomainResult {
        domain: rows[0].domain.clone(),
        n_batches: batches.len(),
        n_undefined,
        n_normal: rows.len() - n_anomalous,
        n_anomalous,
        metrics: sample_level.map(|m| (m.spec().name.to_owned(), value(*m))).collect::<BTreeMap<_, _>>(),
    }
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, n) = values.fold((0.0, 0u32), |(sum, n), v| (sum + v, n + 1));
    (n > 0).then(|| sum / f64::from(n))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(batches: &[&[(f64, bool)]]) -> Vec<ScoreRow> {
        let row = |batch: usize, index: usize, &(score, label): &(f64, bool)| ScoreRow {
            domain: "d".into(),
            batch: batch as u32,
            index: index as u32,
            label,
            score,
        };
        let of = |(b, samples): (usize, &&[(f64, bool)])| -> Vec<_> {
            samples.iter().enumerate().map(|(i, s)| row(b, i, s)).collect()
        };
        batches.iter().enumerate().flat_map(of).collect()
    }

    #[test]
    fn batches_of_one_class_are_counted_and_left_out() {
        let auroc = zsad_metrics::find("auroc").unwrap();
        let rows = rows(&[
            &[(0.0, false), (1.0, true)],
            &[(0.5, false), (0.7, false)],
            &[(2.0, false), (1.0, true)],
            &[(2.0, true)],
        ]);
        let batch = &by_domain(&rows, Pooling::Batch, &[auroc])[0];
        assert_eq!((batch.n_batches, batch.n_undefined, batch.n_normal, batch.n_anomalous), (4, 2, 4, 3));
        assert_eq!(batch.metrics["auroc"], Some(0.5));
        // Normals 0, 0.5, 0.7, 2 against anomalies 1, 1, 2: wins 3 + 3 + 3.5 of 12.
        let pooled = &by_domain(&rows, Pooling::Domain, &[auroc])[0];
        assert_eq!((pooled.n_undefined, pooled.metrics["auroc"]), (0, Some(9.5 / 12.0)));
    }

    #[test]
    fn without_anomalies_nothing_is_defined() {
        let auroc = zsad_metrics::find("auroc").unwrap();
        let rows = rows(&[&[(0.0, false)], &[(1.0, false)]]);
        for pooling in [Pooling::Batch, Pooling::Domain] {
            let result = &by_domain(&rows, pooling, &[auroc])[0];
            assert_eq!((result.n_undefined, result.metrics["auroc"]), (2, None));
        }
    }
}
