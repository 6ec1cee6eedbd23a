//! Mistakes in an experiment file, each with its place and a remedy.

use std::path::Path;

/// A place in the file, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pos {
    /// Line.
    pub line: usize,
    /// Column, in characters.
    pub col: usize,
}

/// One mistake. The order is the order in the file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Where it is.
    pub pos: Pos,
    /// What is wrong.
    pub message: String,
    /// What to write instead; may be empty.
    pub hint: String,
}

impl Problem {
    /// A mistake at `pos`.
    pub fn new(pos: Pos, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Problem { pos, message: message.into(), hint: hint.into() }
    }

    /// As printed: `FILE:LINE:COL: message`, and the hint on a line of its own.
    pub fn in_file(&self, file: &Path) -> String {
        let hint = if self.hint.is_empty() { String::new() } else { format!("\n  hint: {}", self.hint) };
        format!("{}:{}:{}: {}{hint}", file.display(), self.pos.line, self.pos.col, self.message)
    }
}

/// The mistakes found so far. The same mistake seen twice (a profile repeats the document) counts once.
#[derive(Debug, Default)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// Notes a mistake.
    pub fn push(&mut self, problem: Problem) {
        self.0.push(problem);
    }

    /// Notes a mistake at `pos`.
    pub fn add(&mut self, pos: Pos, message: impl Into<String>, hint: impl Into<String>) {
        self.0.push(Problem::new(pos, message, hint));
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All, in the order of the file.
    pub fn sorted(mut self) -> Vec<Problem> {
        self.0.sort();
        self.0.dedup();
        self.0
    }
}
