//! What all tables of a page have in common.

use std::fmt::Display;

use super::markup::Markup;

/// What may be wider than the page: it scrolls by itself, also by keyboard.
pub(crate) fn scrolled(html: &mut Markup, about: &str, inside: impl FnOnce(&mut Markup)) {
    html.element(
        "div",
        &[("class", &"scroll"), ("tabindex", &"0"), ("role", &"group"), ("aria-label", &about)],
        inside,
    );
}

/// The caption of a table; it stays in sight where the table is scrolled.
pub(crate) fn caption(html: &mut Markup, text: impl Display) {
    html.element("caption", &[], |html| html.leaf("span", &[], text));
}

/// The head of a table of words.
pub(super) fn head(html: &mut Markup, names: &[&str]) {
    head_with_numbers(html, names, &[]);
}

/// The head of a table whose last columns are numbers.
pub(super) fn head_with_numbers(html: &mut Markup, words: &[&str], numbers: &[&str]) {
    html.element("thead", &[], |html| {
        html.element("tr", &[], |html| {
            words.iter().for_each(|name| html.leaf("th", &[("scope", &"col")], name));
            numbers.iter().for_each(|name| html.leaf("th", &[("scope", &"col"), ("class", &"number")], name));
        });
    });
}
