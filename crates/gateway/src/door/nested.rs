//! `data[0][event_name]=Purchase`: lists and objects in a form, as PHP, Rails and jQuery write them.
//!
//! Every value is a text, which the event's reader takes for what its key wants. Keys that are all numbers are a
//! list in the order of the numbers; `[]` is the next one.

use std::collections::BTreeMap;

use sluice_event::json;

/// How deep the fields may be nested: `data`, an event, `custom_data`, `contents`, an entry, its key, and some more.
const DEPTH_MAX: usize = 16;

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Index(u64),
    Name(String),
}

enum Node {
    Text(String),
    Branch(BTreeMap<Key, Node>),
}

/// The JSON text of the fields below `root`; `None` if there are none.
pub(super) fn json_of(root: &str, fields: Vec<(String, String)>) -> Option<Vec<u8>> {
    let mut tree = BTreeMap::new();
    for (name, value) in fields {
        let path = name.strip_prefix(root).and_then(path);
        if let Some(path) = path {
            put(&mut tree, &path, value);
        }
    }
    if tree.is_empty() {
        return None;
    }
    let mut text = String::new();
    write(&Node::Branch(tree), &mut text);
    Some(text.into_bytes())
}

/// Whether a field stands below `root`.
pub(super) fn is_below(root: &str, name: &str) -> bool {
    name.strip_prefix(root)
        .is_some_and(|rest| path(rest).is_some())
}

/// The keys in `[0][event_name]`, if it is that to the end and not too deep.
fn path(brackets: &str) -> Option<Vec<&str>> {
    let inner = brackets.strip_prefix('[')?.strip_suffix(']')?;
    let keys: Vec<&str> = inner.split("][").take(DEPTH_MAX + 1).collect();
    (keys.len() <= DEPTH_MAX).then_some(keys)
}

/// Puts a value at its place. Of two at the same place the last one counts, as in PHP.
fn put(branch: &mut BTreeMap<Key, Node>, path: &[&str], value: String) {
    let [first, rest @ ..] = path else { return };
    let key = match *first {
        "" => next(branch, rest),
        text => named(text),
    };
    if rest.is_empty() {
        branch.insert(key, Node::Text(value));
        return;
    }
    let child = branch
        .entry(key)
        .or_insert_with(|| Node::Branch(BTreeMap::new()));
    if let Node::Text(_) = child {
        *child = Node::Branch(BTreeMap::new());
    }
    if let Node::Branch(child) = child {
        put(child, rest, value);
    }
}

fn named(text: &str) -> Key {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse() {
        Ok(index) if is_number => Key::Index(index),
        _ => Key::Name(text.to_owned()),
    }
}

/// What `[]` stands for: one more entry, or the last one as long as it has no value at the rest of the path.
fn next(branch: &BTreeMap<Key, Node>, rest: &[&str]) -> Key {
    let indices = branch.iter().rev().find_map(|(key, node)| match key {
        Key::Index(index) => Some((*index, node)),
        Key::Name(_) => None,
    });
    match indices {
        None => Key::Index(0),
        Some((last, node)) if !rest.is_empty() && !has(node, rest) => Key::Index(last),
        Some((last, _)) => Key::Index(last.saturating_add(1)),
    }
}

/// Whether there is a value at a path already. Below `[]` there is always room.
fn has(node: &Node, path: &[&str]) -> bool {
    match (node, path) {
        (Node::Text(_), _) | (_, []) => true,
        (Node::Branch(_), ["", ..]) => false,
        (Node::Branch(branch), [first, rest @ ..]) => branch
            .get(&named(first))
            .is_some_and(|child| has(child, rest)),
    }
}

fn write(node: &Node, out: &mut String) {
    let branch = match node {
        Node::Text(text) => return json::write_text(out, text),
        Node::Branch(branch) => branch,
    };
    let is_list = branch.keys().all(|key| matches!(key, Key::Index(_)));
    out.push(if is_list { '[' } else { '{' });
    for (place, (key, child)) in branch.iter().enumerate() {
        if place > 0 {
            out.push(',');
        }
        if !is_list {
            match key {
                Key::Index(index) => json::write_text(out, &index.to_string()),
                Key::Name(name) => json::write_text(out, name),
            }
            out.push(':');
        }
        write(child, out);
    }
    out.push(if is_list { ']' } else { '}' });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(form: &str) -> Option<String> {
        let fields = form_urlencoded::parse(form.as_bytes());
        let fields = fields.map(|(key, value)| (key.into_owned(), value.into_owned()));
        let json = json_of("data", fields.collect())?;
        Some(String::from_utf8(json).unwrap())
    }

    #[test]
    fn reads_lists_and_objects() {
        for (form, expected) in [
            (
                "data[0][event_name]=Lead&data[0][user_data][em][0]=a%40b.c&data[0][user_data][em][1]=d",
                r#"[{"event_name":"Lead","user_data":{"em":["a@b.c","d"]}}]"#,
            ),
            (
                "data%5B1%5D%5Bevent_name%5D=B&data%5B0%5D%5Bevent_name%5D=A",
                r#"[{"event_name":"A"},{"event_name":"B"}]"#,
            ),
            ("data[10]=c&data[9]=b&data[0]=a", r#"["a","b","c"]"#),
            ("data[]={}&data[]={}", r#"["{}","{}"]"#),
            (
                "data[][event_name]=A&data[][user_data][em][]=a&data[][user_data][em][]=b&data[][event_name]=B",
                r#"[{"event_name":"A","user_data":{"em":["a","b"]}},{"event_name":"B"}]"#,
            ),
            ("data[event_name]=Lead", r#"{"event_name":"Lead"}"#),
            ("data[0]=a&data[x]=b", r#"{"0":"a","x":"b"}"#),
            ("data[0][a]=1&data[0][a]=2", r#"[{"a":"2"}]"#),
            ("data[0]=x&data[0][a]=1", r#"[{"a":"1"}]"#),
            ("data[0][a\"]=\\", r#"[{"a\"":"\\"}]"#),
        ] {
            assert_eq!(read(form).as_deref(), Some(expected), "{form}");
        }
    }

    #[test]
    fn what_is_not_below_the_root_is_left_alone() {
        let deep = format!("data{}=1", "[a]".repeat(DEPTH_MAX + 1));
        for form in [
            "data=1",
            "dat[0]=1",
            "data[0=1",
            "data0]=1",
            "data[0]x=1",
            "x[data]=1",
            &deep,
        ] {
            assert_eq!(read(form), None, "{form}");
        }
    }
}
