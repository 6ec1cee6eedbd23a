use std::collections::{BTreeMap, HashSet};

use proptest::prelude::*;
use rayon::prelude::*;
use zsad_core::params::All;
use zsad_core::{AbnormalShots, BatchSize, Contamination, Modality, Pooling, Samples, Values};

use super::*;
use crate::memory::{InMemory, MemoryDomain};

/// Domains of these sizes (normal, anomalous, reference), the first half of them for training.
fn set(sizes: &[(usize, usize, usize)], anomalies: AnomalySource) -> InMemory {
    let rows = |n: usize| Samples::new(vec![1], Values::F64(vec![0.0; n]));
    let some = |n: usize| (n > 0).then(|| rows(n));
    let domains = sizes.iter().enumerate().map(|(i, &(n, a, r))| MemoryDomain {
        name: format!("d{i}"),
        normal: rows(n),
        anomalous: some(a),
        reference: some(r),
    });
    let (n, half) = (sizes.len(), sizes.len() / 2);
    let fold = Fold { name: String::new(), meta_train: (0..half).collect(), meta_test: (half..n).collect() };
    InMemory::new("generated", Modality::rows(1), domains.collect(), vec![fold], anomalies).unwrap()
}

fn point(size: BatchSize, r: f64) -> TestPoint {
    TestPoint {
        size,
        contamination: Contamination::Ratio(r),
        min_anomalies: 0,
        n_batches: 3,
        pooling: Pooling::Batch,
        reference_seed: None,
        draw_seed: None,
        skip_small: false,
        shift: None,
        anomaly_kinds: None,
        reference_contamination: 0.0,
        labels: None,
        abnormal_shots: None,
    }
}

fn unique(refs: &[SampleRef]) -> bool {
    refs.iter().collect::<HashSet<_>>().len() == refs.len()
}

fn size() -> impl Strategy<Value = BatchSize> {
    prop_oneof![
        (1usize..30).prop_map(BatchSize::Total),
        (1usize..30).prop_map(BatchSize::Normals),
        Just(BatchSize::All)
    ]
}

proptest! {
    #[test]
    fn a_batch_holds_what_its_point_says(
        sizes in prop::collection::vec((1usize..40, 0usize..40, Just(0)), 2..7),
        size in size(), r in 0.0..0.5f64, genuine: bool, seed: u64,
    ) {
        let source = if genuine { AnomalySource::Genuine } else { AnomalySource::OtherDomains };
        let set = set(&sizes, source);
        let fold = &set.info().folds[0];
        for &d in &fold.meta_test {
            let others: usize = fold.meta_test.iter().filter(|&&o| o != d).map(|&o| sizes[o].0).sum();
            let counts = point(size, r).counts(sizes[d].0, if genuine { sizes[d].1 } else { others });
            let batches = test_batches(&set, fold, d, &point(size, r), seed);
            let Ok(counts) = counts else {
                prop_assert!(matches!(batches, Err(Error::Refused(_))));
                continue;
            };
            for batch in batches.unwrap() {
                prop_assert!(unique(&batch.items));
                prop_assert_eq!(batch.items.len(), counts.normal + counts.anomalous);
                prop_assert_eq!(batch.labels.iter().filter(|&&l| l).count(), counts.anomalous);
                prop_assert!(counts.normal + 1 >= counts.anomalous, "the majority is normal");
                for (r, &label) in batch.items.iter().zip(&batch.labels) {
                    let from = r.domain as usize;
                    prop_assert!(fold.meta_test.contains(&from), "meta-train samples never reach a test batch");
                    prop_assert!((r.index as usize) < set.info().domains[from].size(r.subset));
                    let anomalous = if genuine { r.subset == Subset::Anomalous } else { from != d };
                    prop_assert_eq!(label, anomalous);
                    prop_assert!(!genuine || from == d);
                }
            }
        }
    }

    #[test]
    fn a_task_holds_what_its_protocol_says(
        sizes in prop::collection::vec((1usize..40, 0usize..40, Just(0)), 4..9),
        normals in 1usize..20, outliers in 0usize..10, source in 0..3usize, seed: u64,
    ) {
        let source = [OutlierSource::OtherDomains, OutlierSource::Genuine, OutlierSource::None][source];
        let set = set(&sizes, AnomalySource::OtherDomains);
        let fold = &set.info().folds[0];
        let sampler = match TaskSampler::new(set.info(), fold, TaskProtocol::new(normals, outliers, source), seed) {
            Ok(sampler) => sampler,
            Err(e) => {
                prop_assert!(matches!(e, Error::Refused(_)));
                return Ok(());
            }
        };
        for step in 0..20 {
            let task = sampler.task(step, 0);
            prop_assert!(sampler.train_domains().contains(&task.domain));
            prop_assert!(unique(&task.normals) && unique(&task.outliers));
            prop_assert_eq!(task.normals.len(), normals);
            prop_assert!(task.normals.iter().all(|r| r.domain as usize == task.domain && r.subset == Subset::Normal));
            let wanted = if source == OutlierSource::None { 0 } else { outliers };
            prop_assert_eq!(task.outliers.len(), wanted);
            for r in task.normals.iter().chain(&task.outliers) {
                prop_assert!(fold.meta_train.contains(&(r.domain as usize)), "meta-test domains are never in a task");
                prop_assert!((r.index as usize) < set.info().domains[r.domain as usize].size(r.subset));
            }
            let genuine = source == OutlierSource::Genuine;
            prop_assert!(task.outliers.iter().all(|r| (r.subset == Subset::Anomalous) == genuine));
            prop_assert!(task.outliers.iter().all(|r| (r.domain as usize == task.domain) == genuine));
        }
    }
}

#[test]
fn batches_repeat_on_any_number_of_threads_and_differ_by_number_seed_point_and_domain() {
    let set = set(&[(50, 0, 0); 6], AnomalySource::OtherDomains);
    let fold = &set.info().folds[0];
    let draw = |d, r, seed| test_batches(&set, fold, d, &point(BatchSize::Total(20), r), seed).unwrap();
    let alone = draw(3, 0.1, 0);
    for threads in [1, 2, 5] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let all: Vec<_> = pool.install(|| (0..8).into_par_iter().map(|_| draw(3, 0.1, 0)).collect());
        assert!(all.iter().all(|b| *b == alone));
    }
    let mut different = alone.clone();
    different.extend(draw(3, 0.1, 1));
    different.extend(draw(3, 0.2, 0));
    different.extend(draw(4, 0.1, 0));
    for (i, a) in different.iter().enumerate() {
        assert!(different[..i].iter().all(|b| a != b), "batch {i} repeats another");
    }
    let mut longer = point(BatchSize::Total(20), 0.1);
    (longer.n_batches, longer.pooling) = (5, Pooling::Domain);
    assert_eq!(test_batches(&set, fold, 3, &longer, 0).unwrap()[..3], alone[..]);
}

#[test]
fn anomalies_are_uniform_over_the_samples_of_the_other_domains() {
    let set = set(&[(1, 0, 0), (1, 0, 0), (1, 0, 0), (40, 0, 0), (10, 0, 0), (30, 0, 0)], AnomalySource::OtherDomains);
    let mut wanted = point(BatchSize::Total(2), 0.5);
    wanted.n_batches = 8000;
    let mut seen = BTreeMap::new();
    for batch in test_batches(&set, &set.info().folds[0], 3, &wanted, 7).unwrap() {
        let anomaly = batch.items.iter().zip(&batch.labels).find(|(_, l)| **l).unwrap().0;
        *seen.entry((anomaly.domain, anomaly.index)).or_insert(0usize) += 1;
    }
    // 40 samples, 200 expected of each, standard deviation 14.
    assert_eq!(seen.len(), 40);
    assert!(seen.values().all(|&n| (130..=270).contains(&n)), "{seen:?}");
}

#[test]
fn tasks_repeat_and_use_only_so_many_domains() {
    let set = set(&[(30, 0, 0); 20], AnomalySource::OtherDomains);
    let fold = &set.info().folds[0];
    let protocol = TaskProtocol { domains: Some(4), ..TaskProtocol::new(15, 15, OutlierSource::OtherDomains) };
    let sampler = TaskSampler::new(set.info(), fold, protocol, 3).unwrap();
    let again = TaskSampler::new(set.info(), fold, protocol, 3).unwrap();
    assert_eq!(sampler.train_domains().len(), 4);
    let mut domains = HashSet::new();
    for step in 0..50 {
        let task = sampler.task(step, 1);
        assert_eq!(task, again.task(step, 1));
        assert_ne!(task, sampler.task(step, 2));
        domains.extend(task.normals.iter().chain(&task.outliers).map(|r| r.domain as usize));
    }
    let mut domains: Vec<_> = domains.into_iter().collect();
    domains.sort_unstable();
    assert_eq!(domains, sampler.train_domains());
    let fewer = TaskProtocol { domains: Some(2), ..protocol };
    let fewer = TaskSampler::new(set.info(), fold, fewer, 3).unwrap();
    assert!(fewer.train_domains().iter().all(|d| domains.contains(d)), "fewer domains are among the more");
}

#[test]
fn outliers_are_uniform_over_domains_where_these_are_drawn_first() {
    let set = set(&[(20, 0, 0), (200, 0, 0), (30, 0, 0), (9, 0, 0), (9, 0, 0), (9, 0, 0)], AnomalySource::OtherDomains);
    let (source, fold) = (OutlierSource::OtherDomainsEqually, &set.info().folds[0]);
    let protocol = TaskProtocol::new(15, 15, source);
    let sampler = TaskSampler::new(set.info(), fold, protocol, 0).unwrap();
    let train = sampler.train_domains().to_vec();
    let mut seen = BTreeMap::new();
    for task in (0..800).map(|step| sampler.task(step, 0)) {
        for r in task.outliers {
            assert!(r.domain as usize != task.domain && r.subset == Subset::Normal);
            assert!((r.index as usize) < set.info().domains[r.domain as usize].normal);
            *seen.entry(r.domain as usize).or_insert(0usize) += 1;
        }
    }
    // Equal shares of the 12,000 draws; the share of a domain follows from how often the tasks are of it, give or take 5 %.
    let wanted = 12_000 / train.len();
    assert_eq!(seen.keys().copied().collect::<Vec<_>>(), train);
    assert!(seen.values().all(|&n| n.abs_diff(wanted) < wanted / 10), "{seen:?}");
}

#[test]
fn held_out_domains_are_in_no_task_and_give_the_normals_to_validate_on() {
    let set = set(&[(30, 0, 0); 12], AnomalySource::OtherDomains);
    let fold = &set.info().folds[0];
    let source = OutlierSource::OtherDomains;
    let protocol = TaskProtocol { domains: Some(5), held_out: 2, ..TaskProtocol::new(15, 15, source) };
    let sampler = TaskSampler::new(set.info(), fold, protocol, 3).unwrap();
    let all = TaskSampler::new(set.info(), fold, TaskProtocol { held_out: 0, ..protocol }, 3).unwrap();
    let (train, held) = (sampler.train_domains(), sampler.held_out());
    assert_eq!((train.len(), held.len()), (3, 2));
    let mut both = [train, held].concat();
    both.sort_unstable();
    assert_eq!(both, all.train_domains(), "held-out domains are among those in use");
    let seen = |refs: &[SampleRef]| refs.iter().map(|r| r.domain as usize).collect::<HashSet<_>>();
    for number in 0..40 {
        let task = sampler.task(number as u64, 0);
        assert!(seen(&[task.normals, task.outliers].concat()).iter().all(|d| train.contains(d)));
        let batch = sampler.validation(number, 20);
        assert_eq!(batch, sampler.validation(number, 20));
        assert_eq!((batch.normals.len(), batch.outliers.len(), batch.domain), (18, 2, held[number % 2]));
        assert!(unique(&batch.normals) && unique(&batch.outliers));
        assert_eq!(seen(&batch.normals), HashSet::from([batch.domain]));
        assert!(seen(&batch.outliers).iter().all(|d| train.contains(d)));
    }
    assert_ne!(sampler.validation(0, 20), sampler.validation(2, 20));
    assert_eq!(sampler.validation(0, 100).normals.len(), 30, "all that the domain has");
    let refused = TaskSampler::new(set.info(), fold, TaskProtocol { held_out: 5, ..protocol }, 3).err().unwrap();
    assert!(refused.to_string().contains("5 meta-train domains are to be held out of training, and 5 can be used"));
}

#[test]
fn small_domains_are_left_out_of_training_and_impossible_protocols_refused() {
    let set = set(&[(30, 0, 0), (10, 5, 0), (30, 5, 0), (9, 0, 0), (9, 0, 0), (9, 0, 0)], AnomalySource::OtherDomains);
    let fold = &set.info().folds[0];
    let sampler = |normals, outliers, source, domains| {
        TaskSampler::new(set.info(), fold, TaskProtocol { domains, ..TaskProtocol::new(normals, outliers, source) }, 0)
            .map(|s| s.train_domains().to_vec())
            .map_err(|e| e.to_string())
    };
    assert_eq!(sampler(15, 15, OutlierSource::OtherDomains, None), Ok(vec![0, 2]));
    assert_eq!(sampler(5, 5, OutlierSource::Genuine, None), Ok(vec![1, 2]));
    let refused = sampler(15, 31, OutlierSource::OtherDomains, None).unwrap_err();
    assert!(refused.contains("31 outliers from other meta-train domains, and beside `d0` there are 30"), "{refused}");
    let refused = sampler(31, 0, OutlierSource::None, None).unwrap_err();
    assert!(refused.contains("no meta-train domain holds the 31 normals"), "{refused}");
    let refused = sampler(15, 1, OutlierSource::OtherDomains, Some(3)).unwrap_err();
    assert!(refused.contains("3 meta-train domains wanted, and 2 can be used"), "{refused}");
}

#[test]
fn references_are_fixed_and_outside_the_batch() {
    let set = set(&[(5, 0, 0), (20, 0, 0), (20, 0, 6)], AnomalySource::OtherDomains);
    let batch = &test_batches(&set, &set.info().folds[0], 1, &point(BatchSize::Total(12), 0.0), 0).unwrap()[0].items;
    let eight = support(&set, 1, Shots::Number(8), 0, batch).unwrap();
    assert!(unique(&eight) && eight.iter().all(|r| r.domain == 1 && !batch.contains(r)));
    assert_eq!(support(&set, 1, Shots::Number(3), 0, batch).unwrap(), eight[..3]);
    assert_ne!(support(&set, 1, Shots::Number(8), 1, batch).unwrap(), eight);
    let refused = support(&set, 1, Shots::Number(9), 0, batch).unwrap_err().to_string();
    assert_eq!(refused, "9 references wanted and domain `d1` has 8 outside the batch");
    let pool = support(&set, 2, Shots::Number(4), 0, batch).unwrap();
    assert!(unique(&pool) && pool.iter().all(|r| r.domain == 2 && r.subset == Subset::Reference));
    assert!(support(&set, 2, Shots::Number(7), 0, batch).is_err());
    let mut all = support(&set, 2, Shots::Word(All), 0, batch).unwrap();
    assert_eq!((&all[..4], all.len()), (&pool[..], 6));
    all.sort();
    assert_eq!(all, SampleRef::all(2, Subset::Reference, 6).collect::<Vec<_>>());
    let everything: Vec<_> = SampleRef::all(1, Subset::Normal, 20).collect();
    assert!(support(&set, 1, Shots::Word(All), 0, &everything).unwrap_err().to_string().contains("has none"));
}

#[test]
fn contaminated_references_end_with_anomalies_from_outside_the_batch() {
    let set = set(&[(40, 20, 0), (40, 20, 9)], AnomalySource::Genuine);
    let fold = &set.info().folds[0];
    let batch = &test_batches(&set, fold, 1, &point(BatchSize::Total(20), 0.3), 0).unwrap()[0].items;
    let clean = support(&set, 1, Shots::Number(8), 0, batch).unwrap();
    let of = |share, seed| {
        let mut references = clean.clone();
        contaminate(&set, fold, 1, &mut references, (share, seed), batch).map(|()| references)
    };
    assert_eq!(of(0.05, 0).unwrap(), clean, "half of one is none");
    let two = of(0.25, 0).unwrap();
    assert_eq!(two[..6], clean[..6]);
    assert!(unique(&two) && two[6..].iter().all(|r| r.subset == Subset::Anomalous && !batch.contains(r)));
    assert_eq!(of(0.25, 0).unwrap(), two);
    assert_ne!(of(0.25, 1).unwrap()[6..], two[6..]);
    // Six of the twenty are in the batch.
    let all: Vec<SampleRef> = SampleRef::all(1, Subset::Anomalous, 20).collect();
    let mut references = clean.clone();
    let refused = contaminate(&set, fold, 1, &mut references, (0.5, 0), &all).unwrap_err().to_string();
    assert!(refused.starts_with("4 anomalies wanted among the references and domain `d1` has 0 outside"), "{refused}");
}

#[test]
fn anomalies_that_are_set_aside_are_in_no_batch_whatever_a_method_is_given_of_them() {
    let set = set(&[(40, 20, 0), (40, 12, 0)], AnomalySource::Genuine);
    let (info, fold) = (set.info(), &set.info().folds[0]);
    let all = point(BatchSize::All, 0.0);
    let of = |given, aside| TestPoint {
        contamination: Contamination::Natural,
        abnormal_shots: Some(AbnormalShots { given, set_aside: aside }),
        ..all
    };
    let draw = |point: &TestPoint, seed| test_batches(&set, fold, 1, point, seed).unwrap();
    let two = set_aside(info, 1, &of(1, 2), 0);
    assert!(unique(&two) && two.iter().all(|r| (r.domain, r.subset) == (1, Subset::Anomalous)));
    for batch in draw(&of(1, 2), 0) {
        let mut seen: Vec<_> = batch.items.iter().copied().filter(|r| r.subset == Subset::Anomalous).collect();
        assert_eq!((seen.len(), batch.items.len()), (10, 50));
        seen.extend(&two);
        seen.sort_unstable();
        assert_eq!(seen, SampleRef::all(1, Subset::Anomalous, 12).collect::<Vec<_>>(), "the others are all there");
    }
    assert_eq!(draw(&of(1, 2), 0), draw(&of(0, 2), 0), "batches are paired");
    assert_eq!(set_aside(info, 1, &of(0, 1), 0), two[..1], "fewer are a prefix of more");
    assert_ne!(set_aside(info, 1, &of(1, 2), 1), two);
    let referring = TestPoint { reference_seed: Some(0), ..of(1, 2) };
    assert_eq!(set_aside(info, 1, &referring, 5), two, "the seed of references draws them, where there is one");
    assert!(set_aside(info, 1, &all, 0).is_empty());
    let few = counts(info, fold, 1, &of(1, 13)).unwrap_err().to_string();
    assert!(few.contains("`d1`: `abnormal_shots` sets 13 anomalies aside and the domain has 12"), "{few}");
    let unlabelled = self::set(&[(40, 0, 0); 4], AnomalySource::OtherDomains);
    let given = TestPoint { contamination: Contamination::Ratio(0.1), ..of(1, 1) };
    let refused = counts(unlabelled.info(), &unlabelled.info().folds[0], 2, &given).unwrap_err().to_string();
    assert!(refused.contains("wants data whose own anomalies are labelled"), "{refused}");
}

#[test]
fn anomalies_of_few_kinds_are_the_first_of_different_ones_again_and_again() {
    let set = set(&[(40, 20, 0), (40, 20, 0)], AnomalySource::Genuine);
    let fold = &set.info().folds[0];
    let all = point(BatchSize::Total(20), 0.3);
    let of = |kinds| TestPoint { anomaly_kinds: kinds, ..all };
    let draw = |point: TestPoint| test_batches(&set, fold, 1, &point, 5).unwrap();
    let sorted = |batch: &LabelledBatch<SampleRef>, anomalous: bool| {
        let items = batch.items.iter().zip(&batch.labels).filter(|(_, label)| **label == anomalous);
        let mut items: Vec<SampleRef> = items.map(|(item, _)| *item).collect();
        items.sort_unstable();
        items
    };
    for (few, many) in draw(of(Some(2))).iter().zip(draw(all)) {
        assert_eq!((sorted(few, false), few.labels.len()), (sorted(&many, false), many.labels.len()));
        let (few, many) = (sorted(few, true), sorted(&many, true));
        assert_eq!((few[0] == few[2], few[2] == few[3], few[3] == few[5]), (true, false, true), "three of each");
        assert!(few.iter().all(|item| many.contains(item)));
    }
    assert_eq!(draw(of(Some(6))), draw(all), "as many kinds as anomalies are all");
    assert_eq!(draw(of(Some(99))), draw(all));
}
