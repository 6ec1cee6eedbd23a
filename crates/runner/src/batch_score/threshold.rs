//! From which score on a sample is called anomalous: by the references, by the batch itself, or by a stated share.

use super::output::Column;
use std::str::FromStr;

use super::normal::normal_quantile;

/// References from which a p-value is written.
const ENOUGH: usize = 20;
/// `auto` without enough references: a score so many robust deviations above the median (Iglewicz and Hoaglin, How to
/// Detect and Handle Outliers, 1993).
const OUTLYING: f64 = 3.5;
/// The rate that `auto` promises where the references can.
const RATE: f64 = 0.01;
/// A normal distribution's standard deviation in units of its median absolute deviation, and of its mean one.
const PER_MAD: f64 = 1.482_602_218_505_602;
const PER_MEAN: f64 = 1.253_314_137_315_500_3;

/// What a person asks for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Rule {
    /// By the references, else by the batch.
    Auto,
    /// So many false alarms among normals.
    Fpr(f64),
    /// The highest scores of every batch: so many.
    Top(usize),
    /// The highest scores of every batch: this share.
    Share(f64),
}

impl FromStr for Rule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "write `auto`, `fpr=0.01`, `top=10` (samples) or `top=0.05` (a share)".to_owned();
        let number = |text: &str| text.trim().parse::<f64>().map_err(|_| wrong());
        match text.split_once('=') {
            None if text == "auto" => Ok(Rule::Auto),
            Some(("fpr", rate)) => {
                Some(number(rate)?).filter(|r| *r > 0.0 && *r < 0.5).map(Rule::Fpr).ok_or_else(wrong)
            }
            Some(("top", k)) => match number(k)? {
                share if share > 0.0 && share < 1.0 => Ok(Rule::Share(share)),
                k if k >= 1.0 && k.fract() == 0.0 => Ok(Rule::Top(k as usize)),
                _ => Err(wrong()),
            },
            _ => Err(wrong()),
        }
    }
}

/// Which samples are called anomalous.
#[derive(Debug, Clone, PartialEq)]
pub struct Flags {
    /// One a sample.
    pub flags: Vec<bool>,
    /// The share of normals that would score as high, as the references say; `None` with too few of them.
    pub p_values: Option<Vec<f64>>,
    /// By what, and when to trust it: a sentence.
    pub said: String,
}

impl Flags {
    /// The columns that the table of scores gets: `flag`, and `p_value` where there are some.
    pub fn columns(self) -> Vec<Column> {
        let flag = self.flags.iter().map(|f| u8::from(*f).to_string()).collect();
        let p_values = self.p_values.map(|p| ("p_value".into(), p.iter().map(|p| format!("{p:?}")).collect()));
        std::iter::once(("flag".into(), flag)).chain(p_values).collect()
    }
}

/// What scores of one batch say by `rule`; `references` are scores of normals of the target, each found with the others
/// as its references.
pub fn decide(rule: Rule, scores: &[f64], references: &[f64]) -> Flags {
    let m = references.len();
    let p_value = |s: f64| (1 + references.iter().filter(|r| **r >= s).count()) as f64 / (m + 1) as f64;
    let p_values = (m >= ENOUGH).then(|| scores.iter().map(|&s| p_value(s)).collect());
    let rate = if let Rule::Fpr(rate) = rule { rate } else { RATE };
    let (flags, said) = match rule {
        Rule::Top(k) => (top(scores, k), format!("the {k} highest scores of each batch, whatever is in it")),
        Rule::Share(share) => {
            let k = (share * scores.len() as f64).round() as usize;
            (top(scores, k), format!("the highest {} % of each batch, whatever is in it", percent(share)))
        }
        Rule::Auto | Rule::Fpr(_) if m > 0 && 1.0 / (m + 1) as f64 <= rate => {
            let flags = scores.iter().map(|&s| p_value(s) <= rate).collect();
            let said = format!(
                "at most {} % of normals are flagged, if the {m} references are like the batch's normals (each was scored \
                 with the others as references)",
                percent(rate)
            );
            (flags, said)
        }
        Rule::Auto | Rule::Fpr(_) => {
            let k = if rule == Rule::Auto { OUTLYING } else { normal_quantile(1.0 - rate) };
            let basis = if m > 1 { references } else { scores };
            let (median, deviation) = robust(basis);
            let mut limit = median + k * deviation;
            let by = if m > 1 {
                // A reference is normal, whatever the rule says.
                limit = references.iter().copied().fold(limit, f64::max);
                format!(
                    "a score above {limit:.6}: {k:.2} robust deviations above the median of {m} references, and above all \
                     of them; {m} references promise no rate of false alarms (for {} % it takes {}), so look at what is \
                     flagged",
                    percent(rate),
                    (1.0 / rate).ceil() - 1.0
                )
            } else {
                format!(
                    "a score more than {k:.2} robust deviations (1.4826 MAD) above the batch's median, here {limit:.6}; trust \
                     it where well over half of the batch is normal and its scores have one hump, and not as a rate of \
                     false alarms"
                )
            };
            // A batch without spread has nothing that stands out.
            (scores.iter().map(|&s| deviation > 0.0 && s > limit).collect(), by)
        }
    };
    Flags { flags, p_values, said }
}

/// The `k` highest scores; of equal ones the first.
fn top(scores: &[f64], k: usize) -> Vec<bool> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]).then(a.cmp(&b)));
    let mut flags = vec![false; scores.len()];
    order.into_iter().take(k).for_each(|i| flags[i] = true);
    flags
}

/// Median and robust deviation: 1.4826 times the median absolute deviation from it, or where more than half of the values
/// are one, 1.2533 times the mean absolute deviation.
fn robust(values: &[f64]) -> (f64, f64) {
    let centre = median(values.to_vec());
    let away: Vec<f64> = values.iter().map(|v| (v - centre).abs()).collect();
    let mean = away.iter().sum::<f64>() / away.len().max(1) as f64;
    let mad = median(away);
    (centre, if mad > 0.0 { PER_MAD * mad } else { PER_MEAN * mean })
}

fn median(values: Vec<f64>) -> f64 {
    zsad_data::columns::median(values).unwrap_or(0.0)
}

fn percent(share: f64) -> String {
    zsad_core::protocol::percent(share)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_is_read() {
        let read = |text: &str| text.parse::<Rule>();
        assert_eq!(read("auto"), Ok(Rule::Auto));
        assert_eq!(read("fpr=0.01"), Ok(Rule::Fpr(0.01)));
        assert_eq!((read("top=3"), read("top=0.25")), (Ok(Rule::Top(3)), Ok(Rule::Share(0.25))));
        for wrong in ["0.5", "fpr", "fpr=0", "fpr=1", "top=0", "top=2.5", "top=x", "Auto"] {
            assert!(read(wrong).unwrap_err().contains("fpr=0.01"), "{wrong}");
        }
    }

    const SCORES: [f64; 10] = [1.0, 1.2, 0.9, 1.1, 5.0, 1.05, 0.95, 1.3, 0.8, 2.0];

    /// ```python
    /// s = np.array(SCORES); m = np.median(s); d = scipy.stats.median_abs_deviation(s, scale="normal")
    /// print(m + 3.5 * d, s > m + 3.5 * d)  # 1.8533661647154422, samples 4 and 9
    /// print(m + norm.ppf(0.95) * d)        # 1.4407995454652864
    /// c = np.array([1, 1, 1, 1, 1, 3, 9]); print(1.2533141373155003 * np.mean(abs(c - np.median(c))))  # 1.7904487675935719
    /// ```
    #[test]
    fn without_references_the_batch_itself_says_what_stands_out() {
        let flagged = |flags: &Flags| (0..flags.flags.len()).filter(|&i| flags.flags[i]).collect::<Vec<_>>();
        let auto = decide(Rule::Auto, &SCORES, &[]);
        assert_eq!((flagged(&auto), &auto.p_values), (vec![4, 9], &None));
        assert!(auto.said.contains("1.853366"), "{}", auto.said);
        assert!(decide(Rule::Fpr(0.05), &SCORES, &[]).said.contains("1.440800"));
        let (centre, deviation) = robust(&[1.0, 1.0, 1.0, 1.0, 1.0, 3.0, 9.0]);
        assert!(centre == 1.0 && (deviation - 1.7904487675935719).abs() < 1e-15, "{deviation}");
        assert_eq!(flagged(&decide(Rule::Auto, &[2.0; 30], &[])), [0; 0], "nothing stands out of equal scores");
    }

    /// `r = np.arange(1, 25) / 10; [(1 + np.sum(r >= x)) / 25 for x in [0.05, 1.2, 2.4, 2.5]]`
    #[test]
    fn references_give_a_p_value_from_twenty_on() {
        let references: Vec<f64> = (1..25).map(|i| f64::from(i) / 10.0).collect();
        let scores = [0.05, 1.2, 2.4, 2.5];
        let flags = decide(Rule::Fpr(0.05), &scores, &references);
        assert_eq!(flags.p_values.as_deref(), Some(&[1.0, 0.56, 0.08, 0.04][..]));
        assert_eq!(flags.flags, [false, false, false, true]);
        assert!(flags.said.contains("at most 5 % of normals"), "{}", flags.said);
        // 24 references cannot promise 1 %: the robust rule, stated as such.
        let auto = decide(Rule::Auto, &[2.5, 6.0], &references);
        assert!(auto.flags == [false, true] && auto.said.contains("for 1 % it takes 99"), "{auto:?}");
        assert_eq!(decide(Rule::Auto, &scores, &references[..4]).p_values, None);
    }

    #[test]
    fn a_stated_share_takes_the_highest() {
        assert_eq!(decide(Rule::Top(2), &[1.0, 3.0, 3.0, 3.0], &[]).flags, [false, true, true, false]);
        assert_eq!(decide(Rule::Share(0.25), &[1.0, 3.0, 4.0, 2.0], &[]).flags, [false, false, true, false]);
        assert_eq!(decide(Rule::Top(9), &[1.0, 2.0], &[]).flags, [true, true]);
    }
}
