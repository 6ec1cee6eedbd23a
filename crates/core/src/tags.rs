//! Tags: named values of samples that no method sees, such as the kind of a defect or who drew a character. Analyses of
//! stored scores read them; nothing that trains or scores can.

use std::collections::BTreeMap;

/// The values of one tag, one a sample; `None` where a sample has none.
#[derive(Debug, Clone, PartialEq)]
pub enum TagValues {
    /// Numbers, finite.
    Numbers(Vec<Option<f64>>),
    /// Words.
    Words(Vec<Option<String>>),
}

impl TagValues {
    /// How many samples there are.
    pub fn len(&self) -> usize {
        match self {
            TagValues::Numbers(v) => v.len(),
            TagValues::Words(v) => v.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of sample `i`; `None` where it has none, or its tag is a word.
    pub fn number(&self, i: usize) -> Option<f64> {
        match self {
            TagValues::Numbers(v) => v.get(i).copied().flatten(),
            TagValues::Words(_) => None,
        }
    }

    /// The value of sample `i` as a word; numbers as they are printed.
    pub fn word(&self, i: usize) -> Option<String> {
        match self {
            TagValues::Numbers(v) => v.get(i).copied().flatten().map(|v| v.to_string()),
            TagValues::Words(v) => v.get(i).cloned().flatten(),
        }
    }

    /// Values read from texts, an empty one is no value: numbers where all the others are finite numbers, else words.
    pub fn read(texts: Vec<String>) -> Self {
        let number = |text: &String| match text.as_str() {
            "" => Some(None),
            text => text.parse().ok().filter(|v: &f64| v.is_finite()).map(Some),
        };
        match texts.iter().map(number).collect() {
            Some(numbers) => TagValues::Numbers(numbers),
            None => TagValues::Words(texts.into_iter().map(|t| Some(t).filter(|t| !t.is_empty())).collect()),
        }
    }

    fn pick(&self, rows: &[usize]) -> Self {
        match self {
            TagValues::Numbers(v) => TagValues::Numbers(rows.iter().map(|&i| v.get(i).copied().flatten()).collect()),
            TagValues::Words(v) => TagValues::Words(rows.iter().map(|&i| v.get(i).cloned().flatten()).collect()),
        }
    }

    /// The values of `self` and then those of `other`; words where one of them is.
    fn append(&mut self, other: TagValues) {
        match (&mut *self, other) {
            (TagValues::Numbers(own), TagValues::Numbers(more)) => own.extend(more),
            (TagValues::Words(own), TagValues::Words(more)) => own.extend(more),
            (TagValues::Words(own), more @ TagValues::Numbers(_)) => own.extend((0..more.len()).map(|i| more.word(i))),
            (own @ TagValues::Numbers(_), TagValues::Words(more)) => {
                let words = (0..own.len()).map(|i| own.word(i)).chain(more).collect();
                *own = TagValues::Words(words);
            }
        }
    }

    fn nothing(n: usize) -> Self {
        TagValues::Numbers(vec![None; n])
    }
}

/// Tags of some samples: columns by name, all of one length.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tags {
    columns: BTreeMap<String, TagValues>,
    len: usize,
}

impl Tags {
    /// No tags of `len` samples.
    pub fn none(len: usize) -> Self {
        Tags { columns: BTreeMap::new(), len }
    }

    /// The same with one more tag; one of that name is replaced.
    ///
    /// # Panics
    /// Where it has not as many values as there are samples (a mistake of the caller).
    pub fn with(mut self, name: &str, values: TagValues) -> Self {
        assert_eq!(values.len(), self.len, "values of tag `{name}`");
        self.columns.insert(name.to_owned(), values);
        self
    }

    /// The same with a tag of words.
    pub fn words(self, name: &str, values: impl IntoIterator<Item = Option<String>>) -> Self {
        self.with(name, TagValues::Words(values.into_iter().collect()))
    }

    /// The same with a tag of numbers.
    pub fn numbers(self, name: &str, values: impl IntoIterator<Item = Option<f64>>) -> Self {
        self.with(name, TagValues::Numbers(values.into_iter().collect()))
    }

    /// How many samples there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no sample.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The names of the tags, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.columns.keys().map(String::as_str)
    }

    /// The values of a tag.
    pub fn get(&self, name: &str) -> Option<&TagValues> {
        self.columns.get(name)
    }

    /// Names and values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &TagValues)> {
        self.columns.iter().map(|(name, values)| (name.as_str(), values))
    }

    /// The tags of the samples of these numbers, in their order.
    pub fn pick(&self, rows: &[usize]) -> Self {
        let columns = self.columns.iter().map(|(name, values)| (name.clone(), values.pick(rows))).collect();
        Tags { columns, len: rows.len() }
    }

    /// The samples of `other` behind these; who lacks a tag has no value of it.
    pub fn append(&mut self, mut other: Tags) {
        for (name, values) in &mut self.columns {
            values.append(other.columns.remove(name).unwrap_or_else(|| TagValues::nothing(other.len)));
        }
        for (name, values) in other.columns {
            let mut all = TagValues::nothing(self.len);
            all.append(values);
            self.columns.insert(name, all);
        }
        self.len += other.len;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_numbers_where_all_of_them_are() {
        let read = |texts: &[&str]| TagValues::read(texts.iter().map(|t| (*t).to_owned()).collect());
        assert_eq!(read(&["1", "", "2.5"]), TagValues::Numbers(vec![Some(1.0), None, Some(2.5)]));
        assert_eq!(read(&["1", "x", ""]), TagValues::Words(vec![Some("1".into()), Some("x".into()), None]));
        assert_eq!(read(&["1", "nan"]).word(1).as_deref(), Some("nan"), "not a number to count with");
        assert_eq!(read(&["3"]).word(0).as_deref(), Some("3"));
    }

    #[test]
    fn tags_are_picked_and_appended_with_holes_where_there_is_nothing() {
        let mut tags = Tags::none(2).numbers("level", [Some(1.0), Some(2.0)]).pick(&[1, 0]);
        let more = Tags::none(1).words("kind", [Some("crack".into())]).numbers("level", [Some(3.0)]);
        tags.append(more);
        tags.append(Tags::none(1).words("level", [Some("high".into())]));
        let all = |name: &str| (0..tags.len()).map(|i| tags.get(name).unwrap().word(i)).collect::<Vec<_>>();
        assert_eq!(all("level"), ["2", "1", "3", "high"].map(|w| Some(w.to_owned())));
        assert_eq!(all("kind"), [None, None, Some("crack".into()), None]);
        assert_eq!((tags.len(), tags.names().collect::<Vec<_>>()), (4, vec!["kind", "level"]));
    }
}
