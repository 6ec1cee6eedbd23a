//! CLIP's tokenizer: byte pairs merged in the order of a published list.

use std::collections::HashMap;
use std::fs;
use std::io::Read;
use std::path::Path;

use flate2::read::GzDecoder;
use zsad_core::{Error, Result};

/// Merges that CLIP uses; the published list goes on.
const MERGES: usize = 48_894;
/// Tokens that a text may have, its start and its end among them.
pub const CONTEXT: usize = 77;
/// How packed files begin.
const GZIP: [u8; 2] = [0x1f, 0x8b];
const ENDINGS: [&str; 7] = ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d"];

/// Turns texts into numbers of tokens: 256 bytes, the same at the end of a word, one a merge, the start and the end.
///
/// As OpenAI's `simple_tokenizer.py` without its repair of broken Unicode and of HTML: texts in lower case, split into words, single
/// digits and runs of other signs.
#[derive(Debug)]
pub struct Tokenizer {
    /// The number of a byte.
    bytes: [u32; 256],
    /// What two tokens become; the least is merged first.
    merges: HashMap<(u32, u32), u32>,
    /// The start; the end is the next number.
    start: u32,
}

impl Tokenizer {
    /// Reads the list of merges, `bpe_simple_vocab_16e6.txt.gz`, or unpacked.
    ///
    /// # Errors
    /// [`Error::Data`] where it is missing or no such list.
    pub fn read(path: &Path) -> Result<Self> {
        let bytes = fs::read(path).map_err(|e| Error::io(path, &e))?;
        let mut text = String::new();
        let read = match bytes.starts_with(&GZIP) {
            true => GzDecoder::new(bytes.as_slice()).read_to_string(&mut text),
            false => bytes.as_slice().read_to_string(&mut text),
        };
        let damaged = |what: String| Error::data(path, what, "fetch it again");
        read.map_err(|e| damaged(format!("cannot be read: {e}")))?;
        Tokenizer::new(&text).map_err(damaged)
    }

    /// From the list's text: a header, then two tokens a line.
    fn new(text: &str) -> Result<Self, String> {
        let letters = letters();
        let mut bytes = [0; 256];
        let mut numbers = HashMap::new();
        for (number, &(byte, letter)) in (0u32..).zip(&letters) {
            bytes[usize::from(byte)] = number;
            numbers.insert(letter.to_string(), number);
            numbers.insert(format!("{letter}</w>"), number + 256);
        }
        let mut merges = HashMap::new();
        for (number, line) in (512u32..).zip(text.lines().skip(1).take(MERGES)) {
            let parts: Vec<&str> = line.split_whitespace().collect();
            let known = |part: &str| numbers.get(part).copied();
            let pair = match parts.as_slice() {
                [a, b] => known(a).zip(known(b)),
                _ => None,
            };
            let pair =
                pair.ok_or_else(|| format!("line {}: `{line}` does not merge two known tokens", number - 510))?;
            merges.insert(pair, number);
            numbers.insert(parts.concat(), number);
        }
        let start = 512 + merges.len() as u32;
        Ok(Tokenizer { bytes, merges, start })
    }

    /// The tokens of a text, from its start to its end; what is beyond [`CONTEXT`] is cut.
    pub fn tokens(&self, text: &str) -> Vec<u32> {
        let mut tokens = vec![self.start];
        let text = text.to_lowercase();
        words(&text).for_each(|word| tokens.extend(self.word(word)));
        tokens.truncate(CONTEXT - 1);
        tokens.push(self.start + 1);
        tokens
    }

    fn word(&self, word: &str) -> Vec<u32> {
        let mut symbols: Vec<u32> = word.bytes().map(|byte| self.bytes[usize::from(byte)]).collect();
        if let Some(last) = symbols.last_mut() {
            *last += 256;
        }
        loop {
            let pairs = symbols.windows(2).filter_map(|pair| self.merges.get(&(pair[0], pair[1])));
            let Some(&merged) = pairs.min() else { return symbols };
            let mut next = Vec::with_capacity(symbols.len());
            let mut rest = symbols.as_slice();
            while let [first, tail @ ..] = rest {
                match tail.first().and_then(|second| self.merges.get(&(*first, *second))) {
                    Some(&number) if number == merged => {
                        next.push(merged);
                        rest = &tail[1..];
                    }
                    _ => {
                        next.push(*first);
                        rest = tail;
                    }
                }
            }
            symbols = next;
        }
    }
}

/// Every byte with the letter that stands for it in the list, in the order of their numbers: printable ones for themselves, then
/// the others from U+0100 on.
fn letters() -> Vec<(u8, char)> {
    let printable = |byte: &u8| matches!(byte, 33..=126 | 161..=172 | 174..=255);
    let own = (0..=255).filter(printable).map(|byte| (byte, char::from(byte)));
    let others = (0..=255u8).filter(|byte| !printable(byte));
    own.chain(others.zip('\u{100}'..)).collect()
}

/// Words: endings such as `'s`, runs of letters, single digits, runs of what is neither and no space.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        rest = rest.trim_start();
        let first = rest.chars().next()?;
        let run = |is: fn(char) -> bool| rest.find(|c| !is(c)).unwrap_or(rest.len());
        let end = match ENDINGS.iter().find(|ending| rest.starts_with(**ending)) {
            Some(ending) => ending.len(),
            None if first.is_alphabetic() => run(char::is_alphabetic),
            None if first.is_numeric() => first.len_utf8(),
            None => run(|c| !c.is_whitespace() && !c.is_alphabetic() && !c.is_numeric()),
        };
        let (word, tail) = rest.split_at(end);
        rest = tail;
        Some(word)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_endings_letters_digits_and_signs() {
        let found: Vec<&str> = words("it's  a 12-cm\tscrew, they'll…no'x").collect();
        assert_eq!(found, ["it", "'s", "a", "1", "2", "-", "cm", "screw", ",", "they", "'ll", "…", "no", "'", "x"]);
    }

    #[test]
    fn pairs_are_merged_in_the_order_of_the_list() {
        // Bytes a = 64, b = 65, c = 66; 256 more at the end of a word.
        let tokenizer = Tokenizer::new("#version\nb c</w>\na b\nab c</w>\nab ab\n").unwrap();
        let of = |text: &str| {
            let tokens = tokenizer.tokens(text);
            assert_eq!((tokens[0], tokens[tokens.len() - 1]), (516, 517));
            tokens[1..tokens.len() - 1].to_vec()
        };
        assert_eq!(of("A"), [64 + 256]);
        assert_eq!(of("abc"), [64, 512]);
        assert_eq!(of("ababc b"), [513, 64, 512, 65 + 256]);
        assert_eq!(of("ababa"), [515, 64 + 256]);
        assert_eq!(tokenizer.tokens(&"a ".repeat(200)).len(), CONTEXT);
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "#\na b\nab zz\n").unwrap();
        let error = Tokenizer::read(file.path()).unwrap_err().to_string();
        assert!(error.contains("line 3: `ab zz`"), "{error}");
    }

    // The list that comes with CLIP's weights; numbers by OpenAI's tokenizer, between the start 49406 and the end 49407.
    #[test]
    #[ignore = "wants weights/clip_bpe_simple_vocab_16e6.txt.gz of the data folder, which zsad data fetch brings with CLIP's weights"]
    fn numbers_are_those_of_clip() {
        let data = zsad_core::DataDir::resolve(None);
        let tokenizer = Tokenizer::read(&data.path.join("weights/clip_bpe_simple_vocab_16e6.txt.gz")).unwrap();
        for (text, want) in KNOWN {
            let tokens = tokenizer.tokens(text);
            assert_eq!(&tokens[1..tokens.len() - 1], *want, "{text}");
            assert_eq!((tokens[0], tokens[tokens.len() - 1]), (49_406, 49_407));
        }
    }

    const KNOWN: &[(&str, &[u32])] = &[
        ("without defect.", &[2193, 44013, 269]),
        ("With  DEFECT.", &[593, 44013, 269]),
        ("X X damaged object.", &[343, 343, 13568, 14115, 269]),
        ("a photo of a damaged bottle.", &[320, 1125, 539, 320, 13568, 5392, 269]),
        (
            "It's a 12-cm Screw, they'll say: no/defect!!",
            &[585, 568, 320, 272, 273, 268, 3741, 14225, 267, 889, 1342, 1451, 281, 871, 270, 44013, 748],
        ),
        ("naïve Müller — 3½ µm", &[1097, 35689, 563, 28142, 7722, 2005, 274, 33613, 126, 113, 332]),
        ("toothbrush's  zipper_pull", &[36841, 568, 33670, 318, 6857]),
        ("l'été d'un don't", &[331, 262, 3459, 39694, 323, 262, 2271, 847, 713]),
        ("a cropped photo of the flawless metal nut.", &[320, 31139, 1125, 539, 518, 15531, 4044, 6491, 269]),
    ];
}
