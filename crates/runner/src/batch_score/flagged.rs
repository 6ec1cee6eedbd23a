//! Which samples of a person's own batches are flagged.

use std::io::Write;

use zsad_core::Error;

use super::scorer::Scorer;
use super::split::Part;
use super::threshold::{self, Flags, Rule};

/// Which samples of every batch are flagged; the rule is said. What has no score is not.
pub fn flags(
    rule: Rule,
    scorer: &Scorer,
    scores: &[Option<f64>],
    parts: &[Part],
    out: &mut impl Write,
) -> anyhow::Result<Flags> {
    let references = match scorer.leave_one_out() {
        Err(Error::Refused(why)) => {
            crate::commands::note(format_args!("warning: the references cannot be scored one by one: {why}"));
            Vec::new()
        }
        found => found?,
    };
    let mut all = Flags { flags: vec![false; scores.len()], p_values: None, said: String::new() };
    for part in parts {
        let own: Vec<f64> = part.rows.iter().filter_map(|&row| scores[row]).collect();
        // A group is scored as a whole or not at all.
        if own.is_empty() {
            continue;
        }
        let found = threshold::decide(rule, &own, &references);
        for (i, &row) in part.rows.iter().enumerate() {
            all.flags[row] = found.flags[i];
        }
        if let Some(p_values) = found.p_values {
            let into = all.p_values.get_or_insert_with(|| vec![1.0; scores.len()]);
            part.rows.iter().zip(p_values).for_each(|(&row, p)| into[row] = p);
        }
        if all.said.is_empty() {
            all.said = found.said;
        }
    }
    let flagged = all.flags.iter().filter(|f| **f).count();
    let first = if parts.len() > 1 { " (the figures are the first batch's)" } else { "" };
    let scored = scores.iter().flatten().count();
    writeln!(out, "{flagged} of {scored} samples flagged: {}{first}", all.said)?;
    Ok(all)
}
