//! Which rows does an answer hold, whatever their order?

use serde_json::Value;

/// Bodies without a row: no text at all, an empty list, and what a function returns that finds nothing.
const WITHOUT_ROWS: [&[u8]; 4] = [b"", b"[]", b"null", b"{}"];

/// Without an order, rows may come in another one every time.
pub fn are_the_same_rows(one: &[u8], other: &[u8]) -> bool {
    let rows = |body: &[u8]| -> Option<Vec<String>> {
        let rows: Vec<Value> = serde_json::from_slice(body).ok()?;
        let mut rows = rows.iter().map(Value::to_string).collect::<Vec<_>>();
        rows.sort_unstable();
        Some(rows)
    };
    one == other || (one.len() == other.len() && rows(one).is_some_and(|sorted| Some(sorted) == rows(other)))
}

/// Does it say nothing about anything?
pub fn holds_no_rows(body: &[u8]) -> bool {
    WITHOUT_ROWS.contains(&body.trim_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_makes_no_difference_and_everything_else_does() {
        for (one, other, same) in [
            (r#"[{"id":1},{"id":2}]"#, r#"[{"id":2},{"id":1}]"#, true),
            (r#"[{"id":1,"a":2}]"#, r#"[{"a":2,"id":1}]"#, true),
            (r#"[{"id":1},{"id":1}]"#, r#"[{"id":1},{"id":2}]"#, false),
            (r#"[{"id":1}]"#, r#"[{"id":1},{"id":1}]"#, false),
            ("a,b", "b,a", false),
            ("a,b", "a,b", true),
            ("", "", true),
        ] {
            assert_eq!(are_the_same_rows(one.as_bytes(), other.as_bytes()), same, "{one} {other}");
        }
    }

    #[test]
    fn what_holds_nothing_is_known() {
        for (body, nothing) in
            [("", true), (" [] \n", true), ("null", true), ("{}", true), ("[0]", false), ("0", false)]
        {
            assert_eq!(holds_no_rows(body.as_bytes()), nothing, "{body:?}");
        }
    }
}
