//! The form that shows and hides parts of the page. It is there with a script alone: without one everything is shown.

use super::markup::Markup;
use super::results::{Choice, Line, choices};

/// One choice a name of data attributes.
pub(super) fn form(html: &mut Markup, lines: &[Line]) {
    html.element(
        "form",
        &[("id", &"filters"), ("class", &"script"), ("hidden", &""), ("aria-label", &"Filters")],
        |html| {
            for Choice { name, head, options } in choices(lines) {
                // Only a page of several runs has runs to choose from, and only one with shifts has these.
                if options.is_empty() && ["run", "shift"].contains(&name) {
                    continue;
                }
                html.element("label", &[], |html| {
                    html.leaf("span", &[], head);
                    html.element("select", &[("name", &name)], |html| {
                        html.leaf("option", &[("value", &"")], "all");
                        for (value, text) in &options {
                            html.leaf("option", &[("value", value)], text);
                        }
                    });
                });
                html.line();
            }
            html.leaf("button", &[("type", &"reset")], "Show all");
            html.leaf("p", &[("role", &"status"), ("id", &"shown")], "");
        },
    );
    html.line();
}
