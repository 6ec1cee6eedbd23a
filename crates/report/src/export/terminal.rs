//! Plain text in aligned columns; what is bold elsewhere carries a `*` here.

use std::fmt::Write;

use super::Exporter;
use crate::sheet::{BOLD, Sheet, Text, letters};

/// Aligned plain text.
pub struct Terminal;

impl Exporter for Terminal {
    fn page(&self, sheet: &Sheet) -> String {
        let mut out = format!("{}\n{}\n", sheet.title, wrap(&sheet.legend.replace(BOLD, "*:"), 100));
        for block in &sheet.blocks {
            let plain = |t: &Text| {
                let marks = if t.marks.is_empty() { String::new() } else { format!(" ^{}", t.marks) };
                format!("{}{}{marks}", t.plain, if t.bold { "*" } else { "" })
            };
            let mut lines: Vec<Vec<String>> = vec![block.header.clone()];
            lines.extend(block.lines.iter().chain(&block.foot).map(|line| line.iter().map(plain).collect()));
            let width = |c: usize| lines.iter().map(|l| l[c].chars().count()).max().unwrap_or(0);
            let widths: Vec<usize> = (0..block.header.len()).map(width).collect();
            let _ = write!(out, "\n{}\n", block.caption);
            for line in lines {
                let cells = line.iter().zip(&widths).map(|(cell, w)| format!("{cell:<w$}"));
                let _ = writeln!(out, "  {}", cells.collect::<Vec<_>>().join("   ").trim_end());
            }
            for (i, note) in block.notes.iter().enumerate() {
                let _ = writeln!(out, "  ^{} {}", letters(i), note);
            }
        }
        out.trim_end().to_owned() + "\n"
    }
}

fn wrap(text: &str, width: usize) -> String {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        // There is always a last line.
        let last = lines.len() - 1;
        if !lines[last].is_empty() && lines[last].chars().count() + 1 + word.chars().count() > width {
            lines.push(word.to_owned());
        } else {
            let space = if lines[last].is_empty() { "" } else { " " };
            lines[last] += &format!("{space}{word}");
        }
    }
    lines.join("\n")
}
