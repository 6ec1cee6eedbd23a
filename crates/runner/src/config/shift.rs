//! `protocol.shift`: what is done to the pictures of test batches.

use serde_json::Value;
use zsad_core::shift::{Corruption, Family, NONE};
use zsad_core::{Choice, Modality, Shift, suggest};

use super::DatasetChoice;
use super::fields::{field, mapping, scalar};
use super::problem::{Pos, Problems};
use super::yaml::{Kind, Node};

const WANT: &str =
    "write `none`, brightness@3, or {corruption: brightness, severity: 3, share: 0.5, family: imagenet_c}";

/// The shifts of `node`, each with its place.
pub fn read(node: &Node, problems: &mut Problems) -> Vec<(Option<Shift>, Pos)> {
    if node.items().is_empty() {
        problems.add(node.pos, "`shift` is empty", WANT);
    }
    let mut shifts: Vec<(Option<Shift>, Pos)> = Vec::new();
    for item in node.items() {
        let read = match &item.kind {
            Kind::Scalar(Value::String(text)) if text == NONE => Ok(None),
            Kind::Scalar(Value::String(text)) => Shift::read(text).map(Some),
            Kind::Map(_) => match mapped(item, problems) {
                Some(shift) => shift.check().map(|()| Some(shift)),
                // Its mistakes are noted.
                None => continue,
            },
            _ => Err((format!("`shift` cannot be {}", item.describe()), WANT.into())),
        };
        match read {
            Ok(shift) if shifts.iter().any(|(before, _)| *before == shift) => {
                let message = format!("the shift `{}` stands here twice", Shift::to_column(shift));
                problems.add(item.pos, message, "keep one of them");
            }
            Ok(shift) => shifts.push((shift, item.pos)),
            Err((message, hint)) => problems.add(item.pos, message, hint),
        }
    }
    shifts
}

fn mapped(item: &Node, problems: &mut Problems) -> Option<Shift> {
    let entries = mapping(item, "a shift", &["corruption", "severity", "share", "family"], problems)?;
    let mut word = |key: &str, words: &'static [&'static str]| {
        let node = field(entries, key)?;
        let word = scalar(node, |v| words.iter().find(|w| v.as_str() == Some(**w)).copied());
        if word.is_none() {
            let hint = suggest::hint(node.to_json().as_str().unwrap_or_default(), words);
            problems.add(node.pos, format!("`{key}` cannot be {}", node.describe()), hint);
        }
        Some(word)
    };
    let (corruption, family) = (word("corruption", Corruption::WORDS), word("family", Family::WORDS));
    if corruption.is_none() {
        problems.add(item.pos, "a shift without `corruption`", WANT);
    }
    let mut number = |key: &str, otherwise: f64| match field(entries, key) {
        None => Some(otherwise),
        Some(node) => scalar(node, Value::as_f64).or_else(|| {
            problems.add(node.pos, format!("`{key}` cannot be {}", node.describe()), WANT);
            None
        }),
    };
    let (severity, share) = (number("severity", 3.0)?, number("share", 1.0)?);
    let family = match family {
        None => Family::default(),
        Some(word) => Family::from_word(word?)?,
    };
    // What is no whole severity is one that `Shift::check` refuses.
    let severity = if severity.fract() == 0.0 && (1.0..=5.0).contains(&severity) { severity as u8 } else { 0 };
    Some(Shift { corruption: Corruption::from_word(corruption??)?, severity, share, family })
}

/// Notes shifts of data sets that hold no pictures, or not such as the shift is made for.
pub fn check(shifts: &[(Option<Shift>, Pos)], datasets: &[DatasetChoice], problems: &mut Problems) {
    for (shift, pos) in shifts {
        let Some(shift) = shift else { continue };
        for choice in datasets {
            let modality = choice.source.image().map(|geometry| geometry.modality());
            let (message, hint) = match modality {
                None => ("a shift is done to pictures, and `NAME` holds rows", "leave out the shift or the data set"),
                Some(m) if shift.family == Family::CifarC && !is_small(&m) => {
                    let hint = "`family: imagenet_c` takes pictures of any size";
                    ("the constants of cifar_c are for colour pictures of 32×32, and `NAME` holds others", hint)
                }
                Some(_) => continue,
            };
            problems.add(*pos, message.replace("NAME", &choice.label), hint);
        }
    }
}

fn is_small(modality: &Modality) -> bool {
    *modality == Modality::Image { channels: 3, height: 32, width: 32 }
}
