//! GitHub Markdown.

use std::fmt::Write;

use super::Exporter;
use crate::sheet::{Sheet, Text, letters};

/// GitHub Markdown.
pub struct Markdown;

impl Exporter for Markdown {
    fn page(&self, sheet: &Sheet) -> String {
        let mut out = format!("# {}\n\n{}\n", markdown(&sheet.title), markdown(&sheet.legend));
        for block in &sheet.blocks {
            let _ = write!(out, "\n## {}\n\n", markdown(&block.caption));
            let row = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
            out += &row(block.header.iter().map(|h| markdown(h)).collect());
            let rule = |c: usize| if c < block.words { "---" } else { "--:" }.to_owned();
            out += &row((0..block.header.len()).map(rule).collect());
            for line in block.lines.iter().chain(&block.foot) {
                out += &row(line.iter().map(markdown_text).collect());
            }
            for (i, note) in block.notes.iter().enumerate() {
                let _ = write!(out, "\n<sup>{}</sup> {}\n", letters(i), markdown(note));
            }
        }
        out
    }
}

fn markdown_text(text: &Text) -> String {
    let plain = markdown(&text.plain);
    let body = if text.bold { format!("**{plain}**") } else { plain };
    if text.marks.is_empty() { body } else { format!("{body}<sup>{}</sup>", markdown(&text.marks)) }
}

/// Escapes what Markdown would take for markup; a line break becomes a space. An underscore inside a word is none.
pub(crate) fn markdown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut before = ' ';
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let in_word = c == '_' && before.is_alphanumeric() && rest.peek().is_some_and(|n| n.is_alphanumeric());
        match c {
            '\n' | '\r' => out.push(' '),
            '|' | '*' | '_' | '`' | '\\' | '<' | '>' | '#' | '~' if !in_word => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
        before = c;
    }
    out
}
