//! NSL-KDD network connections: a domain is one service, as it occurs in the training or in the test file.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use zsad_core::{
    DataDir, DataFile, Dataset, DatasetDef, DatasetSpec, Error, Fold, Load, ReadBy, Result, TagValues, Tags, suggest,
};

use crate::files;
use crate::tabular::{self, Layout, Tabular, TabularDomain};

/// The registry's entry.
pub const DEF: DatasetDef = DatasetDef::tabular::<NslKdd>(&SPEC);

zsad_core::choices! {
    /// A training file.
    pub enum Training {
        /// The published fifth.
        Fifth = "20_percent",
        /// All of it.
        Full = "full",
    }
}

zsad_core::params! {
    /// Parameters of NSL-KDD.
    pub struct NslKdd {
        /// which training file: the published fifth of it (25,192 connections) or all 125,973
        training: Training = Training::Fifth;
        /// services to test on
        meta_test: Vec<String> = ["ftp_data", "private", "smtp"].map(String::from).to_vec();
        /// services to train on; empty: all others with at least min_normals normals in the training file. A service may
        /// be in both lists: it then tests the shift between the two files alone
        meta_train: Vec<String> = vec![];
        /// normals that a service needs to be in the default meta_train
        min_normals: usize = 30, in 1..=1_000_000;
    }
}

static SPEC: DatasetSpec = DatasetSpec {
    name: "nsl_kdd",
    version: 1,
    summary: "NSL-KDD connections; each network service a domain, attacks its genuine anomalies. Meta-train domains \
              come from the training file, meta-test domains from the test file, whose attacks are partly new; 38 \
              numeric features, then protocol and flag as one-hot columns (the service names the domain and is no \
              feature)",
    citation: "Tavallaee, Bagheri, Lu and Ghorbani, A Detailed Analysis of the KDD CUP 99 Data Set, CISDA 2009",
    files: "nsl_kdd/KDDTrain+_20Percent.txt.gz and KDDTest+.txt.gz (or unpacked, without .gz), or \
            KDDTrain+.txt.gz with `training: full`",
    test_params: &[],
};

const HINT: &str = "put KDDTrain+_20Percent.txt (or KDDTrain+.txt) and KDDTest+.txt of NSL-KDD there, gzipped or not";
/// A line: 41 features, the name of the attack or `normal`, and a difficulty.
const FIELDS: usize = 43;
const LABEL: usize = 41;
const SERVICE: usize = 2;
const PROTOCOL: usize = 1;
/// How many of 21 classifiers found it out, as the data set has it.
const DIFFICULTY: usize = 42;
/// What the label of a normal connection is.
const NORMAL: &str = "normal";
const CATEGORICAL: [(usize, &str); 2] = [(1, NAMES[1]), (3, NAMES[3])];
/// The features by their names in the data set's own description (kddcup.names).
#[rustfmt::skip]
const NAMES: [&str; LABEL] = [
    "duration", "protocol_type", "service", "flag", "src_bytes", "dst_bytes", "land", "wrong_fragment", "urgent", "hot",
    "num_failed_logins", "logged_in", "num_compromised", "root_shell", "su_attempted", "num_root", "num_file_creations",
    "num_shells", "num_access_files", "num_outbound_cmds", "is_host_login", "is_guest_login", "count", "srv_count",
    "serror_rate", "srv_serror_rate", "rerror_rate", "srv_rerror_rate", "same_srv_rate", "diff_srv_rate",
    "srv_diff_host_rate", "dst_host_count", "dst_host_srv_count", "dst_host_same_srv_rate", "dst_host_diff_srv_rate",
    "dst_host_same_src_port_rate", "dst_host_srv_diff_host_rate", "dst_host_serror_rate", "dst_host_srv_serror_rate",
    "dst_host_rerror_rate", "dst_host_srv_rerror_rate",
];

impl NslKdd {
    /// The training and the test file.
    fn find(&self, data: &DataDir) -> Result<[PathBuf; 2]> {
        let find = |name: &str| {
            files::first_of(data, &[&format!("nsl_kdd/{name}.txt.gz"), &format!("nsl_kdd/{name}.txt")], HINT)
        };
        let train = match self.training {
            Training::Full => "KDDTrain+",
            Training::Fifth => "KDDTrain+_20Percent",
        };
        Ok([find(train)?, find("KDDTest+")?])
    }
}

impl Load for NslKdd {
    fn files(&self, data: &DataDir) -> Result<Vec<DataFile>> {
        let by = [ReadBy::Training, ReadBy::Tests];
        Ok(self.find(data)?.into_iter().zip(by).map(|(path, read_by)| DataFile::new(path, read_by)).collect())
    }

    fn open(&self, data: &DataDir) -> Result<Arc<dyn Dataset>> {
        let [train, test] = self.find(data)?;
        let (train_text, test_text) = (files::text(&train)?, files::text(&test)?);
        let (train_lines, test_lines) = (lines(&train, &train_text)?, lines(&test, &test_text)?);
        let layout = Layout {
            numeric: (0..LABEL).filter(|&k| is_numeric(k)).map(|k| NAMES[k].to_owned()).collect(),
            categorical: CATEGORICAL
                .iter()
                .map(|&(k, name)| (name.to_owned(), tabular::categories(train_lines.iter().map(|l| l[k]))))
                .collect(),
            ..Layout::default()
        };
        let (wanted_train, wanted_test) = (&self.meta_train, &self.meta_test);
        let trained = by_service(&train, &train_lines, &layout, "train")?;
        let trained = if wanted_train.is_empty() {
            let kept = |(s, d): &(&str, TabularDomain)| {
                d.normal.len >= self.min_normals && !wanted_test.iter().any(|w| w == s)
            };
            trained.into_iter().filter(kept).map(|(_, d)| d).collect()
        } else {
            choose(&train, trained, wanted_train)?
        };
        let tested = choose(&test, by_service(&test, &test_lines, &layout, "test")?, wanted_test)?;
        if tested.is_empty() {
            return Err(Error::Config("nsl_kdd: meta_test is empty".into()));
        }
        let split = trained.len();
        let domains: Vec<_> = trained.into_iter().chain(tested).collect();
        let fold = Fold::single(0..split, split..domains.len());
        let seen: BTreeSet<&str> = train_lines.iter().map(|l| l[LABEL]).collect();
        let set = Tabular::new(SPEC.name, layout, domains, fold, true);
        let lines_of =
            |domain: &TabularDomain| if domain.name.starts_with("train/") { &train_lines } else { &test_lines };
        Ok(Arc::new(set.with_tags(|domain, rows| tags(lines_of(domain), rows, &seen))))
    }

    fn tags(&self) -> &'static [&'static str] {
        &["attack", "attack_seen", "difficulty", "protocol"]
    }
}

fn is_numeric(field: usize) -> bool {
    field != SERVICE && CATEGORICAL.iter().all(|(k, _)| *k != field)
}

/// The kind of attack (none of a normal connection), whether the training file has that kind, the published difficulty and
/// the protocol of these rows of a file.
fn tags(lines: &[Vec<&str>], rows: &[u32], seen: &BTreeSet<&str>) -> Tags {
    let field = |k: usize| rows.iter().map(move |&row| lines[row as usize][k]);
    let attack = || field(LABEL).map(|label| Some(label).filter(|l| *l != NORMAL));
    let texts = |k: usize| field(k).map(str::to_owned).collect();
    Tags::none(rows.len())
        .words("attack", attack().map(|a| a.map(str::to_owned)))
        .numbers("attack_seen", attack().map(|a| a.map(|a| f64::from(u8::from(seen.contains(a))))))
        .with("difficulty", TagValues::read(texts(DIFFICULTY)))
        .words("protocol", field(PROTOCOL).map(|p| Some(p.to_owned())))
}

/// The fields of every line.
fn lines<'t>(path: &Path, text: &'t str) -> Result<Vec<Vec<&'t str>>> {
    let split = |(i, line): (usize, &'t str)| {
        let fields: Vec<&str> = line.trim_end().split(',').collect();
        if fields.len() == FIELDS {
            return Ok(fields);
        }
        Err(Error::data(path, format!("line {}: {} fields instead of {FIELDS}", i + 1, fields.len()), HINT))
    };
    text.lines().enumerate().filter(|(_, l)| !l.trim().is_empty()).map(split).collect()
}

/// The rows of each service; its domain is named `<file>/<service>`.
fn by_service<'t>(
    path: &Path,
    lines: &[Vec<&'t str>],
    layout: &Layout,
    file: &str,
) -> Result<BTreeMap<&'t str, TabularDomain>> {
    let mut services = BTreeMap::new();
    for (i, fields) in lines.iter().enumerate() {
        let service = fields[SERVICE];
        let domain = services.entry(service).or_insert_with(|| TabularDomain::new(format!("{file}/{service}")));
        let number = |k: usize| {
            let value = fields[k].parse::<f64>().ok().filter(|v| v.is_finite());
            value.ok_or_else(|| {
                let message = format!("line {}, field {}: `{}` is not a finite number", i + 1, k + 1, fields[k]);
                Error::data(path, message, HINT)
            })
        };
        let numeric = (0..LABEL).filter(|&k| is_numeric(k)).map(number).collect::<Result<Vec<_>>>()?;
        let codes = CATEGORICAL.iter().enumerate().map(|(c, &(k, _))| layout.code(c, fields[k]));
        domain.pool_mut(fields[LABEL] != NORMAL).push(i, numeric, codes);
    }
    Ok(services)
}

/// The domains of the services `wanted`, in their sorted order.
fn choose(path: &Path, mut services: BTreeMap<&str, TabularDomain>, wanted: &[String]) -> Result<Vec<TabularDomain>> {
    let known: Vec<&str> = services.keys().copied().collect();
    let mut wanted = wanted.to_vec();
    wanted.sort();
    wanted.dedup();
    let take = |w: &String| {
        let domain = services.remove(w.as_str());
        domain.ok_or_else(|| Error::data(path, format!("no service `{w}`"), suggest::hint(w, known.clone())))
    };
    wanted.iter().map(take).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;
    use serde_json::json;
    use zsad_core::Subset;

    fn line(protocol: &str, service: &str, flag: &str, duration: &str, label: &str) -> String {
        format!("{duration},{protocol},{service},{flag},{}{label},20\n", "1,".repeat(37))
    }

    fn folder(train: &str, test: &str) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("nsl_kdd")).unwrap();
        std::fs::write(dir.path().join("nsl_kdd/KDDTrain+_20Percent.txt"), train).unwrap();
        std::fs::write(dir.path().join("nsl_kdd/KDDTest+.txt"), test).unwrap();
        dir
    }

    #[test]
    fn services_become_domains_and_unknown_flags_are_all_zero() {
        let train = line("tcp", "http", "SF", "5", "normal") + &line("udp", "smtp", "REJ", "6", "neptune");
        let dir = folder(&train, &line("tcp", "smtp", "NEW", "7", "mscan"));
        let set = testing::open(&DEF, json!({"meta_test": "smtp", "min_normals": 1}), dir.path()).unwrap();
        let sizes: Vec<_> = set.info().domains.iter().map(|d| (d.name.as_str(), d.normal, d.anomalous)).collect();
        assert_eq!(sizes, [("train/http", 1, 0), ("test/smtp", 0, 1)]);
        assert_eq!(set.info().modality, zsad_core::Modality::rows(38 + 2 + 2));
        let x = set.gather(&testing::subset(&*set, 0, Subset::Normal)).unwrap().to_f64().into_owned();
        assert_eq!((x[0], x[1], &x[38..]), (5.0, 1.0, &[1.0, 0.0, 0.0, 1.0][..]));
        let x = set.gather(&testing::subset(&*set, 1, Subset::Anomalous)).unwrap().to_f64().into_owned();
        assert_eq!((x[0], &x[38..]), (7.0, &[1.0, 0.0, 0.0, 0.0][..]));
    }

    #[test]
    fn connections_have_tags_that_are_no_features() {
        let train = line("tcp", "http", "SF", "5", "normal") + &line("udp", "http", "SF", "6", "neptune");
        let test = line("tcp", "smtp", "SF", "7", "mscan") + &line("icmp", "smtp", "SF", "8", "neptune");
        let dir = folder(&train, &(test + &line("tcp", "smtp", "SF", "7", "normal")));
        let set = testing::open(&DEF, json!({"meta_test": "smtp", "min_normals": 1}), dir.path()).unwrap();
        let refs = [testing::subset(&*set, 1, Subset::Anomalous), testing::subset(&*set, 1, Subset::Normal)].concat();
        let tags = set.tags(&refs).unwrap();
        let all = |name: &str| (0..3).map(|i| tags.get(name).unwrap().word(i).unwrap_or_default()).collect::<Vec<_>>();
        assert_eq!(all("attack"), ["mscan", "neptune", ""]);
        assert_eq!(all("attack_seen"), ["0", "1", ""]);
        assert_eq!(all("protocol"), ["tcp", "icmp", "tcp"]);
        assert_eq!(all("difficulty"), ["20", "20", "20"]);
        let configured = DEF.configure(&Default::default()).unwrap();
        assert_eq!(tags.names().collect::<Vec<_>>(), configured.tags());
    }

    #[test]
    fn mistakes_are_named_with_their_place() {
        let good = line("tcp", "smtp", "SF", "5", "normal");
        let fails = |train: &str, test: &str, given| {
            testing::open(&DEF, given, folder(train, test).path()).err().unwrap().to_string()
        };
        let message = fails(&(good.clone() + "1,2\n"), &good, json!({}));
        assert!(message.contains("KDDTrain+_20Percent.txt: line 2: 2 fields instead of 43"), "{message}");
        let message = fails(&good, &line("tcp", "smtp", "SF", "NaN", "normal"), json!({}));
        assert!(message.contains("KDDTest+.txt: line 1, field 1: `NaN` is not a finite number"), "{message}");
        let message = fails(&good, &good, json!({"meta_test": "smpt"}));
        assert!(message.contains("no service `smpt`; hint: did you mean `smtp`?"), "{message}");
        let message = fails(&good, &good, json!({"training": "full"}));
        assert!(message.contains("KDDTrain+.txt.gz: not found"), "{message}");
    }

    #[test]
    fn it_knows_the_files_that_its_samples_depend_on() {
        let line = |n: &str| line("tcp", "http", "SF", n, "normal");
        let dir = folder(&(line("5") + &line("6")), &(line("7") + &line("8")));
        testing::knows_its_files(&DEF, json!({"min_normals": 1, "meta_test": "http"}), dir.path());
    }
}
