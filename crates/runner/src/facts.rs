//! What scores are stored with: which samples they are of, and tags that no method has seen.

use zsad_core::{AnomalySource, Dataset, LabelledBatch, Result, SampleRef, Subset};
use zsad_store::Facts;

use crate::given::Given;

/// The tag of samples in a share of a batch that was shifted: 1 where the sample was.
pub const SHIFTED: &str = "shifted";

/// The tag that every data set has whose anomalies are normals of other domains: the domain that a sample is of.
pub const CLASS: &str = "class";

/// The tag of samples whose label was given to the method: 1 where it was.
pub const LABELLED: &str = "labelled";

/// The tag of the score that a sample of such a batch had without labels.
pub const FIRST_SCORE: &str = "first_score";

/// What is known of the samples of a batch of `domain`; `shifted` tells which of them were shifted, where a shift was asked
/// for, and `given` which were labelled.
///
/// # Errors
/// Where a sample is not there.
pub fn facts(
    dataset: &dyn Dataset,
    domain: usize,
    batch: &LabelledBatch<SampleRef>,
    (shifted, given): (Option<&[bool]>, Option<&Given>),
) -> Result<Facts> {
    let (info, items) = (dataset.info(), &batch.items);
    let name = |r: &SampleRef| info.domains.get(r.domain as usize).map_or("", |d| d.name.as_str());
    let sample = |r: &SampleRef| {
        let own = id(r);
        if r.domain as usize == domain { own } else { format!("{}:{own}", name(r)) }
    };
    let mut tags = dataset.tags(items)?;
    if info.anomalies == AnomalySource::OtherDomains && tags.get(CLASS).is_none() {
        tags = tags.words(CLASS, items.iter().map(|r| Some(name(r).to_owned())));
    }
    if let Some(shifted) = shifted {
        tags = tags.numbers(SHIFTED, shifted.iter().map(|s| Some(f64::from(u8::from(*s)))));
    }
    if let Some(Given { labelled, first }) = given {
        tags = tags.numbers(LABELLED, labelled.iter().map(|l| Some(f64::from(u8::from(*l)))));
        tags = tags.numbers(FIRST_SCORE, first.iter().copied().map(Some));
    }
    Ok(Facts {
        rows: items.iter().map(|r| dataset.source_row(r)).collect(),
        samples: items.iter().map(sample).collect(),
        names: items.iter().map(|r| dataset.sample_name(r).unwrap_or_default()).collect(),
        tags,
    })
}

/// The letter of a sample's subset and its place in it, such as `a17`.
pub fn id(r: &SampleRef) -> String {
    let letter = match r.subset {
        Subset::Normal => 'n',
        Subset::Anomalous => 'a',
        Subset::Reference => 'r',
    };
    format!("{letter}{}", r.index)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::registry;

    #[test]
    fn samples_of_other_domains_say_so_and_have_their_class() {
        let line = registry(&[]).dataset("line").unwrap().configure(&Default::default()).unwrap();
        let set = line.open(&zsad_core::DataDir::resolve(None)).unwrap();
        let sample = |domain, index| SampleRef { domain, subset: Subset::Normal, index };
        let batch = LabelledBatch {
            domain: "d2".into(),
            number: 0,
            items: vec![sample(2, 5), sample(3, 7)],
            labels: vec![false, true],
        };
        let facts = facts(set.as_ref(), 2, &batch, (Some(&[true, false]), None)).unwrap();
        assert_eq!(facts.samples, ["n5", "d3:n7"]);
        let class = facts.tags.get(CLASS).unwrap();
        assert_eq!((class.word(0).as_deref(), class.word(1).as_deref()), (Some("d2"), Some("d3")));
        assert_eq!(facts.tags.get(SHIFTED).unwrap().number(0), Some(1.0));
    }
}
