//! `standardise: none | pool | batch | signed_log | rank` for tabular data sets: the frame does it, fold by fold.

use std::sync::Arc;

use rayon::prelude::*;
use zsad_core::{
    Dataset, DatasetInfo, Error, Fold, Layout, Masks, Modality, Moments, Preprocessing, Result, SampleRef, Samples,
    Scaling, Standardise, Subset, Tags, Values,
};

/// `dataset` as training and testing in `fold` read it.
///
/// # Errors
/// [`Error::Config`] for a `how` that learns where the fold has no meta-train domains; where samples cannot be read.
pub fn view(dataset: &Arc<dyn Dataset>, fold: &Fold, how: Standardise) -> Result<Arc<dyn Dataset>> {
    if how == Standardise::None {
        return Ok(dataset.clone());
    }
    Ok(Arc::new(Standardised { inner: dataset.clone(), by: learn(dataset.as_ref(), fold, how)? }))
}

/// What training in `fold` learns of the columns of `dataset`, as [`view`] applies it; `None` for what is no table.
///
/// # Errors
/// As [`view`].
pub fn preprocessing(dataset: &dyn Dataset, fold: &Fold, how: Standardise) -> Result<Option<Preprocessing>> {
    let Modality::Tabular { .. } = dataset.info().modality else { return Ok(None) };
    let scaling = learn(dataset, fold, how)?;
    let pool = match &scaling {
        Scaling::Pool(moments) | Scaling::SignedLog(moments) => Some(moments.clone()),
        _ if fold.meta_train.is_empty() => None,
        _ => Some(pool_moments(dataset, fold)?),
    };
    Ok(Some(Preprocessing { layout: dataset.layout().cloned(), scaling, pool }))
}

fn learn(dataset: &dyn Dataset, fold: &Fold, how: Standardise) -> Result<Scaling> {
    Ok(match how {
        Standardise::None => Scaling::None,
        Standardise::Pool => Scaling::Pool(pool_moments(dataset, fold)?),
        Standardise::Batch => Scaling::Batch,
        Standardise::SignedLog => Scaling::SignedLog(pool_moments(dataset, fold)?),
        Standardise::Rank => Scaling::Rank(sorted_columns(dataset, fold)?),
    })
}

/// `samples` brought to one scale, in the same precision.
pub fn apply(scaling: &Scaling, samples: &Samples) -> Samples {
    match scaling {
        Scaling::None => samples.clone(),
        Scaling::Pool(moments) => by_moments(moments, samples),
        Scaling::Batch => by_moments(&Sums::of(samples).into(), samples),
        Scaling::SignedLog(moments) => by_column(&by_moments(moments, samples), |_, z| z.signum() * z.abs().ln_1p()),
        Scaling::Rank(columns) => by_column(samples, |k, v| rank(&columns[k], v)),
    }
}

struct Standardised {
    inner: Arc<dyn Dataset>,
    by: Scaling,
}

impl Dataset for Standardised {
    fn info(&self) -> &DatasetInfo {
        self.inner.info()
    }

    /// By the bits of what was learned; a batch's values depend on what else is in it.
    fn identity(&self, domain: usize) -> Option<String> {
        let of = |moments: &Moments| digest(moments.mean.iter().chain(&moments.sd));
        let by = match &self.by {
            Scaling::None => return self.inner.identity(domain),
            Scaling::Pool(moments) => of(moments),
            Scaling::Batch => return None,
            Scaling::SignedLog(moments) => format!("signed log {}", of(moments)),
            Scaling::Rank(columns) => format!("rank {}", digest(columns.iter().flatten())),
        };
        Some(format!("{}, standardised {by}", self.inner.identity(domain)?))
    }

    fn gather(&self, refs: &[SampleRef]) -> Result<Samples> {
        Ok(apply(&self.by, &self.inner.gather(refs)?))
    }

    fn masks(&self, refs: &[SampleRef]) -> Result<Option<Masks>> {
        self.inner.masks(refs)
    }

    fn listed_references(&self, domain: usize) -> Option<&[SampleRef]> {
        self.inner.listed_references(domain)
    }

    fn sample_name(&self, sample: &SampleRef) -> Option<String> {
        self.inner.sample_name(sample)
    }

    fn tags(&self, refs: &[SampleRef]) -> Result<Tags> {
        self.inner.tags(refs)
    }

    fn layout(&self) -> Option<&Layout> {
        self.inner.layout()
    }

    fn source_row(&self, sample: &SampleRef) -> Option<u32> {
        self.inner.source_row(sample)
    }
}

/// Samples read at once when the pool's moments are taken.
const CHUNK: usize = 4096;

fn pool(set: &dyn Dataset, fold: &Fold) -> Result<Vec<SampleRef>> {
    let info = set.info();
    let normals = |&d: &usize| SampleRef::all(d, Subset::Normal, info.domains[d].normal);
    let refs: Vec<SampleRef> = fold.meta_train.iter().flat_map(normals).collect();
    if refs.is_empty() {
        let name = &info.name;
        let why =
            "`standardise: pool` (the default), signed_log and rank learn from meta-train domains, and there are none";
        let hint = "`standardise: batch` takes each test batch by itself, `none` the values as they are";
        return Err(Error::Config(format!("{name}: {why}; hint: {hint}")));
    }
    Ok(refs)
}

fn pool_moments(set: &dyn Dataset, fold: &Fold) -> Result<Moments> {
    let refs = pool(set, fold)?;
    // Fixed chunks, merged in their order: the same bits on any number of threads.
    let parts: Vec<Sums> =
        refs.par_chunks(CHUNK).map(|chunk| set.gather(chunk).map(|x| Sums::of(&x))).collect::<Result<_>>()?;
    let whole = parts.into_iter().reduce(Sums::merge);
    whole.map(Into::into).ok_or_else(|| Error::failed("no samples to standardise by"))
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

fn by_moments(moments: &Moments, samples: &Samples) -> Samples {
    by_column(samples, |k, v| (v - moments.mean[k]) / moments.sd[k])
}

/// The meta-train normals' values of every column, sorted.
fn sorted_columns(set: &dyn Dataset, fold: &Fold) -> Result<Vec<Vec<f64>>> {
    let mut columns = vec![Vec::new(); set.info().modality.shape().iter().product()];
    for chunk in pool(set, fold)?.chunks(CHUNK) {
        let samples = set.gather(chunk)?;
        for row in samples.to_f64().chunks_exact(columns.len()) {
            columns.iter_mut().zip(row).for_each(|(column, v)| column.push(*v));
        }
    }
    columns.par_iter_mut().for_each(|column| column.sort_unstable_by(f64::total_cmp));
    Ok(columns)
}

/// The share of `sorted` below `value` less the share above it.
fn rank(sorted: &[f64], value: f64) -> f64 {
    let below = sorted.partition_point(|&v| v < value);
    let above = sorted.len() - sorted.partition_point(|&v| v <= value);
    (below as f64 - above as f64) / sorted.len() as f64
}

/// `samples` with `f` of column and value in place of every value, in the same precision.
fn by_column(samples: &Samples, f: impl Fn(usize, f64) -> f64) -> Samples {
    let d = samples.dim();
    let values = match samples.values() {
        Values::F32(x) => Values::F32(x.iter().enumerate().map(|(k, &v)| f(k % d, f64::from(v)) as f32).collect()),
        Values::F64(x) => Values::F64(x.iter().enumerate().map(|(k, &v)| f(k % d, v)).collect()),
    };
    Samples::new(samples.shape().to_vec(), values)
}

fn digest<'a>(values: impl Iterator<Item = &'a f64>) -> String {
    zsad_core::digest::of_bytes(&values.flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::folds::leave_one_out;
    use crate::memory::{InMemory, MemoryDomain};
    use crate::testing;
    use zsad_core::AnomalySource;

    fn set(folds: Vec<Fold>) -> Arc<dyn Dataset> {
        let rows = |v: &[f64]| Samples::new(vec![2], Values::F64(v.to_vec()));
        let domains = vec![
            MemoryDomain::normals("a", rows(&[1.0, 7.0, 3.0, 7.0])),
            MemoryDomain::normals("b", rows(&[5.0, 7.0])),
            MemoryDomain { anomalous: Some(rows(&[9.0, 8.0])), ..MemoryDomain::normals("c", rows(&[11.0, 6.0])) },
        ];
        Arc::new(InMemory::new("t", Modality::rows(2), domains, folds, AnomalySource::Genuine).unwrap())
    }

    fn wrapped(folds: Vec<Fold>, how: Standardise) -> Result<Arc<dyn Dataset>> {
        let set = set(folds);
        view(&set, &set.info().folds[0], how)
    }

    fn one_fold(meta_train: Vec<usize>) -> Vec<Fold> {
        vec![Fold { name: String::new(), meta_train, meta_test: vec![2] }]
    }

    #[test]
    fn pool_takes_the_meta_train_normals_alone() {
        let set = wrapped(one_fold(vec![0, 1]), Standardise::Pool).unwrap();
        let refs = [testing::subset(&*set, 2, Subset::Normal), testing::subset(&*set, 2, Subset::Anomalous)].concat();
        // numpy: x = [1, 3, 5]; (11 - x.mean()) / x.std(); the second column never changes, so it is only centred.
        let sd = (8.0f64 / 3.0).sqrt();
        let x = set.gather(&refs).unwrap().to_f64().into_owned();
        for (found, wanted) in x.iter().zip([8.0 / sd, -1.0, 6.0 / sd, 1.0]) {
            assert!((found - wanted).abs() < 1e-14, "{found} instead of {wanted}");
        }
        assert!(matches!(wrapped(one_fold(vec![]), Standardise::Pool), Err(Error::Config(_))));
    }

    /// ```python
    /// z = (np.array([[11, 6], [9, 8]]) - [3, 7]) / [np.std([1, 3, 5]), 1]; np.sign(z) * np.log1p(abs(z))
    /// ```
    #[test]
    fn heavy_tails_are_pulled_in_by_the_logarithm_or_by_ranks() {
        let read = |how, refs: &[SampleRef]| {
            wrapped(one_fold(vec![0, 1]), how).unwrap().gather(refs).unwrap().to_f64().into_owned()
        };
        let inner = set(one_fold(vec![0, 1]));
        let tests =
            [testing::subset(&*inner, 2, Subset::Normal), testing::subset(&*inner, 2, Subset::Anomalous)].concat();
        for (found, wanted) in read(Standardise::SignedLog, &tests).iter().zip([
            1.774779367402814,
            -std::f64::consts::LN_2,
            1.5420654304441515,
            std::f64::consts::LN_2,
        ]) {
            assert!((found - wanted).abs() < 1e-14, "{found} instead of {wanted}");
        }
        // Above and below all of the pool's values [1, 3, 5] and [7, 7, 7]; then the pool's own.
        assert_eq!(read(Standardise::Rank, &tests), [1.0, -1.0, 1.0, 1.0]);
        let own = testing::subset(&*inner, 0, Subset::Normal);
        assert_eq!(read(Standardise::Rank, &own), [-2.0 / 3.0, 0.0, 0.0, 0.0]);
        assert!(matches!(wrapped(one_fold(vec![]), Standardise::Rank), Err(Error::Config(_))));
    }

    #[test]
    fn pool_follows_the_fold_where_there_are_several() {
        let set = set(leave_one_out(&["a", "b", "c"].map(str::to_owned)));
        let refs = testing::subset(&*set, 0, Subset::Normal);
        let folds = set.info().folds.clone();
        let seen = |f: &Fold| view(&set, f, Standardise::Pool).unwrap();
        let read = |f: &Fold| seen(f).gather(&refs).unwrap().to_f64().into_owned();
        assert_eq!(read(&folds[0])[..2], [(1.0 - 8.0) / 3.0, (7.0 - 6.5) / 0.5], "by b and c");
        assert_ne!(read(&folds[0]), read(&folds[1]));
    }

    /// Names, masks and identities of a data set that has them, seen through the standardisation.
    #[test]
    fn what_is_not_a_value_passes_through() {
        struct Named(Arc<dyn Dataset>);
        impl Dataset for Named {
            fn info(&self) -> &DatasetInfo {
                self.0.info()
            }
            fn identity(&self, domain: usize) -> Option<String> {
                Some(format!("domain {domain}"))
            }
            fn gather(&self, refs: &[SampleRef]) -> Result<Samples> {
                self.0.gather(refs)
            }
            fn masks(&self, refs: &[SampleRef]) -> Result<Option<Masks>> {
                Ok(Some(Masks { shape: vec![1], values: vec![1; refs.len()] }))
            }
            fn sample_name(&self, sample: &SampleRef) -> Option<String> {
                Some(format!("sample {}", sample.index))
            }
            fn tags(&self, refs: &[SampleRef]) -> Result<Tags> {
                Ok(Tags::none(refs.len()).numbers("index", refs.iter().map(|r| Some(f64::from(r.index)))))
            }
        }
        let set: Arc<dyn Dataset> = Arc::new(Named(set(leave_one_out(&["a", "b", "c"].map(str::to_owned)))));
        let sample = SampleRef { domain: 0, subset: Subset::Normal, index: 1 };
        let folds = set.info().folds.clone();
        let seen = |i: usize, how| view(&set, &folds[i], how).unwrap();
        for how in [Standardise::Pool, Standardise::Batch] {
            assert_eq!(seen(0, how).sample_name(&sample).as_deref(), Some("sample 1"));
            assert_eq!(seen(0, how).masks(&[sample]).unwrap().unwrap().values, [1]);
            assert_eq!(seen(0, how).tags(&[sample]).unwrap().get("index").unwrap().number(0), Some(1.0));
        }
        let identity = |i| seen(i, Standardise::Pool).identity(2).unwrap();
        assert!(identity(0).starts_with("domain 2, standardised ") && identity(0) != identity(1));
        assert_eq!(seen(0, Standardise::Batch).identity(2), None);
        let ways = [Standardise::Pool, Standardise::SignedLog, Standardise::Rank];
        let all: std::collections::HashSet<_> = ways.iter().map(|how| seen(0, *how).identity(2).unwrap()).collect();
        assert_eq!(all.len(), 3);
    }

    #[test]
    fn batch_takes_the_samples_read_at_once() {
        let set = wrapped(one_fold(vec![0, 1]), Standardise::Batch).unwrap();
        let refs = testing::subset(&*set, 0, Subset::Normal);
        assert_eq!(set.gather(&refs).unwrap().to_f64()[..], [-1.0, 0.0, 1.0, 0.0]);
        let none = wrapped(one_fold(vec![0, 1]), Standardise::None).unwrap();
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
