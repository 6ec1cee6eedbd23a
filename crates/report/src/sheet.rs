//! A page of small grids with notes, in Markdown, LaTeX or plain text: what every printed table is made of.

use std::fmt::Write;

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
}

/// A page.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sheet {
    /// Title.
    pub title: String,
    /// How to read it.
    pub legend: String,
    /// Grids.
    pub blocks: Vec<Block>,
    /// Notes, in the order of their marks.
    pub notes: Vec<String>,
}

impl Sheet {
    /// The mark of a note, which is added where it is new.
    pub fn note(&mut self, text: &str) -> String {
        let found = self.notes.iter().position(|n| n == text);
        let i = found.unwrap_or_else(|| {
            self.notes.push(text.to_owned());
            self.notes.len() - 1
        });
        letters(i)
    }

    /// GitHub Markdown.
    pub fn to_markdown(&self) -> String {
        let mut out = format!("# {}\n\n{}\n", markdown(&self.title), markdown(&self.legend));
        for block in &self.blocks {
            let _ = write!(out, "\n## {}\n\n", markdown(&block.caption));
            let row = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
            out += &row(block.header.iter().map(|h| markdown(h)).collect());
            let rule = |c: usize| if c < block.words { "---" } else { "--:" }.to_owned();
            out += &row((0..block.header.len()).map(rule).collect());
            for line in &block.lines {
                out += &row(line.iter().map(markdown_text).collect());
            }
        }
        for (i, note) in self.notes.iter().enumerate() {
            let _ = write!(out, "\n<sup>{}</sup> {}\n", letters(i), markdown(note));
        }
        out
    }

    /// LaTeX for `booktabs`, one `table` a grid.
    pub fn to_tex(&self) -> String {
        let mut out = format!("% {}\n% Needs \\usepackage{{booktabs}}.\n", self.title.replace('\n', " "));
        for (i, block) in self.blocks.iter().enumerate() {
            let columns: String = (0..block.header.len()).map(|c| if c < block.words { 'l' } else { 'r' }).collect();
            // The legend is long: it stands under the first table alone.
            let legend = if i == 0 { format!(". {}", tex(&self.legend)) } else { String::new() };
            let _ = write!(
                out,
                "\\begin{{table}}\n\\centering\\small\n\\caption{{{}{legend}}}\n\\begin{{tabular}}{{{columns}}}\n\\toprule\n",
                tex(&block.caption)
            );
            let row = |cells: Vec<String>| format!("{} \\\\\n", cells.join(" & "));
            out += &row(block.header.iter().map(|h| tex(h)).collect());
            out += "\\midrule\n";
            for line in &block.lines {
                out += &row(line.iter().map(tex_text).collect());
            }
            out += "\\bottomrule\n\\end{tabular}\n";
            if i + 1 == self.blocks.len() {
                for (i, note) in self.notes.iter().enumerate() {
                    let _ = writeln!(out, "\\par\\footnotesize\\textsuperscript{{{}}} {}", letters(i), tex(note));
                }
            }
            out += "\\end{table}\n";
        }
        out
    }

    /// Plain text in aligned columns; what is bold elsewhere carries a `*` here.
    pub fn to_terminal(&self) -> String {
        let mut out = format!("{}\n{}\n", self.title, wrap(&self.legend, 100));
        for block in &self.blocks {
            let plain = |t: &Text| {
                let marks = if t.marks.is_empty() { String::new() } else { format!(" ^{}", t.marks) };
                format!("{}{}{marks}", t.plain, if t.bold { "*" } else { "" })
            };
            let mut lines: Vec<Vec<String>> = vec![block.header.clone()];
            lines.extend(block.lines.iter().map(|line| line.iter().map(plain).collect()));
            let width = |c: usize| lines.iter().map(|l| l[c].chars().count()).max().unwrap_or(0);
            let widths: Vec<usize> = (0..block.header.len()).map(width).collect();
            let _ = write!(out, "\n{}\n", block.caption);
            for line in lines {
                let cells = line.iter().zip(&widths).map(|(cell, w)| format!("{cell:<w$}"));
                let _ = writeln!(out, "  {}", cells.collect::<Vec<_>>().join("   ").trim_end());
            }
        }
        for (i, note) in self.notes.iter().enumerate() {
            let _ = write!(out, "\n^{} {}", letters(i), note);
        }
        out.trim_end().to_owned() + "\n"
    }
}

/// a … z, aa, ab, …
fn letters(i: usize) -> String {
    let last = char::from(b'a' + (i % 26) as u8);
    if i < 26 { last.into() } else { format!("{}{last}", letters(i / 26 - 1)) }
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

fn markdown_text(text: &Text) -> String {
    let plain = markdown(&text.plain);
    let body = if text.bold { format!("**{plain}**") } else { plain };
    if text.marks.is_empty() { body } else { format!("{body}<sup>{}</sup>", markdown(&text.marks)) }
}

fn tex_text(text: &Text) -> String {
    let plain = tex(&text.plain);
    let body = if text.bold { format!("\\textbf{{{plain}}}") } else { plain };
    if text.marks.is_empty() { body } else { format!("{body}\\textsuperscript{{{}}}", tex(&text.marks)) }
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn notes_are_shared_and_marked_by_letters() {
        let mut sheet = Sheet::default();
        assert_eq!((sheet.note("x"), sheet.note("y"), sheet.note("x")), ("a".into(), "b".into(), "a".into()));
        assert_eq!(
            (letters(25), letters(26), letters(701), letters(702)),
            ("z".into(), "aa".into(), "zz".into(), "aaa".into())
        );
    }

    proptest! {
        /// Whatever a cell says, a Markdown line keeps its number of columns and a LaTeX line has no live command.
        #[test]
        fn any_text_stays_inside_its_cell(text in any::<String>()) {
            let md = markdown(&text);
            let bare = md.replace("\\\\", "").replace("\\|", "");
            prop_assert!(!bare.contains('|') && !md.contains('\n'));
            let latex = tex(&text).replace("\\textbackslash{}", "").replace("\\textasciitilde{}", "")
                .replace("\\textasciicircum{}", "").replace("\\ldots{}", "");
            for special in ['&', '%', '#', '_', '{', '}'] {
                let live = latex.replace(&format!("\\{special}"), "").contains(special);
                prop_assert!(!live, "{special} in {latex}");
            }
            prop_assert!(!latex.contains('\n'));
        }
    }
}
