//! Data sets that lie in memory: a person's own batch, tables, generated data.

use zsad_core::{
    AnomalySource, Dataset, DatasetInfo, Domain, Error, Fold, Kind, Pool, Result, SampleRef, Samples, Values,
};

/// One domain with its samples; an empty pool is `None`.
#[derive(Debug, Clone, PartialEq)]
pub struct MemoryDomain {
    /// Its name, unique in the data set.
    pub name: String,
    /// Normal samples.
    pub normal: Samples,
    /// Genuine anomalies.
    pub anomalous: Option<Samples>,
    /// Reference normals.
    pub reference: Option<Samples>,
}

impl MemoryDomain {
    /// A domain of normals alone.
    pub fn normals(name: impl Into<String>, normal: Samples) -> Self {
        MemoryDomain { name: name.into(), normal, anomalous: None, reference: None }
    }

    fn pool(&self, pool: Pool) -> Option<&Samples> {
        match pool {
            Pool::Normal => Some(&self.normal),
            Pool::Anomalous => self.anomalous.as_ref(),
            Pool::Reference => self.reference.as_ref(),
        }
    }
}

/// A data set whose samples lie in memory, all in one precision.
#[derive(Debug, Clone)]
pub struct InMemory {
    info: DatasetInfo,
    domains: Vec<MemoryDomain>,
}

impl InMemory {
    /// A data set of `domains`, each sample of the shape of `kind`.
    ///
    /// # Errors
    /// [`Error::Config`] where shapes or precisions differ, a value is not finite, names repeat, or a fold names a
    /// domain that is not there or that both trains and tests.
    pub fn new(
        name: &str,
        kind: Kind,
        domains: Vec<MemoryDomain>,
        folds: Vec<Fold>,
        anomalies: AnomalySource,
    ) -> Result<Self> {
        let info = DatasetInfo {
            name: name.to_owned(),
            kind,
            domains: domains
                .iter()
                .map(|d| Domain {
                    name: d.name.clone(),
                    normal: d.normal.len(),
                    anomalous: d.anomalous.as_ref().map_or(0, Samples::len),
                    reference: d.reference.as_ref().map_or(0, Samples::len),
                })
                .collect(),
            folds,
            anomalies,
            notes: Vec::new(),
        };
        check(&info, &domains).map_err(|why| Error::Config(format!("{name}: {why}")))?;
        Ok(InMemory { info, domains })
    }

    /// The data set of one unlabelled batch: one domain, `batch`, that is tested and not trained on.
    ///
    /// # Errors
    /// See [`InMemory::new`].
    pub fn batch(kind: Kind, samples: Samples) -> Result<Self> {
        let fold = Fold { name: String::new(), meta_train: vec![], meta_test: vec![0] };
        let domains = vec![MemoryDomain::normals("batch", samples)];
        Self::new("batch", kind, domains, vec![fold], AnomalySource::OtherDomains)
    }

    /// The same with `notes` for the record.
    pub fn with_notes(mut self, notes: Vec<(String, String)>) -> Self {
        self.info.notes = notes;
        self
    }
}

fn check(info: &DatasetInfo, domains: &[MemoryDomain]) -> Result<(), String> {
    let shape = info.kind.shape();
    let double = domains.first().is_some_and(|d| matches!(d.normal.values(), Values::F64(_)));
    for (i, domain) in domains.iter().enumerate() {
        let at = format!("domain `{}`", domain.name);
        if domains[..i].iter().any(|d| d.name == domain.name) {
            return Err(format!("{at} occurs twice"));
        }
        for pool in [Pool::Normal, Pool::Anomalous, Pool::Reference] {
            let Some(samples) = domain.pool(pool) else { continue };
            if samples.shape() != shape {
                return Err(format!("{at}: samples of shape {:?} instead of {shape:?}", samples.shape()));
            }
            if matches!(samples.values(), Values::F64(_)) != double {
                return Err(format!("{at}: single and double precision in one data set"));
            }
            let bad = match samples.values() {
                Values::F32(v) => v.iter().position(|x| !x.is_finite()),
                Values::F64(v) => v.iter().position(|x| !x.is_finite()),
            };
            if let Some(i) = bad {
                let d = samples.dim();
                return Err(format!("{at}: sample {}, value {} is not finite", i / d, i % d));
            }
        }
    }
    for fold in &info.folds {
        if let Some(d) = fold.meta_train.iter().chain(&fold.meta_test).find(|&&d| d >= domains.len()) {
            return Err(format!("fold `{}` names domain {d} of {}", fold.name, domains.len()));
        }
        if let Some(&d) = fold.meta_train.iter().find(|d| fold.meta_test.contains(d)) {
            return Err(format!("fold `{}`: domain `{}` both trains and tests", fold.name, domains[d].name));
        }
    }
    Ok(())
}

impl Dataset for InMemory {
    fn info(&self) -> &DatasetInfo {
        &self.info
    }

    fn gather(&self, refs: &[SampleRef]) -> Result<Samples> {
        let shape = self.info.kind.shape();
        let double = self.domains.first().is_some_and(|d| matches!(d.normal.values(), Values::F64(_)));
        let samples = |r: &SampleRef| self.domains.get(r.domain as usize).and_then(|d| d.pool(r.pool));
        let values = if double {
            Values::F64(rows(
                refs,
                |r| match samples(r).map(Samples::values) {
                    Some(Values::F64(v)) => v,
                    _ => &[],
                },
                shape[..].iter().product(),
            )?)
        } else {
            Values::F32(rows(
                refs,
                |r| match samples(r).map(Samples::values) {
                    Some(Values::F32(v)) => v,
                    _ => &[],
                },
                shape[..].iter().product(),
            )?)
        };
        Ok(Samples::new(shape, values))
    }
}

/// The rows of `refs`, each `d` values of the pool that `values` finds.
fn rows<'a, T: Copy + 'a>(refs: &[SampleRef], values: impl Fn(&SampleRef) -> &'a [T], d: usize) -> Result<Vec<T>> {
    let mut out = Vec::with_capacity(refs.len() * d);
    for r in refs {
        let start = r.index as usize * d;
        let row = values(r).get(start..start + d).ok_or_else(|| Error::failed(format!("there is no sample {r:?}")))?;
        out.extend_from_slice(row);
    }
    Ok(out)
}
