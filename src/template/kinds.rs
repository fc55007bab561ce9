//! Which component types there are, as far as reading a template needs to know.

use crate::hcl::Type;
use crate::hcl::decode::Layout;

/// What a component does in a build.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// `source` blocks.
    Source,
    /// `provisioner` and `error-cleanup-provisioner` blocks.
    Provisioner,
    /// `post-processor` blocks.
    PostProcessor,
    /// `data` blocks.
    Data,
}

/// The component types there are.
pub trait Kinds: Send + Sync {
    /// The names of all types of a role, in order.
    fn names(&self, role: Role) -> Vec<&str>;

    /// The type of what a data source type gives; none if there is no such type.
    fn data_output(&self, kind: &str) -> Option<Type>;

    /// The version of Packer's plugin that the types of a built-in plugin stand for; none if no plugin of this source
    /// is built in.
    fn plugin(&self, source: &str) -> Option<&str>;
    /// How the options of a type are written; none if that is not known.
    fn layout(&self, role: Role, kind: &str) -> Option<Layout>;

    /// Whether there is a type.
    fn has(&self, role: Role, kind: &str) -> bool {
        self.names(role).contains(&kind)
    }
}

/// A table of component types.
#[derive(Clone, Debug, Default)]
pub struct KindTable {
    /// Types by role.
    pub components: Vec<(Role, String)>,
    /// Data source types and what they give.
    pub data: Vec<(String, Type)>,
    /// Sources of built-in plugins and their versions.
    pub plugins: Vec<(String, String)>,
}

impl Kinds for KindTable {
    fn names(&self, role: Role) -> Vec<&str> {
        if role == Role::Data {
            return self.data.iter().map(|(name, _)| name.as_str()).collect();
        }
        self.components.iter().filter(|(own, _)| *own == role).map(|(_, name)| name.as_str()).collect()
    }

    fn layout(&self, _: Role, _: &str) -> Option<Layout> {
        None
    }

    fn data_output(&self, kind: &str) -> Option<Type> {
        self.data.iter().find(|(name, _)| name == kind).map(|(_, ty)| ty.clone())
    }

    fn plugin(&self, source: &str) -> Option<&str> {
        self.plugins.iter().find(|(own, _)| own == source).map(|(_, version)| version.as_str())
    }
}
