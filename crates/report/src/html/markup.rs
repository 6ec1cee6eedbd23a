//! HTML under construction. Tags and names of attributes are literals of the program; whatever else comes in is escaped, so
//! that no name of a file or text of an error can become markup.

use std::fmt::{Display, Write};

use super::escape::Escaped;

/// Attributes with their values; an empty value is that of a boolean attribute.
pub(crate) type Attributes<'a> = &'a [(&'static str, &'a dyn Display)];

/// A piece of a page.
#[derive(Default)]
pub(crate) struct Markup(String);

impl Markup {
    /// An element and what is inside.
    pub fn element(&mut self, tag: &'static str, attributes: Attributes, inside: impl FnOnce(&mut Markup)) {
        self.void(tag, attributes);
        inside(self);
        self.0.push_str("</");
        self.0.push_str(tag);
        self.0.push('>');
    }

    /// An element that holds a text.
    pub fn leaf(&mut self, tag: &'static str, attributes: Attributes, text: impl Display) {
        self.element(tag, attributes, |h| h.text(text));
    }

    /// An element without an end, such as `img` or `br`.
    pub fn void(&mut self, tag: &'static str, attributes: Attributes) {
        self.0.push('<');
        self.0.push_str(tag);
        for (name, value) in attributes {
            self.0.push(' ');
            self.0.push_str(name);
            self.0.push_str("=\"");
            self.text(value);
            self.0.push('"');
        }
        self.0.push('>');
    }

    /// A text.
    pub fn text(&mut self, text: impl Display) {
        // Writing into a string cannot fail.
        let _ = write!(Escaped(&mut self.0), "{text}");
    }

    /// A line break of the source, for those who read it.
    pub fn line(&mut self) {
        self.0.push('\n');
    }

    /// A part of the program itself: its style, its script.
    pub fn literal(&mut self, text: &'static str) {
        self.0.push_str(text);
    }

    /// Another piece.
    pub fn append(&mut self, other: Markup) {
        self.0.push_str(&other.0);
    }

    /// How many bytes it has.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The whole.
    pub fn into_string(self) -> String {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_and_texts_stay_what_they_are() {
        let mut html = Markup::default();
        html.element("td", &[("data-x", &"\"><b>"), ("hidden", &"")], |h| h.leaf("i", &[], "</td>"));
        assert_eq!(html.into_string(), "<td data-x=\"&quot;&gt;&lt;b&gt;\" hidden=\"\"><i>&lt;/td&gt;</i></td>");
    }
}
