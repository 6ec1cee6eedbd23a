//! Content keys: BLAKE3 over canonical JSON of exactly what can change a result.

use serde_json::Value;

/// JSON with object keys sorted, no white space, and numbers as `serde_json` prints them (shortest round trip).
pub fn canonical_json(value: &Value) -> String {
    // So it prints objects, whose entries it keeps sorted, as the test below makes sure.
    value.to_string()
}

/// The key of `value`: the first 128 bits of BLAKE3 over its canonical JSON, as 32 hexadecimal digits.
pub fn key(value: &Value) -> String {
    blake3::hash(canonical_json(value).as_bytes()).to_hex()[..32].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn order_of_fields_does_not_matter_and_order_of_items_does() {
        let a: Value = serde_json::from_str(r#"{"b":[1,2],"a":{"y":0.1,"x":null}}"#).unwrap();
        let b: Value = serde_json::from_str(r#"{"a":{"x":null,"y":0.1},"b":[1,2]}"#).unwrap();
        assert_eq!(canonical_json(&a), r#"{"a":{"x":null,"y":0.1},"b":[1,2]}"#);
        assert_eq!(key(&a), key(&b));
        assert_ne!(key(&json!([1, 2])), key(&json!([2, 1])));
        assert_eq!(key(&a).len(), 32);
    }
}
