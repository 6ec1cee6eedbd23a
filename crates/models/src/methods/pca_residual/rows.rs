//! Rows and feature vectors: a point a sample.

use std::sync::Arc;

use rayon::prelude::*;
use serde_json::{Value, json};
use zsad_core::{Batch, Choice, DatasetInfo, Detector, Error, FitContext, Fold, Method, Result, Scores, Shots};

use super::PcaResidual;
use super::subspace::{Moments, Subspace};
use crate::families::classical::ordered;
use crate::families::features::FitTo;
use crate::math::Points;

/// The method on rows; of its parameters those that matter there.
pub(super) struct OnRows {
    pub params: PcaResidual,
    pub shots: Shots,
}

impl Method for OnRows {
    fn values(&self) -> Value {
        let PcaResidual { fit, variance, exclude_self, normalise, .. } = self.params;
        let fit = match fit {
            FitTo::Batch => json!({ "fit": fit.word(), "exclude_self": exclude_self }),
            FitTo::References => json!({ "fit": fit.word(), "shots": zsad_core::params::Leaf::to_json(&self.shots) }),
        };
        let mut values = json!({ "variance": variance, "normalise": normalise.word() });
        // Both are objects.
        if let (Some(values), Value::Object(fit)) = (values.as_object_mut(), fit) {
            values.extend(fit);
        }
        values
    }

    fn resolve(&self, _: &DatasetInfo, _: &Fold) -> Result<Arc<dyn Method>> {
        Ok(Arc::new(OnRows { params: self.params.clone(), shots: self.shots }))
    }

    fn learns(&self) -> bool {
        false
    }

    fn shots(&self) -> Shots {
        self.shots
    }

    fn fit(&self, _: &FitContext) -> Result<Box<dyn Detector>> {
        Ok(Box::new(Rows { params: self.params.clone(), references: None }))
    }
}

struct Rows {
    params: PcaResidual,
    references: Option<Arc<Subspace>>,
}

impl Detector for Rows {
    fn adapt(&self, support: &Batch) -> Result<Option<Box<dyn Detector>>> {
        let x = self.params.normalise.applied(Points::new(support.samples()?));
        let subspace = Arc::new(Subspace::of(&x.select(&x.order()), self.params.variance)?);
        Ok(Some(Box::new(Rows { params: self.params.clone(), references: Some(subspace) })))
    }

    fn score(&self, batch: &Batch) -> Result<Scores> {
        ordered(batch, |x| {
            let x = self.params.normalise.applied(x.clone());
            match &self.references {
                Some(subspace) => Ok(subspace.residuals(&x)),
                None => self.params.in_batch(&x),
            }
        })
    }
}

impl PcaResidual {
    /// Every row against the subspace of the batch, or of the others.
    fn in_batch(&self, x: &Points) -> Result<Vec<f64>> {
        let n = x.len();
        if n < 2 {
            return Err(Error::refused("a subspace of one sample holds that sample: two at least"));
        }
        if !self.exclude_self {
            return Ok(Subspace::of(x, self.variance)?.residuals(x));
        }
        let centre = x.row(0);
        let all = (n > x.dim()).then(|| Moments::of(x, centre));
        let score = |i: usize| {
            let own = x.select(&[i]);
            let others = match &all {
                Some(all) => all.without(&Moments::of(&own, centre)).subspace(centre, self.variance)?,
                None => Subspace::of(&x.select(&(0..n).filter(|&j| j != i).collect::<Vec<_>>()), self.variance)?,
            };
            Ok(others.residuals(&own)[0])
        };
        (0..n).into_par_iter().map(score).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::testing::{agree, x};

    // x as in math::testing; residuals as in pca_residual::subspace::tests, with k at most 5
    // print([residuals(np.delete(x, i, 0), x[i:i + 1], .9)[0] for i in range(3)], residuals(x, x[:3], .9))
    // f = x[:4]; print([residuals(np.delete(f, i, 0), f[i:i + 1], .9)[0] for i in range(4)])
    #[test]
    fn rows_are_measured_against_the_others() {
        let of = |exclude_self, x: &Points| PcaResidual { exclude_self, ..PcaResidual::default() }.in_batch(x).unwrap();
        agree(&of(true, &x()), &OTHERS, 1e-9);
        agree(&of(false, &x()), &ALL, 1e-9);
        agree(&of(true, &x().select(&[0, 1, 2, 3])), &FEW, 1e-9);
        let same = Points::from_values(vec![0.3; 12], 2);
        assert_eq!(of(true, &same), [0.0; 6]);
    }

    const OTHERS: [f64; 3] = [1.5095117873651003, 2.452956238860037, 5.96140124990919];
    const ALL: [f64; 3] = [1.1246586375591736, 1.6065539848510941, 3.9884214164417924];
    const FEW: [f64; 4] = [45.35974849443056, 83.32155559893494, 50.94125116203851, 72.66485015959104];
}
