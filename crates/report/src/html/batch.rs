//! A page on batches of a person's own: whether to trust the scores, which samples stand out, how the scores lie.

use zsad_core::Choice;
use zsad_trust::{Decision, Estimate, Judgement, Verdict, VerdictOn, split};

use super::frame::{caption, head_with_numbers, scrolled};
use super::markup::Markup;
use super::pictures::Thumbnail;
use super::svg::{picture, short};
use super::{document, section};

/// A drawing's units.
const WIDTH: f64 = 480.0;
const HEIGHT: f64 = 120.0;
/// Room below it for its axis.
const AXIS: f64 = 18.0;
/// Bars of a histogram.
const BARS: usize = 40;

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

impl BatchView {
    fn drawings(&self, html: &mut Markup) {
        html.element("div", &[("class", &"panels")], |html| {
            let found = self.trust.as_ref().map(|t| &t.judgement);
            html.element("figure", &[("class", &"panel")], |html| self.histogram(html, found));
            if let Some(found) = found {
                html.element("figure", &[("class", &"panel")], |html| likely(html, found));
            }
        });
    }

    /// The scores, with the border above which the anomalies are estimated to lie.
    fn histogram(&self, html: &mut Markup, found: Option<&Judgement>) {
        let mut sorted = self.scores.clone();
        sorted.sort_by(f64::total_cmp);
        let (Some(&low), Some(&high)) = (sorted.first(), sorted.last()) else { return };
        let (border, said) = match found {
            Some(found) => {
                let share = found.contamination.mean;
                let above = (share * sorted.len() as f64).round() as usize;
                let border = above.checked_sub(1).map_or(f64::INFINITY, |i| sorted[sorted.len() - 1 - i]);
                (border, format!("the highest {:.0} %, estimated to be anomalies, in colour", 100.0 * share))
            }
            None => {
                let two = split(&sorted);
                (two.at, format!("the upper of two groups in colour ({:.0} % of the samples)", 100.0 * two.upper))
            }
        };
        html.leaf("figcaption", &[], format_args!("Scores: {said}"));
        let mut bars = [[0usize; BARS]; 2];
        for &score in &sorted {
            let share = if high > low { (score - low) / (high - low) } else { 0.5 };
            bars[usize::from(score >= border)][((share * BARS as f64) as usize).min(BARS - 1)] += 1;
        }
        let about = format!("histogram of {} scores from {low:.4} to {high:.4}; {said}", sorted.len());
        histogram(html, &about, &bars, (&format!("{low:.3}"), &format!("{high:.3}")));
    }

    fn table(&self, html: &mut Markup) {
        let decided = self.ranked.iter().any(|r| r.decided.is_some());
        let pictures = self.ranked.iter().any(|r| !r.pictures.is_empty());
        let stands_out = self.ranked.iter().any(|r| !r.stands_out.is_empty());
        let shown = format!("{} of {} samples", self.ranked.len(), self.scores.len());
        scrolled(html, &shown, |html| {
            html.element("table", &[], |html| {
                caption(html, &shown);
                let mut words = vec!["sample"];
                words.extend(pictures.then_some("picture"));
                words.extend(stands_out.then_some("stands out by"));
                words.extend(decided.then_some("taken for"));
                let mut numbers = vec!["score"];
                numbers.extend(decided.then_some("p (anomaly)"));
                head_with_numbers(html, &words, &numbers);
                html.element("tbody", &[], |html| self.ranked.iter().for_each(|r| r.row(html, pictures, stands_out)));
            });
        });
    }
}

impl Ranked {
    fn row(&self, html: &mut Markup, pictures: bool, stands_out: bool) {
        html.element("tr", &[], |html| {
            html.leaf("th", &[("scope", &"row")], &self.name);
            if pictures {
                html.element("td", &[("class", &"thumbs")], |html| {
                    self.pictures.iter().for_each(|picture| picture.write(html, &picture.name));
                });
            }
            if stands_out {
                html.leaf("td", &[("class", &"long")], &self.stands_out);
            }
            if let Some((_, decision)) = self.decided {
                html.leaf("td", &[], if decision == Decision::Rejected { "cannot be told" } else { decision.word() });
            }
            html.leaf("td", &[("class", &"number")], format_args!("{:.4}", self.score));
            if let Some((p, _)) = self.decided {
                html.leaf("td", &[("class", &"number")], format_args!("{p:.3}"));
            }
        });
        html.line();
    }
}

/// How contaminated the episodes were whose scores looked alike.
fn likely(html: &mut Markup, found: &Judgement) {
    let of = &found.contamination;
    html.leaf("figcaption", &[], format_args!("Anomalies among the samples: {}", percent(of)));
    let mut bars = [[0usize; BARS]; 2];
    for share in &found.contaminations {
        let bar = ((share / found.most_contaminated * BARS as f64) as usize).min(BARS - 1);
        bars[usize::from(of.covers(*share))][bar] += 1;
    }
    let about = format!("contaminations of {} simulated batches that looked alike", found.contaminations.len());
    histogram(html, &about, &bars, ("0 %", &format!("{:.0} %", 100.0 * found.most_contaminated)));
}

/// Two kinds of bars, one upon the other, and the ends of the axis.
fn histogram(html: &mut Markup, about: &str, bars: &[[usize; BARS]; 2], ends: (&str, &str)) {
    let most = (0..BARS).map(|i| bars[0][i] + bars[1][i]).max().unwrap_or(0).max(1) as f64;
    let step = WIDTH / BARS as f64;
    picture(html, (WIDTH, HEIGHT + AXIS), about, |html| {
        for (kind, class) in [(0, "area normal"), (1, "area anomalous")] {
            let bar = |i: usize| {
                let below = if kind == 0 { 0 } else { bars[0][i] } as f64;
                let (foot, top) = (below / most, (below + bars[kind][i] as f64) / most);
                let at = |share: f64| short(HEIGHT * (1.0 - share)).to_string();
                let (left, right) =
                    (short(i as f64 * step + 0.5).to_string(), short((i + 1) as f64 * step - 0.5).to_string());
                format!("M{left} {}V{}H{right}V{}z", at(foot), at(top), at(foot))
            };
            let path: String = (0..BARS).filter(|&i| bars[kind][i] > 0).map(bar).collect();
            html.leaf("path", &[("class", &class), ("d", &path)], "");
        }
        let axis = format!("M0 {}H{}", short(HEIGHT), short(WIDTH));
        html.leaf("path", &[("class", &"line rule"), ("d", &axis)], "");
        for (x, anchor, text) in [(0.0, "start", ends.0), (WIDTH, "end", ends.1)] {
            let y = short(HEIGHT + AXIS - 4.0);
            let attributes: super::Attributes =
                &[("class", &"grey"), ("x", &short(x)), ("y", &y), ("text-anchor", &anchor), ("font-size", &"13")];
            html.leaf("text", attributes, text);
        }
    });
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
