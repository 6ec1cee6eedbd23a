//! A file of lines in blocks of whole lines.

use std::io::{Read, Result};

/// Blocks of whole lines, about `size` bytes each. A line's end inside of double quotes ends nothing, as in a CSV file's
/// fields; quotes are paired from the file's first byte on.
pub(super) struct Blocks<R> {
    from: R,
    size: usize,
    /// The beginning of the next block: bytes without an end that counts.
    rest: Vec<u8>,
    /// Whether quotes are open at its end.
    quoted: bool,
}

impl<R: Read> Blocks<R> {
    pub fn new(from: R, size: usize) -> Self {
        Blocks { from, size, rest: Vec::new(), quoted: false }
    }
}

impl<R: Read> Iterator for Blocks<R> {
    type Item = Result<Vec<u8>>;

    fn next(&mut self) -> Option<Result<Vec<u8>>> {
        let mut block = std::mem::take(&mut self.rest);
        loop {
            let known = block.len();
            match self.from.by_ref().take(self.size as u64).read_to_end(&mut block) {
                Err(e) => return Some(Err(e)),
                Ok(0) => return (!block.is_empty()).then_some(Ok(block)),
                Ok(_) => {}
            }
            let mut end = None;
            for (i, &byte) in block.iter().enumerate().skip(known) {
                self.quoted ^= byte == b'"';
                if byte == b'\n' && !self.quoted {
                    end = Some(i + 1);
                }
            }
            if let Some(end) = end {
                self.rest = block.split_off(end);
                return Some(Ok(block));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn blocks(text: &str, size: usize) -> Vec<String> {
        let blocks = Blocks::new(text.as_bytes(), size);
        blocks.map(|b| String::from_utf8(b.unwrap()).unwrap()).collect()
    }

    #[test]
    fn quoted_ends_of_lines_end_no_block() {
        let text = "a,b\n1,\"x\ny\"\n2,z\n3,\"\"\"\n\"\"\"\nlast";
        for size in 1..=text.len() {
            let found = blocks(text, size);
            assert_eq!(found.concat(), text, "{size}");
            let lines = ["a,b\n", "1,\"x\ny\"\n", "2,z\n", "3,\"\"\"\n\"\"\"\n", "last"];
            // Every block is some whole lines.
            let mut rest = &lines[..];
            for block in &found {
                let n = (1..=rest.len()).find(|&n| rest[..n].concat() == *block);
                rest = &rest[n.unwrap_or_else(|| panic!("{size}: {block:?} beside {rest:?}"))..];
            }
            assert!(rest.is_empty());
        }
        assert_eq!(blocks("", 8), Vec::<String>::new());
    }

    proptest! {
        #[test]
        fn nothing_is_lost(text in "[a\",\n]{0,200}", size in 1usize..50) {
            prop_assert_eq!(blocks(&text, size).concat(), text);
        }
    }
}
