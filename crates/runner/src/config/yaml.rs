//! YAML as a tree that remembers where everything stands.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, Span};
use serde_json::Value;

use super::problem::{Pos, Problem, Problems};

/// A value and its place.
#[derive(Debug, Clone)]
pub struct Node {
    /// Where it begins.
    pub pos: Pos,
    /// What it is.
    pub kind: Kind,
}

/// The three kinds of YAML values.
#[derive(Debug, Clone)]
pub enum Kind {
    /// `null`, a truth value, a number or a text.
    Scalar(Value),
    /// `[…]` or `- …`
    List(Vec<Node>),
    /// `{…}` or `key: …`, in the file's order.
    Map(Vec<Entry>),
}

/// One `key: value` of a mapping.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The key; keys are texts.
    pub key: String,
    /// Where the key stands.
    pub pos: Pos,
    /// The value.
    pub value: Node,
}

/// Of a text that is quoted in a message, so many characters are shown.
const LONG: usize = 60;

impl Node {
    /// As JSON.
    pub fn to_json(&self) -> Value {
        match &self.kind {
            Kind::Scalar(value) => value.clone(),
            Kind::List(items) => items.iter().map(Node::to_json).collect(),
            Kind::Map(entries) => Value::Object(entries.iter().map(|e| (e.key.clone(), e.value.to_json())).collect()),
        }
    }

    /// What it is, in the words of the messages.
    pub fn describe(&self) -> String {
        match &self.kind {
            Kind::Scalar(Value::Null) => "nothing".into(),
            Kind::Scalar(value) => {
                let text = value.to_string();
                if text.chars().count() > LONG {
                    format!("{}…", text.chars().take(LONG).collect::<String>())
                } else {
                    text
                }
            }
            Kind::List(_) => "a list".into(),
            Kind::Map(_) => "a mapping".into(),
        }
    }

    /// The items of a list; anything else counts as a list of one, `null` as an empty one.
    pub fn items(&self) -> &[Node] {
        match &self.kind {
            Kind::List(items) => items,
            Kind::Scalar(Value::Null) => &[],
            _ => std::slice::from_ref(self),
        }
    }
}

/// Reads one document and notes keys that occur twice. `None` where the text is not YAML at all: that is noted as
/// one mistake, for nothing after it can be trusted.
pub fn parse(text: &str, problems: &mut Problems) -> Option<Node> {
    let mut reader = Reader { parser: Parser::new_from_str(text), anchors: HashMap::new(), problems };
    let node = reader.document();
    node.map_err(|p| problems.push(p)).ok()
}

struct Reader<'t, 'p> {
    parser: Parser<'t, saphyr_parser::StrInput<'t>>,
    anchors: HashMap<usize, Node>,
    problems: &'p mut Problems,
}

impl<'t> Reader<'t, '_> {
    fn next(&mut self) -> Result<(Event<'t>, Span), Problem> {
        match self.parser.next_event() {
            Some(Ok(event)) => Ok(event),
            Some(Err(e)) => {
                let at = Pos { line: e.marker().line(), col: e.marker().col() + 1 };
                Err(Problem::new(at, format!("not valid YAML: {}", e.info()), "check indentation, quotes and brackets"))
            }
            None => Err(Problem::new(Pos { line: 1, col: 1 }, "not valid YAML: it ends too early", "")),
        }
    }

    fn document(&mut self) -> Result<Node, Problem> {
        loop {
            match self.next()? {
                (Event::StreamStart | Event::DocumentStart(_), _) => {}
                (Event::StreamEnd, span) => return Err(Problem::new(pos(span), "the file is empty", START)),
                (event, span) => {
                    let node = self.node(event, span)?;
                    return match (self.next()?, self.next()?) {
                        (_, (Event::StreamEnd, _)) => Ok(node),
                        (_, (_, span)) => {
                            Err(Problem::new(pos(span), "a second document in one file", "one experiment a file"))
                        }
                    };
                }
            }
        }
    }

    fn node(&mut self, event: Event<'t>, span: Span) -> Result<Node, Problem> {
        let (kind, anchor) =
            match event {
                Event::Scalar(text, style, anchor, tag) => {
                    let text_by_tag = tag.is_some_and(|t| t.is_yaml_core_schema() && t.suffix == "str");
                    let plain = style == ScalarStyle::Plain && !text_by_tag;
                    (Kind::Scalar(if plain { resolve(&text) } else { Value::from(&*text) }), anchor)
                }
                Event::SequenceStart(anchor, _) => {
                    let mut items = Vec::new();
                    loop {
                        match self.next()? {
                            (Event::SequenceEnd, _) => break,
                            (event, span) => items.push(self.node(event, span)?),
                        }
                    }
                    (Kind::List(items), anchor)
                }
                Event::MappingStart(anchor, _) => (Kind::Map(self.entries()?), anchor),
                Event::Alias(anchor) => {
                    return self.anchors.get(&anchor).cloned().ok_or_else(|| {
                        Problem::new(pos(span), "an alias inside its own anchor", "write the values out")
                    });
                }
                other => return Err(Problem::new(pos(span), format!("unexpected {other:?}"), "")),
            };
        let node = Node { pos: pos(span), kind };
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn entries(&mut self) -> Result<Vec<Entry>, Problem> {
        let mut entries: Vec<Entry> = Vec::new();
        loop {
            let (event, span) = self.next()?;
            let key = match event {
                Event::MappingEnd => return Ok(entries),
                Event::Scalar(text, ..) => text.into_owned(),
                _ => return Err(Problem::new(pos(span), "a key must be a word", "")),
            };
            if let Some(first) = entries.iter().find(|e| e.key == key) {
                let hint = format!("the first one is in line {}; keep one of them", first.pos.line);
                self.problems.add(pos(span), format!("`{key}` occurs twice"), hint);
            }
            let (event, value_span) = self.next()?;
            entries.push(Entry { key, pos: pos(span), value: self.node(event, value_span)? });
        }
    }
}

const START: &str = "begin with `experiment: NAME`";

fn pos(span: Span) -> Pos {
    Pos { line: span.start.line(), col: span.start.col() + 1 }
}

/// The type of an unquoted scalar, by the YAML library's own rules; what it cannot read is a text.
fn resolve(text: &str) -> Value {
    match serde_yaml::from_str::<Value>(text) {
        Ok(value) if !value.is_array() && !value.is_object() => value,
        _ => Value::from(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(text: &str) -> (Option<Node>, Vec<Problem>) {
        let mut problems = Problems::default();
        let node = parse(text, &mut problems);
        (node, problems.sorted())
    }

    #[test]
    fn values_have_their_types_and_places() {
        let (node, problems) = read("a: 1\nb: [x, 2.5, \"3\", ~, true]\nc:\n  - &k {d: 1e-3}\n  - *k\n");
        let node = node.unwrap();
        assert_eq!(problems, []);
        assert_eq!(
            node.to_json(),
            json!({"a": 1, "b": ["x", 2.5, "3", null, true], "c": [{"d": 0.001}, {"d": 0.001}]})
        );
        let Kind::Map(entries) = &node.kind else { panic!("a mapping") };
        assert_eq!(entries[1].pos, Pos { line: 2, col: 1 });
        assert_eq!(entries[1].value.items()[1].pos, Pos { line: 2, col: 8 });
    }

    #[test]
    fn broken_text_and_double_keys_are_placed() {
        let (node, problems) = read("a: [1, 2\nb: 3\n");
        assert!(node.is_none());
        assert!(problems[0].message.starts_with("not valid YAML"), "{problems:?}");
        let (node, problems) = read("a: 1\nb: {c: 1, c: 2}\na: 2\n");
        let positions: Vec<_> = problems.iter().map(|p| (p.pos.line, p.pos.col, p.message.as_str())).collect();
        assert!(node.is_some());
        assert_eq!(positions, [(2, 11, "`c` occurs twice"), (3, 1, "`a` occurs twice")]);
        assert_eq!(read("").1[0].message, "the file is empty");
        assert_eq!(read("a: 1\n---\nb: 2\n").1[0].message, "a second document in one file");
    }
}
