//! One batch on a page: how its scores lie, and its highest ones.

use zsad_core::Choice;
use zsad_trust::{Decision, Judgement, split};

use super::super::Attributes;
use super::super::frame::{caption, head_with_numbers, scrolled};
use super::super::markup::Markup;
use super::super::svg::{picture, short};
use super::{BatchView, Ranked, percent};

/// A drawing's units.
const WIDTH: f64 = 480.0;
const HEIGHT: f64 = 120.0;
/// Room below it for its axis.
const AXIS: f64 = 18.0;
/// Bars of a histogram.
const BARS: usize = 40;

impl BatchView {
    pub(super) fn drawings(&self, html: &mut Markup) {
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

    pub(super) fn table(&self, html: &mut Markup) {
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
            let attributes: Attributes =
                &[("class", &"grey"), ("x", &short(x)), ("y", &y), ("text-anchor", &anchor), ("font-size", &"13")];
            html.leaf("text", attributes, text);
        }
    });
}
