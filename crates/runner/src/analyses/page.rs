//! What an analysis leaves: a table for machines, a page for people, numbers of batches and of cells.

use std::fmt::Write;

use zsad_store::{BatchNumbers, CellNumber};

use crate::csv::quoted;

/// One field of a table.
#[derive(Debug, Clone, PartialEq)]
pub enum Entry {
    /// A text.
    Text(String),
    /// A whole number.
    Count(usize),
    /// A share, in per cent on pages.
    Share(Option<f64>),
    /// Any other number.
    Number(Option<f64>),
}

impl Entry {
    /// As CSV: at full precision, nothing where there is no number.
    fn csv(&self) -> String {
        match self {
            Entry::Text(text) => quoted(text),
            Entry::Count(n) => n.to_string(),
            Entry::Share(v) | Entry::Number(v) => v.map_or(String::new(), |v| v.to_string()),
        }
    }

    fn page(&self) -> String {
        match self {
            Entry::Text(text) => text.replace('\\', "\\\\").replace('|', "\\|").replace('\n', " "),
            Entry::Count(n) => n.to_string(),
            Entry::Share(v) => v.map_or("–".into(), |v| format!("{:.1}", v * 100.0)),
            Entry::Number(v) => v.map_or("–".into(), |v| format!("{v:.3}")),
        }
    }
}

impl From<&str> for Entry {
    fn from(text: &str) -> Self {
        Entry::Text(text.to_owned())
    }
}

impl From<String> for Entry {
    fn from(text: String) -> Self {
        Entry::Text(text)
    }
}

impl From<usize> for Entry {
    fn from(n: usize) -> Self {
        Entry::Count(n)
    }
}

/// A table.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Table {
    /// Names of the columns.
    pub header: Vec<String>,
    /// Lines of as many entries.
    pub lines: Vec<Vec<Entry>>,
}

impl Table {
    /// A table without lines.
    pub fn new(header: &[&str]) -> Self {
        Table { header: header.iter().map(|h| (*h).to_owned()).collect(), lines: Vec::new() }
    }

    /// Adds a line.
    pub fn push(&mut self, line: Vec<Entry>) {
        self.lines.push(line);
    }

    /// As CSV.
    pub fn csv(&self) -> String {
        let mut text = self.header.iter().map(|h| quoted(h)).collect::<Vec<_>>().join(",") + "\n";
        for line in &self.lines {
            text += &(line.iter().map(Entry::csv).collect::<Vec<_>>().join(",") + "\n");
        }
        text
    }

    /// As Markdown.
    pub fn markdown(&self) -> String {
        let is_text = |column: usize| self.lines.iter().any(|l| matches!(l.get(column), Some(Entry::Text(_))));
        let rule = |column: usize| if is_text(column) { "---" } else { "--:" };
        let line = |fields: Vec<String>| format!("| {} |\n", fields.join(" | "));
        let mut text = line(self.header.clone());
        text += &line((0..self.header.len()).map(|c| rule(c).to_owned()).collect());
        self.lines.iter().for_each(|l| text += &line(l.iter().map(Entry::page).collect()));
        text
    }
}

/// A table on a page.
#[derive(Debug, Clone, PartialEq)]
pub struct Section {
    /// What it shows.
    pub caption: String,
    /// The table.
    pub table: Table,
}

/// What an analysis found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Output {
    /// Everything, for machines.
    pub table: Table,
    /// What a person reads first, and how to read it: paragraphs.
    pub remarks: Vec<String>,
    /// The tables of the page.
    pub sections: Vec<Section>,
    /// Numbers of cells, for `metrics.parquet`.
    pub numbers: Vec<CellNumber>,
    /// What it adds to `batches.parquet`.
    pub batches: BatchNumbers,
    /// A figure.
    pub figure: Option<zsad_report::plots::dots::Figure>,
}

impl Output {
    /// The page, under a title.
    pub fn markdown(&self, title: &str) -> String {
        let mut text = format!("# {title}\n");
        for remark in &self.remarks {
            let _ = write!(text, "\n{remark}\n");
        }
        for Section { caption, table } in &self.sections {
            let _ = write!(text, "\n**{caption}**\n\n{}", table.markdown());
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_exact_for_machines_and_short_for_people() {
        let mut table = Table::new(&["method", "n", "auroc", "c"]);
        table.push(vec!["a|b".into(), 3.into(), Entry::Share(Some(1.0 / 3.0)), Entry::Number(None)]);
        assert_eq!(table.csv(), "method,n,auroc,c\na|b,3,0.3333333333333333,\n");
        assert_eq!(
            table.markdown(),
            "| method | n | auroc | c |\n| --- | --: | --: | --: |\n| a\\|b | 3 | 33.3 | – |\n"
        );
    }
}
