//! A page of small grids with notes: what every printed table is made of.

use crate::grid::Point;

/// A piece of a grid.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Text {
    /// What it says, unescaped.
    pub plain: String,
    /// In bold.
    pub bold: bool,
    /// Superscript: references to notes and signs.
    pub marks: String,
}

impl<T: Into<String>> From<T> for Text {
    fn from(plain: T) -> Self {
        Text { plain: plain.into(), ..Text::default() }
    }
}

/// One grid.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Block {
    /// Heading.
    pub caption: String,
    /// How many columns at the left hold words; the others hold numbers.
    pub words: usize,
    /// Heads of the columns.
    pub header: Vec<String>,
    /// Lines; each as long as `header`.
    pub lines: Vec<Vec<Text>>,
    /// Lines about the columns, which stand under the others.
    pub foot: Vec<Vec<Text>>,
    /// Notes, in the order of their marks.
    pub notes: Vec<String>,
    /// What LaTeX refers to it by; may be empty.
    pub label: String,
    /// The protocol points that the last columns stand for; empty where columns are something else.
    pub points: Vec<Point>,
}

/// What legends call the sign of a best number; plain text has another.
pub(crate) const BOLD: &str = "Bold:";

/// A page.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sheet {
    /// Title.
    pub title: String,
    /// How to read it.
    pub legend: String,
    /// Whether its captions are a person's own.
    pub own_caption: bool,
    /// Grids.
    pub blocks: Vec<Block>,
}

impl Block {
    /// The mark of a note, which is added where it is new.
    pub fn note(&mut self, text: &str) -> String {
        let found = self.notes.iter().position(|n| n == text);
        let i = found.unwrap_or_else(|| {
            self.notes.push(text.to_owned());
            self.notes.len() - 1
        });
        letters(i)
    }
}

/// a … z, aa, ab, …
pub(crate) fn letters(i: usize) -> String {
    let last = char::from(b'a' + (i % 26) as u8);
    if i < 26 { last.into() } else { format!("{}{last}", letters(i / 26 - 1)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_are_shared_and_marked_by_letters() {
        let mut block = Block::default();
        assert_eq!((block.note("x"), block.note("y"), block.note("x")), ("a".into(), "b".into(), "a".into()));
        assert_eq!(
            (letters(25), letters(26), letters(701), letters(702)),
            ("z".into(), "aa".into(), "zz".into(), "aaa".into())
        );
    }
}
