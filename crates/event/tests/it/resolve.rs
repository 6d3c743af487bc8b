//! Following a finding's path into the input.

use serde_json::Value;

/// Whether `path`, such as `a.b[2].c["x.y"]`, leads to something; an empty one leads to `value`.
///
/// Strings that hold JSON are followed into: form senders write lists and whole events so.
pub(crate) fn resolves(value: &Value, path: &str) -> bool {
    if let Value::String(text) = value
        && let Ok(inner) = serde_json::from_str::<Value>(text)
        && !inner.is_string()
    {
        return path.is_empty() || resolves(&inner, path);
    }
    let Some((step, rest)) = first_step(path) else {
        return path.is_empty();
    };
    let next = match &step {
        Step::Key(key) => value.get(key),
        Step::Index(index) => value.get(index),
    };
    next.is_some_and(|next| resolves(next, rest))
}

enum Step {
    Key(String),
    Index(usize),
}

/// The first step of a path and what is behind it; `None` when the path is empty or malformed.
fn first_step(path: &str) -> Option<(Step, &str)> {
    let (step, rest) =
        if let Some(quoted) = path.strip_prefix('[').filter(|rest| rest.starts_with('"')) {
            let mut texts = serde_json::Deserializer::from_str(quoted).into_iter::<String>();
            let key = texts.next()?.ok()?;
            (
                Step::Key(key),
                quoted[texts.byte_offset()..].strip_prefix(']')?,
            )
        } else if let Some(rest) = path.strip_prefix('[') {
            let (digits, rest) = rest.split_once(']')?;
            (Step::Index(digits.parse().ok()?), rest)
        } else {
            let end = path.find(['.', '[']).unwrap_or(path.len());
            let key = path.get(..end).filter(|key| !key.is_empty())?;
            (Step::Key(key.to_owned()), &path[end..])
        };
    // A dot stands before a plain key only, and a plain key never ends the path with one.
    match rest.strip_prefix('.') {
        Some(rest) if rest.is_empty() || rest.starts_with(['.', '[']) => None,
        Some(rest) => Some((step, rest)),
        None => Some((step, rest)),
    }
}

#[test]
fn the_resolver_follows_keys_indices_and_quoted_keys() {
    let value =
        serde_json::json!({ "a": { "b": [0, 1, { "c": { "x.y\"": null } }] }, "s": "[{\"t\":1}]" });
    for path in ["", "a", "a.b", "a.b[2].c", r#"a.b[2].c["x.y\""]"#, "s[0].t"] {
        assert!(resolves(&value, path), "{path}");
    }
    for path in [
        "b",
        "a.c",
        "a.b[3]",
        "a.b.c",
        "a.",
        "a..b",
        "[0]",
        "a[\"b",
        "s[1]",
        "a.b[2].c.x",
    ] {
        assert!(!resolves(&value, path), "{path}");
    }
}
