//! The order in which locals and data sources can be evaluated.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::data::DataBlocks;
use super::locals::Locals;
use crate::hcl::diagnostics::{Diagnostic, Diagnostics, Span, nearest};
use crate::hcl::references::{Traversal, references, references_in};

/// Missing names for which a similar one is looked for.
const MAX_HINTS: usize = 50;

/// A local or a data source.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Node {
    /// `data.TYPE.NAME`
    Data(String, String),
    /// `local.NAME`
    Local(String),
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local(name) => write!(f, "local.{name}"),
            Self::Data(kind, name) => write!(f, "data.{kind}.{name}"),
        }
    }
}

/// What depends on what.
#[derive(Default)]
pub(super) struct Graph {
    edges: BTreeMap<Node, Vec<(Node, Span)>>,
}

/// What is wrong with a reference to something that is not there, and how it would be declared.
fn missing_words(node: &Node, target: &Node) -> (&'static str, String, String) {
    match target {
        Node::Local(name) => (
            "Undeclared local",
            format!("{node} needs {target}, but the template has no local value \"{name}\"."),
            format!("to declare it, write: locals {{ {name} = … }}"),
        ),
        Node::Data(kind, name) => (
            "Undeclared data source",
            format!("{node} needs {target}, but the template has no such data block."),
            format!("to declare it, write: data \"{kind}\" \"{name}\" {{ … }}"),
        ),
    }
}

impl Graph {
    /// The graph of all locals and data sources.
    pub fn new(locals: &Locals, data: &DataBlocks) -> Self {
        let locals = locals.iter().map(|(name, local)| (Node::Local(name.clone()), references(&local.expr)));
        let data_nodes = data
            .iter()
            .map(|((kind, name), block)| (Node::Data(kind.clone(), name.clone()), references_in(&block.body)));
        let found: Vec<(Node, Vec<Traversal>)> = locals.chain(data_nodes).collect();
        let edges = found.into_iter().map(|(node, references)| {
            let targets = references.iter().flat_map(|reference| targets(reference, data));
            (node, targets.collect())
        });
        Self { edges: edges.collect() }
    }

    /// The graph without what data sources need of locals: then all data sources come first.
    #[must_use]
    pub fn data_first(mut self) -> Self {
        for (node, targets) in &mut self.edges {
            if matches!(node, Node::Data(..)) {
                targets.retain(|(target, _)| matches!(target, Node::Data(..)));
            }
        }
        self
    }

    /// All nodes.
    pub fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.edges.keys()
    }

    /// All nodes, each after what it depends on, else in the order of their names. Nodes that depend on something
    /// missing or on themselves are left out, with all that depends on them, and reported.
    pub fn order(&self) -> (Vec<Node>, Diagnostics) {
        let mut waiting: BTreeMap<&Node, BTreeSet<&Node>> = BTreeMap::new();
        let mut dependents: BTreeMap<&Node, Vec<&Node>> = BTreeMap::new();
        for (node, targets) in &self.edges {
            waiting.insert(node, targets.iter().map(|(target, _)| target).collect());
            targets.iter().for_each(|(target, _)| dependents.entry(target).or_default().push(node));
        }
        let mut ready: BTreeSet<&Node> =
            waiting.iter().filter(|(_, targets)| targets.is_empty()).map(|(node, _)| *node).collect();
        let mut order = Vec::new();
        while let Some(node) = ready.pop_first() {
            waiting.remove(node);
            order.push(node.clone());
            for dependent in dependents.get(node).into_iter().flatten() {
                let Some(targets) = waiting.get_mut(dependent) else { continue };
                if targets.remove(node) && targets.is_empty() {
                    ready.insert(dependent);
                }
            }
        }
        let mut diagnostics = self.missing();
        diagnostics.extend(self.cycles(&waiting.into_keys().collect()));
        (order, diagnostics)
    }

    /// All nodes that these depend on at any distance, and they themselves.
    pub fn reach(&self, from: impl IntoIterator<Item = Node>) -> BTreeSet<Node> {
        let mut reached = BTreeSet::new();
        let mut left: Vec<Node> = from.into_iter().collect();
        while let Some(node) = left.pop() {
            if reached.insert(node.clone()) {
                left.extend(self.edges.get(&node).into_iter().flatten().map(|(target, _)| target.clone()));
            }
        }
        reached
    }

    fn missing(&self) -> Diagnostics {
        let wanted = self.edges.iter().flat_map(|(node, targets)| targets.iter().map(move |edge| (node, edge)));
        let missing: Vec<_> = wanted.filter(|(_, (target, _))| !self.edges.contains_key(target)).collect();
        if missing.is_empty() {
            return Diagnostics::new();
        }
        let names: Vec<String> = self.edges.keys().map(ToString::to_string).collect();
        let described = missing.iter().enumerate().map(|(at, (node, (target, span)))| {
            let (summary, detail, declare) = missing_words(node, target);
            // Looking for names that are like a wrong one takes time.
            let hint =
                (at < MAX_HINTS).then(|| nearest(&target.to_string(), names.iter().map(String::as_str))).flatten();
            let hint = hint.map_or(declare, |name| format!("did you mean {name}?"));
            Diagnostic::error(summary, detail).at(span).hint(hint)
        });
        described.collect()
    }

    /// The cycles among nodes that can't be ordered. From each one way is followed to the fault that explains it: a
    /// cycle, or something missing, which is reported anyway.
    fn cycles(&self, stuck: &BTreeSet<&Node>) -> Diagnostics {
        let mut diagnostics = Diagnostics::new();
        let mut explained: BTreeSet<&Node> = BTreeSet::new();
        for start in stuck {
            let mut path: Vec<&Node> = Vec::new();
            let mut places: BTreeMap<&Node, usize> = BTreeMap::new();
            let mut next = Some(*start);
            while let Some(node) = next.filter(|node| explained.insert(node)) {
                places.insert(node, path.len());
                path.push(node);
                let step = self.edges.get(node).into_iter().flatten().find(|(target, _)| stuck.contains(target));
                next = step.map(|(target, _)| target);
                if let Some((target, span)) = step
                    && let Some(at) = places.get(target)
                {
                    diagnostics.push(cycle(&path[*at..]).at(span));
                }
            }
        }
        diagnostics
    }
}

fn cycle(path: &[&Node]) -> Diagnostic {
    if let [node] = path {
        return Diagnostic::error("Reference to itself", format!("{node} needs itself to be computed."));
    }
    let names: Vec<String> = path.iter().chain(path.first()).map(ToString::to_string).collect();
    Diagnostic::error("Circular reference", format!("Each of these needs the next one: {}.", names.join(", ")))
}

/// What a reference needs: a local, a data source, or all data sources of a type. `local` or `data` as a whole is
/// whatever is known then.
pub(super) fn targets(reference: &Traversal, data: &DataBlocks) -> Vec<(Node, Span)> {
    let node = match (reference.root.as_str(), reference.path.as_slice()) {
        ("local", [name, ..]) => vec![Node::Local(name.clone())],
        ("data", [kind, name, ..]) => vec![Node::Data(kind.clone(), name.clone())],
        ("data", [kind]) => {
            let of_kind = data.keys().filter(|(own, _)| own == kind);
            of_kind.map(|(kind, name)| Node::Data(kind.clone(), name.clone())).collect()
        }
        _ => Vec::new(),
    };
    node.into_iter().map(|node| (node, reference.span.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hcl::diagnostics::Sources;

    fn local(name: &str) -> Node {
        Node::Local(name.to_owned())
    }

    /// The order of locals that depend on these, and the details of what is wrong.
    fn ordered(edges: &[(&str, &[&str])]) -> (Vec<String>, Vec<String>) {
        let span = Span::new(Sources::default().add("t", ""), 0..0);
        let edge = |(name, targets): &(&str, &[&str])| {
            (local(name), targets.iter().map(|target| (local(target), span.clone())).collect())
        };
        let (order, problems) = Graph { edges: edges.iter().map(edge).collect() }.order();
        let names = order.iter().map(|node| node.to_string().replace("local.", ""));
        (names.collect(), problems.iter().map(|problem| problem.detail.clone()).collect())
    }

    #[test]
    fn orders() {
        assert_eq!(ordered(&[("a", &["c", "b", "c"]), ("b", &["d"]), ("c", &[]), ("d", &[])]).0, ["c", "d", "b", "a"]);
        let (order, problems) =
            ordered(&[("a", &["x"]), ("b", &["c"]), ("c", &["b", "e"]), ("d", &["b"]), ("e", &[]), ("f", &["f"])]);
        assert_eq!(order, ["e"]);
        assert_eq!(
            problems,
            [
                "local.a needs local.x, but the template has no local value \"x\".",
                "Each of these needs the next one: local.b, local.c, local.b.",
                "local.f needs itself to be computed."
            ]
        );
    }

    #[test]
    fn long_chains() {
        let names: Vec<String> = (0..20_000).map(|at| format!("n{at:05}")).collect();
        let edges: Vec<(&str, Vec<&str>)> =
            names.windows(2).map(|pair| (pair[0].as_str(), vec![pair[1].as_str()])).collect();
        let mut edges: Vec<(&str, &[&str])> = edges.iter().map(|(name, targets)| (*name, targets.as_slice())).collect();
        edges.push((names.last().unwrap(), &[]));
        assert_eq!(ordered(&edges).0.len(), 20_000);
    }
}
