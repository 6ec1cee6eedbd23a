//! The distance to the nearest of a few normal references of the target: the simplest detector with a threshold of its own.

use std::sync::Arc;

use serde_json::Value;
use zsad_core::{
    Accepts, Batch, DatasetInfo, Detector, Environment, Error, FitContext, Fold, Given, Method, MethodDef, MethodSpec,
    ParamProblem, ParamSet, ParamSpec, Result, Scores, Shots, State, Supervision,
};

use crate::math::Points;

/// The registry's entry.
pub const DEF: ReferenceDistance = ReferenceDistance;

static SPEC: MethodSpec = MethodSpec {
    name: "reference_distance",
    version: 1,
    summary: "distance to the nearest of k normal references, over the 95 % quantile of the references' own distances to each \
              other: above 1 an alarm at a threshold that was fixed before the batch was seen",
    citation: "Ramaswamy, Rastogi and Shim, Efficient Algorithms for Mining Outliers from Large Data Sets, SIGMOD 2000, to \
               references instead of to the data",
    accepts: Accepts::ANY,
};

zsad_core::params! {
    /// Its parameters.
    pub struct References {
        /// number of normal references of the target; all: as many as there are, which makes the setting one_class
        shots: Shots = Shots::Number(4), in 2..=100_000;
        /// the share of references whose nearest other reference is no farther than a score of 1
        quantile: f64 = 0.95, in 0.0..=1.0;
    }
}

/// The method.
pub struct ReferenceDistance;

impl MethodDef for ReferenceDistance {
    fn spec(&self) -> &'static MethodSpec {
        &SPEC
    }

    fn params(&self) -> Vec<ParamSpec> {
        References::specs()
    }

    fn supervision(&self) -> Supervision {
        Supervision::FewShot
    }

    fn configure(&self, given: &Given) -> Result<Arc<dyn Method>, Vec<ParamProblem>> {
        Ok(Arc::new(References::parse(given)?))
    }
}

impl Method for References {
    fn values(&self) -> Value {
        ParamSet::values(self)
    }

    fn resolve(&self, _: &DatasetInfo, _: &Fold) -> Result<Arc<dyn Method>> {
        Ok(Arc::new(self.clone()))
    }

    fn learns(&self) -> bool {
        false
    }

    fn shots(&self) -> Shots {
        self.shots
    }

    fn fit(&self, _: &FitContext) -> Result<Box<dyn Detector>> {
        Ok(Box::new(Unadapted(self.clone())))
    }

    fn restore(&self, _: &State, _: &Environment) -> Result<Box<dyn Detector>> {
        Ok(Box::new(Unadapted(self.clone())))
    }
}

/// Without references yet.
struct Unadapted(References);

impl Detector for Unadapted {
    fn adapt(&self, support: &Batch) -> Result<Option<Box<dyn Detector>>> {
        let references = Points::new(support.samples()?);
        if references.len() < 2 {
            return Err(Error::refused("references are compared with each other, and there is one"));
        }
        let mut own: Vec<f64> = (0..references.len())
            .map(|i| nearest(references.row(i), references.rows().enumerate().filter(|(j, _)| *j != i).map(|(_, r)| r)))
            .collect();
        own.sort_by(f64::total_cmp);
        // Linear between order statistics, as NumPy's quantile.
        let place = self.0.quantile * (own.len() - 1) as f64;
        let (low, high) = (own[place.floor() as usize], own[place.ceil() as usize]);
        let unit = low + (high - low) * place.fract();
        if unit == 0.0 {
            return Err(Error::refused("the references are copies of each other: their distances set no threshold"));
        }
        Ok(Some(Box::new(Adapted { references, unit })))
    }

    fn score(&self, _: &Batch) -> Result<Scores> {
        Err(Error::refused("this method needs normal references of the target, and there are none"))
    }
}

struct Adapted {
    references: Points,
    /// The distance that scores 1.
    unit: f64,
}

impl Detector for Adapted {
    fn score(&self, batch: &Batch) -> Result<Scores> {
        let x = Points::new(batch.samples()?);
        if x.dim() != self.references.dim() {
            let (references, batch) = (self.references.dim(), x.dim());
            return Err(Error::refused(format!("references of {references} values, and samples of {batch}")));
        }
        Ok(x.rows().map(|row| nearest(row, self.references.rows()) / self.unit).collect::<Vec<f64>>().into())
    }
}

/// The Euclidean distance from `row` to the nearest of `others`.
fn nearest<'a>(row: &[f64], others: impl Iterator<Item = &'a [f64]>) -> f64 {
    let squared = |other: &[f64]| row.iter().zip(other).map(|(a, b)| (a - b) * (a - b)).sum::<f64>();
    others.map(squared).fold(f64::INFINITY, f64::min).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use zsad_core::{DataDir, Modality, SampleRef, Samples, Subset, Unlabelled, Values};
    use zsad_data::memory::InMemory;

    /// ```python
    /// r = np.array([[0, 0], [3, 4], [0, 1], [6, 8]], float); x = np.array([[0, 0], [3, 4.5], [30, 40]])
    /// d = cdist(r, r); np.fill_diagonal(d, np.inf); print(cdist(x, r).min(1) / np.quantile(d.min(1), .5))
    /// ```
    #[test]
    fn scores_are_distances_in_units_of_the_references_own() {
        let rows = |values: &[f64]| Samples::new(vec![2], Values::F64(values.to_vec()));
        let references = rows(&[0., 0., 3., 4., 0., 1., 6., 8.]);
        let set = InMemory::batch(Modality::rows(2), rows(&[0., 0., 3., 4.5, 30., 40.]), Some(references)).unwrap();
        let (source, env) = (Unlabelled::new(&set), Environment::new(DataDir::resolve(None)));
        let of = |subset, n| SampleRef::all(0, subset, n).collect::<Vec<_>>();
        let (support, batch) = (of(Subset::Reference, 4), of(Subset::Normal, 3));
        let params = References { quantile: 0.5, ..References::default() };
        let detector = Unadapted(params).adapt(&Batch::new(&source, &support, &env)).unwrap().unwrap();
        let scores = detector.score(&Batch::new(&source, &batch, &env)).unwrap().samples;
        // Nearest others: 1, √18, 1, 5; their median 2.621320343559643.
        let unit = (1.0 + 18f64.sqrt()) / 2.0;
        for (found, wanted) in scores.iter().zip([0.0, 0.5 / unit, 40.0 / unit]) {
            assert!((found - wanted).abs() < 1e-14, "{found} and {wanted}");
        }
        let one = Unadapted(References::default()).adapt(&Batch::new(&source, &support[..1], &env)).err().unwrap();
        assert!(one.to_string().contains("there is one"));
    }
}
