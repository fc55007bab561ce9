//! Writes answers. aws-sdk-rust is the strictest reader: no white space inside scalars, and an unset number, boolean or time is left out.

use std::fmt::{Display, Write};

/// A run of XML elements under construction.
#[derive(Clone, Debug, Default)]
pub struct Xml(String);

impl Xml {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// `<name>value</name>`, escaped.
    pub fn text(&mut self, name: &str, value: impl Display) -> &mut Self {
        self.0.push_str(&format!("<{name}>"));
        escape_into(&mut self.0, &value.to_string());
        self.0.push_str(&format!("</{name}>"));
        self
    }

    /// The text alone, for the items of lists of texts.
    pub fn value(&mut self, value: impl Display) -> &mut Self {
        escape_into(&mut self.0, &value.to_string());
        self
    }

    /// Like [`Xml::text`], and nothing at all without a value.
    pub fn some(&mut self, name: &str, value: Option<impl Display>) -> &mut Self {
        if let Some(value) = value {
            self.text(name, value);
        }
        self
    }

    /// Like [`Xml::text`], and nothing at all for an empty text.
    pub fn filled(&mut self, name: &str, value: &str) -> &mut Self {
        self.some(name, (!value.is_empty()).then_some(value))
    }

    /// An element with children.
    pub fn node(&mut self, name: &str, children: impl FnOnce(&mut Xml)) -> &mut Self {
        self.0.push_str(&format!("<{name}>"));
        children(self);
        self.0.push_str(&format!("</{name}>"));
        self
    }

    /// EC2's lists: `<name><item>…</item>…</name>`; an empty one stays visible as `<name></name>`.
    pub fn list<T>(&mut self, name: &str, items: impl IntoIterator<Item = T>, each: impl Fn(&mut Xml, T)) -> &mut Self {
        self.list_of(name, "item", items, each)
    }

    /// A list whose children have another name (`member` in STS and IAM).
    pub fn list_of<T>(
        &mut self,
        name: &str,
        child: &str,
        items: impl IntoIterator<Item = T>,
        each: impl Fn(&mut Xml, T),
    ) -> &mut Self {
        self.node(name, |xml| {
            for item in items {
                xml.node(child, |xml| each(xml, item));
            }
        })
    }

    /// True when nothing was written.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Appends what another writer wrote.
    pub fn append(&mut self, other: &Xml) -> &mut Self {
        self.0.push_str(&other.0);
        self
    }
}

fn escape_into(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            '\t' | '\n' => out.push(c),
            '\r' => out.push_str("&#13;"),
            // XML 1.0 has no way to write the other control characters, not even escaped.
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
}

/// A whole document: declaration, root element with its name space, children.
pub fn document(root: &str, namespace: Option<&str>, children: &Xml) -> String {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let attribute = namespace.map(|ns| format!(" xmlns=\"{ns}\"")).unwrap_or_default();
    // Writing to a String cannot fail.
    let _ = write!(out, "<{root}{attribute}>{}</{root}>", children.0);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_lists_scalars_and_escapes() {
        let mut xml = Xml::new();
        xml.text("a", "<&>\u{1}").some("none", None::<u8>).filled("empty", "").text("kept", "");
        xml.list("set", [1, 2], |xml, n| {
            xml.text("n", n);
        });
        let text = document("RResponse", Some("urn:x"), &xml);
        assert!(text.ends_with(
            "<RResponse xmlns=\"urn:x\"><a>&lt;&amp;&gt;\u{fffd}</a><kept></kept><set><item><n>1</n></item><item><n>2</n></item></set></RResponse>"
        ));
    }
}
