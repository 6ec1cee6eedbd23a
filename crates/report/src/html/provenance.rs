//! Where a run was computed, under which keys, and how to run it again.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

use serde_json::Value;

use super::counted;
use super::frame::{caption, head, scrolled};
use super::markup::Markup;
use super::run::Run;

/// The calls of the program that made a run.
pub(super) fn section(html: &mut Markup, run: &Run) {
    if run.calls.is_empty() {
        html.leaf("p", &[], "This folder has no provenance.json.");
    } else {
        scrolled(html, &format!("Calls of {}", run.name), |html| {
            html.element("table", &[], |html| {
                caption(html, "Calls of the program");
                head(
                    html,
                    &["started", "finished", "program", "commit", "cells", "device", "threads", "machine", "data"],
                );
                html.element("tbody", &[], |html| run.calls.iter().for_each(|call| line(html, call)));
            });
        });
        let first_use: BTreeSet<&str> = run
            .calls
            .iter()
            .flat_map(|c| c["first_use"].as_array().into_iter().flatten())
            .filter_map(Value::as_str)
            .collect();
        if !first_use.is_empty() {
            let files: Vec<&str> = first_use.into_iter().collect();
            html.leaf(
                "p",
                &[],
                format_args!("Trusted on first use, for nobody publishes their checksum: {}.", files.join(", ")),
            );
        }
    }
    fits(html, run);
}

fn line(html: &mut Markup, call: &Value) {
    let text = |key: &str| match &call[key] {
        Value::Null => "–".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    html.element("tr", &[], |html| {
        html.leaf("th", &[("scope", &"row"), ("class", &"time")], text("started"));
        html.leaf("td", &[("class", &"time")], text("finished"));
        html.leaf("td", &[], format_args!("zsad {}", text("version")));
        html.leaf("td", &[("class", &"key")], text("git_sha"));
        html.leaf(
            "td",
            &[("class", &"long")],
            format_args!("{} computed, {} found", text("cells_computed"), text("cells_cached")),
        );
        html.leaf("td", &[], format_args!("{} {}", text("device"), call["simd"].as_str().unwrap_or_default()));
        html.leaf("td", &[], format_args!("{} × {}", text("jobs"), text("threads")));
        html.leaf("td", &[], format_args!("{}, {} cores, {} {}", text("cpu"), text("cores"), text("os"), text("arch")));
        html.leaf("td", &[], format_args!("{} ({})", text("data"), text("data_chosen_by")));
    });
}

/// The keys of all fits, folded away.
fn fits(html: &mut Markup, run: &Run) {
    // Data set, method, seed and key of a fit, with its cells.
    let mut found: BTreeMap<(&str, &str, u64, &str), BTreeSet<&str>> = BTreeMap::new();
    for row in run.rows.iter().filter(|r| !r.record.fit_key.is_empty()) {
        let fit = (row.asked().dataset.as_str(), row.method(), row.fit().seed, row.record.fit_key.as_str());
        found.entry(fit).or_default().insert(&row.record.cell_key);
    }
    if found.is_empty() {
        return;
    }
    html.element("details", &[], |html| {
        html.leaf("summary", &[], format_args!("Keys of {}", counted(found.len(), "fit")));
        scrolled(html, &format!("Fits of {}", run.name), |html| {
            html.element("table", &[("class", &"sortable")], |html| {
                caption(html, "A key is a hash of all that can change a result.");
                head(html, &["method", "data set", "seed", "cells", "key of the fit"]);
                html.element("tbody", &[], |html| {
                    for ((dataset, method, seed, key), cells) in &found {
                        html.element("tr", &[], |html| {
                            html.leaf("th", &[("scope", &"row")], method);
                            html.leaf("td", &[], dataset);
                            html.leaf("td", &[], seed);
                            html.leaf("td", &[], cells.len());
                            html.leaf("td", &[("class", &"key")], key);
                        });
                    }
                });
            });
        });
    });
}

/// The commands and the experiment, each to be copied. `number` tells runs apart.
pub(super) fn again(html: &mut Markup, run: &Run, number: usize) {
    let commands: BTreeSet<String> = run.calls.iter().filter_map(command).collect();
    if !commands.is_empty() {
        let text: Vec<&str> = commands.iter().map(String::as_str).collect();
        copied(html, &format!("command-{number}"), "The commands that made it", &text.join("\n"));
    }
    match &run.experiment {
        Some(text) => {
            let how = "The experiment; save it as experiment.yaml, then: zsad run experiment.yaml";
            copied(html, &format!("experiment-{number}"), &format!("{how}{}", profile(run)), text);
        }
        None => html.leaf("p", &[], "This folder has no experiment.yaml; the commands name the file."),
    }
}

fn profile(run: &Run) -> String {
    let profile = run.rows.first().map(|r| r.asked().profile.as_str()).unwrap_or_default();
    if profile.is_empty() { String::new() } else { format!(" --profile {}", quoted(profile)) }
}

/// A call as a shell takes it.
fn command(call: &Value) -> Option<String> {
    let words = call["command_line"].as_array()?.iter().filter_map(Value::as_str);
    Some(words.map(quoted).collect::<Vec<_>>().join(" "))
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=,:@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

/// A text with a button that copies it.
fn copied(html: &mut Markup, id: &str, about: &str, text: &str) {
    let explained = format!("{id}-about");
    html.element("div", &[("class", &"copied")], |html| {
        html.leaf("p", &[("id", &explained)], about);
        html.leaf(
            "button",
            &[
                ("type", &"button"),
                ("class", &"script"),
                ("hidden", &""),
                ("data-copy", &id),
                ("aria-describedby", &explained),
            ],
            "Copy",
        );
        // A line break at the beginning of `pre` is not part of it.
        let pre: [(&'static str, &dyn Display); 4] =
            [("id", &id), ("tabindex", &"0"), ("role", &"group"), ("aria-label", &about)];
        html.leaf("pre", &pre, format_args!("\n{text}"));
    });
    html.line();
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_command_is_quoted_for_a_shell() {
        let call = json!({"command_line": ["zsad", "run", "it's mine.yaml", "--jobs", "2"]});
        assert_eq!(command(&call).unwrap(), "zsad run 'it'\\''s mine.yaml' --jobs 2");
    }
}
