//! What is said of a judged batch.

use zsad_core::Choice;
use zsad_trust::{Decision, Estimate, Judgement, Verdict, VerdictOn, decide};

/// An estimate of a share or an AUROC, in per cent: `8 (3 to 15)`.
pub fn percent(of: &Estimate) -> String {
    format!("{:.0} ({:.0} to {:.0})", 100.0 * of.mean, 100.0 * of.lo, 100.0 * of.hi)
}

/// How many samples are decided which way, in the order of [`Decision`].
pub fn decisions(found: &Judgement, cost_reject: f64) -> [usize; 3] {
    let count = |wanted: &Decision| found.probabilities.iter().filter(|p| decide(**p, cost_reject) == *wanted).count();
    [0, 1, 2].map(|i| count(&Decision::ALL[i]))
}

/// The lines about one batch.
pub fn lines(found: &Judgement, verdict: &VerdictOn, cost_reject: f64) -> Vec<String> {
    let [normal, anomalous, rejected] = decisions(found, cost_reject);
    let least = match found.least_p {
        least if found.novelty_p <= 1.5 * least => {
            format!("; {:.3} is the least that {} domains can give", least, found.domains)
        }
        _ => String::new(),
    };
    let mut lines = vec![
        format!("  contamination, %   {}", percent(&found.contamination)),
        format!("  expected AUROC, %  {}", percent(&found.auroc)),
        format!("  samples            {normal} normal, {anomalous} anomalies, {rejected} cannot be told"),
        format!("  novelty            p = {:.3}{least}", found.novelty_p),
        format!("  verdict            {}", verdict.verdict),
    ];
    lines.extend(verdict.against.iter().map(|why| format!("    against it: {why}")));
    lines.extend(verdict.unknown.iter().map(|what| format!("    not known: {what}")));
    lines
}

/// One line about one of several batches.
pub fn line(name: &str, found: &Judgement, verdict: &VerdictOn) -> String {
    let (share, auroc) = (percent(&found.contamination), percent(&found.auroc));
    format!("  {name}: {}; contamination {share} %, AUROC {auroc}", verdict.verdict)
}

/// How many batches have which verdict.
pub fn verdicts<'a>(all: impl Iterator<Item = &'a VerdictOn> + Clone) -> String {
    let count = |v: &Verdict| all.clone().filter(|on| on.verdict == *v).count();
    let said = Verdict::ALL.iter().map(|v| (v, count(v))).filter(|(_, n)| *n > 0);
    said.map(|(v, n)| format!("{n} {v}")).collect::<Vec<_>>().join(", ")
}
