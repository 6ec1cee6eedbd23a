//! A page on batches of a person's own: whether to trust the scores, which samples stand out, how the scores lie.

mod view;

use zsad_trust::{Decision, Estimate, Judgement, Verdict, VerdictOn};

use super::markup::Markup;
use super::pictures::Thumbnail;
use super::{document, section};

/// The page.
pub struct BatchPage<'a> {
    /// What was scored, and by what.
    pub title: String,
    /// Facts, each with its name.
    pub facts: Vec<(&'static str, String)>,
    /// The batches in their order.
    pub batches: Vec<BatchView>,
    /// The program that makes it, with its version.
    pub program: &'a str,
}

/// One batch.
pub struct BatchView {
    /// Which samples these are; empty where it is the only one.
    pub name: String,
    /// Every score.
    pub scores: Vec<f64>,
    /// What a calibration says of it.
    pub trust: Option<Trusted>,
    /// Its samples, the highest score first, as many as are shown.
    pub ranked: Vec<Ranked>,
}

/// What a calibration says of a batch.
pub struct Trusted {
    /// What its scores tell.
    pub judgement: Judgement,
    /// The verdict.
    pub verdict: VerdictOn,
    /// Samples by decision, in the order of [`Decision`].
    pub decisions: [usize; 3],
}

/// A sample among the highest scores.
pub struct Ranked {
    /// What it is called.
    pub name: String,
    /// Its score.
    pub score: f64,
    /// Its probability to be an anomaly, and what it is taken for.
    pub decided: Option<(f64, Decision)>,
    /// Small pictures of it: itself, and with its map over it.
    pub pictures: Vec<Thumbnail>,
    /// What stands out about it.
    pub stands_out: String,
}

impl BatchPage<'_> {
    /// The page, a whole HTML file.
    pub fn to_html(&self) -> String {
        let mut html = Markup::default();
        html.element("header", &[], |html| {
            html.leaf("h1", &[], &self.title);
            html.element("dl", &[("class", &"facts")], |html| {
                for (name, value) in &self.facts {
                    html.leaf("dt", &[], name);
                    html.leaf("dd", &[], value);
                }
            });
        });
        html.line();
        html.element("main", &[], |html| {
            section(html, "verdict", "Can these scores be trusted?", |html| self.verdicts(html));
            for batch in &self.batches {
                let of = if batch.name.is_empty() { String::new() } else { format!(": {}", batch.name) };
                html.element("section", &[("class", &"own")], |html| {
                    html.leaf("h2", &[], format_args!("Scores{of}"));
                    batch.drawings(html);
                    if !batch.ranked.is_empty() {
                        html.leaf("h3", &[], format_args!("The highest scores{of}"));
                        batch.table(html);
                    }
                });
                html.line();
            }
        });
        html.line();
        document(&self.title, self.program, html, "")
    }

    fn verdicts(&self, html: &mut Markup) {
        if self.batches.iter().all(|b| b.trust.is_none()) {
            html.element("p", &[], |html| {
                html.text("That was not asked: ");
                html.leaf("code", &[], "zsad calibrate");
                html.text(" learns from data with labels what the scores of such a batch tell, and ");
                html.leaf("code", &[], "zsad score --trust");
                html.text(" says it here.");
            });
            return;
        }
        for batch in &self.batches {
            if let Some(trust) = &batch.trust {
                trust.write(html, &batch.name);
            } else {
                html.leaf("p", &[], format_args!("{}: not judged, since it was not scored", batch.name));
            }
        }
    }
}

impl Trusted {
    fn write(&self, html: &mut Markup, name: &str) {
        let VerdictOn { verdict, against, unknown } = &self.verdict;
        let class = match verdict {
            Verdict::Trust => "verdict good",
            Verdict::Doubtful => "verdict doubt",
            Verdict::DoNotTrust => "verdict bad",
        };
        html.element("div", &[("class", &class)], |html| {
            html.element("p", &[], |html| {
                if !name.is_empty() {
                    html.text(format_args!("{name}: "));
                }
                html.leaf("strong", &[], verdict);
            });
            html.element("ul", &[], |html| {
                against.iter().for_each(|why| html.leaf("li", &[], format_args!("against it: {why}")));
                unknown.iter().for_each(|what| html.leaf("li", &[], format_args!("not known: {what}")));
            });
            let found = &self.judgement;
            let rows = [
                ("anomalies among the samples", percent(&found.contamination)),
                ("chance that an anomaly scores above a normal sample (AUROC)", percent(&found.auroc)),
                ("samples", self.decided()),
                ("chance of a batch of the calibration's kind to look as strange", format!("{:.3}", found.novelty_p)),
            ];
            html.element("dl", &[("class", &"facts")], |html| {
                for (name, value) in rows {
                    html.leaf("dt", &[], name);
                    html.leaf("dd", &[], value);
                }
            });
        });
    }

    fn decided(&self) -> String {
        let [normal, anomalous, rejected] = self.decisions;
        format!("{normal} normal, {anomalous} anomalies, {rejected} cannot be told")
    }
}

fn percent(of: &Estimate) -> String {
    format!("{:.0} %, between {:.0} and {:.0} % nine times in ten", 100.0 * of.mean, 100.0 * of.lo, 100.0 * of.hi)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(trust: Option<Trusted>) -> String {
        let decided = trust.as_ref().map(|_| (0.93, Decision::Anomaly));
        let name = "<b>part</b>.png".to_owned();
        let ranked = Ranked { name, score: 2.5, decided, pictures: Vec::new(), stands_out: "`a` +3.1 sd".into() };
        let view = BatchView { name: String::new(), scores: vec![0.1, 0.2, 0.15, 2.5], trust, ranked: vec![ranked] };
        let facts = vec![("method", "knn".to_owned())];
        BatchPage { title: "a & b".into(), facts, batches: vec![view], program: "zsad 0" }.to_html()
    }

    fn trusted() -> Trusted {
        let at = |mean: f64| Estimate { mean, lo: mean - 0.1, hi: mean + 0.1 };
        let judgement = Judgement {
            contamination: at(0.25),
            contaminations: vec![0.1, 0.2, 0.25, 0.4],
            auroc: at(0.75),
            probabilities: vec![0.1; 4],
            novelty_p: 0.4,
            least_p: 1.0 / 7.0,
            domains: 6,
            most_contaminated: 0.5,
        };
        let verdict = zsad_trust::Rules::default().on(&judgement);
        Trusted { judgement, verdict, decisions: [3, 1, 0] }
    }

    #[test]
    fn names_stay_text_and_nothing_is_asked_for() {
        let html = page(None);
        assert!(html.contains("&lt;b&gt;part&lt;/b&gt;.png") && html.contains("a &amp; b"));
        assert!(!html.contains("<script") && html.contains("Content-Security-Policy"));
        assert!(html.contains("That was not asked") && html.contains("25 % of the samples"));
    }

    #[test]
    fn the_verdict_stands_with_its_reasons() {
        let html = page(Some(trusted()));
        assert!(html.contains("<strong>doubtful</strong>"), "{html}");
        assert!(html.contains("the AUROC may be as low as 65") && html.contains("6 domains cannot"), "{html}");
        assert!(html.contains("3 normal, 1 anomalies, 0 cannot be told") && html.contains("0.930"), "{html}");
        // The highest quarter is in colour, and three of the four episodes lie in the interval.
        assert_eq!(html.matches("area anomalous").count(), 2);
    }
}
