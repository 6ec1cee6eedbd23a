//! Diffusion time, without a network: how much noise would have to be added to normals to find one here.

use zsad_core::{Accepts, Error, MethodSpec, Result};

use crate::families::classical::{Classical, PointMethod};
use crate::families::neighbourhood::HowMany;
use crate::math::Points;
use crate::math::neighbours::nearest;

/// The registry's entry, as released (`diffusion/non_param_dte.py` of vicliv/DTE): with m the mean squared distance to the k
/// nearest points, the variance of the noise has an inverse gamma density of shape d/2 − 1 and scale m/2; the score is the step of
/// the noise schedule at which that is greatest. Its mode lies at m/d, so this is `knn` with the mean of squares, rounded to the
/// steps and cut off at the last one (m/d = 0.78 with 300): features must have about unit variance (`standardise: batch`).
///
/// The density is taken as v^(−d/2) e^(−m/2v) for one and two features as well, where SciPy's has no value.
pub const DEF: Classical<DteNp> = Classical::new(&MethodSpec {
    name: "dte_np",
    version: 1,
    summary: "diffusion time estimated from the nearest neighbours; ties where points are far from all others",
    citation: "Livernoche, Jain, Hezaveh, Ravanbakhsh: On Diffusion Modeling for Anomaly Detection, ICLR 2024",
    accepts: Accepts::ANY,
});

zsad_core::choices! {
    /// What the score is.
    pub enum Time {
        /// The step of the schedule.
        Step = "step",
        /// The variance at the mode of the density.
        Variance = "variance",
    }
}

zsad_core::params! {
    /// Its parameters.
    pub struct DteNp {
        /// how many neighbours
        pub near: HowMany = HowMany::default();
        /// steps of the noise schedule, whose β rises from 0.0001 to 0.01
        pub noise_steps: usize = 300, in 2..=100_000;
        /// step: the most likely step, as released; variance: the mode m/d itself, without ties
        pub time: Time = Time::Step;
        /// in a batch, whether a point is its own nearest neighbour, as in the released code
        pub own: bool = true;
    }
}

/// Points, and the variance of the noise at every step.
pub(crate) struct Schedule {
    base: Points,
    variances: Vec<f64>,
}

impl DteNp {
    /// 1 − Π (1 − β).
    fn variances(&self) -> Vec<f64> {
        let (first, last, n) = (1e-4, 0.01, self.noise_steps);
        let beta = |t: usize| first + (last - first) * t as f64 / (n - 1) as f64;
        let kept = (0..n).scan(1.0, |kept, t| {
            *kept *= 1.0 - beta(t);
            Some(*kept)
        });
        kept.map(|kept| 1.0 - kept).collect()
    }
}

/// The step of the greatest density; of equal ones the first.
fn likeliest(variances: &[f64], mean: f64, dim: f64) -> usize {
    let log_density = |v: f64| -(dim / 2.0) * v.ln() - mean / (2.0 * v);
    let better = |best: (usize, f64), (t, v): (usize, f64)| if v > best.1 { (t, v) } else { best };
    let densities = variances.iter().map(|&v| log_density(v)).enumerate();
    densities.fold((0, f64::NEG_INFINITY), better).0
}

impl PointMethod for DteNp {
    type Model = Schedule;

    fn fit(&self, x: &Points, _: u64) -> Result<Schedule> {
        Ok(Schedule { base: x.clone(), variances: self.variances() })
    }

    fn score(&self, Schedule { base, variances }: &Schedule, x: &Points, fitted: bool) -> Result<Vec<f64>> {
        let itself = fitted && !self.own;
        let others = base.len() - usize::from(itself);
        if others == 0 {
            return Err(Error::refused("a batch of one has no neighbours: two samples at least"));
        }
        let k = self.near.of(base.len()).min(others);
        let dim = base.dim() as f64;
        let near = nearest(base, x, k, itself);
        let means = near.chunks_exact(k).map(|near| near.iter().map(|n| n.squared).sum::<f64>() / k as f64);
        Ok(match self.time {
            Time::Step => means.map(|mean| likeliest(variances, mean, dim) as f64).collect(),
            Time::Variance => means.map(|mean| mean / dim).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::families::classical::testing::{in_batch, on_pool};
    use crate::math::testing::{agree, x, y};

    /// Standardised by `x`: `z` and `zy` in Python.
    fn standardised(points: &Points) -> Points {
        let mean = x().mean();
        let scale: Vec<f64> = x().variance(&mean).into_iter().map(f64::sqrt).collect();
        points.standardised(&mean, &scale)
    }

    // from scipy.stats import invgamma; x and y as in math::testing; z, zy = ((v - x.mean(0)) / x.std(0) for v in (x, y))
    // s = 1 - np.cumprod(1 - np.linspace(1e-4, .01, 300)); print(s[0], s[-1])
    // for q in (z, zy):
    //     m = np.sort(((q[:, None] - z) ** 2).sum(-1), 1)[:, :5].mean(1)
    //     print(m / 5, [np.argmax(invgamma.logpdf(s, a=1.5, scale=v / 2)) for v in m])
    #[test]
    fn steps_are_those_of_the_authors_density_in_scipy() {
        let (z, zy) = (standardised(&x()), standardised(&y()));
        let steps = in_batch(&DteNp::default(), &z);
        assert_eq!([0, 1, 2, 3, 4, 11].map(|i| steps[i]), [128.0, 120.0, 130.0, 92.0, 92.0, 299.0]);
        assert_eq!(on_pool(&DteNp::default(), &z, &zy), [256.0, 261.0, 209.0, 92.0]);
        let variance = DteNp { time: Time::Variance, ..DteNp::default() };
        let means = [3.370389387009081, 3.4417752014188387, 2.634899534395109, 0.6966321567403042];
        agree(&on_pool(&variance, &z, &zy), &means.map(|m| m / 5.0), 1e-12);
        agree(&in_batch(&variance, &z), &[1.2517081169296311 / 5.0, 1.1170077763740733 / 5.0], 1e-12);
        let variances = DteNp::default().variances();
        agree(&[variances[0], variances[299]], &[9.999999999998899e-05, 0.7813065241821305], 1e-12);
    }

    #[test]
    fn a_point_may_be_left_out_of_its_own_neighbours() {
        let line = Points::from_values(vec![0.0, 1.0, 3.0], 1);
        let of = |own| DteNp { near: HowMany { k: 1, k_share: 0.0 }, time: Time::Variance, own, ..DteNp::default() };
        assert_eq!(in_batch(&of(true), &line), [0.0, 0.0, 0.0]);
        assert_eq!(in_batch(&of(false), &line), [1.0, 1.0, 4.0]);
        let one = line.select(&[0]);
        assert!(matches!(of(false).score(&of(false).fit(&one, 0).unwrap(), &one, true), Err(Error::Refused(_))));
    }
}
