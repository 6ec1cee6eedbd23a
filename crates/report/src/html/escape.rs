//! Text as HTML takes it: nothing in it is markup, nothing in it is invisible or turns the text around it.

use std::fmt::{self, Write};

/// Writes into `out` what shows as the text written into this.
pub(super) struct Escaped<'a>(pub &'a mut String);

impl Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            match c {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                '\n' | '\t' => self.0.push(c),
                c if is_unseen(c) => write!(self.0, "⟨U+{:04X}⟩", u32::from(c))?,
                c => self.0.push(c),
            }
        }
        Ok(())
    }
}

/// Control characters, and those that steer the direction of text: shown by their number, since what a reader cannot see
/// can make a name look like another.
fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
        || matches!(c, '\u{feff}' | '\u{fdd0}'..='\u{fdef}')
        || u32::from(c) & 0xfffe == 0xfffe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_seen_is_said_and_what_is_markup_is_text() {
        let mut out = String::new();
        write!(Escaped(&mut out), "a<b> & \"c\" 'd'\n\u{202e}\u{7}é٣").unwrap();
        assert_eq!(out, "a&lt;b&gt; &amp; &quot;c&quot; &#39;d&#39;\n⟨U+202E⟩⟨U+0007⟩é٣");
    }
}
