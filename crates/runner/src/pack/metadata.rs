//! The crate's description of itself: RO-Crate 1.1 (<https://w3id.org/ro/crate/1.1>), JSON-LD.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use zsad_report::citations::{Used, Work, behind, works};
use zsad_store::run_folder::SavedPlan;

use super::{METADATA, PREVIEW};

/// What is said of a run beside its files.
pub struct Facts {
    /// Experiment and profile.
    pub plan: SavedPlan,
    /// One line, as the experiment has it.
    pub description: String,
    /// The calls that computed it, as `provenance.json` has them.
    pub runs: Vec<Value>,
    /// Methods, data sets and metrics.
    pub used: Vec<Used>,
    /// Licence of the results: a URL or a word; `None` where nothing was said.
    pub licence: Option<String>,
}

impl Facts {
    /// The name of the run, which is that of its folder in the pack.
    pub fn name(&self) -> String {
        let SavedPlan { experiment, profile, .. } = &self.plan;
        let name = if profile.is_empty() { experiment.clone() } else { format!("{experiment}-{profile}") };
        // Merged runs may have several names.
        name.chars().map(|c| if c.is_ascii_alphanumeric() || matches!(c, '_' | '-') { c } else { '_' }).collect()
    }

    /// The end of the last call; the beginning of time where that is not known.
    fn published(&self) -> String {
        let ends = self.runs.iter().filter_map(|run| run["finished"].as_str());
        ends.max().unwrap_or("1970-01-01T00:00:00Z").to_owned()
    }

    /// The works behind it, each once, sorted by key.
    pub fn works(&self) -> Vec<Work> {
        let all = works();
        let cited: Vec<&str> = self.used.iter().flat_map(|used| behind(used, &all)).map(|work| work.key).collect();
        all.into_iter().filter(|work| cited.contains(&work.key)).collect()
    }
}

/// The description of a crate of `files`: size and SHA-256 by path.
pub fn describe(facts: &Facts, files: &BTreeMap<String, (u64, String)>) -> Value {
    let reference = |id: &str| json!({"@id": id});
    let data = || files.keys().filter(|path| *path != PREVIEW);
    let runs: Vec<Value> = facts.runs.iter().enumerate().map(|(i, run)| action(i, run, files)).collect();
    let works: Vec<Value> = facts.works().iter().map(article).collect();
    let licence = licence(facts.licence.as_deref());
    let ids = |of: &[Value]| of.iter().map(|v| json!({"@id": v["@id"]})).collect::<Vec<_>>();
    let about = if facts.description.is_empty() { "a run of zsad" } else { &facts.description };
    let mut graph = vec![
        json!({
            "@id": METADATA,
            "@type": "CreativeWork",
            "conformsTo": {"@id": "https://w3id.org/ro/crate/1.1"},
            "about": {"@id": "./"},
        }),
        json!({
            "@id": "./",
            "@type": "Dataset",
            "name": facts.name(),
            "description": format!("{about}. `zsad verify` checks every file and computes every metric again from the scores"),
            "datePublished": facts.published(),
            "license": {"@id": licence["@id"]},
            "hasPart": data().map(|path| reference(path)).collect::<Vec<_>>(),
            "mentions": single(ids(&runs)),
            "citation": single(ids(&works)),
        }),
        licence,
        json!({
            "@id": "#zsad",
            "@type": "SoftwareApplication",
            "name": "zsad",
            "version": env!("CARGO_PKG_VERSION"),
            "url": env!("CARGO_PKG_REPOSITORY"),
        }),
    ];
    graph.extend(runs);
    graph.extend(works);
    graph.extend(files.iter().map(|(path, (size, sum))| {
        let mut file = json!({
            "@id": path,
            "@type": "File",
            "name": path,
            "contentSize": size.to_string(),
            "encodingFormat": encoding(path),
            "sha256": sum,
        });
        if path == PREVIEW {
            file["@type"] = json!("CreativeWork");
            file["about"] = reference("./");
        } else if let Some(what) = what(path) {
            file["description"] = json!(what);
        }
        file
    }));
    json!({
        "@context": ["https://w3id.org/ro/crate/1.1/context", {"sha256": "http://schema.org/sha256"}],
        "@graph": graph,
    })
}

/// A list; of one value that value, as RO-Crate recommends.
fn single(mut values: Vec<Value>) -> Value {
    if values.len() == 1 { values.remove(0) } else { Value::Array(values) }
}

/// A call of the program.
fn action(i: usize, run: &Value, files: &BTreeMap<String, (u64, String)>) -> Value {
    let text = |name: &str| run[name].as_str().unwrap_or_default().to_owned();
    let words = run["command_line"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let there = |paths: &[&str]| -> Vec<Value> {
        paths.iter().filter(|p| files.contains_key(**p)).map(|p| json!({"@id": p})).collect()
    };
    json!({
        "@id": format!("#run-{}", i + 1),
        "@type": "CreateAction",
        "name": words.collect::<Vec<_>>().join(" "),
        "description": format!("zsad {}, commit {}, {} on {}", text("version"), text("git_sha"), text("device"), text("cpu")),
        "startTime": text("started"),
        "endTime": text("finished"),
        "instrument": {"@id": "#zsad"},
        "object": single(there(&["experiment.yaml"])),
        "result": single(there(&["results.parquet", "results.csv"])),
    })
}

/// A work that the run rests on.
fn article(work: &Work) -> Value {
    let plain = |name: &str| work.field(name).map(|value| value.replace(['{', '}'], ""));
    let doi = work.field("doi").map(|doi| format!("https://doi.org/{doi}"));
    let id = doi.or_else(|| work.field("url").map(str::to_owned)).unwrap_or_else(|| format!("#{}", work.key));
    let venue = ["booktitle", "journal", "howpublished", "institution"].iter().find_map(|name| plain(name));
    let (author, title, year) = (plain("author"), plain("title"), plain("year"));
    json!({
        "@id": id,
        "@type": "ScholarlyArticle",
        "name": title,
        "author": author,
        "datePublished": year,
        "description": venue,
        "identifier": work.key,
    })
}

/// The licence of the results.
fn licence(given: Option<&str>) -> Value {
    let (id, name) = match given {
        Some(url) if url.starts_with("https://") || url.starts_with("http://") => (url.to_owned(), url.to_owned()),
        Some(word) => (format!("https://spdx.org/licenses/{word}"), word.to_owned()),
        None => ("#licence".to_owned(), "none stated".to_owned()),
    };
    json!({"@id": id, "@type": "CreativeWork", "name": name, "description": "licence of the results; data and papers have their own"})
}

/// Media types of what a run leaves.
fn encoding(path: &str) -> &'static str {
    match path.rsplit('.').next() {
        Some("json") => "application/json",
        Some("yaml") => "application/yaml",
        Some("csv") => "text/csv",
        Some("parquet") => "application/vnd.apache.parquet",
        Some("md") => "text/markdown",
        Some("tex") => "application/x-tex",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("pdf") => "application/pdf",
        Some("html") => "text/html",
        _ => "application/octet-stream",
    }
}

/// What a file is.
fn what(path: &str) -> Option<&'static str> {
    let ends = |ending: &str| path.ends_with(ending);
    Some(match path.split('/').next()? {
        "records" if ends(".json") => "a finished cell: what it is, its metrics by domain, how it was computed",
        "records" => "the scores of a cell: domain, batch, index, label, score, row, sample, name, tags",
        "analyses" => "what an analysis made of the scores: a table, a page, numbers of cells and batches",
        "batches.parquet" => "a row a cell, domain and batch: metrics, and what analyses found",
        "metrics.parquet" => "numbers of cells that are no columns of the results",
        "metrics" => "a metric that was computed later",
        "files" => "which files, by digest, stand behind a digest of data",
        "plots" => "a figure",
        "models" => "a trained model, or the record of its training",
        "anomalies.json" => "what is odd about the numbers",
        "experiment.yaml" => "the experiment as it was read",
        "plan.json" => "the cells of the experiment",
        "provenance.json" => "commit, versions, processor, times and command line of every call",
        "results.csv" | "results.parquet" => "a row a cell and domain: metrics, counts, times, keys",
        "table.csv" | "table.md" | "table.tex" => "the comparison: means, deviations and intervals",
        _ => return None,
    })
}
