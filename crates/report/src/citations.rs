//! BibTeX of what a run rests on. Methods and data sets say in plain words whose work they are (`citation`); the works
//! themselves stand in `assets/references.bib`, each once, with the words by which it is known there (`known_by`).

use std::collections::BTreeMap;

/// The works, in BibTeX, a field a line.
const REFERENCES: &str = include_str!("../assets/references.bib");

/// The field that is ours: words by which a declaration names the work, ` | ` between them.
const KNOWN_BY: &str = "known_by";

/// One work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Work {
    /// `article`, `inproceedings`, …
    kind: &'static str,
    /// What `\cite` calls it.
    pub key: &'static str,
    fields: Vec<(&'static str, &'static str)>,
}

impl Work {
    /// A field such as `title` or `doi`, as BibTeX has it.
    pub fn field(&self, name: &str) -> Option<&'static str> {
        self.fields.iter().find(|(field, _)| *field == name).map(|(_, value)| *value)
    }

    /// Whether `citation` names it.
    fn is_named_in(&self, citation: &str) -> bool {
        self.field(KNOWN_BY).is_some_and(|words| words.split(" | ").any(|words| citation.contains(words)))
    }

    fn bibtex(&self) -> String {
        let fields = self.fields.iter().filter(|(name, _)| *name != KNOWN_BY);
        let fields: String = fields.map(|(name, value)| format!("  {name} = {{{value}}},\n")).collect();
        format!("@{}{{{},\n{fields}}}\n", self.kind, self.key)
    }
}

/// All works, sorted by key.
pub fn works() -> Vec<Work> {
    let mut works: Vec<Work> = Vec::new();
    for line in REFERENCES.lines() {
        // A test reads every line.
        if let Some((kind, key)) = line.strip_prefix('@').and_then(|head| head.split_once('{')) {
            works.push(Work { kind, key: key.trim_end_matches(','), fields: Vec::new() });
        } else if let Some((name, value)) = line.split_once(" = {")
            && let Some(work) = works.last_mut()
        {
            work.fields.push((name.trim(), value.trim_end_matches("},")));
        }
    }
    works
}

/// Something that a run used, and what it says of its source.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Used {
    /// Its name.
    pub name: String,
    /// Its citation, in plain words.
    pub citation: String,
}

/// The works that something used rests on.
pub fn behind<'w>(used: &Used, works: &'w [Work]) -> Vec<&'w Work> {
    works.iter().filter(|work| work.is_named_in(&used.citation)).collect()
}

/// BibTeX of everything that was used, each work once, sorted by key, with the names of what rests on it. A citation that
/// names none of the works becomes a note of its own; one that names nothing at all (no year is in it), a remark.
pub fn bibtex(used: &[Used]) -> String {
    let works = works();
    let mut cited: BTreeMap<&str, (&Work, Vec<&str>)> = BTreeMap::new();
    let (mut notes, mut remarks) = (String::new(), String::new());
    for one in used {
        let behind = behind(one, &works);
        for work in &behind {
            cited.entry(work.key).or_insert((work, Vec::new())).1.push(&one.name);
        }
        if !behind.is_empty() {
            continue;
        }
        if has_year(&one.citation) {
            let key: String = one.name.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
            notes += &format!(
                "\n@misc{{zsad_{key},\n  title = {{{}}},\n  note = {{{}}},\n}}\n",
                plain(&one.name),
                plain(&one.citation)
            );
        } else {
            remarks += &format!("% {}: {}\n", one.name, one.citation);
        }
    }
    let entries = cited.values().map(|(work, names)| format!("\n% {}\n{}", names.join(", "), work.bibtex()));
    let entries: String = entries.collect();
    format!("{remarks}{}{entries}{notes}", this_program())
}

/// The program itself.
fn this_program() -> String {
    format!(
        "@misc{{zsad,\n  title = {{zsad: a reproducible benchmark harness for zero-shot, batch-level anomaly detection}},\n  \
         howpublished = {{{}}},\n  note = {{Version {}}},\n}}\n",
        env!("CARGO_PKG_REPOSITORY"),
        env!("CARGO_PKG_VERSION")
    )
}

fn has_year(text: &str) -> bool {
    let numbers = text.split(|c: char| !c.is_ascii_digit());
    numbers.into_iter().any(|n| n.len() == 4 && (n.starts_with("19") || n.starts_with("20")))
}

/// Text that TeX takes as it is meant.
fn plain(text: &str) -> String {
    let escaped = |c: char| match c {
        '#' | '$' | '%' | '&' | '_' => format!("\\{c}"),
        '{' | '}' | '\\' | '~' | '^' => String::new(),
        other => other.to_string(),
    };
    text.chars().map(escaped).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn used(name: &str, citation: &str) -> Used {
        Used { name: name.into(), citation: citation.into() }
    }

    #[test]
    fn every_line_of_the_references_is_read_and_keys_are_unique_and_sorted() {
        let works = works();
        assert!(works.is_sorted_by(|a, b| a.key < b.key));
        let written: Vec<String> = works
            .iter()
            .map(|w| {
                let fields = w.fields.iter().map(|(name, value)| format!("  {name} = {{{value}}},\n"));
                format!("@{}{{{},\n{}}}\n", w.kind, w.key, fields.collect::<String>())
            })
            .collect();
        assert_eq!(written.join("\n"), REFERENCES);
        for work in &works {
            let braces = |c: char| work.fields.iter().flat_map(|(_, v)| v.chars()).filter(|x| *x == c).count();
            assert_eq!(braces('{'), braces('}'), "{}", work.key);
            let venue = ["booktitle", "journal", "howpublished", "institution"].iter().any(|f| work.field(f).is_some());
            assert!(
                venue && ["author", "title", "year", KNOWN_BY].iter().all(|f| work.field(f).is_some()),
                "{}",
                work.key
            );
            assert!(work.key.contains(work.field("year").unwrap()), "{}", work.key);
        }
    }

    #[test]
    fn a_work_is_cited_once_with_all_that_rests_on_it() {
        let text = bibtex(&[
            used("acr_dsvdd", "Li et al.: Zero-Shot Anomaly Detection via Batch Normalization, NeurIPS 2023"),
            used("my_method", "Nobody & Somebody: 100 % of It, 2031"),
            used(
                "omniglot",
                "Human-Level Concept Learning … 2015. Protocol: Zero-Shot Anomaly Detection via Batch Normalization",
            ),
            used("table", "your own data"),
        ]);
        assert!(text.starts_with("% table: your own data\n@misc{zsad,\n"), "{text}");
        assert_eq!(text.matches("@inproceedings{li2023zero,").count(), 1);
        assert!(text.contains("% acr_dsvdd, omniglot\n@inproceedings{li2023zero,\n  author = {Li, Aodong and Qiu"));
        assert!(text.contains("% omniglot\n@article{lake2015human,"));
        let own = "@misc{zsad_my_method,\n  title = {my\\_method},\n  note = {Nobody \\& Somebody: 100 \\% of It, 2031},\n}\n";
        assert!(text.contains(own), "{text}");
        assert!(!text.contains(KNOWN_BY));
    }
}
