//! `standardise: none | pool | batch` for tabular data sets.

use std::sync::Arc;

use rayon::prelude::*;
use zsad_core::{
    Dataset, DatasetInfo, Error, Fold, Masks, ParamDefault, ParamKind, ParamSpec, Params, Pool, Result, SampleRef,
    Samples, Values,
};

/// The parameter that every tabular data set takes.
pub const PARAM: ParamSpec = ParamSpec {
    name: "standardise",
    doc: "none: values as they are; pool: mean 0 and standard deviation 1 over the normals of the meta-train domains \
          (one-hot columns too); batch: over the samples read at once, so that a test batch is standardised by itself, \
          without labels. Columns that never change are only centred",
    kind: ParamKind::Choice(&["none", "pool", "batch"]),
    default: ParamDefault::Text("none"),
};

/// `inner`, standardised as the parameter of `params` says.
///
/// # Errors
/// [`Error::Config`] for `pool` where the data set has no meta-train domains.
pub fn wrap(inner: Arc<dyn Dataset>, params: &Params) -> Result<Arc<dyn Dataset>> {
    let moments = match params.text(PARAM.name) {
        "pool" => match inner.info().folds.as_slice() {
            [fold] => By::Pool(pool_moments(&*inner, fold)?),
            _ => By::Fold,
        },
        "batch" => By::Batch,
        _ => return Ok(inner),
    };
    Ok(Arc::new(Standardised { inner, by: moments }))
}

enum By {
    /// Statistics of the meta-train normals.
    Pool(Moments),
    /// Likewise, with several folds: those of [`Dataset::in_fold`].
    Fold,
    /// Statistics of the samples gathered.
    Batch,
}

struct Standardised {
    inner: Arc<dyn Dataset>,
    by: By,
}

impl Dataset for Standardised {
    fn info(&self) -> &DatasetInfo {
        self.inner.info()
    }

    fn gather(&self, refs: &[SampleRef]) -> Result<Samples> {
        let samples = self.inner.gather(refs)?;
        match &self.by {
            By::Pool(moments) => Ok(moments.apply(&samples)),
            By::Batch => Ok(Moments::of(&samples).apply(&samples)),
            By::Fold => Err(Error::failed(format!(
                "{}: `standardise: pool` needs to know the fold; the data set must be read through `in_fold`",
                self.info().name
            ))),
        }
    }

    fn masks(&self, refs: &[SampleRef]) -> Result<Option<Masks>> {
        self.inner.masks(refs)
    }

    fn in_fold(&self, fold: &Fold) -> Result<Option<Arc<dyn Dataset>>> {
        match self.by {
            By::Fold => {
                let by = By::Pool(pool_moments(&*self.inner, fold)?);
                Ok(Some(Arc::new(Standardised { inner: self.inner.clone(), by })))
            }
            By::Pool(_) | By::Batch => Ok(None),
        }
    }
}

/// Mean and standard deviation (biased, 1 where it is 0) of every feature.
struct Moments {
    mean: Vec<f64>,
    sd: Vec<f64>,
}

/// Samples read at once when the pool's moments are taken.
const CHUNK: usize = 4096;

fn pool_moments(set: &dyn Dataset, fold: &Fold) -> Result<Moments> {
    let info = set.info();
    let refs: Vec<SampleRef> = fold
        .meta_train
        .iter()
        .flat_map(|&d| (0..info.domains[d].normal as u32).map(move |index| (d as u32, index)))
        .map(|(domain, index)| SampleRef { domain, pool: Pool::Normal, index })
        .collect();
    if refs.is_empty() {
        let name = &info.name;
        return Err(Error::Config(format!("{name}: `standardise: pool` needs meta-train domains, and there are none")));
    }
    // Fixed chunks, merged in their order: the same bits on any number of threads.
    let parts: Vec<Sums> =
        refs.par_chunks(CHUNK).map(|chunk| set.gather(chunk).map(|x| Sums::of(&x))).collect::<Result<_>>()?;
    let whole = parts.into_iter().reduce(Sums::merge);
    whole.map(Moments::from).ok_or_else(|| Error::failed("no samples to standardise by"))
}

/// Count, mean and sum of squared deviations of every feature, which merge without cancellation (Chan et al. 1979).
struct Sums {
    n: f64,
    mean: Vec<f64>,
    m2: Vec<f64>,
}

impl Sums {
    fn of(samples: &Samples) -> Self {
        let (n, d, x) = (samples.len() as f64, samples.dim(), samples.to_f64());
        let (mut mean, mut m2) = (vec![0.0; d], vec![0.0; d]);
        for row in x.chunks_exact(d) {
            mean.iter_mut().zip(row).for_each(|(m, v)| *m += v);
        }
        mean.iter_mut().for_each(|m| *m /= n);
        for row in x.chunks_exact(d) {
            m2.iter_mut().zip(row.iter().zip(&mean)).for_each(|(s, (v, m))| *s += (v - m) * (v - m));
        }
        Sums { n, mean, m2 }
    }

    fn merge(mut self, other: Sums) -> Sums {
        let n = self.n + other.n;
        for (k, (mean, m2)) in self.mean.iter_mut().zip(&mut self.m2).enumerate() {
            let delta = other.mean[k] - *mean;
            *mean += delta * other.n / n;
            *m2 += other.m2[k] + delta * delta * self.n * other.n / n;
        }
        Sums { n, ..self }
    }
}

impl From<Sums> for Moments {
    fn from(sums: Sums) -> Self {
        // Rounding alone may give a constant column a tiny deviation; relative to its mean it counts as none.
        let sd = sums.m2.iter().zip(&sums.mean).map(|(s, m)| {
            let sd = (s / sums.n).sqrt();
            if sd <= 1e-12 * m.abs() { 1.0 } else { sd }
        });
        Moments { sd: sd.collect(), mean: sums.mean }
    }
}

impl Moments {
    fn of(samples: &Samples) -> Self {
        Sums::of(samples).into()
    }

    fn apply(&self, samples: &Samples) -> Samples {
        let scale = |k: usize, v: f64| (v - self.mean[k % self.mean.len()]) / self.sd[k % self.mean.len()];
        let values = match samples.values() {
            Values::F32(x) => Values::F32(x.iter().enumerate().map(|(k, &v)| scale(k, f64::from(v)) as f32).collect()),
            Values::F64(x) => Values::F64(x.iter().enumerate().map(|(k, &v)| scale(k, v)).collect()),
        };
        Samples::new(samples.shape().to_vec(), values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::{InMemory, MemoryDomain};
    use crate::npz_tables::leave_one_out;
    use crate::testing;
    use serde_json::json;
    use zsad_core::{AnomalySource, Kind};

    fn set(folds: Vec<Fold>) -> Arc<dyn Dataset> {
        let rows = |v: &[f64]| Samples::new(vec![2], Values::F64(v.to_vec()));
        let domains = vec![
            MemoryDomain::normals("a", rows(&[1.0, 7.0, 3.0, 7.0])),
            MemoryDomain::normals("b", rows(&[5.0, 7.0])),
            MemoryDomain { anomalous: Some(rows(&[9.0, 8.0])), ..MemoryDomain::normals("c", rows(&[11.0, 6.0])) },
        ];
        Arc::new(InMemory::new("t", Kind::Tabular { dim: 2 }, domains, folds, AnomalySource::Genuine).unwrap())
    }

    fn wrapped(folds: Vec<Fold>, how: &str) -> Result<Arc<dyn Dataset>> {
        let given = serde_json::from_value(json!({"standardise": how})).unwrap();
        wrap(set(folds), &Params::validate(&[PARAM], &given).unwrap())
    }

    fn one_fold(meta_train: Vec<usize>) -> Vec<Fold> {
        vec![Fold { name: String::new(), meta_train, meta_test: vec![2] }]
    }

    #[test]
    fn pool_takes_the_meta_train_normals_alone() {
        let set = wrapped(one_fold(vec![0, 1]), "pool").unwrap();
        let refs = [testing::pool(&*set, 2, Pool::Normal), testing::pool(&*set, 2, Pool::Anomalous)].concat();
        // numpy: x = [1, 3, 5]; (11 - x.mean()) / x.std(); the second column never changes, so it is only centred.
        let sd = (8.0f64 / 3.0).sqrt();
        let x = set.gather(&refs).unwrap().to_f64().into_owned();
        for (found, wanted) in x.iter().zip([8.0 / sd, -1.0, 6.0 / sd, 1.0]) {
            assert!((found - wanted).abs() < 1e-14, "{found} instead of {wanted}");
        }
        assert!(matches!(wrapped(one_fold(vec![]), "pool"), Err(Error::Config(_))));
    }

    #[test]
    fn pool_follows_the_fold_where_there_are_several() {
        let set = wrapped(leave_one_out(&["a", "b", "c"].map(str::to_owned)), "pool").unwrap();
        let refs = testing::pool(&*set, 0, Pool::Normal);
        assert!(matches!(set.gather(&refs), Err(Error::Failed(_))), "the fold is not known");
        let folds = set.info().folds.clone();
        let read = |f: &Fold| set.in_fold(f).unwrap().unwrap().gather(&refs).unwrap().to_f64().into_owned();
        assert_eq!(read(&folds[0])[..2], [(1.0 - 8.0) / 3.0, (7.0 - 6.5) / 0.5], "by b and c");
        assert_ne!(read(&folds[0]), read(&folds[1]));
    }

    #[test]
    fn batch_takes_the_samples_read_at_once() {
        let set = wrapped(one_fold(vec![0, 1]), "batch").unwrap();
        let refs = testing::pool(&*set, 0, Pool::Normal);
        assert_eq!(set.gather(&refs).unwrap().to_f64()[..], [-1.0, 0.0, 1.0, 0.0]);
        assert!(set.in_fold(&set.info().folds[0]).unwrap().is_none());
        let none = wrapped(one_fold(vec![0, 1]), "none").unwrap();
        assert_eq!(none.gather(&refs).unwrap().to_f64()[..], [1.0, 7.0, 3.0, 7.0]);
    }

    #[test]
    fn merged_chunks_equal_one_pass() {
        let values: Vec<f64> = (0..3000).map(|i| f64::from(i * i % 997) + 1e6).collect();
        let part = |v: &[f64]| Sums::of(&Samples::new(vec![3], Values::F64(v.to_vec())));
        let merged = Moments::from(part(&values[..300]).merge(part(&values[300..2100])).merge(part(&values[2100..])));
        let whole = Moments::from(part(&values));
        for (a, b) in merged.mean.iter().chain(&merged.sd).zip(whole.mean.iter().chain(&whole.sd)) {
            assert!((a - b).abs() < 1e-9 * b.abs(), "{a} and {b}");
        }
    }
}
