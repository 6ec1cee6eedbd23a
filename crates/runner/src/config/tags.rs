//! `tags: FILE.csv` of a data set: a person's own tags of its samples. The columns `domain` and `sample` say which samples a
//! line is about, every other column is a tag.

use std::collections::{BTreeMap, HashMap};
use std::path::{Component, Path, PathBuf};

use glob::Pattern;
use zsad_core::{Dataset, Error, Result, SampleRef, Subset, TagValues, Tags, digest};

use super::fields::text;
use super::problem::Problems;
use super::yaml::Node;
use crate::facts;

/// A file of tags, read.
#[derive(Debug)]
pub struct TagFile {
    /// Where it lies.
    pub path: PathBuf,
    /// As the experiment names it: from its own folder, or absolute.
    pub named: PathBuf,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// A digest of them.
    pub digest: String,
    lines: Vec<Line>,
    /// The lines that name one sample of one domain, by both.
    exact: HashMap<(String, String), usize>,
    /// The others.
    patterns: Vec<usize>,
    /// The values of each tag, a line each.
    columns: BTreeMap<String, Vec<String>>,
}

/// Which samples a line is about.
#[derive(Debug)]
struct Line {
    /// Its number in the file, from 1.
    number: usize,
    domain: Pattern,
    sample: Pattern,
}

/// A sample as scores store it.
#[derive(Debug, Clone, Copy)]
pub struct Stored<'a> {
    /// The domain that it is of.
    pub domain: &'a str,
    /// Such as `a17`.
    pub id: &'a str,
    /// Such as `crack/012`; empty where it has none.
    pub name: &'a str,
}

/// Reads the file that `node` names, seen from `folder`.
pub fn read(node: &Node, folder: &Path, problems: &mut Problems) -> Option<TagFile> {
    let named = PathBuf::from(text(node, "`tags`", problems)?);
    if named.components().any(|part| part == Component::ParentDir) {
        let hint = "name a file beside the experiment or below its folder: a run keeps both together";
        problems.add(node.pos, format!("`tags` cannot be {}", node.describe()), hint);
        return None;
    }
    let path = folder.join(&named);
    let read = std::fs::read(&path).map_err(|e| Error::io(&path, &e)).and_then(|bytes| parse(&path, named, bytes));
    let hint =
        "a CSV file with the columns domain, sample and one a tag; sample is a name such as crack/012, or crack/*";
    read.map_err(|e| problems.add(node.pos, e.to_string(), hint)).ok()
}

fn parse(path: &Path, named: PathBuf, bytes: Vec<u8>) -> Result<TagFile> {
    let bad = |line: usize, what: String| Error::data(path, format!("line {line}: {what}"), "");
    let content = String::from_utf8_lossy(&bytes).into_owned();
    let mut rows = content.lines().enumerate().map(|(i, line)| (i + 1, line.trim_end()));
    let mut rows = rows.by_ref().filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    let (first, header) = rows.next().ok_or_else(|| bad(1, "the file is empty".into()))?;
    let header = fields(header);
    let place = |name: &str| {
        let found = header.iter().position(|h| h == name);
        found.ok_or_else(|| bad(first, format!("no column `{name}`")))
    };
    let (domain, sample) = (place("domain")?, place("sample")?);
    for (i, name) in header.iter().enumerate().filter(|(i, _)| *i != domain && *i != sample) {
        let word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if name.is_empty() || !name.chars().all(word) || header[..i].contains(name) {
            let what =
                format!("a tag cannot be called `{name}`: want lower-case letters, digits and _, each name once");
            return Err(bad(first, what));
        }
    }
    let mut columns: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let (mut lines, mut exact, mut patterns) = (Vec::new(), HashMap::new(), Vec::new());
    for (number, row) in rows {
        let row = fields(row);
        if row.len() != header.len() {
            return Err(bad(number, format!("{} fields instead of {}", row.len(), header.len())));
        }
        let pattern = |text: &str| Pattern::new(text).map_err(|e| bad(number, format!("`{text}` is no pattern: {e}")));
        // No domain: every domain.
        let domain = if row[domain].is_empty() { "*" } else { &row[domain] };
        match [domain, &row[sample]].iter().any(|text| text.contains(['*', '?', '['])) {
            true => patterns.push(lines.len()),
            false => drop(exact.insert((domain.to_owned(), row[sample].clone()), lines.len())),
        }
        lines.push(Line { number, domain: pattern(domain)?, sample: pattern(&row[sample])? });
        for (name, value) in header.iter().zip(&row).filter(|(name, _)| *name != "domain" && *name != "sample") {
            columns.entry(name.clone()).or_default().push(value.clone());
        }
    }
    if lines.is_empty() || columns.is_empty() {
        return Err(bad(first, "no tag of any sample".into()));
    }
    let digest = digest::of_bytes(&bytes);
    Ok(TagFile { path: path.to_owned(), named, bytes, digest, lines, exact, patterns, columns })
}

/// The fields of a line of CSV; texts may be quoted, a doubled quote stands for one.
fn fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let (mut quoted, mut characters) = (false, line.chars().peekable());
    while let Some(c) = characters.next() {
        match c {
            '"' if quoted && characters.peek() == Some(&'"') => {
                characters.next();
                if let Some(field) = fields.last_mut() {
                    field.push('"');
                }
            }
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            c => fields.iter_mut().next_back().into_iter().for_each(|field| field.push(c)),
        }
    }
    fields.into_iter().map(|field| field.trim().to_owned()).collect()
}

impl TagFile {
    /// The names of its tags.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.columns.keys().map(String::as_str)
    }

    /// The last line that is about a sample.
    fn line(&self, sample: Stored) -> Option<usize> {
        let called = [sample.name, sample.id].into_iter().filter(|text| !text.is_empty());
        let exact = called.clone().filter_map(|text| self.exact.get(&(sample.domain.to_owned(), text.to_owned())));
        let fits = |line: &&usize| {
            let line = &self.lines[**line];
            line.domain.matches(sample.domain) && called.clone().any(|text| line.sample.matches(text))
        };
        exact.chain(self.patterns.iter().filter(fits)).max().copied()
    }

    /// The tags of some samples.
    pub fn tags(&self, samples: &[Stored]) -> Tags {
        let lines: Vec<Option<usize>> = samples.iter().map(|s| self.line(*s)).collect();
        let mut tags = Tags::none(samples.len());
        for (name, values) in &self.columns {
            // One kind for the whole file, whatever samples are asked for.
            let all = TagValues::read(values.clone());
            tags = match all {
                TagValues::Numbers(v) => tags.numbers(name, lines.iter().map(|l| l.and_then(|l| v[l]))),
                TagValues::Words(v) => tags.words(name, lines.iter().map(|l| l.and_then(|l| v[l].clone()))),
            };
        }
        tags
    }

    /// Refuses lines that are about no sample of `dataset`.
    ///
    /// # Errors
    /// [`Error::Data`] with the first such line.
    pub fn check(&self, dataset: &dyn Dataset) -> Result<()> {
        let mut known = Vec::new();
        for (i, domain) in dataset.info().domains.iter().enumerate() {
            let all = Subset::ALL.into_iter().flat_map(|s| SampleRef::all(i, s, domain.size(s)));
            known.extend(all.map(|r| (&domain.name, facts::id(&r), dataset.sample_name(&r).unwrap_or_default())));
        }
        for line in &self.lines {
            let here = || known.iter().filter(|(domain, ..)| line.domain.matches(domain));
            let about = |text: &str| !text.is_empty() && line.sample.matches(text);
            if here().any(|(_, id, name)| about(id) || about(name)) {
                continue;
            }
            let what = match here().find(|(.., name)| !name.is_empty()).or_else(|| here().next()) {
                Some((domain, id, name)) => {
                    let one = if name.is_empty() { id } else { name };
                    format!("no sample `{}` in domain `{domain}`, which has `{one}`, for one", line.sample)
                }
                None => format!("no domain `{}`", line.domain),
            };
            let name = &dataset.info().name;
            return Err(Error::data(&self.path, format!("line {}: {name}: {what}", line.number), "mend or remove it"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> Result<TagFile> {
        parse(Path::new("t.csv"), "t.csv".into(), text.as_bytes().to_vec())
    }

    fn stored<'a>(domain: &'a str, id: &'a str, name: &'a str) -> Stored<'a> {
        Stored { domain, id, name }
    }

    #[test]
    fn samples_are_named_or_matched_and_the_last_line_wins() {
        let file = file(
            "# by hand\ndomain,sample,severity,who\nbottle,crack/*,2,\nbottle,crack/007,3,\"me, you\"\n,n*,0,me\n",
        )
        .unwrap();
        let samples = [
            stored("bottle", "a3", "crack/001"),
            stored("bottle", "a9", "crack/007"),
            stored("screw", "n1", ""),
            stored("screw", "a1", "x/1"),
        ];
        let tags = file.tags(&samples);
        let of = |name: &str| (0..4).map(|i| tags.get(name).unwrap().word(i).unwrap_or_default()).collect::<Vec<_>>();
        assert_eq!(of("severity"), ["2", "3", "0", ""]);
        assert_eq!(of("who"), ["", "me, you", "me", ""]);
        assert!(matches!(tags.get("severity"), Some(TagValues::Numbers(_))));
    }

    #[test]
    fn mistakes_are_named_with_their_line() {
        let message = |text: &str| file(text).err().unwrap().to_string();
        assert!(message("").contains("t.csv: line 1: the file is empty"));
        assert!(message("domain,x\n").contains("line 1: no column `sample`"));
        assert!(message("domain,sample,Level\na,b,1\n").contains("line 1: a tag cannot be called `Level`"));
        assert!(message("domain,sample,level\n\na,b\n").contains("line 3: 2 fields instead of 3"));
        assert!(message("domain,sample,level\na,[,1\n").contains("line 2: `[` is no pattern"));
        assert!(message("domain,sample\na,b\n").contains("no tag of any sample"));
    }

    #[test]
    fn unknown_samples_are_named_with_their_line() {
        let line = crate::testing::registry(&[]).dataset("line").unwrap().configure(&Default::default()).unwrap();
        let set = line.open(&zsad_core::DataDir::resolve(None)).unwrap();
        let said =
            |text: &str| file(text).unwrap().check(set.as_ref()).err().map(|e| e.to_string()).unwrap_or_default();
        assert_eq!(said("domain,sample,level\nd0,n0,1\n*,n2?,2\n"), "");
        let message = said("domain,sample,level\nd0,n0,1\nd1,n30,2\n");
        assert!(message.contains("t.csv: line 3: line: no sample `n30` in domain `d1`, which has `n0`"), "{message}");
        assert!(said("domain,sample,level\nd9,n0,1\n").contains("line 2: line: no domain `d9`"));
    }
}
