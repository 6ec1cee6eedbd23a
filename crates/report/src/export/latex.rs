//! LaTeX with `booktabs`, one `table` a grid.

use std::fmt::Write;

use super::Exporter;
use crate::sheet::{Sheet, Text, letters};

/// LaTeX with `booktabs`.
pub struct Latex;

impl Exporter for Latex {
    fn page(&self, sheet: &Sheet) -> String {
        let mut out = format!("% {}\n% Needs \\usepackage{{booktabs}}.\n", sheet.title.replace('\n', " "));
        // Where the caption is a person's own, how to read the table is theirs to say, too.
        if sheet.own_caption {
            let _ = writeln!(out, "% {}", sheet.legend);
        }
        for (i, block) in sheet.blocks.iter().enumerate() {
            let columns: String = (0..block.header.len()).map(|c| if c < block.words { 'l' } else { 'r' }).collect();
            let _ = write!(out, "\\begin{{table}}\n\\centering\\small\n\\caption{{{}}}\n", tex(&block.caption));
            if !block.label.is_empty() {
                let _ = writeln!(out, "\\label{{{}}}", block.label);
            }
            let _ = write!(out, "\\begin{{tabular}}{{{columns}}}\n\\toprule\n");
            let row = |cells: Vec<String>| format!("{} \\\\\n", cells.join(" & "));
            out += &row(block.header.iter().map(|h| tex(h)).collect());
            out += "\\midrule\n";
            for line in &block.lines {
                out += &row(line.iter().map(tex_text).collect());
            }
            if !block.foot.is_empty() {
                out += "\\midrule\n";
            }
            for line in &block.foot {
                out += &row(line.iter().map(tex_text).collect());
            }
            out += "\\bottomrule\n\\end{tabular}\n";
            for (i, note) in block.notes.iter().enumerate() {
                let _ = writeln!(out, "\\par\\footnotesize\\textsuperscript{{{}}} {}", letters(i), tex(note));
            }
            // The legend is long: it stands under the first table alone.
            if i == 0 && !sheet.own_caption {
                let _ = writeln!(out, "\\par\\footnotesize {}", tex(&sheet.legend));
            }
            out += "\\end{table}\n";
        }
        out
    }
}

fn tex_text(text: &Text) -> String {
    let plain = tex(&text.plain);
    let body = if text.bold { format!("\\textbf{{{plain}}}") } else { plain };
    if text.marks.is_empty() { body } else { format!("{body}\\textsuperscript{{{}}}", tex(&text.marks)) }
}

/// Escapes what LaTeX would take for a command; a line break becomes a space.
pub(crate) fn tex(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' | '%' | '$' | '#' | '_' | '{' | '}' => {
                out.push('\\');
                out.push(c);
            }
            '\\' => out += "\\textbackslash{}",
            '~' => out += "\\textasciitilde{}",
            '^' => out += "\\textasciicircum{}",
            '<' => out += "$<$",
            '>' => out += "$>$",
            '±' => out += "$\\pm$",
            '≈' => out += "$\\approx$",
            '≤' => out += "$\\leq$",
            '≥' => out += "$\\geq$",
            '×' => out += "$\\times$",
            '−' => out += "$-$",
            '–' => out += "--",
            '…' => out += "\\ldots{}",
            '·' => out += "$\\cdot$",
            '\n' | '\r' => out.push(' '),
            c => out.push(c),
        }
    }
    out
}
