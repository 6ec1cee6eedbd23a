//! The crate's page for people: what the run is, its table and figures, its files.

use std::fmt::Write;

use zsad_report::Printed;
use zsad_report::export::Terminal;
use zsad_report::table::{Style, default_metrics, styled};
use zsad_store::{Finding, Row};

use super::metadata::Facts;

const STYLE: &str = "body{font:16px/1.5 sans-serif;max-width:70em;margin:2em auto;padding:0 1em;color:#222}\
                     pre{overflow-x:auto;background:#f6f6f6;padding:1em;font-size:.85em}img{max-width:100%}code{overflow-wrap:anywhere}";

/// An HTML page that needs nothing but the files beside it.
pub fn page(facts: &Facts, paths: &[&str], rows: &[Row], findings: &[Finding]) -> String {
    let name = escaped(&facts.name());
    let table = styled(rows, &default_metrics(rows), findings, &Style::default()).print(&Terminal);
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>{name}</title>\n<style>{STYLE}</style>\n\
         </head>\n<body>\n<h1>{name}</h1>\n<p>{}</p>\n<p>An RO-Crate of a run of zsad. <code>zsad verify</code> checks every file \
         and computes every metric again from the stored scores.</p>\n<h2>Results</h2>\n<pre>{}</pre>\n",
        escaped(&facts.description),
        escaped(&table)
    );
    let list = |page: &mut String, title: &str, items: Vec<String>| {
        if !items.is_empty() {
            let items: String = items.into_iter().map(|item| format!("<li>{item}</li>\n")).collect();
            // Writing to a string never fails.
            let _ = write!(page, "<h2>{title}</h2>\n<ul>\n{items}</ul>\n");
        }
    };
    for plot in paths.iter().filter(|p| p.starts_with("plots/") && p.ends_with(".png")) {
        let plot = escaped(plot);
        let _ = writeln!(page, "<p><img src=\"{plot}\" alt=\"{plot}\"></p>");
    }
    let run = |run: &serde_json::Value| {
        let words = run["command_line"].as_array().into_iter().flatten().filter_map(|w| w.as_str());
        let (words, end) = (words.collect::<Vec<_>>().join(" "), run["finished"].as_str().unwrap_or_default());
        format!("<code>{}</code>, ended {}", escaped(&words), escaped(end))
    };
    list(&mut page, "Calls", facts.runs.iter().map(run).collect());
    let work = |work: zsad_report::citations::Work| {
        let [author, title, year] = ["author", "title", "year"].map(|f| work.field(f).unwrap_or_default());
        escaped(&format!("{author}: {title}, {year}").replace(['{', '}'], ""))
    };
    list(&mut page, "Rests on", facts.works().into_iter().map(work).collect());
    let link = |path: &&str| format!("<a href=\"{0}\">{0}</a>", escaped(path));
    list(&mut page, "Files", paths.iter().map(link).collect());
    page + "</body>\n</html>\n"
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
