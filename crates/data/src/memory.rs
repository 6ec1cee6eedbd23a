//! Data sets that lie in memory: a person's own batch, tables, generated data.

use std::borrow::Cow;

use zsad_core::{
    AnomalySource, Dataset, DatasetInfo, Domain, Error, Fold, Modality, Result, SampleRef, Samples, Subset, Tags,
    Values,
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

    fn subset(&self, subset: Subset) -> Option<&Samples> {
        match subset {
            Subset::Normal => Some(&self.normal),
            Subset::Anomalous => self.anomalous.as_ref(),
            Subset::Reference => self.reference.as_ref(),
        }
    }
}

/// A data set whose samples lie in memory, all in one precision. Made by [`InMemory::ragged`], its domains may differ in
/// shape; samples of different shapes cannot be gathered at once.
#[derive(Debug, Clone)]
pub struct InMemory {
    info: DatasetInfo,
    domains: Vec<MemoryDomain>,
    /// By domain, those of its normal and of its anomalous samples; empty where there are none.
    tags: Vec<[Tags; 2]>,
}

impl InMemory {
    /// A data set of `domains`, each sample of the shape of `modality`.
    ///
    /// # Errors
    /// [`Error::Config`] where shapes or precisions differ, a value is not finite, names repeat, or a fold names a
    /// domain that is not there or that both trains and tests.
    pub fn new(
        name: &str,
        modality: Modality,
        domains: Vec<MemoryDomain>,
        folds: Vec<Fold>,
        anomalies: AnomalySource,
    ) -> Result<Self> {
        let shape = modality.shape();
        if let Some(d) = domains.iter().find(|d| d.normal.shape() != shape) {
            let (at, found) = (&d.name, d.normal.shape());
            return Err(Error::Config(format!(
                "{name}: domain `{at}`: samples of shape {found:?} instead of {shape:?}"
            )));
        }
        Self::build(name, modality, domains, folds, anomalies)
    }

    /// A data set of tables whose domains may differ in width; its modality tells the greatest. No domain trains unless all
    /// are of one width.
    ///
    /// # Errors
    /// See [`InMemory::new`].
    pub fn ragged(name: &str, domains: Vec<MemoryDomain>, folds: Vec<Fold>, anomalies: AnomalySource) -> Result<Self> {
        let dim = domains.iter().map(|d| d.normal.dim()).max().unwrap_or(0);
        if domains.iter().any(|d| d.normal.dim() != dim) && folds.iter().any(|f| !f.meta_train.is_empty()) {
            return Err(Error::Config(format!("{name}: domains of different widths cannot be trained on")));
        }
        Self::build(name, Modality::rows(dim), domains, folds, anomalies)
    }

    fn build(
        name: &str,
        modality: Modality,
        domains: Vec<MemoryDomain>,
        folds: Vec<Fold>,
        anomalies: AnomalySource,
    ) -> Result<Self> {
        let info = DatasetInfo {
            name: name.to_owned(),
            modality,
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
        Ok(InMemory { info, domains, tags: vec![] })
    }

    /// The same with tags: by domain, those of its normal and of its anomalous samples.
    pub fn with_tags(self, tags: Vec<[Tags; 2]>) -> Self {
        InMemory { tags, ..self }
    }

    /// The data set of one unlabelled batch: one domain, `batch`, that is tested and not trained on, with normal
    /// references where there are some.
    ///
    /// # Errors
    /// See [`InMemory::new`].
    pub fn batch(modality: Modality, samples: Samples, reference: Option<Samples>) -> Result<Self> {
        let fold = Fold::single([], [0]);
        let domains = vec![MemoryDomain { reference, ..MemoryDomain::normals("batch", samples) }];
        Self::new("batch", modality, domains, vec![fold], AnomalySource::OtherDomains)
    }
}

fn check(info: &DatasetInfo, domains: &[MemoryDomain]) -> Result<(), String> {
    let double = domains.first().is_some_and(|d| matches!(d.normal.values(), Values::F64(_)));
    for (i, domain) in domains.iter().enumerate() {
        let shape = domain.normal.shape();
        let at = format!("domain `{}`", domain.name);
        if domains[..i].iter().any(|d| d.name == domain.name) {
            return Err(format!("{at} occurs twice"));
        }
        for subset in Subset::ALL {
            let Some(samples) = domain.subset(subset) else { continue };
            if samples.shape() != shape {
                return Err(format!("{at}: samples of shape {:?} instead of {shape:?}", samples.shape()));
            }
            if matches!(samples.values(), Values::F64(_)) != double {
                return Err(format!("{at}: single and double precision in one data set"));
            }
            if let Some(i) = samples.values().first_not_finite() {
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
        let pool = |r: &SampleRef| self.domains.get(r.domain as usize).and_then(|d| d.subset(r.subset));
        let shape = refs.first().and_then(pool).map_or_else(|| self.info.modality.shape(), |s| s.shape().to_vec());
        let d: usize = shape.iter().product();
        let of_shape = |r: &SampleRef| {
            let found = pool(r).filter(|s| s.shape() == shape && (r.index as usize) < s.len());
            found.ok_or_else(|| Error::failed(format!("{}: no sample {r:?} of shape {shape:?}", self.info.name)))
        };
        // All samples of a pool in their order are the pool itself.
        let whole = refs.first().and_then(pool).filter(|s| s.len() == refs.len());
        if let Some(whole) = whole
            && refs.iter().zip(0..).all(|(r, index)| *r == SampleRef { index, ..refs[0] })
        {
            return Ok(whole.clone());
        }
        let double = self.domains.first().is_some_and(|d| matches!(d.normal.values(), Values::F64(_)));
        let values = if double {
            Values::F64(rows(refs, d, |r| Ok(of_shape(r)?.to_f64()))?)
        } else {
            Values::F32(rows(refs, d, |r| Ok(of_shape(r)?.to_f32()))?)
        };
        Ok(Samples::new(shape, values))
    }

    fn tags(&self, refs: &[SampleRef]) -> Result<Tags> {
        tags_of(&self.tags, refs)
    }
}

/// The tags of `refs` where `tags` holds, by domain, those of its normal and of its anomalous samples.
///
/// # Errors
/// [`Error::Failed`] for a sample that is not there.
pub fn tags_of(tags: &[[Tags; 2]], refs: &[SampleRef]) -> Result<Tags> {
    if tags.is_empty() {
        return Ok(Tags::none(refs.len()));
    }
    let mut all = Tags::none(0);
    for r in refs {
        let of_domain = tags.get(r.domain as usize);
        let found = of_domain.and_then(|[normal, anomalous]| match r.subset {
            Subset::Normal => Some(normal),
            Subset::Anomalous => Some(anomalous),
            Subset::Reference => None,
        });
        let found = found.filter(|t| (r.index as usize) < t.len());
        let found = found.ok_or_else(|| Error::failed(format!("no tags of sample {r:?}")))?;
        all.append(found.pick(&[r.index as usize]));
    }
    Ok(all)
}

/// The rows of `refs`, each `d` of the values that `pool` finds; borrowed, as all samples are in one precision.
fn rows<'a, T: Copy + 'a>(
    refs: &[SampleRef],
    d: usize,
    pool: impl Fn(&SampleRef) -> Result<Cow<'a, [T]>>,
) -> Result<Vec<T>> {
    let mut out = Vec::with_capacity(refs.len() * d);
    for r in refs {
        let start = r.index as usize * d;
        out.extend_from_slice(&pool(r)?[start..start + d]);
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows_of(d: usize, values: &[f64]) -> Samples {
        Samples::new(vec![d], Values::F64(values.to_vec()))
    }

    fn at(domain: u32, subset: Subset, index: u32) -> SampleRef {
        SampleRef { domain, subset, index }
    }

    fn fold(meta_train: &[usize], meta_test: &[usize]) -> Vec<Fold> {
        vec![Fold { name: String::new(), meta_train: meta_train.to_vec(), meta_test: meta_test.to_vec() }]
    }

    #[test]
    fn rows_come_in_the_order_asked_for_from_every_pool() {
        let domain = MemoryDomain {
            anomalous: Some(rows_of(2, &[7.0, 8.0])),
            reference: Some(rows_of(2, &[9.0, 9.5])),
            ..MemoryDomain::normals("a", rows_of(2, &[1.0, 2.0, 3.0, 4.0]))
        };
        let modality = Modality::rows(2);
        let set = InMemory::new("t", modality, vec![domain], fold(&[], &[0]), AnomalySource::Genuine).unwrap();
        let d = &set.info().domains[0];
        assert_eq!((d.normal, d.anomalous, d.reference), (2, 1, 1));
        let refs = [
            at(0, Subset::Anomalous, 0),
            at(0, Subset::Normal, 1),
            at(0, Subset::Reference, 0),
            at(0, Subset::Normal, 0),
        ];
        assert_eq!(set.gather(&refs).unwrap(), rows_of(2, &[7.0, 8.0, 3.0, 4.0, 9.0, 9.5, 1.0, 2.0]));
        let [first, second] = [0, 1].map(|index| at(0, Subset::Normal, index));
        assert_eq!(set.gather(&[first, second]).unwrap(), set.domains[0].normal, "the pool itself");
        assert_eq!(set.gather(&[second, first]).unwrap(), rows_of(2, &[3.0, 4.0, 1.0, 2.0]));
        assert_eq!(set.gather(&[first, first]).unwrap(), rows_of(2, &[1.0, 2.0, 1.0, 2.0]));
        assert_eq!(set.gather(&[first, at(0, Subset::Anomalous, 0)]).unwrap(), rows_of(2, &[1.0, 2.0, 7.0, 8.0]));
        assert!(set.gather(&[at(0, Subset::Normal, 2)]).is_err());
        assert!(set.gather(&[at(1, Subset::Normal, 0)]).is_err());
    }

    #[test]
    fn wrong_data_are_refused_with_their_place() {
        let one = |name: &str, s| MemoryDomain::normals(name, s);
        let build = |domains, folds| {
            let set = InMemory::new("t", Modality::rows(2), domains, folds, AnomalySource::OtherDomains);
            set.err().map_or(String::new(), |e| e.to_string())
        };
        let good = || rows_of(2, &[1.0, 2.0]);
        assert_eq!(build(vec![one("a", good()), one("b", good())], fold(&[0], &[1])), "");
        assert!(build(vec![one("a", rows_of(1, &[1.0]))], fold(&[], &[0])).contains("shape [1] instead of [2]"));
        let nan = rows_of(2, &[1.0, 2.0, 3.0, f64::NAN]);
        assert!(build(vec![one("a", nan)], fold(&[], &[0])).contains("sample 1, value 1 is not finite"));
        assert!(build(vec![one("a", good()), one("a", good())], fold(&[0], &[1])).contains("`a` occurs twice"));
        assert!(build(vec![one("a", good())], fold(&[0], &[0])).contains("both trains and tests"));
        assert!(build(vec![one("a", good())], fold(&[], &[1])).contains("names domain 1 of 1"));
        let single = Samples::new(vec![2], Values::F32(vec![1.0, 2.0]));
        assert!(build(vec![one("a", good()), one("b", single)], fold(&[0], &[1])).contains("single and double"));
    }

    #[test]
    fn ragged_domains_are_gathered_one_at_a_time() {
        let domains = || {
            let wide = MemoryDomain::normals("wide", rows_of(3, &[1.0, 2.0, 3.0]));
            vec![MemoryDomain::normals("narrow", rows_of(1, &[5.0, 6.0])), wide]
        };
        let set = InMemory::ragged("t", domains(), fold(&[], &[0, 1]), AnomalySource::Genuine).unwrap();
        assert_eq!(set.info().modality, Modality::rows(3));
        assert_eq!(set.gather(&[at(0, Subset::Normal, 1)]).unwrap(), rows_of(1, &[6.0]));
        assert_eq!(set.gather(&[at(1, Subset::Normal, 0)]).unwrap(), rows_of(3, &[1.0, 2.0, 3.0]));
        assert!(set.gather(&[at(0, Subset::Normal, 0), at(1, Subset::Normal, 0)]).is_err());
        assert!(InMemory::ragged("t", domains(), fold(&[0], &[1]), AnomalySource::Genuine).is_err());
    }

    #[test]
    fn a_batch_is_one_domain_that_is_only_tested() {
        let set = InMemory::batch(Modality::rows(1), rows_of(1, &[1.0, 2.0]), None).unwrap();
        assert_eq!((set.info().domains[0].normal, &set.info().folds[0].meta_test), (2, &vec![0]));
    }
}
