use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::json;
use zsad_store::{Finding, Oddity, Row, RunFolder};

use super::*;
use crate::testing::{Flat, fits, metrics, omniglot, row};
use zsad_store::Status;

fn run(name: &str, rows: Vec<Row>) -> Run {
    Run {
        name: name.into(),
        folder: RunFolder::new("nowhere"),
        rows,
        records: BTreeMap::new(),
        experiment: None,
        calls: Vec::new(),
        findings: Vec::new(),
        trainings: Vec::new(),
        beside: OfRun::default(),
    }
}

fn page(runs: &[Run]) -> String {
    let page = Page { runs, defaults: &Defaults::new(), pictures: None, program: "zsad 0" };
    page.to_html().unwrap()
}

/// The tags of a page with the names of their attributes, as the HTML standard's tokenizer finds them; and the texts of its
/// scripts.
fn structure(html: &str) -> (Vec<String>, Vec<&str>) {
    let (mut tags, mut scripts, mut rest) = (Vec::new(), Vec::new(), html);
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        if !rest.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/' || c == '!' || c == '?') {
            continue;
        }
        let (mut tag, mut quote) = (String::new(), None);
        let end = rest.find(|c: char| {
            match (quote, c) {
                (None, '"' | '\'') => quote = Some(c),
                (Some(q), c) if q == c => quote = None,
                (None, '>') => return true,
                (None, c) => tag.push(c),
                _ => {}
            }
            false
        });
        rest = &rest[end.expect("a tag ends") + 1..];
        for raw in ["script", "style"].into_iter().filter(|raw| tag == *raw) {
            let (text, after) = rest.split_once(&format!("</{raw}")).expect("it ends");
            scripts.extend(Some(text).filter(|_| raw == "script"));
            rest = after;
        }
        tags.push(tag);
    }
    (tags, scripts)
}

/// A run that says `text` wherever a run can say something.
fn saying(text: &str) -> Run {
    let said = |what: &str| format!("{what}{text}");
    let base = Flat {
        experiment: said("experiment"),
        profile: said("profile"),
        dataset: said("data"),
        domain: said("domain"),
        method: said("method"),
        params: json!({ "k": text }).to_string(),
        cell_key: said("cell"),
        ..row()
    };
    let bad = Flat {
        status: Status::Failed,
        error: said("error"),
        domain: String::new(),
        metrics: metrics(&[]),
        seed: 1,
        cell_key: said("bad"),
        n_batches: 0,
        ..base.clone()
    };
    let mut rows = vec![Row::from(base.clone()), Row::from(bad)];
    rows.push(Flat { contamination: Some(0.2).into(), cell_key: said("other"), ..base }.into());
    let finding = Finding {
        kind: Oddity::Slow,
        dataset: said("data"),
        method: said("method"),
        message: said("message"),
        cells: vec![said("cell")],
    };
    let mut training = fits().remove(0);
    (training.dataset, training.method, training.params) =
        (said("data"), said("method"), json!({ "k": text }).to_string());
    let call =
        json!({"started": said("s"), "cpu": said("c"), "command_line": [said("zsad")], "first_use": [said("file")]});
    Run {
        experiment: Some(format!("description: |\n  x{}\n", text.replace(char::is_control, " "))),
        calls: vec![call],
        findings: vec![finding],
        trainings: vec![training],
        ..run(&said("run"), rows)
    }
}

const HOSTILE: &str = "</script><script>alert(1)</script><!-- \"'><img src=x onerror=alert(1)> & &lt; \u{202e}\u{0}";

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever names and errors say, the page has the elements and attributes that it would have otherwise, and one script.
    #[test]
    fn any_text_in_any_field_stays_text(text in prop_oneof![any::<String>(), Just(HOSTILE.to_owned()), "[<>&\"'/! -]{0,20}"]) {
        let text = format!("{text}z");
        let several = |text: &str| page(&[saying(text), saying(text)]);
        for (hostile, plain) in [(page(&[saying(&text)]), page(&[saying("z")])), (several(&text), several("z"))] {
            let ((found, scripts), (wanted, _)) = (structure(&hostile), structure(&plain));
            prop_assert_eq!(found, wanted);
            prop_assert_eq!(scripts, [SCRIPT]);
            let unseen = |c: char| c.is_control() && c != '\n' || c == '\u{202e}';
            prop_assert!(!hostile.contains(unseen), "something unseen");
        }
    }
}

#[test]
fn every_row_and_every_number_of_the_table_is_on_the_page() {
    let rows = omniglot();
    let table = styled(&rows, &table::shown(&rows, |_| true), &[], &Style::default());
    let html = page(&[run("omniglot", rows)]);
    let results = html.split_once("data-table=\"results\"").unwrap().1.split_once("</table>").unwrap().0;
    let lines: Vec<&str> = results.split("<tr ").filter(|l| l.starts_with("data-method")).collect();
    let auroc: Vec<_> = table.entries.iter().filter(|e| e.metric == table::headline()).collect();
    assert_eq!(lines.len(), auroc.len());
    for entry in &table.entries {
        let of = format!("data-method=\"{}\"", entry.label);
        let at = format!("data-contamination=\"{}\"", entry.point.contamination.ratio().unwrap());
        let line: Vec<_> = lines.iter().filter(|l| l.contains(&of) && l.contains(&at)).collect();
        assert_eq!(line.len(), 1, "{of} {at}");
        if let Some(number) = entry.outcome.number() {
            assert!(line[0].contains(&format!("data-value=\"{}\"", number.mean)), "{of} {at}: {}", number.mean);
        } else {
            assert!(line[0].contains(entry.outcome.word()), "{of} {at}");
        }
    }
    // What the table marks as best or not told from it is strong, and nothing else is.
    let strong = results.matches("<strong>").count();
    assert_eq!(strong, table.entries.iter().filter(|e| e.best || e.tied).count());
}

#[test]
fn shifts_are_chosen_from_where_there_are_some() {
    let clean = Row::from(row());
    let mut shifted = clean.clone();
    let record = std::sync::Arc::make_mut(&mut shifted.record);
    record.cell.point.shift = Some(zsad_core::Shift::new(zsad_core::shift::Corruption::Brightness, 3));
    record.cell_key = "shifted".into();
    let html = page(&[run("x", vec![clean.clone(), shifted])]);
    let control = html.split_once("<select name=\"shift\">").unwrap().1.split_once("</select>").unwrap().0;
    assert_eq!(control.matches("<option").count(), 3, "{control}");
    let results = html.split_once("data-table=\"results\"").unwrap().1.split_once("</table>").unwrap().0;
    for shift in ["none", "brightness@3"] {
        assert!(control.contains(&format!("value=\"{shift}\"")), "{control}");
        assert_eq!(results.matches(&format!("data-shift=\"{shift}\"")).count(), 1, "{results}");
    }
    assert!(!page(&[run("x", vec![clean])]).contains("<select name=\"shift\">"));
}

#[test]
fn a_page_depends_on_its_rows_and_not_on_their_order() {
    let rows = omniglot();
    let mut reversed = rows.clone();
    reversed.reverse();
    assert_eq!(page(&[run("x", rows)]), page(&[run("x", reversed)]));
}

#[test]
fn what_differs_between_two_runs_is_said() {
    let with = |k: u32, auroc: f64| {
        let flat = Flat { params: json!({ "k": k }).to_string(), metrics: metrics(&[("auroc", auroc)]), ..row() };
        vec![Row::from(flat)]
    };
    let both = page(&[run("x", with(5, 0.9)), run("x", with(7, 0.8))]);
    let changed = both.split_once("id=\"changed\"").unwrap().1.split_once("</section>").unwrap().0;
    for said in [
        "x (1)",
        "x (2)",
        "knn: k",
        "<strong>5</strong>",
        "<strong>7</strong>",
        "10.00",
        "Of 1 means that more than one",
    ] {
        assert!(changed.contains(said), "{said} in {changed}");
    }
    let same = page(&[run("x", with(5, 0.9)), run("y", with(5, 0.9))]);
    assert!(same.contains("The runs have the same methods") && same.contains("0 are not the same to the last bit"));
}

#[test]
fn a_large_run_keeps_the_worst_batches_and_the_best() {
    let rows: Vec<Row> = (0..40)
        .map(|d| Flat { domain: format!("{d:02}"), metrics: metrics(&[("auroc", f64::from(d) / 40.0)]), ..row() })
        .map(Row::from)
        .collect();
    let bounds = |n_batches: usize, cells: usize| {
        let of = |c: usize| {
            rows.iter().cloned().map(move |mut row| {
                row.result.n_batches = n_batches;
                let record = std::sync::Arc::make_mut(&mut row.record);
                record.cell.fit.method.name = c.to_string();
                row
            })
        };
        bounds::Bounds::of(&(0..cells).flat_map(of).collect::<Vec<_>>(), |_| true)
    };
    let kept = |bounds: bounds::Bounds| {
        let mut own: Vec<&Row> = rows.iter().collect();
        let others = bounds.keep_domains(&mut own);
        (own.iter().map(|r| r.result.domain.clone()).collect::<Vec<_>>(), others)
    };
    assert_eq!(kept(bounds(2, 1)).1, 0);
    let (domains, others) = kept(bounds(50, 400));
    assert_eq!((domains.len(), others), (2, 38));
    assert_eq!(domains, ["00", "39"]);
    let scored = |auroc| zsad_core::LabelledBatch {
        domain: "d".into(),
        number: (auroc * 100.0) as u32,
        items: vec![0.0],
        labels: vec![true],
    };
    let scores: Vec<_> = [0.5, 0.9, 0.1, 0.7, 0.3].map(scored).into();
    let batches = scores.iter().map(|b| drill::Batch { scored: b, value: Some(f64::from(b.number) / 100.0) }).collect();
    // Two batches of each domain are kept by a run of this size.
    let (two, others) = bounds(50, 8).keep_batches(batches);
    assert_eq!((two.iter().map(|b| b.scored.number).collect::<Vec<_>>(), others), (vec![10, 90], 3));
}
