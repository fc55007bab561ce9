//! The order in which locals and data sources can be evaluated.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::fmt;

use super::data::DataBlocks;
use super::locals::Locals;
use crate::hcl::diagnostics::{Diagnostic, Diagnostics, Span, nearest};
use crate::hcl::references::{Traversal, references, references_in};

/// Missing names for which a similar one is looked for.
const MAX_HINTS: usize = 50;
/// Nodes of a circle that are named; a generated one can have thousands.
const MAX_RING: usize = 10;

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
    /// In order.
    nodes: Vec<Node>,
    /// What each node needs, by the node's place in that order.
    edges: Vec<Vec<Edge>>,
}

/// That a node needs another one.
struct Edge {
    target: Target,
    /// Where it says so.
    span: Span,
}

/// What a node needs.
enum Target {
    /// Another node, by its place.
    Node(usize),
    /// Something that is not there.
    Missing(Node),
}

/// The order of evaluation.
pub(super) struct Ordered {
    /// The nodes, each after what it depends on.
    pub nodes: Vec<Node>,
    /// The nodes that depend on something missing or on themselves, and all that depends on them.
    pub stuck: Vec<Node>,
    /// What is missing, and what depends on itself.
    pub problems: Diagnostics,
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
        let locals = locals.iter().map(|(name, local)| (Node::Local(name.clone()), references(local.expr())));
        let data_nodes = data
            .iter()
            .map(|((kind, name), block)| (Node::Data(kind.clone(), name.clone()), references_in(&block.body)));
        let with_targets = |(node, references): (Node, Vec<Traversal<'_>>)| {
            (node, references.iter().flat_map(|reference| targets(reference, data)).collect())
        };
        Self::of(data_nodes.chain(locals).map(with_targets).collect())
    }

    /// The graph of nodes and what each needs.
    fn of(mut needs: Vec<(Node, Vec<(Node, Span)>)>) -> Self {
        needs.sort_by(|(left, _), (right, _)| left.cmp(right));
        let (nodes, needs): (Vec<Node>, Vec<_>) = needs.into_iter().unzip();
        let edge = |(target, span)| {
            let target = nodes.binary_search(&target).map_or(Target::Missing(target), Target::Node);
            Edge { target, span }
        };
        let edges = needs.into_iter().map(|targets: Vec<(Node, Span)>| targets.into_iter().map(edge).collect());
        Self { edges: edges.collect(), nodes }
    }

    /// The graph without what data sources need of locals: then all data sources come first.
    #[must_use]
    pub fn data_first(mut self) -> Self {
        let is_data = |node: &Node| matches!(node, Node::Data(..));
        for (node, edges) in self.nodes.iter().zip(&mut self.edges) {
            if is_data(node) {
                edges.retain(|edge| is_data(edge.target.node(&self.nodes)));
            }
        }
        self
    }

    /// All nodes, each after what it depends on, else in the order of their names.
    pub fn order(&self) -> Ordered {
        // Who waits for each node, once for every time that it needs it.
        let mut dependents: Vec<Vec<usize>> = vec![Vec::new(); self.nodes.len()];
        for (at, edges) in self.edges.iter().enumerate() {
            edges.iter().filter_map(Edge::place).for_each(|target| dependents[target].push(at));
        }
        let mut waits: Vec<usize> = self.edges.iter().map(Vec::len).collect();
        let mut ready: BinaryHeap<Reverse<usize>> =
            (0..self.nodes.len()).filter(|at| waits[*at] == 0).map(Reverse).collect();
        let mut nodes = Vec::with_capacity(self.nodes.len());
        while let Some(Reverse(at)) = ready.pop() {
            nodes.push(self.nodes[at].clone());
            for dependent in &dependents[at] {
                waits[*dependent] -= 1;
                if waits[*dependent] == 0 {
                    ready.push(Reverse(*dependent));
                }
            }
        }
        let stuck: BTreeSet<usize> = (0..self.nodes.len()).filter(|at| waits[*at] > 0).collect();
        let mut problems = self.missing();
        problems.extend(self.cycles(&stuck));
        Ordered { nodes, stuck: stuck.into_iter().map(|at| self.nodes[at].clone()).collect(), problems }
    }

    /// All nodes that these depend on at any distance, and they themselves.
    pub fn reach(&self, from: impl IntoIterator<Item = Node>) -> BTreeSet<Node> {
        let mut reached = BTreeSet::new();
        let mut left: Vec<Node> = from.into_iter().collect();
        while let Some(node) = left.pop() {
            if reached.insert(node.clone()) {
                let place = self.nodes.binary_search(&node).ok();
                let edges = place.into_iter().flat_map(|at| &self.edges[at]);
                left.extend(edges.map(|edge| edge.target.node(&self.nodes).clone()));
            }
        }
        reached
    }

    fn missing(&self) -> Diagnostics {
        let mut missing = Vec::new();
        for (node, edges) in self.nodes.iter().zip(&self.edges) {
            for edge in edges {
                if let Target::Missing(target) = &edge.target {
                    missing.push((node, target, &edge.span));
                }
            }
        }
        if missing.is_empty() {
            return Diagnostics::new();
        }
        let names: Vec<String> = self.nodes.iter().map(ToString::to_string).collect();
        let described = missing.into_iter().enumerate().map(|(at, (node, target, span))| {
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
    fn cycles(&self, stuck: &BTreeSet<usize>) -> Diagnostics {
        let mut diagnostics = Diagnostics::new();
        let mut explained: BTreeSet<usize> = BTreeSet::new();
        for start in stuck {
            let mut path: Vec<&Node> = Vec::new();
            let mut places: BTreeMap<usize, usize> = BTreeMap::new();
            let mut next = Some(*start);
            while let Some(at) = next.filter(|at| explained.insert(*at)) {
                places.insert(at, path.len());
                path.push(&self.nodes[at]);
                let mut steps = self.edges[at].iter().filter_map(|edge| Some((edge.place()?, &edge.span)));
                let step = steps.find(|(target, _)| stuck.contains(target));
                next = step.map(|(target, _)| target);
                if let Some((target, span)) = step
                    && let Some(first) = places.get(&target)
                {
                    diagnostics.push(cycle(&path[*first..]).at(span));
                }
            }
        }
        diagnostics
    }
}

impl Edge {
    /// The place of the node that is needed; none if it is not there.
    fn place(&self) -> Option<usize> {
        if let Target::Node(at) = self.target { Some(at) } else { None }
    }
}

impl Target {
    /// What it is, there or not.
    fn node<'a>(&'a self, nodes: &'a [Node]) -> &'a Node {
        match self {
            Self::Node(at) => &nodes[*at],
            Self::Missing(node) => node,
        }
    }
}

fn cycle(path: &[&Node]) -> Diagnostic {
    if let [node] = path {
        return Diagnostic::error("Reference to itself", format!("{node} needs itself to be computed."));
    }
    let mut names: Vec<String> = path.iter().take(MAX_RING).map(ToString::to_string).collect();
    let more = path.len() - names.len();
    if more > 0 {
        names.push(format!("… and {more} more"));
    }
    names.extend(path.first().map(ToString::to_string));
    Diagnostic::error("Circular reference", format!("Each of these needs the next one: {}.", names.join(", ")))
}

/// What a reference needs: a local, a data source, or all data sources of a type. `local` or `data` as a whole is
/// whatever is known then.
pub(super) fn targets(reference: &Traversal<'_>, data: &DataBlocks) -> Vec<(Node, Span)> {
    let node = match (reference.root, reference.path.as_slice()) {
        ("local", [name, ..]) => vec![Node::Local(name.to_string())],
        ("data", [kind, name, ..]) => vec![Node::Data(kind.to_string(), name.to_string())],
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
        let Ordered { nodes, problems, .. } = Graph::of(edges.iter().map(edge).collect()).order();
        let names = nodes.iter().map(|node| node.to_string().replace("local.", ""));
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
    fn a_long_ring_is_cut() {
        let names: Vec<String> = (0..5_000).map(|at| format!("n{at:04}")).collect();
        let targets: Vec<[&str; 1]> = (0..5_000).map(|at| [names[(at + 1) % 5_000].as_str()]).collect();
        let edges: Vec<(&str, &[&str])> =
            names.iter().zip(&targets).map(|(name, to)| (name.as_str(), &to[..])).collect();
        let (_, problems) = ordered(&edges);
        assert!(
            problems.len() == 1 && problems[0].ends_with("local.n0009, … and 4990 more, local.n0000."),
            "{problems:?}"
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
